/* Finds the parts of change events: change_event.py in C, to which it is held. */

#include "_bson.h"

/* The fields of ChangeEvent, in their order. */
enum {
    TOKEN, OPERATION_TYPE, DATABASE, COLLECTION, TO_DATABASE, TO_COLLECTION, DOCUMENT_KEY, FULL_DOCUMENT,
    FULL_DOCUMENT_BEFORE_CHANGE, UPDATE_DESCRIPTION, UPDATED_FIELDS, REMOVED_FIELDS, TRUNCATED_ARRAYS, DISAMBIGUATED_PATHS,
    CLUSTER_TIME, WALL_TIME_MS, LSID, TXN_NUMBER, OPERATION_DESCRIPTION, FRAGMENT, FRAGMENTS, PARTS
};

#define NO_PART -1

typedef enum { PLACE, ARRAY_PLACE, TEXT, INTEGER, STAMP, MOMENT, INSIDE } Reading;

typedef struct Field {
    const char *name;
    int part; /* NO_PART for what is only looked into */
    Reading reading;
    const struct Field *inner;
} Field;

static const Field NAMESPACE[] = {{"db", DATABASE, TEXT, NULL}, {"coll", COLLECTION, TEXT, NULL}, {NULL, 0, 0, NULL}};
static const Field NEW_NAMESPACE[] = {{"db", TO_DATABASE, TEXT, NULL}, {"coll", TO_COLLECTION, TEXT, NULL}, {NULL, 0, 0, NULL}};
static const Field SPLIT[] = {{"fragment", FRAGMENT, INTEGER, NULL}, {"of", FRAGMENTS, INTEGER, NULL}, {NULL, 0, 0, NULL}};
static const Field UPDATE[] = {
    {"updatedFields", UPDATED_FIELDS, PLACE, NULL},
    {"removedFields", REMOVED_FIELDS, ARRAY_PLACE, NULL},
    {"truncatedArrays", TRUNCATED_ARRAYS, ARRAY_PLACE, NULL},
    {"disambiguatedPaths", DISAMBIGUATED_PATHS, PLACE, NULL},
    {NULL, 0, 0, NULL},
};
static const Field EVENT[] = {
    {"_id", TOKEN, PLACE, NULL},
    {"operationType", OPERATION_TYPE, TEXT, NULL},
    {"clusterTime", CLUSTER_TIME, STAMP, NULL},
    {"wallTime", WALL_TIME_MS, MOMENT, NULL},
    {"fullDocument", FULL_DOCUMENT, PLACE, NULL},
    {"ns", NO_PART, INSIDE, NAMESPACE},
    {"documentKey", DOCUMENT_KEY, PLACE, NULL},
    {"updateDescription", UPDATE_DESCRIPTION, INSIDE, UPDATE},
    {"fullDocumentBeforeChange", FULL_DOCUMENT_BEFORE_CHANGE, PLACE, NULL},
    {"lsid", LSID, PLACE, NULL},
    {"txnNumber", TXN_NUMBER, INTEGER, NULL},
    {"to", NO_PART, INSIDE, NEW_NAMESPACE},
    {"operationDescription", OPERATION_DESCRIPTION, PLACE, NULL},
    {"splitEvent", NO_PART, INSIDE, SPLIT},
    {NULL, 0, 0, NULL},
};

static PyTypeObject *event_type; /* change_event.ChangeEvent, a tuple of PARTS values */

static PyObject *unlike(const Element *element, const char *what)
{
    char text[80];
    PyOS_snprintf(text, sizeof text, "a field of a change event is not %s", what);
    bson_fail(element->start, text);
    return NULL;
}

static PyObject *text_of(const unsigned char *data, const Element *element)
{
    if (element->kind != STRING) {
        return unlike(element, "a string");
    }
    PyObject *text = PyUnicode_DecodeUTF8((const char *)data + element->value + 4, element->end - element->value - 5, NULL);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        bson_fail(element->value, "text is not UTF-8");
    }
    return text;
}

static PyObject *read_part(const unsigned char *data, const Element *element, Reading reading)
{
    switch (reading) {
    case TEXT:
        return text_of(data, element);
    case INTEGER:
        if (element->kind == INT32) {
            return PyLong_FromLong((int32_t)bson_uint32(data + element->value));
        }
        return element->kind == INT64 ? PyLong_FromLongLong((int64_t)bson_uint64(data + element->value))
                                      : unlike(element, "an integer");
    case STAMP:
        return element->kind == TIMESTAMP ? PyLong_FromUnsignedLongLong(bson_uint64(data + element->value))
                                          : unlike(element, "a timestamp");
    case MOMENT:
        return element->kind == DATE ? PyLong_FromLongLong((int64_t)bson_uint64(data + element->value))
                                     : unlike(element, "a date");
    case ARRAY_PLACE:
        return element->kind == ARRAY ? PyLong_FromSsize_t(element->value) : unlike(element, "an array");
    default:
        return element->kind == DOCUMENT ? PyLong_FromSsize_t(element->value) : unlike(element, "a document");
    }
}

