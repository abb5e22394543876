/* Writes rows as JSON, byte for byte as orjson does, without making a dictionary of each: row_json.py in C.
 *
 * Text, integers that fit into 64 bits, true, false and null are written here; all else (floats, lists, dictionaries, what
 * cannot be written at all) is orjson's, through the function `dumps`.
 */

#include "_json_text.h"

typedef struct {
    PyObject_HEAD
    PyObject *dumps;
    PyObject *fields; /* tuple of bytes: `"name":` for each column */
    Py_ssize_t *key;
    Py_ssize_t key_length;
} RowEncoder;

static int put_dumped(const RowEncoder *self, Buffer *buffer, PyObject *value)
{
    PyObject *bytes = PyObject_CallOneArg(self->dumps, value);
    if (bytes == NULL) {
        return -1;
    }
    int failed = -1;
    if (PyBytes_Check(bytes)) {
        failed = put_bytes(buffer, bytes);
    } else {
        PyErr_SetString(PyExc_TypeError, "dumps did not give bytes");
    }
    Py_DECREF(bytes);
    return failed;
}

static int put_long(const RowEncoder *self, Buffer *buffer, PyObject *value)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow) {
        return put_integer(buffer, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
    }
    if (overflow > 0) {
        unsigned long long magnitude = PyLong_AsUnsignedLongLong(value);
        if (magnitude != (unsigned long long)-1 || !PyErr_Occurred()) {
            return put_integer(buffer, magnitude, 0);
        }
        PyErr_Clear();
    }
    return put_dumped(self, buffer, value);
}

static int put_value(const RowEncoder *self, Buffer *buffer, PyObject *value)
{
    if (value == Py_None) {
        return put(buffer, "null", 4);
    }
    if (PyUnicode_CheckExact(value)) {
        Py_ssize_t length;
        const char *text = PyUnicode_AsUTF8AndSize(value, &length);
        if (text != NULL) {
            return put_text(buffer, text, (size_t)length);
        }
        PyErr_Clear(); /* a lone surrogate, of which orjson says what is to be said */
        return put_dumped(self, buffer, value);
    }
    if (PyLong_CheckExact(value)) {
        return put_long(self, buffer, value);
    }
    if (value == Py_True) {
        return put(buffer, "true", 4);
    }
    if (value == Py_False) {
        return put(buffer, "false", 5);
    }
    return put_dumped(self, buffer, value);
}

static int put_field(const RowEncoder *self, Buffer *buffer, PyObject *row, Py_ssize_t column, int first)
{
    if (put(buffer, first ? "{" : ",", 1) < 0 || put_bytes(buffer, PyTuple_GET_ITEM(self->fields, column)) < 0) {
        return -1;
    }
    return put_value(self, buffer, PyTuple_GET_ITEM(row, column));
}

static int check_row(const RowEncoder *self, PyObject *row)
{
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != PyTuple_GET_SIZE(self->fields)) {
        PyErr_Format(PyExc_ValueError, "a row is not a tuple of %zd values", PyTuple_GET_SIZE(self->fields));
        return -1;
    }
    return 0;
}

static int put_row(const RowEncoder *self, Buffer *buffer, PyObject *row)
{
    if (check_row(self, row) < 0) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(self->fields);
    for (Py_ssize_t n = 0; n < count; n++) {
        if (put_field(self, buffer, row, n, n == 0) < 0) {
            return -1;
        }
    }
    return count > 0 ? put(buffer, "}", 1) : put(buffer, "{}", 2);
}

static int put_key(const RowEncoder *self, Buffer *buffer, PyObject *row)
{
    if (check_row(self, row) < 0) {
        return -1;
    }
    for (Py_ssize_t n = 0; n < self->key_length; n++) {
        if (put_field(self, buffer, row, self->key[n], n == 0) < 0) {
            return -1;
        }
    }
    return put(buffer, "}", 1);
}

PyDoc_STRVAR(keys_doc, "keys(rows)\n--\n\nThe JSON of each row's key; None for each if the table has none.");

