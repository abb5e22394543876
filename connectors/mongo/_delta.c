/* Applies an update's description to the document that is held: delta.py in C, to which it is held.
 *
 * Whatever stops an update, and what is rare (arrays that are cut or padded, paths that the server tells apart), is left to
 * Python: the answer is then None.
 */

#include "_bson.h"

#define LONGEST_INDEX 9

typedef struct Container Container;

/* An element: as it is held, or with a new value, or a container within which something may have changed. */
typedef struct {
    int kind, changed;
    const unsigned char *name, *value;
    Py_ssize_t name_length, value_length;
    Container *inner;
} Item;

struct Container {
    int array;
    Item *items;
    Py_ssize_t count, room;
};

/* A part of a path. */
typedef struct {
    const unsigned char *text;
    Py_ssize_t length, index; /* within an array */
} Step;

#define LEFT_TO_PYTHON -1

static void let_go(Container *container)
{
    for (Py_ssize_t n = 0; n < container->count; n++) {
        if (container->items[n].inner != NULL) {
            let_go(container->items[n].inner);
            PyMem_Free(container->items[n].inner);
        }
    }
    PyMem_Free(container->items);
}

static Item *append(Container *container)
{
    if (container->count == container->room) {
        Py_ssize_t room = container->room ? 2 * container->room : 32;
        Item *items = PyMem_Realloc(container->items, (size_t)room * sizeof(Item));
        if (items == NULL) {
            return NULL;
        }
        container->items = items;
        container->room = room;
    }
    Item *item = &container->items[container->count++];
    memset(item, 0, sizeof *item);
    return item;
}

/* Lists the elements of a document or array of which `data` are all the bytes. */
static int fill(Container *container, const unsigned char *data, Py_ssize_t length)
{
    Elements all;
    Element element;
    int more = bson_elements(&all, data, 0, length);
    while (more >= 0 && (more = bson_next(&all, &element)) > 0) {
        Item *item = append(container);
        if (item == NULL) {
            return LEFT_TO_PYTHON;
        }
        item->kind = element.kind;
        item->name = (const unsigned char *)element.name;
        item->name_length = element.name_length;
        item->value = data + element.value;
        item->value_length = element.end - element.value;
    }
    return more;
}

static Item *find_name(const Container *container, const unsigned char *name, Py_ssize_t length)
{
    for (Py_ssize_t n = 0; n < container->count; n++) {
        Item *item = &container->items[n];
        if (item->name_length == length && memcmp(item->name, name, (size_t)length) == 0) {
            return item;
        }
    }
    return NULL;
}

static Item *find(const Container *container, const Step *step)
{
    if (container->array) {
        return step->index < container->count ? &container->items[step->index] : NULL;
    }
    return find_name(container, step->text, step->length);
}

static int holds_others(const Item *item)
{
    return item->kind == DOCUMENT || item->kind == ARRAY;
}

static Container *opened(Item *item)
{
    if (item == NULL || !holds_others(item)) {
        return NULL;
    }
    if (item->inner == NULL) {
        item->inner = PyMem_Calloc(1, sizeof(Container));
        if (item->inner == NULL) {
            return NULL;
        }
        item->inner->array = item->kind == ARRAY;
        if (fill(item->inner, item->value, item->value_length) < 0) {
            return NULL;
        }
        item->changed = 1;
    }
    return item->inner;
}

static int set(Container *container, const Step *step, int kind, const unsigned char *value, Py_ssize_t length)
{
    Item *item = find(container, step);
    if (item == NULL) {
        if (container->array && step->index > container->count) {
            return LEFT_TO_PYTHON; /* nulls come before it */
        }
        item = append(container);
        if (item == NULL) {
            return LEFT_TO_PYTHON;
        }
    } else if (item->inner != NULL) {
        let_go(item->inner);
        PyMem_Free(item->inner);
        item->inner = NULL;
    }
    item->kind = kind;
    item->changed = 1;
    item->name = step->text;
    item->name_length = step->length;
    item->value = value;
    item->value_length = length;
    return 0;
}

