/* Reads the rows of a SELECT: text_cells.py in C.
 *
 * Every read is checked against the packet's end. What is not as the server writes it raises ValueError.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "_calendar.h"

/* Rows: each cell is a length and that many bytes, or 0xFB for NULL. */

/* The length of a cell, and `at` moved behind it; -1 for NULL, -2 with an exception set if there is none. */
static int64_t cell_length(const uint8_t **at, const uint8_t *end)
{
    if (*at < end) {
        uint8_t first = *(*at)++;
        if (first < 0xFB) {
            return first;
        }
        if (first == 0xFB) {
            return -1;
        }
        int width = first == 0xFC ? 2 : first == 0xFD ? 3 : 8;
        if (first != 0xFF && end - *at >= width) {
            uint64_t length = 0;
            for (int n = width - 1; n >= 0; n--) {
                length = length << 8 | (*at)[n];
            }
            *at += width;
            if (length <= (uint64_t)(end - *at)) {
                return (int64_t)length;
            }
        }
    }
    PyErr_SetString(PyExc_ValueError, "a row ends within a cell");
    return -2;
}

static PyObject *cell(const uint8_t **at, const uint8_t *end)
{
    int64_t length = cell_length(at, end);
    if (length == -1) {
        Py_RETURN_NONE;
    }
    if (length < 0) {
        return NULL;
    }
    if (length > end - *at) {
        PyErr_SetString(PyExc_ValueError, "a row ends within a cell");
        return NULL;
    }
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)*at, (Py_ssize_t)length);
    *at += length;
    return bytes;
}

PyDoc_STRVAR(cells_doc, "cells(row, columns)\n--\n\nThe cells of a text row, as bytes or None. Raises ValueError.");

static PyObject *cells(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "cells takes bytes and a number");
        return NULL;
    }
    Py_ssize_t columns = PyLong_AsSsize_t(args[1]);
    if (columns < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "fewer than no columns");
        }
        return NULL;
    }
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    const uint8_t *end = at + PyBytes_GET_SIZE(args[0]);
    PyObject *found = PyList_New(columns);
    for (Py_ssize_t n = 0; found != NULL && n < columns; n++) {
        PyObject *bytes = cell(&at, end);
        if (bytes == NULL) {
            Py_CLEAR(found);
        } else {
            PyList_SET_ITEM(found, n, bytes);
        }
    }
    return found;
}

PyDoc_STRVAR(text_doc, "text(cell)\n--\n\nUTF-8 as text, halves of characters as surrogates.py has them. Raises ValueError.");

static PyObject *text(PyObject *module, PyObject *argument)
{
    (void)module;
    if (!PyBytes_Check(argument)) {
        PyErr_SetString(PyExc_TypeError, "a cell is bytes");
        return NULL;
    }
    return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(argument), PyBytes_GET_SIZE(argument), "mysql-surrogates");
}

/* Dates: "2015-01-21", and after it perhaps " 13:37:00" and ".120000". */

typedef struct {
    int year, month, day;
    int64_t clock_us; /* since midnight */
    Py_ssize_t fraction_digits;
} Moment;

/* The number of `count` digits; -1 if there are others among them. */
static int digits(const char *text, int count)
{
    int number = 0;
    for (int n = 0; n < count; n++) {
        if (text[n] < '0' || text[n] > '9') {
            return -1;
        }
        number = 10 * number + (text[n] - '0');
    }
    return number;
}