static PyObject *encoder_keys(RowEncoder *self, PyObject *argument)
{
    PyObject *rows = PySequence_Fast(argument, "rows are a sequence");
    if (rows == NULL) {
        return NULL;
    }
    Py_ssize_t count = PySequence_Fast_GET_SIZE(rows);
    PyObject *keys = PyList_New(count);
    Buffer buffer = {NULL, 0, 0};
    for (Py_ssize_t n = 0; keys != NULL && n < count; n++) {
        PyObject *key = Py_None;
        if (self->key_length == 0) {
            Py_INCREF(key);
        } else {
            buffer.length = 0;
            int failed = put_key(self, &buffer, PySequence_Fast_GET_ITEM(rows, n));
            key = failed ? NULL : PyBytes_FromStringAndSize(buffer.data, (Py_ssize_t)buffer.length);
        }
        if (key == NULL) {
            Py_CLEAR(keys);
        } else {
            PyList_SET_ITEM(keys, n, key);
        }
    }
    PyMem_Free(buffer.data);
    Py_DECREF(rows);
    return keys;
}

/* One call of `documents`: rows that are NULL are written as null. */
typedef struct {
    PyObject *befores, *afters; /* what PySequence_Fast gives */
    PyObject *parts;            /* tuple of bytes */
    uint64_t *counters;
    Py_ssize_t counters_length;
    Py_ssize_t count;
} Documents;

static int put_image(const RowEncoder *self, Buffer *buffer, PyObject *rows, Py_ssize_t index)
{
    return rows == NULL ? put(buffer, "null", 4) : put_row(self, buffer, PySequence_Fast_GET_ITEM(rows, index));
}

static PyObject *document(const RowEncoder *self, Buffer *buffer, const Documents *all, Py_ssize_t index)
{
    buffer->length = 0;
    if (put_bytes(buffer, PyTuple_GET_ITEM(all->parts, 0)) < 0 || put_image(self, buffer, all->befores, index) < 0 ||
        put_bytes(buffer, PyTuple_GET_ITEM(all->parts, 1)) < 0 || put_image(self, buffer, all->afters, index) < 0 ||
        put_bytes(buffer, PyTuple_GET_ITEM(all->parts, 2)) < 0) {
        return NULL;
    }
    for (Py_ssize_t n = 0; n < all->counters_length; n++) {
        if (put_integer(buffer, all->counters[n] + (uint64_t)index, 0) < 0 ||
            put_bytes(buffer, PyTuple_GET_ITEM(all->parts, n + 3)) < 0) {
            return NULL;
        }
    }
    return PyBytes_FromStringAndSize(buffer->data, (Py_ssize_t)buffer->length);
}

static PyObject *all_documents(const RowEncoder *self, const Documents *all)
{
    PyObject *found = PyList_New(all->count);
    Buffer buffer = {NULL, 0, 0};
    for (Py_ssize_t n = 0; found != NULL && n < all->count; n++) {
        PyObject *bytes = document(self, &buffer, all, n);
        if (bytes == NULL) {
            Py_CLEAR(found);
        } else {
            PyList_SET_ITEM(found, n, bytes);
        }
    }
    PyMem_Free(buffer.data);
    return found;
}

/* Takes the rows of one side, which may be None; -1 with an exception set if they do not fit the other side. */
static int take_rows(PyObject *argument, PyObject **rows, Py_ssize_t *count)
{
    if (argument == Py_None) {
        return 0;
    }
    *rows = PySequence_Fast(argument, "rows are a sequence");
    if (*rows == NULL) {
        return -1;
    }
    if (*count >= 0 && PySequence_Fast_GET_SIZE(*rows) != *count) {
        PyErr_SetString(PyExc_ValueError, "as many rows before as after are needed");
        return -1;
    }
    *count = PySequence_Fast_GET_SIZE(*rows);
    return 0;
}

static int take_parts(PyObject *parts, PyObject *counters, Documents *all)
{
    all->parts = parts;
    all->counters_length = PyTuple_GET_SIZE(counters);
    if (PyTuple_GET_SIZE(parts) != all->counters_length + 3) {
        PyErr_SetString(PyExc_ValueError, "three parts and one more for each counter are needed");
        return -1;
    }
    for (Py_ssize_t n = 0; n < PyTuple_GET_SIZE(parts); n++) {
        if (!PyBytes_Check(PyTuple_GET_ITEM(parts, n))) {
            PyErr_SetString(PyExc_TypeError, "parts are bytes");
            return -1;
        }
    }
    all->counters = PyMem_Calloc((size_t)all->counters_length + 1, sizeof(uint64_t));
    if (all->counters == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t n = 0; n < all->counters_length; n++) {
        all->counters[n] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(counters, n));
        if (PyErr_Occurred()) {
            return -1;
        }
    }
    return 0;
}

PyDoc_STRVAR(documents_doc, "documents(befores, afters, parts, counters)\n--\n\n"
                            "For each pair of rows parts[0], the row before, parts[1], the row after, parts[2], and then "
                            "each counter, which rises by one a row, with the next part after it.");

