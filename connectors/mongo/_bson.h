/* BSON as bytes: where each element of a document lies, with every bound checked. raw_bson.py in C, to which it is held. */

#ifndef STREAMTRAIN_BSON_H
#define STREAMTRAIN_BSON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define MAX_DEPTH 200
#define SHORTEST_DOCUMENT 5
#define SHORTEST_CODE_WITH_SCOPE 14
#define OLD_BINARY 2

enum {
    DOUBLE = 1, STRING, DOCUMENT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOLEAN, DATE, NULL_VALUE,
    REGEX, DB_POINTER, CODE, SYMBOL, CODE_WITH_SCOPE, INT32, TIMESTAMP, INT64, DECIMAL128,
    MAX_KEY = 0x7F, MIN_KEY = 0xFF
};

typedef struct {
    int kind;
    const char *name;
    Py_ssize_t name_length;
    Py_ssize_t start, value, end;
} Element;

/* The elements of one document that are still to come. */
typedef struct {
    const unsigned char *data;
    Py_ssize_t at, last;
} Elements;

static PyObject *bson_malformed; /* raw_bson.malformed */

static int bson_import(void)
{
    PyObject *module = PyImport_ImportModule("connectors.mongo.raw_bson");
    if (module == NULL) {
        return -1;
    }
    Py_XSETREF(bson_malformed, PyObject_GetAttrString(module, "malformed"));
    Py_DECREF(module);
    return bson_malformed == NULL ? -1 : 0;
}

/* Sets the exception; -1. */
static Py_ssize_t bson_fail(Py_ssize_t at, const char *what)
{
    PyObject *error = PyObject_CallFunction(bson_malformed, "ns", at, what);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return -1;
}

static inline uint32_t bson_uint32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t bson_uint64(const unsigned char *at)
{
    return bson_uint32(at) | (uint64_t)bson_uint32(at + 4) << 32;
}

/* The length that stands at `at`; -1 if it is none of `shortest` to `left`. */
static inline Py_ssize_t bson_sized(const unsigned char *data, Py_ssize_t at, Py_ssize_t shortest, Py_ssize_t left)
{
    int32_t length = (int32_t)bson_uint32(data + at);
    if (length < shortest || length > left) {
        char what[80];
        PyOS_snprintf(what, sizeof what, "a length of %ld, and %lld bytes are left", (long)length, (long long)left);
        return bson_fail(at, what);
    }
    return length;
}

static inline Py_ssize_t bson_within(Py_ssize_t at, Py_ssize_t size, Py_ssize_t limit)
{
    return limit - at < size ? bson_fail(at, "a value is cut off") : at + size;
}

static inline Py_ssize_t bson_cstring_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t limit)
{
    const unsigned char *end = limit > at ? memchr(data + at, 0, (size_t)(limit - at)) : NULL;
    return end == NULL ? bson_fail(at, "a name does not end") : end - data;
}

static inline Py_ssize_t bson_string_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t limit)
{
    if (bson_within(at, 4, limit) < 0) {
        return -1;
    }
    Py_ssize_t length = bson_sized(data, at, 1, limit - at - 4);
    if (length < 0) {
        return -1;
    }
    Py_ssize_t end = at + 4 + length;
    return data[end - 1] ? bson_fail(end - 1, "a string does not end with a zero byte") : end;
}

static inline Py_ssize_t bson_document_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t limit)
{
    if (at < 0 || limit - at < SHORTEST_DOCUMENT) {
        return bson_fail(at, "a document is cut off");
    }
    Py_ssize_t length = bson_sized(data, at, SHORTEST_DOCUMENT, limit - at);
    if (length < 0) {
        return -1;
    }
    Py_ssize_t end = at + length;
    return data[end - 1] ? bson_fail(end - 1, "a document does not end with a zero byte") : end;
}

static Py_ssize_t bson_value_end(const unsigned char *data, int kind, Py_ssize_t at, Py_ssize_t limit, Py_ssize_t start)
{
    Py_ssize_t end;
    switch (kind) {
    case UNDEFINED:
    case NULL_VALUE:
    case MIN_KEY:
    case MAX_KEY:
        return at;
    case BOOLEAN:
        return bson_within(at, 1, limit);
    case INT32:
        return bson_within(at, 4, limit);
    case DOUBLE:
    case DATE:
    case TIMESTAMP:
    case INT64:
        return bson_within(at, 8, limit);
    case OBJECT_ID:
        return bson_within(at, 12, limit);
    case DECIMAL128:
        return bson_within(at, 16, limit);
    case STRING:
    case CODE:
    case SYMBOL:
        return bson_string_end(data, at, limit);
    case DOCUMENT:
    case ARRAY:
        return bson_document_end(data, at, limit);
    case BINARY:
        if (bson_within(at, 5, limit) < 0) {
            return -1;
        }
        end = bson_sized(data, at, 0, limit - at - 5);
        return end < 0 ? -1 : at + 5 + end;
    case REGEX:
        end = bson_cstring_end(data, at, limit);
        end = end < 0 ? -1 : bson_cstring_end(data, end + 1, limit);
        return end < 0 ? -1 : end + 1;
    case DB_POINTER:
        end = bson_string_end(data, at, limit);
        return end < 0 ? -1 : bson_within(end, 12, limit);
    case CODE_WITH_SCOPE:
        if (bson_within(at, 4, limit) < 0) {
            return -1;
        }
        end = bson_sized(data, at, SHORTEST_CODE_WITH_SCOPE, limit - at);
        return end < 0 ? -1 : at + end;
    default: {
        char what[40];
        PyOS_snprintf(what, sizeof what, "no element has type 0x%02x", (unsigned int)kind);
        return bson_fail(start, what);
    }
    }
}

static inline int bson_elements(Elements *all, const unsigned char *data, Py_ssize_t start, Py_ssize_t limit)
{
    Py_ssize_t end = bson_document_end(data, start, limit);
    all->data = data;
    all->at = start + 4;
    all->last = end - 1;
    return end < 0 ? -1 : 0;
}

/* 1 if there is one more, 0 at the end, -1 with an exception set. */
static inline int bson_next(Elements *all, Element *element)
{
    if (all->at >= all->last) {
        return 0;
    }
    Py_ssize_t name_end = bson_cstring_end(all->data, all->at + 1, all->last);
    if (name_end < 0) {
        return -1;
    }
    element->kind = all->data[all->at];
    element->start = all->at;
    element->name = (const char *)all->data + all->at + 1;
    element->name_length = name_end - all->at - 1;
    element->value = name_end + 1;
    element->end = bson_value_end(all->data, element->kind, element->value, all->last, all->at);
    all->at = element->end;
    return element->end < 0 ? -1 : 1;
}

#endif
