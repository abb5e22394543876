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

/* The length of a cell, which lies before `end`, and `at` moved to it; -1 for NULL, -2 with an exception set if there is none. */
static int64_t cell_length(const uint8_t **at, const uint8_t *end)
{
    if (*at < end) {
        uint64_t length = *(*at)++;
        if (length == 0xFB) {
            return -1;
        }
        int width = length < 0xFB ? 0 : length == 0xFC ? 2 : length == 0xFD ? 3 : length == 0xFE ? 8 : -1;
        if (width >= 0 && end - *at >= width) {
            length = width ? 0 : length;
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
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)*at, (Py_ssize_t)length);
    *at += length;
    return bytes;
}

static int require_end(const uint8_t *at, const uint8_t *end)
{
    if (at != end) {
        PyErr_SetString(PyExc_ValueError, "a row has more cells than columns");
        return -1;
    }
    return 0;
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
    if (found != NULL && require_end(at, end) < 0) {
        Py_CLEAR(found);
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
static int read_moment(const char *text, Py_ssize_t length, int with_clock, Moment *moment)
{
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

/* Of each: NULL with an exception set if the text is no moment, else a new reference; to `missing` if it is not in the calendar. */

static PyObject *date_value(const char *text, Py_ssize_t length, PyObject *missing)
{
    Moment moment;
    int64_t days;
    if (read_moment(text, length, 0, &moment) < 0) {
        return NULL;
    }
    return epoch_days(moment.year, moment.month, moment.day, &days) ? PyLong_FromLongLong(days) : Py_NewRef(missing);
}

/* `unit_us` is 1 or 1,000: the remainder is cut towards the past, as `//` does. */
static PyObject *datetime_value(const char *text, Py_ssize_t length, int64_t unit_us, PyObject *missing)
{
    Moment moment;
    int64_t days;
    if (read_moment(text, length, 1, &moment) < 0) {
        return NULL;
    }
    if (!epoch_days(moment.year, moment.month, moment.day, &days)) {
        return Py_NewRef(missing);
    }
    return PyLong_FromLongLong(days * (DAY_US / unit_us) + moment.clock_us / unit_us);
}

static PyObject *timestamp_value(const char *text, Py_ssize_t length, PyObject *missing)
{
    Moment moment;
    if (read_moment(text, length, 1, &moment) < 0) {
        return NULL;
    }
    if (moment.year == 0 && moment.month == 0 && moment.day == 0) {
        return Py_NewRef(missing);
    }
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

static int require_bytes(PyObject *argument)
{
    if (!PyBytes_Check(argument)) {
        PyErr_SetString(PyExc_TypeError, "a cell is bytes");
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(date_doc, "date(cell)\n--\n\nDays since 1970; None for what is not in the calendar.");

static PyObject *date(PyObject *module, PyObject *argument)
{
    (void)module;
    if (require_bytes(argument) < 0) {
        return NULL;
    }
    return date_value(PyBytes_AS_STRING(argument), PyBytes_GET_SIZE(argument), Py_None);
}

PyDoc_STRVAR(datetime_doc, "datetime(cell)\n--\n\nMicroseconds since 1970; None for what is not in the calendar.");

static PyObject *datetime(PyObject *module, PyObject *argument)
{
    (void)module;
    if (require_bytes(argument) < 0) {
        return NULL;
    }
    return datetime_value(PyBytes_AS_STRING(argument), PyBytes_GET_SIZE(argument), 1, Py_None);
}

PyDoc_STRVAR(timestamp_doc, "timestamp(cell)\n--\n\nISO 8601 in UTC; None for zero.");

static PyObject *timestamp(PyObject *module, PyObject *argument)
{
    (void)module;
    if (require_bytes(argument) < 0) {
        return NULL;
    }
    return timestamp_value(PyBytes_AS_STRING(argument), PyBytes_GET_SIZE(argument), Py_None);
}

/* Rows to values: a step for each column. What a step does not know it leaves to the function of its column. */

typedef enum { CALL, INTEGER, DOUBLE, TEXT, DATE, DATETIME_MS, DATETIME_US, TIMESTAMP } Operation;

static const char *const OPERATIONS[] = {"call", "integer", "double", "text", "date", "datetime_ms", "datetime_us",
                                         "timestamp"};

typedef struct {
    Operation operation;
    PyObject *missing, *convert; /* borrowed from the tuple of steps */
} Step;

static PyObject *called(const Step *step, const char *text, Py_ssize_t length)
{
    PyObject *bytes = PyBytes_FromStringAndSize(text, length);
    if (bytes == NULL) {
        return NULL;
    }
    PyObject *value = PyObject_CallOneArg(step->convert, bytes);
    Py_DECREF(bytes);
    return value;
}

#define SAFE_DIGITS 18 /* that many nines fit into 64 bits */

static PyObject *integer_value(const Step *step, const char *text, Py_ssize_t length)
{
    int negative = length > 0 && text[0] == '-';
    Py_ssize_t at = negative;
    int64_t number = 0;
    if (length - at < 1 || length - at > SAFE_DIGITS) {
        return called(step, text, length);
    }
    for (; at < length; at++) {
        if (text[at] < '0' || text[at] > '9') {
            return called(step, text, length);
        }
        number = 10 * number + (text[at] - '0');
    }
    return PyLong_FromLongLong(negative ? -number : number);
}

#define LONGEST_DOUBLE 39

static PyObject *double_value(const Step *step, const char *text, Py_ssize_t length)
{
    char ended[LONGEST_DOUBLE + 1];
    if (length < 1 || length > LONGEST_DOUBLE) {
        return called(step, text, length);
    }
    for (Py_ssize_t n = 0; n < length; n++) {
        char one = text[n];
        if (!((one >= '0' && one <= '9') || one == '.' || one == '-' || one == '+' || one == 'e')) {
            return called(step, text, length);
        }
        ended[n] = one;
    }
    ended[length] = '\0';
    double number = PyOS_string_to_double(ended, NULL, NULL);
    return number == -1.0 && PyErr_Occurred() ? NULL : PyFloat_FromDouble(number);
}

static PyObject *value(const Step *step, const char *text, Py_ssize_t length)
{
    switch (step->operation) {
    case INTEGER:
        return integer_value(step, text, length);
    case DOUBLE:
        return double_value(step, text, length);
    case TEXT:
        return PyUnicode_DecodeUTF8(text, length, "mysql-surrogates");
    case DATE:
        return date_value(text, length, step->missing);
    case DATETIME_MS:
        return datetime_value(text, length, 1000, step->missing);
    case DATETIME_US:
        return datetime_value(text, length, 1, step->missing);
    case TIMESTAMP:
        return timestamp_value(text, length, step->missing);
    case CALL:
        break;
    }
    return called(step, text, length);
}

static int fill_row(PyObject *row, const Step *steps, PyObject *payload)
{
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(payload);
    const uint8_t *end = at + PyBytes_GET_SIZE(payload);
    int collected = 0; /* whether the cyclic collector has to know the row */
    for (Py_ssize_t n = 0; n < PyTuple_GET_SIZE(row); n++) {
        int64_t length = cell_length(&at, end);
        if (length == -2) {
            return -1;
        }
        PyObject *found = length < 0 ? Py_NewRef(Py_None) : value(&steps[n], (const char *)at, (Py_ssize_t)length);
        if (found == NULL) {
            return -1;
        }
        at += length < 0 ? 0 : length;
        collected |= PyObject_IS_GC(found);
        PyTuple_SET_ITEM(row, n, found);
    }
    if (require_end(at, end) < 0) {
        return -1;
    }
    if (!collected) {
        PyObject_GC_UnTrack(row);
    }
    return 0;
}

static PyObject *row_of(const Step *steps, Py_ssize_t columns, PyObject *payload)
{
    if (!PyBytes_Check(payload)) {
        PyErr_SetString(PyExc_TypeError, "a row is bytes");
        return NULL;
    }
    PyObject *row = PyTuple_New(columns);
    if (row != NULL && fill_row(row, steps, payload) < 0) {
        Py_CLEAR(row);
    }
    return row;
}

static int take_step(PyObject *argument, Step *step)
{
    const char *name;
    if (!PyTuple_Check(argument) ||
        !PyArg_ParseTuple(argument, "sOO:step", &name, &step->missing, &step->convert)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a step is a tuple");
        }
        return -1;
    }
    for (size_t n = 0; n < sizeof OPERATIONS / sizeof *OPERATIONS; n++) {
        if (strcmp(name, OPERATIONS[n]) == 0) {
            step->operation = (Operation)n;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "no operation is called %s", name);
    return -1;
}

/* The steps, to be freed; NULL with an exception set. */
static Step *take_steps(PyObject *argument)
{
    Py_ssize_t columns = PyTuple_GET_SIZE(argument);
    Step *steps = PyMem_Calloc((size_t)columns + 1, sizeof(Step));
    if (steps == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t n = 0; n < columns; n++) {
        if (take_step(PyTuple_GET_ITEM(argument, n), &steps[n]) < 0) {
            PyMem_Free(steps);
            return NULL;
        }
    }
    return steps;
}

PyDoc_STRVAR(rows_doc, "rows(payloads, steps)\n--\n\n"
                       "The values of text rows, each row a tuple. Raises ValueError, and what a step's function raises.");

static PyObject *rows(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *payloads, *columns;
    if (!PyArg_ParseTuple(args, "O!O!:rows", &PyList_Type, &payloads, &PyTuple_Type, &columns)) {
        return NULL;
    }
    Step *steps = take_steps(columns);
    if (steps == NULL) {
        return NULL;
    }
    /* Functions of steps may do what they like: the list is asked for its length again each time. */
    PyObject *found = PyList_New(0);
    for (Py_ssize_t n = 0; found != NULL && n < PyList_GET_SIZE(payloads); n++) {
        PyObject *payload = Py_NewRef(PyList_GET_ITEM(payloads, n));
        PyObject *row = row_of(steps, PyTuple_GET_SIZE(columns), payload);
        Py_DECREF(payload);
        if (row == NULL || PyList_Append(found, row) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(row);
    }
    PyMem_Free(steps);
    return found;
}

/* Packets: a length in three bytes, a sequence number in one, and the payload. */

#define HEADER 4
#define CONTINUED 0xFFFFFF
#define FIRST_OF_NO_SHORT_ROW 0xFE /* an end, an error, or a row that begins with a length of eight bytes */

PyDoc_STRVAR(row_packets_doc, "row_packets(data, at, sequence)\n--\n\n"
                              "Payloads of packets that lie whole in data from `at` on, up to the first that is not surely "
                              "a row, or out of sequence; with the place and the sequence number of that.");

static PyObject *row_packets(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *bytes;
    Py_ssize_t at;
    unsigned char sequence;
    if (!PyArg_ParseTuple(args, "Snb:row_packets", &bytes, &at, &sequence)) {
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(bytes);
    Py_ssize_t end = PyBytes_GET_SIZE(bytes);
    if (at < 0 || at > end) {
        PyErr_SetString(PyExc_ValueError, "the place lies outside of the data");
        return NULL;
    }
    PyObject *found = PyList_New(0);
    while (found != NULL && end - at > HEADER && data[at + 3] == sequence) {
        Py_ssize_t length = data[at] | data[at + 1] << 8 | data[at + 2] << 16;
        if (length == 0 || length == CONTINUED || length > end - at - HEADER ||
            data[at + HEADER] >= FIRST_OF_NO_SHORT_ROW) {
            break;
        }
        PyObject *payload = PyBytes_FromStringAndSize((const char *)data + at + HEADER, length);
        if (payload == NULL || PyList_Append(found, payload) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(payload);
        at += HEADER + length;
        sequence++;
    }
    return found == NULL ? NULL : Py_BuildValue("Nni", found, at, (int)sequence);
}

/* The module */

static PyMethodDef methods[] = {
    {"cells", (PyCFunction)(void (*)(void))cells, METH_FASTCALL, cells_doc},
    {"text", text, METH_O, text_doc},
    {"date", date, METH_O, date_doc},
    {"datetime", datetime, METH_O, datetime_doc},
    {"timestamp", timestamp, METH_O, timestamp_doc},
    {"rows", rows, METH_VARARGS, rows_doc},
    {"row_packets", row_packets, METH_VARARGS, row_packets_doc},
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