static Py_ssize_t name_end(const unsigned char *path, Py_ssize_t from, Py_ssize_t length)
{
    const unsigned char *dot = memchr(path + from, '.', (size_t)(length - from));
    return dot == NULL ? length : dot - path;
}

/* Where the next field's name ends: it may have dots in it, of which only one reading may fit. */
static Py_ssize_t field_end(const Container *container, const unsigned char *path, Py_ssize_t from, Py_ssize_t length)
{
    Py_ssize_t first = name_end(path, from, length), found = LEFT_TO_PYTHON;
    if (first == length) {
        return length;
    }
    for (Py_ssize_t end = first;; end = name_end(path, end + 1, length)) {
        const Item *item = find_name(container, path + from, end - from);
        if (item != NULL && (end == length || holds_others(item))) {
            if (found >= 0) {
                return LEFT_TO_PYTHON;
            }
            found = end;
        }
        if (end == length) {
            return found < 0 ? first : found;
        }
    }
}

static int read_index(Step *step)
{
    if (step->length < 1 || step->length > LONGEST_INDEX || (step->text[0] == '0' && step->length > 1)) {
        return LEFT_TO_PYTHON;
    }
    step->index = 0;
    for (Py_ssize_t n = 0; n < step->length; n++) {
        if (step->text[n] < '0' || step->text[n] > '9') {
            return LEFT_TO_PYTHON;
        }
        step->index = 10 * step->index + (step->text[n] - '0');
    }
    return 0;
}

static const unsigned char EMPTY[] = {SHORTEST_DOCUMENT, 0, 0, 0, 0};

/* Where the last step of a path is to be taken; NULL where Python has to look. */
static Container *located(Container *container, const unsigned char *path, Py_ssize_t length, int creates, Step *step)
{
    Py_ssize_t from = 0;
    for (int depth = 0; depth < MAX_DEPTH; depth++) {
        Py_ssize_t end = container->array ? name_end(path, from, length) : field_end(container, path, from, length);
        if (end < 0) {
            return NULL;
        }
        *step = (Step){path + from, end - from, 0};
        if (container->array && read_index(step) < 0) {
            return NULL;
        }
        if (end == length) {
            return container;
        }
        if (creates && find(container, step) == NULL && set(container, step, DOCUMENT, EMPTY, sizeof EMPTY) < 0) {
            return NULL;
        }
        container = opened(find(container, step));
        if (container == NULL) {
            return NULL;
        }
        from = end + 1;
    }
    return NULL;
}

static int remove_all(Container *root, const unsigned char *data, Py_ssize_t start, Py_ssize_t limit)
{
    Elements all;
    Element element;
    int more = bson_elements(&all, data, start, limit);
    while (more >= 0 && (more = bson_next(&all, &element)) > 0) {
        Step step;
        if (element.kind != STRING) {
            return LEFT_TO_PYTHON;
        }
        Container *container = located(root, data + element.value + 4, element.end - element.value - 5, 0, &step);
        Item *item = container == NULL ? NULL : find(container, &step);
        if (item == NULL) {
            return LEFT_TO_PYTHON;
        }
        if (container->array) {
            if (set(container, &step, NULL_VALUE, data, 0) < 0) { /* the others keep their places */
                return LEFT_TO_PYTHON;
            }
            continue;
        }
        if (item->inner != NULL) {
            let_go(item->inner);
            PyMem_Free(item->inner);
        }
        Py_ssize_t behind = container->count - (item - container->items) - 1;
        memmove(item, item + 1, (size_t)behind * sizeof(Item));
        container->count--;
    }
    return more;
}

