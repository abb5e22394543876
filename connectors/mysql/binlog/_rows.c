/* Decodes the rows of a row event, as rows.py does with the functions that it generates: the same values, in C.
 *
 * A Decoder is made for one table layout, from one step a column:
 *
 *     (operation, nullable, prefix, size, length, scale, constant)
 *
 * `operation` names one of OPERATIONS below. A value has `prefix` bytes of length before it (0 to 4), or, where `prefix` is
 * 0, a fixed `size` in bytes. `length` and `scale` are those of columns.Column; `constant` is the operation's own object.
 * What each operation means is said in column_code.py, by the Python expression that stands beside its name.
 *
 * Every read is checked against the event's end; bytes that make no sense raise Malformed. Formats as in values.py.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "../_calendar.h"

typedef struct Column Column;
typedef PyObject *(*Read)(const Column *column, const uint8_t *data, Py_ssize_t size);

struct Column {
    Read read;
    PyObject *constant;
    Py_ssize_t size;
    int prefix;
    int nullable;
    int length;
    int scale;
};

typedef struct {
    PyObject_HEAD
    Py_ssize_t count;
    int only_atoms; /* no value can be part of a reference cycle */
    Column *columns;
} Decoder;

static PyObject *Malformed; /* the exception type, of the one module reading.py; never freed */

/* Integers of 1 to 8 bytes */

static uint64_t little_endian(const uint8_t *data, Py_ssize_t size)
{
    uint64_t number = 0;
    for (Py_ssize_t n = size - 1; n >= 0; n--) {
        number = number << 8 | data[n];
    }
    return number;
}

static uint64_t big_endian(const uint8_t *data, Py_ssize_t size)
{
    uint64_t number = 0;
    for (Py_ssize_t n = 0; n < size; n++) {
        number = number << 8 | data[n];
    }
    return number;
}

static PyObject *read_signed(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column;
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    uint64_t number = little_endian(data, size);
    /* Two's complement without shifting negative numbers: flip the sign bit, then take it away again. */
    return PyLong_FromLongLong((int64_t)((number ^ sign) - sign));
}

static PyObject *read_unsigned(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column;
    return PyLong_FromUnsignedLongLong(little_endian(data, size));
}

static PyObject *read_year(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column, (void)size;
    return PyLong_FromLong(data[0] ? data[0] + 1900 : 0);
}

/* Floating point */