static int read_clock(const char *text, Py_ssize_t length, Moment *moment)
{
    if (length < 9 || text[0] != ' ' || text[3] != ':' || text[6] != ':') {
        return -1;
    }
    int hour = digits(text + 1, 2), minute = digits(text + 4, 2), second = digits(text + 7, 2), fraction = 0;
    moment->fraction_digits = 0;
    if (length > 9) {
        moment->fraction_digits = length - 10;
        if (text[9] != '.' || moment->fraction_digits < 1 || moment->fraction_digits > 6) {
            return -1;
        }
        fraction = digits(text + 10, (int)moment->fraction_digits);
    }
    if (hour < 0 || minute < 0 || second < 0 || fraction < 0) {
        return -1;
    }
    for (Py_ssize_t n = moment->fraction_digits; n < 6; n++) {
        fraction *= 10;
    }
    moment->clock_us = ((int64_t)(hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return 0;
}

/* Reads a date, with a time after it if there is to be one; -1 with an exception set if it is not as the server writes it. */
static int read_moment(PyObject *argument, int with_clock, Moment *moment)
{
    if (!PyBytes_Check(argument)) {
        PyErr_SetString(PyExc_TypeError, "a cell is bytes");
        return -1;
    }
    const char *text = PyBytes_AS_STRING(argument);
    Py_ssize_t length = PyBytes_GET_SIZE(argument);
    if (length >= 10 && text[4] == '-' && text[7] == '-') {
        moment->year = digits(text, 4);
        moment->month = digits(text + 5, 2);
        moment->day = digits(text + 8, 2);
        int clock = with_clock ? read_clock(text + 10, length - 10, moment) : (length == 10 ? 0 : -1);
        if (clock == 0 && moment->year >= 0 && moment->month >= 0 && moment->day >= 0) {
            return 0;
        }
    }
    PyErr_SetString(PyExc_ValueError, "not a date as the server writes it");
    return -1;
}

PyDoc_STRVAR(date_doc, "date(cell)\n--\n\nDays since 1970; None for what is not in the calendar.");

static PyObject *date(PyObject *module, PyObject *argument)
{
    (void)module;
    Moment moment;
    int64_t days;
    if (read_moment(argument, 0, &moment) < 0) {
        return NULL;
    }
    if (!epoch_days(moment.year, moment.month, moment.day, &days)) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLongLong(days);
}

PyDoc_STRVAR(datetime_doc, "datetime(cell)\n--\n\nMicroseconds since 1970; None for what is not in the calendar.");

static PyObject *datetime(PyObject *module, PyObject *argument)
{
    (void)module;
    Moment moment;
    int64_t days;
    if (read_moment(argument, 1, &moment) < 0) {
        return NULL;
    }
    if (!epoch_days(moment.year, moment.month, moment.day, &days)) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLongLong(days * DAY_US + moment.clock_us);
}

PyDoc_STRVAR(timestamp_doc, "timestamp(cell)\n--\n\nISO 8601 in UTC; None for zero.");

static PyObject *timestamp(PyObject *module, PyObject *argument)
{
    (void)module;
    Moment moment;
    if (read_moment(argument, 1, &moment) < 0) {
        return NULL;
    }
    if (moment.year == 0 && moment.month == 0 && moment.day == 0) {
        Py_RETURN_NONE;
    }
    const char *text = PyBytes_AS_STRING(argument);
    Py_ssize_t length = PyBytes_GET_SIZE(argument);
    if (moment.fraction_digits > 0) {
        while (text[length - 1] == '0') {
            length--;
        }
        length -= text[length - 1] == '.';
    }
    PyObject *iso = PyUnicode_New(length + 1, 127);
    if (iso != NULL) {
        Py_UCS1 *out = PyUnicode_1BYTE_DATA(iso);
        memcpy(out, text, (size_t)length);
        out[10] = 'T';
        out[length] = 'Z';
    }
    return iso;
}

/* The module */

static PyMethodDef methods[] = {
    {"cells", (PyCFunction)(void (*)(void))cells, METH_FASTCALL, cells_doc},
    {"text", text, METH_O, text_doc},
    {"date", date, METH_O, date_doc},
    {"datetime", datetime, METH_O, datetime_doc},
    {"timestamp", timestamp, METH_O, timestamp_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_cells",
    .m_doc = "Reads the rows of a SELECT.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__cells(void)
{
    return PyModuleDef_Init(&definition);
}