static int set_all(Container *root, const unsigned char *data, Py_ssize_t start, Py_ssize_t limit)
{
    Elements all;
    Element element;
    int more = bson_elements(&all, data, start, limit);
    while (more >= 0 && (more = bson_next(&all, &element)) > 0) {
        Step step;
        Container *container = located(root, (const unsigned char *)element.name, element.name_length, 1, &step);
        if (container == NULL ||
            set(container, &step, element.kind, data + element.value, element.end - element.value) < 0) {
            return LEFT_TO_PYTHON;
        }
    }
    return more;
}

/* What is written of an element's name: its index, within an array in which it has changed. */
static Py_ssize_t name_of(const Container *container, Py_ssize_t at, char *index, const unsigned char **name)
{
    const Item *item = &container->items[at];
    *name = item->name;
    if (!container->array || !item->changed) {
        return item->name_length;
    }
    *name = (const unsigned char *)index;
    return PyOS_snprintf(index, 24, "%lld", (long long)at);
}

static Py_ssize_t size_of(const Container *container)
{
    Py_ssize_t size = SHORTEST_DOCUMENT;
    char index[24];
    const unsigned char *name;
    for (Py_ssize_t n = 0; n < container->count; n++) {
        const Item *item = &container->items[n];
        size += 2 + name_of(container, n, index, &name) + (item->inner == NULL ? item->value_length : size_of(item->inner));
    }
    return size;
}

static unsigned char *put(const Container *container, unsigned char *at)
{
    unsigned char *begin = at;
    char index[24];
    const unsigned char *name;
    at += 4;
    for (Py_ssize_t n = 0; n < container->count; n++) {
        const Item *item = &container->items[n];
        Py_ssize_t length = name_of(container, n, index, &name);
        *at++ = (unsigned char)item->kind;
        memcpy(at, name, (size_t)length);
        at += length;
        *at++ = 0;
        if (item->inner != NULL) {
            at = put(item->inner, at);
        } else {
            memcpy(at, item->value, (size_t)item->value_length);
            at += item->value_length;
        }
    }
    *at++ = 0;
    for (int n = 0; n < 4; n++) {
        begin[n] = (unsigned char)((size_t)(at - begin) >> 8 * n);
    }
    return at;
}

/* A place that an event may not have; -1 with an exception set, NOWHERE if it has not. */
#define NOWHERE -2

static Py_ssize_t place_of(PyObject *argument)
{
    return argument == Py_None ? NOWHERE : PyLong_AsSsize_t(argument);
}

PyDoc_STRVAR(applied_doc,
             "applied(held, data, removed, updated, /)\n--\n\n"
             "The document after an update; None if that is Python's to find out. Places in `data` may be None.");

static PyObject *applied(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 4 || !PyBytes_Check(arguments[0]) || !PyBytes_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "applied(held, data, removed, updated)");
        return NULL;
    }
    Py_ssize_t removed = place_of(arguments[2]), updated = place_of(arguments[3]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(arguments[1]);
    Py_ssize_t limit = PyBytes_GET_SIZE(arguments[1]);
    Container root = {0};
    PyObject *after = NULL;
    if (fill(&root, (const unsigned char *)PyBytes_AS_STRING(arguments[0]), PyBytes_GET_SIZE(arguments[0])) >= 0 &&
        (removed == NOWHERE || remove_all(&root, data, removed, limit) >= 0) &&
        (updated == NOWHERE || set_all(&root, data, updated, limit) >= 0)) {
        Py_ssize_t size = size_of(&root);
        after = size > INT32_MAX ? NULL : PyBytes_FromStringAndSize(NULL, size);
        if (after != NULL) {
            put(&root, (unsigned char *)PyBytes_AS_STRING(after));
        }
    }
    let_go(&root);
    if (after == NULL) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    return after;
}

static PyMethodDef methods[] = {
    {"applied", (PyCFunction)(void (*)(void))applied, METH_FASTCALL, applied_doc},
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
    .m_name = "_delta",
    .m_doc = "Applies updates to documents.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__delta(void)
{
    return PyModuleDef_Init(&definition);
}