static PyObject *read_double(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column, (void)size;
    uint64_t bits = little_endian(data, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return PyFloat_FromDouble(value);
}

/* The double of the fewest digits that rounds to `value`; -1 with an exception set if memory is out. */
static int shortest_double(float value, double *shortest)
{
    /* Six digits survive the way to a normal float and back; below the normal range every number has to be tried. */
    int digits = (value >= 0x1p-126f || value <= -0x1p-126f) ? 6 : 1;
    for (;; digits++) {
        char *text = PyOS_double_to_string(value, 'g', digits, 0, NULL);
        if (text == NULL) {
            return -1;
        }
        *shortest = PyOS_string_to_double(text, NULL, NULL);
        PyMem_Free(text);
        if (*shortest == -1.0 && PyErr_Occurred()) {
            return -1;
        }
        if (digits == 9 || value != value || (float)*shortest == value) {
            return 0;
        }
    }
}

static PyObject *read_float(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column, (void)size;
    uint32_t bits = (uint32_t)little_endian(data, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    double shortest;
    return shortest_double(value, &shortest) < 0 ? NULL : PyFloat_FromDouble(shortest);
}

/* Text that is known to be ASCII */

static PyObject *ascii_text(const char *text, Py_ssize_t length)
{
    PyObject *object = PyUnicode_New(length, 127);
    if (object != NULL) {
        memcpy(PyUnicode_1BYTE_DATA(object), text, (size_t)length);
    }
    return object;
}

/* Writes at least `digits` decimal digits, with zeros before the number; the place behind them. */
static char *put_number(char *at, uint64_t number, int digits)
{
    char reversed[20];
    int count = 0;
    while (number > 0 || count < digits) {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    }
    while (count > 0) {
        *at++ = reversed[--count];
    }
    return at;
}

/* DECIMAL: groups of nine digits in 4 bytes, shorter ones at both ends */

#define MAX_DIGITS 65
static const int GROUP_BYTES[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
static const uint32_t GROUP_LIMITS[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
};

static Py_ssize_t decimal_bytes(int length, int scale)
{
    int whole = length - scale;
    return whole / 9 * 4 + GROUP_BYTES[whole % 9] + scale / 9 * 4 + GROUP_BYTES[scale % 9];
}

/* Moves `data` and `text` past one group; -1 with an exception set if it is too large for its digits. */
static int decimal_group(const uint8_t **data, char **text, int digits)
{
    int size = GROUP_BYTES[digits];
    uint64_t number = big_endian(*data, size);
    if (number >= GROUP_LIMITS[digits]) {
        PyErr_SetString(Malformed, "a group of digits of a DECIMAL is out of range");
        return -1;
    }
    *text = put_number(*text, number, digits);
    *data += size;
    return 0;
}

static int decimal_groups(const uint8_t **data, char **text, int lead, int nines, int tail)
{
    if (lead > 0 && decimal_group(data, text, lead) < 0) {
        return -1;
    }
    for (int n = 0; n < nines; n++) {
        if (decimal_group(data, text, 9) < 0) {
            return -1;
        }
    }
    return tail > 0 ? decimal_group(data, text, tail) : 0;
}

static PyObject *read_decimal(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    uint8_t plain[MAX_DIGITS];
    uint8_t inverted = data[0] & 0x80 ? 0x00 : 0xFF;
    for (Py_ssize_t n = 0; n < size; n++) {
        plain[n] = data[n] ^ inverted;
    }
    plain[0] ^= 0x80;
    char digits[MAX_DIGITS + 1], text[MAX_DIGITS + 4];
    const uint8_t *at = plain;
    char *end = digits, *out = text;
    int whole = column->length - column->scale;
    if (decimal_groups(&at, &end, whole % 9, whole / 9, 0) < 0) {
        return NULL;
    }
    const char *first = digits;
    while (first < end - 1 && *first == '0') {
        first++;
    }
    if (inverted) {
        *out++ = '-';
    }
    if (first == end) {
        *out++ = '0';
    }
    memcpy(out, first, (size_t)(end - first));
    out += end - first;
    if (column->scale > 0) {
        *out++ = '.';
        if (decimal_groups(&at, &out, 0, column->scale / 9, column->scale % 9) < 0) {
            return NULL;
        }
    }
    return ascii_text(text, out - text);
}

/* Dates and times */

static PyObject *read_date(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    int packed = (int)little_endian(data, size);
    int64_t days;
    if (!epoch_days(packed >> 9, packed >> 5 & 15, packed & 31, &days)) {
        return Py_NewRef(column->constant);
    }
    return PyLong_FromLongLong(days);
}

static int64_t fraction_us(const uint8_t *data, Py_ssize_t size)
{
    static const int UNITS[] = {0, 10000, 100, 1};
    return (int64_t)big_endian(data, size) * UNITS[size];
}

static PyObject *read_datetime(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    uint64_t packed = big_endian(data, 5);
    if (!(packed >> 39)) {
        PyErr_SetString(Malformed, "a negative DATETIME");
        return NULL;
    }
    int month = (int)(packed >> 22 & 0x1FFFF);
    int64_t days;
    if (!epoch_days(month / 13, month % 13, (int)(packed >> 17 & 31), &days)) {
        return Py_NewRef(column->constant);
    }
    int64_t seconds = (int64_t)(packed >> 12 & 31) * 3600 + (int64_t)(packed >> 6 & 63) * 60 + (int64_t)(packed & 63);
    int64_t microseconds = days * DAY_US + seconds * 1000000 + fraction_us(data + 5, size - 5);
    if (column->length > 3) {
        return PyLong_FromLongLong(microseconds);
    }
    /* Towards minus infinity, as Python divides. */
    return PyLong_FromLongLong((microseconds - (microseconds % 1000 + 1000) % 1000) / 1000);
}

static PyObject *read_time(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column;
    int fraction_bits = 8 * ((int)size - 3);
    int64_t packed = (int64_t)big_endian(data, size) - ((int64_t)0x800000 << fraction_bits);
    int64_t magnitude = packed < 0 ? -packed : packed;
    int64_t clock = magnitude >> fraction_bits;
    int64_t seconds = (clock >> 12) * 3600 + (clock >> 6 & 63) * 60 + (clock & 63);
    static const int UNITS[] = {0, 10000, 100, 1};
    int64_t fraction = (magnitude & (((int64_t)1 << fraction_bits) - 1)) * UNITS[size - 3];
    int64_t microseconds = seconds * 1000000 + fraction;
    return PyLong_FromLongLong(packed < 0 ? -microseconds : microseconds);
}

/* Year, month and day of a day since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static char *put_day(char *at, int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    at = put_number(at, (uint64_t)year, 4);
    *at++ = '-';
    at = put_number(at, (uint64_t)month, 2);
    *at++ = '-';
    return put_number(at, (uint64_t)day, 2);
}

static PyObject *read_timestamp(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    uint32_t seconds = (uint32_t)big_endian(data, 4);
    if (seconds == 0) {
        return Py_NewRef(column->constant);
    }
    char text[40];
    uint32_t clock = (uint32_t)(seconds % DAY_S);
    char *at = put_day(text, seconds / DAY_S);
    *at++ = 'T';
    at = put_number(at, clock / 3600, 2);
    *at++ = ':';
    at = put_number(at, clock / 60 % 60, 2);
    *at++ = ':';
    at = put_number(at, clock % 60, 2);
    int64_t fraction = fraction_us(data + 4, size - 4);
    if (fraction > 0) {
        *at++ = '.';
        at = put_number(at, (uint64_t)fraction, 6);
        while (at[-1] == '0') {
            at--;
        }
    }
    *at++ = 'Z';
    return ascii_text(text, at - text);
}

/* Strings and bytes */

static PyObject *read_utf8(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column;
    return PyUnicode_DecodeUTF8((const char *)data, size, "mysql-surrogates"); /* surrogates.py */
}

static PyObject *read_charmap(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    return PyUnicode_DecodeCharmap((const char *)data, size, column->constant, "strict");
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* `size` bytes of `data`, every `step`-th from its beginning, and zero bytes up to `padded`, as base64 text. */
static PyObject *base64_text(const uint8_t *data, Py_ssize_t size, Py_ssize_t padded, int step)
{
    PyObject *object = PyUnicode_New((padded + 2) / 3 * 4, 127);
    if (object == NULL) {
        return NULL;
    }
    Py_UCS1 *out = PyUnicode_1BYTE_DATA(object);
    for (Py_ssize_t n = 0; n < padded; n += 3) {
        uint32_t group = 0;
        for (Py_ssize_t k = n; k < n + 3; k++) {
            group = group << 8 | (k < size ? data[k * step] : 0);
        }
        *out++ = (Py_UCS1)BASE64[group >> 18];
        *out++ = (Py_UCS1)BASE64[group >> 12 & 63];
        *out++ = n + 1 < padded ? (Py_UCS1)BASE64[group >> 6 & 63] : '=';
        *out++ = n + 2 < padded ? (Py_UCS1)BASE64[group & 63] : '=';
    }
    return object;
}

static PyObject *read_base64(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    (void)column;
    return base64_text(data, size, size, 1);
}

static PyObject *read_base64_padded(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    return base64_text(data, size, size < column->length ? column->length : size, 1);
}

static PyObject *read_bit(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    if (column->length == 1) {
        return PyBool_FromLong(data[0]);
    }
    return base64_text(data + size - 1, size, size, -1);
}

/* ENUM: `constant` is the tuple of the labels, of which the first is that of 0. */
static PyObject *read_label(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    uint64_t number = little_endian(data, size);
    if (number >= (uint64_t)PyTuple_GET_SIZE(column->constant)) {
        PyErr_SetString(Malformed, "the number of an ENUM's label is out of range");
        return NULL;
    }
    return Py_NewRef(PyTuple_GET_ITEM(column->constant, (Py_ssize_t)number));
}

/* SET: `constant` maps the number to its labels. */
static PyObject *read_labels(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    PyObject *number = PyLong_FromUnsignedLongLong(little_endian(data, size));
    if (number == NULL) {
        return NULL;
    }
    PyObject *value = PyObject_GetItem(column->constant, number);
    Py_DECREF(number);
    return value;
}

/* Anything else: `constant` is a function of the value's bytes. */
static PyObject *read_call(const Column *column, const uint8_t *data, Py_ssize_t size)
{
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)data, size);
    if (bytes == NULL) {
        return NULL;
    }
    PyObject *value = PyObject_CallOneArg(column->constant, bytes);
    Py_DECREF(bytes);
    return value;
}

typedef struct {
    const char *name;
    Read read;
    int prefixed; /* whether a length comes before the value */
    Py_ssize_t smallest, largest; /* of the fixed sizes that it can read */
} Operation;

static const Operation OPERATIONS[] = {
    {"signed", read_signed, 0, 1, 8},
    {"unsigned", read_unsigned, 0, 1, 8},
    {"year", read_year, 0, 1, 1},
    {"double", read_double, 0, 8, 8},
    {"float", read_float, 0, 4, 4},
    {"decimal", read_decimal, 0, 1, MAX_DIGITS},
    {"date", read_date, 0, 3, 3},
    {"datetime", read_datetime, 0, 5, 8},
    {"time", read_time, 0, 3, 6},
    {"timestamp", read_timestamp, 0, 4, 7},
    {"bit", read_bit, 0, 1, 8},
    {"label", read_label, 0, 1, 8},
    {"labels", read_labels, 0, 1, 8},
    {"utf8", read_utf8, 1, 0, 0},
    {"charmap", read_charmap, 1, 0, 0},
    {"base64", read_base64, 1, 0, 0},
    {"base64_padded", read_base64_padded, 1, 0, 0},
    {NULL, NULL, 0, 0, 0},
};

static const Operation *find_operation(const char *name)
{
    for (const Operation *operation = OPERATIONS; operation->name != NULL; operation++) {
        if (strcmp(operation->name, name) == 0) {
            return operation;
        }
    }
    return NULL;
}

/* Whether the operation can be trusted with such a column: what it relies on without looking again. */
static int fits(const Operation *operation, const Column *column)
{
    if ((column->prefix > 0) != operation->prefixed) {
        return 0;
    }
    if (!operation->prefixed && (column->size < operation->smallest || column->size > operation->largest)) {
        return 0;
    }
    if (column->read == read_decimal) {
        return column->length >= 1 && column->length <= MAX_DIGITS && column->scale >= 0 &&
               column->scale <= column->length && column->size == decimal_bytes(column->length, column->scale);
    }
    return column->read != read_label || PyTuple_CheckExact(column->constant);
}

static int set_column(Column *column, PyObject *step, int *is_atom)
{
    const char *name;
    PyObject *constant;
    if (!PyArg_ParseTuple(step, "spiniiO", &name, &column->nullable, &column->prefix, &column->size, &column->length,
                          &column->scale, &constant)) {
        return -1;
    }
    if (column->prefix < 0 || column->prefix > 4 || column->size < 0 || column->length < 0) {
        PyErr_Format(PyExc_ValueError, "no place for a value of operation %s", name);
        return -1;
    }
    column->constant = Py_NewRef(constant);
    *is_atom = 1;
    if (strcmp(name, "call") == 0) {
        column->read = read_call;
        *is_atom = 0;
        return 0;
    }
    const Operation *operation = find_operation(name);
    if (operation != NULL) {
        column->read = operation->read;
    }
    if (operation == NULL || !fits(operation, column)) {
        PyErr_Format(PyExc_ValueError, "operation %s on a column that it does not read", name);
        return -1;
    }
    return 0;
}

/* The decoder */

static int decoder_traverse(Decoder *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t n = 0; n < self->count; n++) {
        Py_VISIT(self->columns[n].constant);
    }
    return 0;
}

static int decoder_clear(Decoder *self)
{
    for (Py_ssize_t n = 0; n < self->count; n++) {
        Py_CLEAR(self->columns[n].constant);
    }
    return 0;
}

static void decoder_dealloc(Decoder *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    decoder_clear(self);
    PyMem_Free(self->columns);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *decoder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"steps", NULL};
    PyObject *steps;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!:Decoder", names, &PyTuple_Type, &steps)) {
        return NULL;
    }
    Decoder *self = (Decoder *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(steps);
    if (count == 0) {
        PyErr_SetString(PyExc_ValueError, "no columns");
        Py_DECREF(self);
        return NULL;
    }
    self->columns = PyMem_Calloc((size_t)count + 1, sizeof(Column));
    if (self->columns == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->count = count;
    self->only_atoms = 1;
    for (Py_ssize_t n = 0; n < count; n++) {
        int is_atom = 0;
        if (set_column(&self->columns[n], PyTuple_GET_ITEM(steps, n), &is_atom) < 0) {
            Py_DECREF(self);
            return NULL;
        }
        self->only_atoms &= is_atom;
    }
    return (PyObject *)self;
}

static PyObject *row_too_long(void)
{
    PyErr_SetString(Malformed, "the last row does not end where the event does");
    return NULL;
}

/* One value, and `at` moved past it. */
static PyObject *read_value(const Column *column, const uint8_t **at, const uint8_t *end)
{
    Py_ssize_t size = column->size;
    if (column->prefix > 0) {
        if (end - *at < column->prefix) {
            return row_too_long();
        }
        size = (Py_ssize_t)little_endian(*at, column->prefix);
        *at += column->prefix;
    }
    if (size < 0 || size > end - *at) {
        return row_too_long();
    }
    PyObject *value = column->read(column, *at, size);
    *at += size;
    return value;
}

/* One row, and `at` moved past it: a bitmap of its nulls, then the values that are not null. */
static PyObject *read_row(const Decoder *self, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *nulls = *at;
    Py_ssize_t width = (self->count + 7) / 8;
    if (width > end - *at) {
        return row_too_long();
    }
    *at += width;
    PyObject *row = PyTuple_New(self->count);
    if (row == NULL) {
        return NULL;
    }
    for (Py_ssize_t n = 0; n < self->count; n++) {
        const Column *column = &self->columns[n];
        PyObject *value;
        if (!(nulls[n / 8] >> n % 8 & 1)) {
            value = read_value(column, at, end);
        } else if (column->nullable) {
            value = Py_NewRef(Py_None);
        } else {
            PyErr_SetString(Malformed, "a NOT NULL column is null");
            value = NULL;
        }
        if (value == NULL) {
            Py_DECREF(row);
            return NULL;
        }
        PyTuple_SET_ITEM(row, n, value);
    }
    if (self->only_atoms) {
        PyObject_GC_UnTrack(row); /* what the collector would do at its first look */
    }
    return row;
}

PyDoc_STRVAR(decode_doc, "decode(data, start, end)\n--\n\nThe rows in data[start:end]. Raises ValueError (Malformed).");

static PyObject *decoder_decode(Decoder *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "decode takes bytes and two offsets");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]), stop = PyLong_AsSsize_t(args[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (start < 0 || stop < start || stop > PyBytes_GET_SIZE(args[0])) {
        PyErr_SetString(Malformed, "the rows lie outside the event");
        return NULL;
    }
    PyObject *rows = PyList_New(0);
    if (rows == NULL) {
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    const uint8_t *at = data + start, *end = data + stop;
    while (at < end) {
        PyObject *row = read_row(self, &at, end);
        if (row == NULL || PyList_Append(rows, row) < 0) {
            Py_XDECREF(row);
            Py_DECREF(rows);
            return NULL;
        }
        Py_DECREF(row);
    }
    return rows;
}

static PyMethodDef decoder_methods[] = {
    {"decode", (PyCFunction)(void (*)(void))decoder_decode, METH_FASTCALL, decode_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(decoder_doc, "Decoder(steps)\n--\n\nDecodes the full row images of one table layout.");

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, (void *)decoder_doc},
    {Py_tp_new, decoder_new},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_traverse, decoder_traverse},
    {Py_tp_clear, decoder_clear},
    {Py_tp_methods, decoder_methods},
    {0, NULL},
};

static PyType_Spec decoder_spec = {
    .name = "connectors.mysql.binlog._rows.Decoder",
    .basicsize = sizeof(Decoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = decoder_slots,
};

/* The module */

static int module_exec(PyObject *module)
{
    if (Malformed == NULL) {
        PyObject *reading = PyImport_ImportModule("connectors.mysql.binlog.reading");
        if (reading == NULL) {
            return -1;
        }
        Malformed = PyObject_GetAttrString(reading, "Malformed");
        Py_DECREF(reading);
        if (Malformed == NULL) {
            return -1;
        }
    }
    PyObject *type = PyType_FromModuleAndSpec(module, &decoder_spec, NULL);
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
    .m_name = "_rows",
    .m_doc = "Decodes the rows of MySQL's row events.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__rows(void)
{
    return PyModuleDef_Init(&module_definition);
}
