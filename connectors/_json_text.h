/* JSON as it is written piece by piece, byte for byte as orjson has it. */

#ifndef STREAMTRAIN_JSON_TEXT_H
#define STREAMTRAIN_JSON_TEXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Bytes that grow. */
typedef struct {
    char *data;
    size_t length, capacity;
} Buffer;

/* Room for `more` bytes behind what is there; NULL with an exception set if memory is out. */
static inline char *buffer_reserve(Buffer *buffer, size_t more)
{
    size_t needed = buffer->length + more;
    if (needed > buffer->capacity || buffer->data == NULL) {
        size_t capacity = buffer->capacity ? buffer->capacity : 1024;
        while (capacity < needed) {
            capacity *= 2;
        }
        char *data = PyMem_Realloc(buffer->data, capacity);
        if (data == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

static inline int put(Buffer *buffer, const char *data, size_t length)
{
    char *at = buffer_reserve(buffer, length);
    if (at == NULL) {
        return -1;
    }
    memcpy(at, data, length);
    buffer->length += length;
    return 0;
}

static inline int put_bytes(Buffer *buffer, PyObject *bytes)
{
    return put(buffer, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
}

#define LONGEST_INTEGER 20

static inline int put_integer(Buffer *buffer, uint64_t magnitude, int negative)
{
    char *at = buffer_reserve(buffer, LONGEST_INTEGER + 1);
    if (at == NULL) {
        return -1;
    }
    char reversed[LONGEST_INTEGER];
    int count = 0;
    do {
        reversed[count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    char *begin = at;
    if (negative) {
        *at++ = '-';
    }
    while (count > 0) {
        *at++ = reversed[--count];
    }
    buffer->length += (size_t)(at - begin);
    return 0;
}

/* What stands behind the backslash for a character that has to be escaped; 'u' for its number, 0 for all others. */
static const char ESCAPES[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\',
};

static inline int put_text(Buffer *buffer, const char *text, size_t length)
{
    char *at = buffer_reserve(buffer, 6 * length + 2); /* \u001f is the longest that a byte becomes */
    if (at == NULL) {
        return -1;
    }
    char *begin = at;
    *at++ = '"';
    for (size_t n = 0; n < length; n++) {
        unsigned char byte = (unsigned char)text[n];
        char escape = ESCAPES[byte];
        if (!escape) {
            *at++ = (char)byte;
            continue;
        }
        *at++ = '\\';
        *at++ = escape;
        if (escape == 'u') {
            *at++ = '0';
            *at++ = '0';
            *at++ = (char)('0' + (byte >> 4));
            *at++ = "0123456789abcdef"[byte & 15];
        }
    }
    *at++ = '"';
    buffer->length += (size_t)(at - begin);
    return 0;
}

#endif
