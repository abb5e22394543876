/* Lists the elements of a document: raw_bson.all_elements in C, to which it is held. */

#include "_bson.h"

#define MEMBERS 5 /* of raw_bson.Element */

static PyTypeObject *element_type; /* raw_bson.Element, a named tuple */

static PyObject *element_tuple(const Element *element)
{
    PyObject *members[] = {
        PyLong_FromLong(element->kind),        PyBytes_FromStringAndSize(element->name, element->name_length),
        PyLong_FromSsize_t(element->start),    PyLong_FromSsize_t(element->value),
        PyLong_FromSsize_t(element->end),
    };
    PyObject *tuple = element_type->tp_alloc(element_type, MEMBERS);
    int whole = tuple != NULL;
    for (Py_ssize_t n = 0; n < MEMBERS; n++) {
        whole = whole && members[n] != NULL;
        if (tuple != NULL) {
            PyTuple_SET_ITEM(tuple, n, members[n]);
        } else {
            Py_XDECREF(members[n]);
        }
    }
    if (!whole) {
        Py_CLEAR(tuple);
    }
    return tuple;
}

PyDoc_STRVAR(all_elements_doc, "all_elements(data, start, limit, /)\n--\n\n"
                               "The elements of the document that begins at a place.");

static PyObject *all_elements(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 3 || !PyBytes_Check(arguments[0]) || element_type == NULL) {
        PyErr_SetString(PyExc_TypeError, "bytes and two places are needed");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(arguments[1]), limit = PyLong_AsSsize_t(arguments[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (limit > PyBytes_GET_SIZE(arguments[0])) {
        limit = PyBytes_GET_SIZE(arguments[0]);
    }
    Elements all;
    Element element;
    int more = bson_elements(&all, (const unsigned char *)PyBytes_AS_STRING(arguments[0]), start, limit);
    PyObject *found = more < 0 ? NULL : PyList_New(0);
    while (found != NULL && (more = bson_next(&all, &element)) > 0) {
        PyObject *tuple = element_tuple(&element);
        if (tuple == NULL || PyList_Append(found, tuple) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(tuple);
    }
    if (more < 0) {
        Py_CLEAR(found);
    }
    return found;
}

PyDoc_STRVAR(set_element_doc, "set_element(element, /)\n--\n\nTakes the class of elements, a named tuple.");

static PyObject *set_element(PyObject *module, PyObject *element)
{
    (void)module;
    if (!PyType_Check(element) || !PyType_IsSubtype((PyTypeObject *)element, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "a class of tuples is needed");
        return NULL;
    }
    Py_INCREF(element);
    Py_XSETREF(element_type, (PyTypeObject *)element);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"all_elements", (PyCFunction)(void (*)(void))all_elements, METH_FASTCALL, all_elements_doc},
    {"set_element", set_element, METH_O, set_element_doc},
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
    .m_name = "_raw_bson",
    .m_doc = "Lists the elements of BSON documents.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__raw_bson(void)
{
    return PyModuleDef_Init(&definition);
}