static const Field *field_of(const Field *fields, const Element *element)
{
    for (; fields->name != NULL; fields++) {
        if (strcmp(fields->name, element->name) == 0) { /* names end with a zero byte in BSON too */
            return fields;
        }
    }
    return NULL;
}

static int read_parts(const unsigned char *data, Py_ssize_t start, Py_ssize_t limit, const Field *fields, PyObject *event)
{
    Elements all;
    Element element;
    int more = bson_elements(&all, data, start, limit);
    if (more < 0) {
        return -1;
    }
    while ((more = bson_next(&all, &element)) > 0) {
        const Field *field = field_of(fields, &element);
        if (field == NULL || element.kind == NULL_VALUE) {
            continue;
        }
        PyObject *part = read_part(data, &element, field->reading);
        if (part == NULL) {
            return -1;
        }
        if (field->part == NO_PART) {
            Py_DECREF(part);
        } else {
            PyObject *before = PyTuple_GET_ITEM(event, field->part);
            PyTuple_SET_ITEM(event, field->part, part);
            Py_DECREF(before);
        }
        if (field->inner != NULL && read_parts(data, element.value, element.end, field->inner, event) < 0) {
            return -1;
        }
    }
    return more;
}

static PyObject *event_at(const unsigned char *data, Py_ssize_t start, Py_ssize_t limit)
{
    PyObject *event = event_type->tp_alloc(event_type, PARTS);
    if (event == NULL) {
        return NULL;
    }
    for (Py_ssize_t n = 0; n < PARTS; n++) {
        Py_INCREF(Py_None);
        PyTuple_SET_ITEM(event, n, Py_None);
    }
    if (read_parts(data, start, limit, EVENT, event) < 0) {
        Py_CLEAR(event);
    }
    return event;
}

/* Takes the arguments of `cut` and `cut_all`; -1 with an exception set. */
static int take(PyObject *const *arguments, Py_ssize_t count, Py_ssize_t *start)
{
    if (count < 1 || count > 2 || !PyBytes_Check(arguments[0]) || event_type == NULL) {
        PyErr_SetString(PyExc_TypeError, "bytes and a place are needed");
        return -1;
    }
    *start = count > 1 ? PyLong_AsSsize_t(arguments[1]) : 0;
    return PyErr_Occurred() ? -1 : 0;
}

PyDoc_STRVAR(cut_doc, "cut(data, start=0, /)\n--\n\nThe parts of the event that begins at a place.");

static PyObject *cut(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    Py_ssize_t start;
    if (take(arguments, count, &start) < 0) {
        return NULL;
    }
    return event_at((const unsigned char *)PyBytes_AS_STRING(arguments[0]), start, PyBytes_GET_SIZE(arguments[0]));
}

PyDoc_STRVAR(cut_all_doc, "cut_all(data, start, /)\n--\n\nThe parts of each event of the array that begins at a place.");

static PyObject *cut_all(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    Py_ssize_t start;
    if (take(arguments, count, &start) < 0) {
        return NULL;
    }
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(arguments[0]);
    Elements all;
    Element element;
    int more = bson_elements(&all, data, start, PyBytes_GET_SIZE(arguments[0]));
    PyObject *events = more < 0 ? NULL : PyList_New(0);
    while (events != NULL && (more = bson_next(&all, &element)) > 0) {
        PyObject *event = element.kind == DOCUMENT ? event_at(data, element.value, element.end) : unlike(&element, "a document");
        if (event == NULL || PyList_Append(events, event) < 0) {
            Py_CLEAR(events);
        }
        Py_XDECREF(event);
    }
    if (more < 0) {
        Py_CLEAR(events);
    }
    return events;
}

PyDoc_STRVAR(set_event_doc, "set_event(event, /)\n--\n\nTakes the class of events, a named tuple.");

static PyObject *set_event(PyObject *module, PyObject *event)
{
    (void)module;
    if (!PyType_Check(event) || !PyType_IsSubtype((PyTypeObject *)event, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "a class of tuples is needed");
        return NULL;
    }
    Py_INCREF(event);
    Py_XSETREF(event_type, (PyTypeObject *)event);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"cut", (PyCFunction)(void (*)(void))cut, METH_FASTCALL, cut_doc},
    {"cut_all", (PyCFunction)(void (*)(void))cut_all, METH_FASTCALL, cut_all_doc},
    {"set_event", set_event, METH_O, set_event_doc},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    (void)module;
    return bson_import();
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_change_event",
    .m_doc = "Finds the parts of change events.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__change_event(void)
{
    return PyModuleDef_Init(&definition);
}
