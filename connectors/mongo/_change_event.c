/* Finds the parts of change events: change_event.py in C, to which it is held. */

#include "_bson.h"

#include <stddef.h>
#include <structmember.h>

/* What an event may have, by how it is kept. */
enum { KIND, DATABASE, COLLECTION, TO_DATABASE, TO_COLLECTION, TEXTS };
enum {
    TOKEN, DOCUMENT_KEY, FULL_DOCUMENT, FULL_DOCUMENT_BEFORE_CHANGE, UPDATE_DESCRIPTION, UPDATED_FIELDS, REMOVED_FIELDS,
    TRUNCATED_ARRAYS, DISAMBIGUATED_PATHS, LSID, OPERATION_DESCRIPTION, PLACES
};
enum { CLUSTER_TIME, WALL_TIME_MS, TXN_NUMBER, FRAGMENT, FRAGMENTS, NUMBERS };

#define NOWHERE -1

typedef enum { PLACE, ARRAY_PLACE, TEXT, INTEGER, STAMP, MOMENT, INSIDE } Reading;

typedef struct Field {
    const char *name;
    int part; /* NOWHERE for what is only looked into */
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
    {"operationType", KIND, TEXT, NULL},
    {"clusterTime", CLUSTER_TIME, STAMP, NULL},
    {"wallTime", WALL_TIME_MS, MOMENT, NULL},
    {"fullDocument", FULL_DOCUMENT, PLACE, NULL},
    {"ns", NOWHERE, INSIDE, NAMESPACE},
    {"documentKey", DOCUMENT_KEY, PLACE, NULL},
    {"updateDescription", UPDATE_DESCRIPTION, INSIDE, UPDATE},
    {"fullDocumentBeforeChange", FULL_DOCUMENT_BEFORE_CHANGE, PLACE, NULL},
    {"lsid", LSID, PLACE, NULL},
    {"txnNumber", TXN_NUMBER, INTEGER, NULL},
    {"to", NOWHERE, INSIDE, NEW_NAMESPACE},
    {"operationDescription", OPERATION_DESCRIPTION, PLACE, NULL},
    {"splitEvent", NOWHERE, INSIDE, SPLIT},
    {NULL, 0, 0, NULL},
};

/* change_event.Event. It can be part of no circle, so that the garbage collector need not know of it. */
typedef struct {
    PyObject_HEAD
    PyObject *data, *kind, *name, *to, *id;
    Py_ssize_t place, places[PLACES];
    int64_t numbers[NUMBERS];
    char has[NUMBERS];
} Event;

static PyTypeObject *event_type;
static PyObject *time_type, *document_type; /* client.Time, RawBSONDocument */

/* What events of one batch share. */
typedef struct {
    PyObject *data;
    PyObject *texts[TEXTS]; /* of the event that is read, or of the one before it */
    char read[TEXTS];
    PyObject *name, *to;
} Batch;

static int unlike(const Element *element, const char *what)
{
    char text[80];
    PyOS_snprintf(text, sizeof text, "a field of a change event is not %s", what);
    return (int)bson_fail(element->start, text);
}

/* Most texts are those of the event before. */
static int read_text(Batch *batch, const unsigned char *data, const Element *element, int part)
{
    if (element->kind != STRING) {
        return unlike(element, "a string");
    }
    const char *text = (const char *)data + element->value + 4;
    Py_ssize_t length = element->end - element->value - 5, known_length;
    const char *known = batch->texts[part] == NULL ? NULL : PyUnicode_AsUTF8AndSize(batch->texts[part], &known_length);
    if (known == NULL || known_length != length || memcmp(known, text, (size_t)length)) {
        PyObject *decoded = PyUnicode_DecodeUTF8(text, length, NULL);
        if (decoded == NULL) {
            if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
                PyErr_Clear();
                bson_fail(element->value, "text is not UTF-8");
            }
            return -1;
        }
        Py_XSETREF(batch->texts[part], decoded);
    }
    batch->read[part] = 1;
    return 0;
}

