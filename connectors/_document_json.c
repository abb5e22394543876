/* Writes the messages of documents' changes as JSON: the two functions of document_json.py in C, to which they are held.
 *
 * Parts that few changes have are written by Python: updates that took something away, sessions of transactions.
 */

#include "_json_text.h"

/* The columns of the changes, each a list. */
enum {
    BEFORE, AFTER, UPDATES, COMMITTED_US, ORD, LSID, TXN_NUMBER, WALL_MS, AFTER_FROM, MARKERS, PARTS, ENDS, COLUMNS
};
/* What their source blocks have in common: from the beginning to the time, up to the database, up to the number. */
enum { START, NAMES, COLLECTION, TEXTS };
enum { UPDATED, REMOVED, TRUNCATED, UPDATE_FIELDS };

typedef struct {
    PyObject *columns[COLUMNS];
    PyObject *texts[TEXTS];
    PyObject *update_block, *session; /* functions that give bytes */
} Changes;

#define PUT(buffer, literal) put(buffer, literal, sizeof(literal) - 1)

static int wrong(const char *what)
{
    PyErr_SetString(PyExc_TypeError, what);
    return -1;
}

/* JSON as a text within JSON. */
static int put_document(Buffer *buffer, PyObject *document)
{
    if (document == Py_None) {
        return PUT(buffer, "null");
    }
    if (!PyBytes_Check(document)) {
        return wrong("a document's text is not bytes");
    }
    return put_text(buffer, PyBytes_AS_STRING(document), (size_t)PyBytes_GET_SIZE(document));
}

/* What a function of Python's makes, which is handed over. */
static int put_made(Buffer *buffer, PyObject *made)
{
    if (made == NULL) {
        return -1;
    }
    int failed = PyBytes_Check(made) ? put_bytes(buffer, made) : wrong("bytes were to be made");
    Py_DECREF(made);
    return failed;
}

static int put_number(Buffer *buffer, int64_t number)
{
    return put_integer(buffer, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
}

/* A text of our own, in which nothing has to be escaped. */
static int put_plain(Buffer *buffer, PyObject *text)
{
    Py_ssize_t length;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &length);
    if (utf8 == NULL || PUT(buffer, "\"") < 0 || put(buffer, utf8, (size_t)length) < 0) {
        return -1;
    }
    return PUT(buffer, "\"");
}

static int put_update(const Changes *all, Buffer *buffer, PyObject *update)
{
    if (update == Py_None) {
        return PUT(buffer, "null");
    }
    if (!PyTuple_Check(update) || PyTuple_GET_SIZE(update) != UPDATE_FIELDS) {
        return wrong("an update is none");
    }
    Py_ssize_t removed = PySequence_Size(PyTuple_GET_ITEM(update, REMOVED));
    Py_ssize_t truncated = PySequence_Size(PyTuple_GET_ITEM(update, TRUNCATED));
    if (removed < 0 || truncated < 0) {
        return -1;
    }
    if (removed > 0 || truncated > 0) {
        return put_made(buffer, PyObject_CallOneArg(all->update_block, update));
    }
    if (PUT(buffer, "{\"removedFields\":null,\"updatedFields\":") < 0 ||
        put_document(buffer, PyTuple_GET_ITEM(update, UPDATED)) < 0) {
        return -1;
    }
    return PUT(buffer, ",\"truncatedArrays\":null}");
}

static int put_session(const Changes *all, Buffer *buffer, Py_ssize_t index)
{
    PyObject *lsid = PyList_GET_ITEM(all->columns[LSID], index), *wall = PyList_GET_ITEM(all->columns[WALL_MS], index);
    PyObject *after_from = PyList_GET_ITEM(all->columns[AFTER_FROM], index);
    if (lsid != Py_None) {
        PyObject *txn_number = PyList_GET_ITEM(all->columns[TXN_NUMBER], index);
        return put_made(buffer, PyObject_CallFunctionObjArgs(all->session, lsid, txn_number, wall, after_from, NULL));
    }
    if (PUT(buffer, ",\"lsid\":null,\"txnNumber\":null,\"wallTime\":") < 0) {
        return -1;
    }
    if (wall == Py_None) {
        if (PUT(buffer, "null") < 0) {
            return -1;
        }
    } else {
        int64_t milliseconds = PyLong_AsLongLong(wall);
        if ((milliseconds == -1 && PyErr_Occurred()) || put_number(buffer, milliseconds) < 0) {
            return -1;
        }
    }
    if (PUT(buffer, ",\"after_from\":") < 0) {
        return -1;
    }
    return after_from == Py_None ? PUT(buffer, "null") : put_plain(buffer, after_from);
}

static int put_source(const Changes *all, Buffer *buffer, Py_ssize_t index)
{
    int64_t micros = PyLong_AsLongLong(PyList_GET_ITEM(all->columns[COMMITTED_US], index));
    int64_t ord = PyLong_AsLongLong(PyList_GET_ITEM(all->columns[ORD], index));
    if (PyErr_Occurred()) {
        return -1;
    }
    if (micros > INT64_MAX / 1000 || micros < INT64_MIN / 1000) {
        PyErr_SetString(PyExc_OverflowError, "a time in nanoseconds does not fit into 64 bits");
        return -1;
    }
    int64_t milliseconds = micros / 1000 - (micros % 1000 < 0);
    if (put_bytes(buffer, all->texts[START]) < 0 || PUT(buffer, ",\"ts_ms\":") < 0 || put_number(buffer, milliseconds) < 0 ||
        PUT(buffer, ",\"snapshot\":") < 0 || put_plain(buffer, PyList_GET_ITEM(all->columns[MARKERS], index)) < 0 ||
        put_bytes(buffer, all->texts[NAMES]) < 0 || PUT(buffer, ",\"ts_us\":") < 0 || put_number(buffer, micros) < 0 ||
        PUT(buffer, ",\"ts_ns\":") < 0 || put_number(buffer, micros * 1000) < 0 ||
        put_bytes(buffer, all->texts[COLLECTION]) < 0 || PUT(buffer, ",\"ord\":") < 0 || put_number(buffer, ord) < 0 ||
        put_session(all, buffer, index) < 0) {
        return -1;
    }
    return PUT(buffer, "}");
}