static PyObject *encoder_documents(RowEncoder *self, PyObject *args)
{
    PyObject *befores, *afters, *parts, *counters;
    if (!PyArg_ParseTuple(args, "OOO!O!:documents", &befores, &afters, &PyTuple_Type, &parts, &PyTuple_Type,
                          &counters)) {
        return NULL;
    }
    Documents all = {.count = -1};
    PyObject *found = NULL;
    if (take_rows(befores, &all.befores, &all.count) == 0 && take_rows(afters, &all.afters, &all.count) == 0 &&
        take_parts(parts, counters, &all) == 0) {
        if (all.count < 0) {
            all.count = 1;
        }
        found = all_documents(self, &all);
    }
    PyMem_Free(all.counters);
    Py_XDECREF(all.befores);
    Py_XDECREF(all.afters);
    return found;
}

/* The encoder */

static int encoder_traverse(RowEncoder *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->dumps);
    Py_VISIT(self->fields);
    return 0;
}

static int encoder_clear(RowEncoder *self)
{
    Py_CLEAR(self->dumps);
    return 0;
}

static void encoder_dealloc(RowEncoder *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->dumps);
    Py_CLEAR(self->fields);
    PyMem_Free(self->key);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static int set_key(RowEncoder *self, PyObject *key)
{
    self->key_length = PyTuple_GET_SIZE(key);
    self->key = PyMem_Calloc((size_t)self->key_length + 1, sizeof(Py_ssize_t));
    if (self->key == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t n = 0; n < self->key_length; n++) {
        self->key[n] = PyLong_AsSsize_t(PyTuple_GET_ITEM(key, n));
        if (PyErr_Occurred()) {
            return -1;
        }
        if (self->key[n] < 0 || self->key[n] >= PyTuple_GET_SIZE(self->fields)) {
            PyErr_SetString(PyExc_ValueError, "a key column that is not there");
            return -1;
        }
    }
    return 0;
}

/* `"name":` as bytes. */
static PyObject *field(const RowEncoder *self, PyObject *name)
{
    Buffer buffer = {NULL, 0, 0};
    PyObject *bytes = NULL;
    if (put_value(self, &buffer, name) == 0 && put(&buffer, ":", 1) == 0) {
        bytes = PyBytes_FromStringAndSize(buffer.data, (Py_ssize_t)buffer.length);
    }
    PyMem_Free(buffer.data);
    return bytes;
}

static int set_fields(RowEncoder *self, PyObject *columns)
{
    self->fields = PyTuple_New(PyTuple_GET_SIZE(columns));
    if (self->fields == NULL) {
        return -1;
    }
    for (Py_ssize_t n = 0; n < PyTuple_GET_SIZE(columns); n++) {
        PyObject *bytes = field(self, PyTuple_GET_ITEM(columns, n));
        if (bytes == NULL) {
            return -1;
        }
        PyTuple_SET_ITEM(self->fields, n, bytes);
    }
    return 0;
}

static PyObject *encoder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"columns", "key", "dumps", NULL};
    PyObject *columns, *key, *dumps;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O:RowEncoder", names, &PyTuple_Type, &columns, &PyTuple_Type,
                                     &key, &dumps)) {
        return NULL;
    }
    RowEncoder *self = (RowEncoder *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->dumps = Py_NewRef(dumps);
    if (set_fields(self, columns) < 0 || set_key(self, key) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static PyMethodDef encoder_methods[] = {
    {"keys", (PyCFunction)encoder_keys, METH_O, keys_doc},
    {"documents", (PyCFunction)encoder_documents, METH_VARARGS, documents_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(encoder_doc, "RowEncoder(columns, key, dumps)\n--\n\nWrites the rows of one table as JSON.");

static PyType_Slot encoder_slots[] = {
    {Py_tp_doc, (void *)encoder_doc},
    {Py_tp_new, encoder_new},
    {Py_tp_dealloc, encoder_dealloc},
    {Py_tp_traverse, encoder_traverse},
    {Py_tp_clear, encoder_clear},
    {Py_tp_methods, encoder_methods},
    {0, NULL},
};

static PyType_Spec encoder_spec = {
    .name = "connectors._row_json.RowEncoder",
    .basicsize = sizeof(RowEncoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = encoder_slots,
};

/* The module */

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &encoder_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    int added = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return added;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_row_json",
    .m_doc = "Writes rows as JSON.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__row_json(void)
{
    return PyModuleDef_Init(&module_definition);
}