static int read_part(Batch *batch, const unsigned char *data, const Element *element, const Field *field, Event *event)
{
    int part = field->part;
    switch (field->reading) {
    case TEXT:
        return read_text(batch, data, element, part);
    case INTEGER:
        if (element->kind != INT32 && element->kind != INT64) {
            return unlike(element, "an integer");
        }
        event->numbers[part] = element->kind == INT32 ? (int32_t)bson_uint32(data + element->value)
                                                      : (int64_t)bson_uint64(data + element->value);
        event->has[part] = 1;
        return 0;
    case STAMP:
    case MOMENT:
        if (element->kind != (field->reading == STAMP ? TIMESTAMP : DATE)) {
            return unlike(element, field->reading == STAMP ? "a timestamp" : "a date");
        }
        event->numbers[part] = (int64_t)bson_uint64(data + element->value);
        event->has[part] = 1;
        return 0;
    default:
        if (element->kind != (field->reading == ARRAY_PLACE ? ARRAY : DOCUMENT)) {
            return unlike(element, field->reading == ARRAY_PLACE ? "an array" : "a document");
        }
        if (part != NOWHERE) {
            event->places[part] = element->value;
        }
        return 0;
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

static int read_parts(
    Batch *batch, const unsigned char *data, Py_ssize_t start, Py_ssize_t limit, const Field *fields, Event *event)
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
        if (read_part(batch, data, &element, field, event) < 0) {
            return -1;
        }
        if (field->inner != NULL && read_parts(batch, data, element.value, element.end, field->inner, event) < 0) {
            return -1;
        }
    }
    return more;
}

static PyObject *copy_of(const Event *event, Py_ssize_t place)
{
    if (place == NOWHERE) {
        Py_RETURN_NONE;
    }
    const char *data = PyBytes_AS_STRING(event->data) + place;
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)bson_uint32((const unsigned char *)data));
}

/* `{_id: ...}` of a document's key, which is all of it unless the collection is sharded. */
static PyObject *identity_of(const unsigned char *data, Py_ssize_t place)
{
    Elements all;
    Element element;
    if (place == NOWHERE) {
        return PyBytes_FromStringAndSize(NULL, 0);
    }
    int more = bson_elements(&all, data, place, place + (Py_ssize_t)bson_uint32(data + place));
    if (more < 0) {
        return NULL;
    }
    while ((more = bson_next(&all, &element)) > 0) {
        if (element.name_length == 3 && memcmp(element.name, "_id", 3) == 0) {
            Py_ssize_t length = element.end - element.start;
            PyObject *identity = PyBytes_FromStringAndSize(NULL, length + 5);
            if (identity != NULL) {
                unsigned char *at = (unsigned char *)PyBytes_AS_STRING(identity);
                for (int n = 0; n < 4; n++) {
                    at[n] = (unsigned char)((size_t)(length + 5) >> 8 * n);
                }
                memcpy(at + 4, data + element.start, (size_t)length);
                at[length + 4] = 0;
            }
            return identity;
        }
    }
    if (more == 0) {
        bson_fail(place, "a document without _id");
    }
    return NULL;
}

static PyObject *empty_text;

/* The text that was read; no text if there was none. A new reference is not made. */
static PyObject *text_or_empty(const Batch *batch, int part)
{
    return batch->read[part] ? batch->texts[part] : empty_text;
}

/* Database and collection: a new reference, most often to the pair of the event before. */
static PyObject *pair_of(const Batch *batch, int first, PyObject **known)
{
    PyObject *database = text_or_empty(batch, first), *collection = text_or_empty(batch, first + 1);
    if (*known == NULL || PyTuple_GET_ITEM(*known, 0) != database || PyTuple_GET_ITEM(*known, 1) != collection) {
        PyObject *pair = PyTuple_Pack(2, database, collection);
        if (pair == NULL) {
            return NULL;
        }
        Py_XSETREF(*known, pair);
    }
    Py_INCREF(*known);
    return *known;
}

static PyObject *event_at(Batch *batch, Py_ssize_t start, Py_ssize_t limit)
{
    Event *event = (Event *)event_type->tp_alloc(event_type, 0);
    if (event == NULL) {
        return NULL;
    }
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(batch->data);
    Py_INCREF(batch->data);
    event->data = batch->data;
    event->place = start;
    for (int n = 0; n < PLACES; n++) {
        event->places[n] = NOWHERE;
    }
    memset(batch->read, 0, sizeof batch->read);
    if (read_parts(batch, data, start, limit, EVENT, event) < 0 ||
        (event->id = identity_of(data, event->places[DOCUMENT_KEY])) == NULL ||
        (event->name = pair_of(batch, DATABASE, &batch->name)) == NULL ||
        (event->to = pair_of(batch, TO_DATABASE, &batch->to)) == NULL) {
        Py_DECREF(event);
        return NULL;
    }
    event->kind = text_or_empty(batch, KIND);
    Py_INCREF(event->kind);
    return (PyObject *)event;
}