static int put_envelope(const Changes *all, Buffer *buffer, Py_ssize_t index)
{
    PyObject *part = PyList_GET_ITEM(all->columns[PARTS], index), *end = PyList_GET_ITEM(all->columns[ENDS], index);
    if (!PyBytes_Check(part) || !PyBytes_Check(end)) {
        return wrong("a part that is ready is not bytes");
    }
    if (PUT(buffer, "{\"before\":") < 0 || put_document(buffer, PyList_GET_ITEM(all->columns[BEFORE], index)) < 0 ||
        PUT(buffer, ",\"after\":") < 0 || put_document(buffer, PyList_GET_ITEM(all->columns[AFTER], index)) < 0 ||
        PUT(buffer, ",\"updateDescription\":") < 0 ||
        put_update(all, buffer, PyList_GET_ITEM(all->columns[UPDATES], index)) < 0 || PUT(buffer, ",\"source\":") < 0 ||
        put_source(all, buffer, index) < 0 || PUT(buffer, ",\"transaction\":") < 0 || put_bytes(buffer, part) < 0) {
        return -1;
    }
    return put_bytes(buffer, end);
}

static int take(PyObject *const *arguments, Py_ssize_t count, Changes *all)
{
    if (count != 4 || !PyTuple_Check(arguments[0]) || PyTuple_GET_SIZE(arguments[0]) != COLUMNS ||
        !PyTuple_Check(arguments[1]) || PyTuple_GET_SIZE(arguments[1]) != TEXTS) {
        return wrong("envelopes(columns, texts, update_block, session)");
    }
    for (int n = 0; n < COLUMNS; n++) {
        all->columns[n] = PyTuple_GET_ITEM(arguments[0], n);
        if (!PyList_Check(all->columns[n]) || PyList_GET_SIZE(all->columns[n]) != PyList_GET_SIZE(all->columns[0])) {
            return wrong("the columns are not lists of equal length");
        }
    }
    for (int n = 0; n < TEXTS; n++) {
        all->texts[n] = PyTuple_GET_ITEM(arguments[1], n);
        if (!PyBytes_Check(all->texts[n])) {
            return wrong("a part that is ready is not bytes");
        }
    }
    all->update_block = arguments[2];
    all->session = arguments[3];
    return 0;
}

PyDoc_STRVAR(envelopes_doc,
             "envelopes(columns, texts, update_block, session, /)\n--\n\n"
             "The envelope of each change. Raises OverflowError where a number does not fit into 64 bits.");

static PyObject *envelopes(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    Changes all;
    if (take(arguments, count, &all) < 0) {
        return NULL;
    }
    Py_ssize_t length = PyList_GET_SIZE(all.columns[0]);
    PyObject *found = PyList_New(length);
    Buffer buffer = {NULL, 0, 0};
    for (Py_ssize_t n = 0; found != NULL && n < length; n++) {
        buffer.length = 0;
        PyObject *envelope = put_envelope(&all, &buffer, n) < 0
                                 ? NULL
                                 : PyBytes_FromStringAndSize(buffer.data, (Py_ssize_t)buffer.length);
        if (envelope == NULL) {
            Py_CLEAR(found);
        } else {
            PyList_SET_ITEM(found, n, envelope);
        }
    }
    PyMem_Free(buffer.data);
    return found;
}

PyDoc_STRVAR(keys_doc, "keys(ids, /)\n--\n\nThe key of each message, of a list of documents' ids.");

static PyObject *keys(PyObject *module, PyObject *ids)
{
    (void)module;
    if (!PyList_Check(ids)) {
        wrong("a list is needed");
        return NULL;
    }
    Py_ssize_t length = PyList_GET_SIZE(ids);
    PyObject *found = PyList_New(length);
    Buffer buffer = {NULL, 0, 0};
    for (Py_ssize_t n = 0; found != NULL && n < length; n++) {
        buffer.length = 0;
        PyObject *key = PUT(&buffer, "{\"id\":") < 0 || put_document(&buffer, PyList_GET_ITEM(ids, n)) < 0 ||
                                PUT(&buffer, "}") < 0
                            ? NULL
                            : PyBytes_FromStringAndSize(buffer.data, (Py_ssize_t)buffer.length);
        if (key == NULL) {
            Py_CLEAR(found);
        } else {
            PyList_SET_ITEM(found, n, key);
        }
    }
    PyMem_Free(buffer.data);
    return found;
}

static PyMethodDef methods[] = {
    {"envelopes", (PyCFunction)(void (*)(void))envelopes, METH_FASTCALL, envelopes_doc},
    {"keys", keys, METH_O, keys_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_document_json",
    .m_doc = "Writes messages of documents' changes as JSON.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__document_json(void)
{
    return PyModuleDef_Init(&definition);
}