static void leave(Batch *batch)
{
    for (int n = 0; n < TEXTS; n++) {
        Py_XDECREF(batch->texts[n]);
    }
    Py_XDECREF(batch->name);
    Py_XDECREF(batch->to);
}

/* What Python sees of an event */

static void event_dealloc(Event *event)
{
    PyTypeObject *type = Py_TYPE(event);
    Py_XDECREF(event->data);
    Py_XDECREF(event->kind);
    Py_XDECREF(event->name);
    Py_XDECREF(event->to);
    Py_XDECREF(event->id);
    type->tp_free(event);
    Py_DECREF(type);
}

static PyObject *get_place(Event *event, void *part)
{
    Py_ssize_t place = event->places[(intptr_t)part];
    if (place == NOWHERE) {
        Py_RETURN_NONE;
    }
    return PyLong_FromSsize_t(place);
}

/* The same; None for what is there and empty. */
static PyObject *get_filled(Event *event, void *part)
{
    Py_ssize_t place = event->places[(intptr_t)part];
    if (place != NOWHERE && bson_uint32((const unsigned char *)PyBytes_AS_STRING(event->data) + place) == SHORTEST_DOCUMENT) {
        Py_RETURN_NONE;
    }
    return get_place(event, part);
}

static PyObject *get_copy(Event *event, void *part)
{
    return copy_of(event, event->places[(intptr_t)part]);
}

static PyObject *get_number(Event *event, void *part)
{
    intptr_t number = (intptr_t)part;
    if (!event->has[number]) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLongLong(event->numbers[number]);
}

static PyObject *get_size(Event *event, void *unused)
{
    (void)unused;
    Py_ssize_t place = event->places[FULL_DOCUMENT];
    place = place == NOWHERE ? event->places[UPDATE_DESCRIPTION] : place;
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(event->data);
    return PyLong_FromSsize_t(place == NOWHERE ? 0 : (Py_ssize_t)bson_uint32(data + place));
}

static uint64_t cluster_time(const Event *event)
{
    return event->has[CLUSTER_TIME] ? (uint64_t)event->numbers[CLUSTER_TIME] : 0;
}

static PyObject *get_time(Event *event, void *unused)
{
    (void)unused;
    uint64_t time = cluster_time(event);
    return PyObject_CallFunction(time_type, "kk", (unsigned long)(time >> 32), (unsigned long)(time & 0xFFFFFFFF));
}

static PyObject *get_cluster_time(Event *event, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(cluster_time(event));
}

static PyObject *get_ordinal(Event *event, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong((unsigned long)(cluster_time(event) & 0xFFFFFFFF));
}

static PyObject *get_committed_us(Event *event, void *unused)
{
    (void)unused;
    if (!event->has[WALL_TIME_MS]) {
        return PyLong_FromUnsignedLongLong((cluster_time(event) >> 32) * 1000000);
    }
    int64_t wall = event->numbers[WALL_TIME_MS];
    if (wall < INT64_MAX / 1000 && wall > INT64_MIN / 1000) {
        return PyLong_FromLongLong(wall * 1000);
    }
    PyObject *milliseconds = PyLong_FromLongLong(wall), *thousand = PyLong_FromLong(1000);
    PyObject *micros = milliseconds && thousand ? PyNumber_Multiply(milliseconds, thousand) : NULL;
    Py_XDECREF(milliseconds);
    Py_XDECREF(thousand);
    return micros;
}

static PyObject *get_token(Event *event, void *unused)
{
    (void)unused;
    PyObject *bytes = event->places[TOKEN] == NOWHERE ? PyBytes_FromStringAndSize(NULL, 0) : copy_of(event, event->places[TOKEN]);
    PyObject *token = bytes == NULL ? NULL : PyObject_CallOneArg(document_type, bytes);
    Py_XDECREF(bytes);
    return token;
}

static PyMemberDef event_members[] = {
    {"data", T_OBJECT_EX, offsetof(Event, data), READONLY, NULL},
    {"kind", T_OBJECT_EX, offsetof(Event, kind), READONLY, NULL},
    {"name", T_OBJECT_EX, offsetof(Event, name), READONLY, NULL},
    {"to", T_OBJECT_EX, offsetof(Event, to), READONLY, NULL},
    {"id", T_OBJECT_EX, offsetof(Event, id), READONLY, NULL},
    {"place", T_PYSSIZET, offsetof(Event, place), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

#define GETTER(name, get, part) {name, (getter)(get), NULL, NULL, (void *)(intptr_t)(part)}

static PyGetSetDef event_getters[] = {
    GETTER("size", get_size, 0),
    GETTER("time", get_time, 0),
    GETTER("cluster_time", get_cluster_time, 0),
    GETTER("ordinal", get_ordinal, 0),
    GETTER("committed_us", get_committed_us, 0),
    GETTER("token", get_token, 0),
    GETTER("full_document", get_copy, FULL_DOCUMENT),
    GETTER("full_document_before_change", get_copy, FULL_DOCUMENT_BEFORE_CHANGE),
    GETTER("lsid", get_copy, LSID),
    GETTER("operation_description", get_copy, OPERATION_DESCRIPTION),
    GETTER("update_description", get_place, UPDATE_DESCRIPTION),
    GETTER("updated_fields", get_place, UPDATED_FIELDS),
    GETTER("removed_fields", get_filled, REMOVED_FIELDS),
    GETTER("truncated_arrays", get_filled, TRUNCATED_ARRAYS),
    GETTER("disambiguated_paths", get_filled, DISAMBIGUATED_PATHS),
    GETTER("wall_time_ms", get_number, WALL_TIME_MS),
    GETTER("txn_number", get_number, TXN_NUMBER),
    GETTER("fragment", get_number, FRAGMENT),
    GETTER("fragments", get_number, FRAGMENTS),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot event_slots[] = {
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_members, event_members},
    {Py_tp_getset, event_getters},
    {0, NULL},
};

static PyType_Spec event_spec = {
    .name = "connectors.mongo.change_event.Event",
    .basicsize = sizeof(Event),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = event_slots,
};

/* The module */

/* Takes the arguments of `cut` and `cut_all`; -1 with an exception set. */
static int take(PyObject *const *arguments, Py_ssize_t count, Py_ssize_t *start)
{
    if (count < 1 || count > 2 || !PyBytes_Check(arguments[0]) || time_type == NULL) {
        PyErr_SetString(PyExc_TypeError, "bytes and a place are needed");
        return -1;
    }
    *start = count > 1 ? PyLong_AsSsize_t(arguments[1]) : 0;
    return PyErr_Occurred() ? -1 : 0;
}

PyDoc_STRVAR(cut_doc, "cut(data, start=0, /)\n--\n\nThe event that begins at a place.");

static PyObject *cut(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    Py_ssize_t start;
    if (take(arguments, count, &start) < 0) {
        return NULL;
    }
    Batch batch = {.data = arguments[0]};
    PyObject *event = event_at(&batch, start, PyBytes_GET_SIZE(arguments[0]));
    leave(&batch);
    return event;
}

PyDoc_STRVAR(cut_all_doc, "cut_all(data, start, /)\n--\n\nEach event of the array that begins at a place.");

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
    Batch batch = {.data = arguments[0]};
    int more = bson_elements(&all, data, start, PyBytes_GET_SIZE(arguments[0]));
    PyObject *events = more < 0 ? NULL : PyList_New(0);
    while (events != NULL && (more = bson_next(&all, &element)) > 0) {
        PyObject *event = NULL;
        if (element.kind == DOCUMENT) {
            event = event_at(&batch, element.value, element.end);
        } else {
            unlike(&element, "a document");
        }
        if (event == NULL || PyList_Append(events, event) < 0) {
            Py_CLEAR(events);
        }
        Py_XDECREF(event);
    }
    if (more < 0) {
        Py_CLEAR(events);
    }
    leave(&batch);
    return events;
}

PyDoc_STRVAR(set_types_doc, "set_types(time, document, /)\n--\n\nTakes the types of times and of tokens.");

static PyObject *set_types(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "two types are needed");
        return NULL;
    }
    Py_INCREF(arguments[0]);
    Py_XSETREF(time_type, arguments[0]);
    Py_INCREF(arguments[1]);
    Py_XSETREF(document_type, arguments[1]);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"cut", (PyCFunction)(void (*)(void))cut, METH_FASTCALL, cut_doc},
    {"cut_all", (PyCFunction)(void (*)(void))cut_all, METH_FASTCALL, cut_all_doc},
    {"set_types", (PyCFunction)(void (*)(void))set_types, METH_FASTCALL, set_types_doc},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    (void)module;
    Py_XSETREF(event_type, (PyTypeObject *)PyType_FromSpec(&event_spec));
    Py_XSETREF(empty_text, PyUnicode_FromString(""));
    return event_type == NULL || empty_text == NULL ? -1 : bson_import();
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
