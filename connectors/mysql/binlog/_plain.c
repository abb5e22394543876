/* Finds whole transactions of row events alone in what a server has sent: plain.py says which.
 *
 * Nothing is refused here. What is not exactly as it is looked for is left where it lies, to be read event by event.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { PACKET = 4, HEADER = 19, CHECKSUM = 4, CONTINUED = 0xFFFFFF };
enum { QUERY = 2, XID = 16, TABLE_MAP = 19, WRITE_ROWS = 30, DELETE_ROWS = 32, GTID = 33, ANONYMOUS_GTID = 34 };
enum { ARTIFICIAL = 0x20, STATEMENT_END = 0x01 };
enum { MOST_CHANGES = 32 };

static uint64_t little(const uint8_t *bytes, int count)
{
    uint64_t number = 0;
    while (count-- > 0) {
        number = number << 8 | bytes[count];
    }
    return number;
}

/* CRC32 as zlib has it, eight bytes at a time ("slicing by 8": Kounavis and Berry, 2005). */

static uint32_t crc_table[8][256];

static void fill_crc_table(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        }
        crc_table[0][n] = crc;
    }
    for (uint32_t n = 0; n < 256; n++) {
        for (int slice = 1; slice < 8; slice++) {
            crc_table[slice][n] = crc_table[slice - 1][n] >> 8 ^ crc_table[0][crc_table[slice - 1][n] & 0xFF];
        }
    }
}

static uint32_t crc32_of(const uint8_t *bytes, Py_ssize_t length)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (; length >= 8; length -= 8, bytes += 8) {
        uint32_t low = crc ^ (uint32_t)little(bytes, 4), high = (uint32_t)little(bytes + 4, 4);
        crc = crc_table[7][low & 0xFF] ^ crc_table[6][low >> 8 & 0xFF] ^ crc_table[5][low >> 16 & 0xFF] ^
              crc_table[4][low >> 24] ^ crc_table[3][high & 0xFF] ^ crc_table[2][high >> 8 & 0xFF] ^
              crc_table[1][high >> 16 & 0xFF] ^ crc_table[0][high >> 24];
    }
    while (length-- > 0) {
        crc = crc >> 8 ^ crc_table[0][(crc ^ *bytes++) & 0xFF];
    }
    return ~crc;
}

/* Events */

typedef struct {
    const uint8_t *start; /* of its header */
    const uint8_t *body;
    Py_ssize_t length; /* of its body, without the checksum */
    uint8_t type;
    uint32_t timestamp, server_id, size, end_position;
} Event;

typedef struct {
    const uint8_t *at, *end;
    uint8_t sequence;
    uint32_t position; /* where the last event ended in its file; 0: there was none */
} Cursor;

/* The event of the next packet, if it is whole, of a file, and right behind the last one; its checksum is not looked at. */
static int next_event(Cursor *cursor, Event *event)
{
    if (cursor->end - cursor->at < PACKET + 1 + HEADER + CHECKSUM) {
        return 0;
    }
    Py_ssize_t length = (Py_ssize_t)little(cursor->at, 3);
    const uint8_t *payload = cursor->at + PACKET, *start = payload + 1;
    if (length == CONTINUED || length > cursor->end - payload || length < 1 + HEADER + CHECKSUM ||
        cursor->at[3] != cursor->sequence || payload[0] != 0) {
        return 0;
    }
    *event = (Event){
        .start = start,
        .body = start + HEADER,
        .length = length - 1 - HEADER - CHECKSUM,
        .type = start[4],
        .timestamp = (uint32_t)little(start, 4),
        .server_id = (uint32_t)little(start + 5, 4),
        .size = (uint32_t)little(start + 9, 4),
        .end_position = (uint32_t)little(start + 13, 4),
    };
    if (event->size != length - 1 || little(start + 17, 2) & ARTIFICIAL || event->end_position <= event->size ||
        (cursor->position && event->end_position - event->size != cursor->position)) {
        return 0;
    }
    cursor->position = event->end_position;
    cursor->at = payload + length;
    cursor->sequence++;
    return 1;
}

static int is_sound(const Event *event)
{
    Py_ssize_t length = (Py_ssize_t)event->size - CHECKSUM;
    return crc32_of(event->start, length) == (uint32_t)little(event->start + length, CHECKSUM);
}

/* A transaction */

typedef struct {
    Event gtid, begin, commit;
    Event maps[MOST_CHANGES], rows[MOST_CHANGES];
    int changes;
    uint64_t committed_us;
} Transaction;

#define ORIGINAL_COMMIT_FOLLOWS ((uint64_t)1 << 55)

/* Flags (1 byte), UUID (16), number (8); from MySQL 8.0.1 on 17 bytes later the time of the commit (7), whose highest bit
 * says that the time of the first server's commit follows (7). */
static int read_gtid(Transaction *found)
{
    const Event *event = &found->gtid;
    if ((event->type != GTID && event->type != ANONYMOUS_GTID) || event->length < 25) {
        return 0;
    }
    found->committed_us = event->length < 49 ? 0 : little(event->body + 42, 7);
    if (found->committed_us & ORIGINAL_COMMIT_FOLLOWS) {
        if (event->length < 56) {
            return 0;
        }
        found->committed_us = little(event->body + 49, 7);
    }
    return 1;
}

/* Thread (4), seconds (4), length of the database's name (1), error (2), length of the status variables (2), these, the name,
 * a zero byte, the statement. */
static int is_begin(const Event *event)
{
    if (event->type != QUERY || event->length < 13) {
        return 0;
    }
    Py_ssize_t at = 13 + (Py_ssize_t)little(event->body + 11, 2) + event->body[8];
    for (Py_ssize_t n = at - event->body[8]; n < at && n < event->length; n++) {
        if (event->body[n] >= 0x80) {
            return 0; /* whether it is a name is for the decoder to say */
        }
    }
    return event->length == at + 6 && memcmp(event->body + at, "\0BEGIN", 6) == 0;
}

/* A table's number (6), flags (2), and the length of more data (2), which counts itself. */
static int is_change(const Event *map, const Event *rows)
{
    return map->type == TABLE_MAP && map->length > 8 && rows->type >= WRITE_ROWS && rows->type <= DELETE_ROWS &&
           rows->length > 10 && memcmp(map->body, rows->body, 6) == 0 && little(rows->body + 6, 2) & STATEMENT_END;
}

/* One from the cursor on, which is moved behind it; 0 leaves it somewhere within. */
static int find(Cursor *cursor, Transaction *found)
{
    found->changes = 0;
    if (!next_event(cursor, &found->gtid) || !read_gtid(found) || !next_event(cursor, &found->begin) ||
        !is_begin(&found->begin)) {
        return 0;
    }
    for (;; found->changes++) {
        if (!next_event(cursor, &found->commit)) {
            return 0;
        }
        if (found->commit.type == XID) {
            break;
        }
        int number = found->changes;
        if (number == MOST_CHANGES) {
            return 0;
        }
        found->maps[number] = found->commit;
        if (!next_event(cursor, &found->rows[number]) || !is_change(&found->maps[number], &found->rows[number])) {
            return 0;
        }
    }
    if (found->commit.length != 8 || !is_sound(&found->gtid) || !is_sound(&found->begin) || !is_sound(&found->commit)) {
        return 0;
    }
    for (int n = 0; n < found->changes; n++) {
        if (!is_sound(&found->maps[n]) || !is_sound(&found->rows[n])) {
            return 0;
        }
    }
    return 1;
}

/* What a TABLE_MAP says behind the table's number; the same object as before if it says the same. */
static PyObject *description(const Event *map, PyObject **last)
{
    const char *bytes = (const char *)map->body + 6;
    Py_ssize_t length = map->length - 6;
    if (*last == NULL || PyBytes_GET_SIZE(*last) != length || memcmp(PyBytes_AS_STRING(*last), bytes, (size_t)length)) {
        Py_XSETREF(*last, PyBytes_FromStringAndSize(bytes, length));
    }
    return Py_XNewRef(*last);
}

static PyObject *change(const Event *map, const Event *rows, const uint8_t *data, PyObject **last)
{
    PyObject *described = description(map, last);
    Py_ssize_t start = rows->start - data;
    return described == NULL ? NULL
                             : Py_BuildValue("NiIIIInn", described, (int)rows->type, rows->timestamp, rows->server_id,
                                             rows->end_position, rows->size, start, start + (Py_ssize_t)rows->size);
}

static PyObject *transaction(const Transaction *found, const uint8_t *data, PyObject **last)
{
    PyObject *changes = PyTuple_New(found->changes);
    for (int n = 0; changes != NULL && n < found->changes; n++) {
        PyObject *one = change(&found->maps[n], &found->rows[n], data, last);
        if (one == NULL) {
            Py_CLEAR(changes);
            break;
        }
        PyTuple_SET_ITEM(changes, n, one);
    }
    if (changes == NULL) {
        return NULL;
    }
    const Event *gtid = &found->gtid, *commit = &found->commit;
    int named = gtid->type == GTID;
    return Py_BuildValue("y#KKINIIII", named ? (const char *)gtid->body + 1 : "", (Py_ssize_t)(named ? 16 : 0),
                         (unsigned long long)little(gtid->body + 17, 8), (unsigned long long)found->committed_us,
                         (unsigned int)little(found->begin.body, 4), changes, commit->timestamp, commit->server_id,
                         commit->end_position, commit->end_position - (gtid->end_position - gtid->size));
}

PyDoc_STRVAR(transactions_doc, "transactions(data, at, sequence, largest)\n--\n\n"
                               "Whole transactions of at most `largest` bytes that lie in data from `at` on, up to the first "
                               "that is none; with the place and the sequence number of that.");

static PyObject *transactions(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *bytes, *last = NULL;
    Py_ssize_t at, largest;
    unsigned char sequence;
    if (!PyArg_ParseTuple(args, "Snbn:transactions", &bytes, &at, &sequence, &largest)) {
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(bytes), *end = data + PyBytes_GET_SIZE(bytes);
    if (at < 0 || at > end - data) {
        PyErr_SetString(PyExc_ValueError, "the place lies outside of the data");
        return NULL;
    }
    PyObject *list = PyList_New(0);
    while (list != NULL) {
        const uint8_t *start = data + at;
        Cursor cursor = {.at = start, .end = largest < end - start ? start + largest : end, .sequence = sequence};
        Transaction found;
        if (!find(&cursor, &found)) {
            break;
        }
        PyObject *one = transaction(&found, data, &last);
        if (one == NULL || PyList_Append(list, one) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
        at = cursor.at - data;
        sequence = cursor.sequence;
    }
    Py_XDECREF(last);
    return list == NULL ? NULL : Py_BuildValue("Nni", list, at, (int)sequence);
}

static PyMethodDef methods[] = {
    {"transactions", transactions, METH_VARARGS, transactions_doc},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    (void)module;
    fill_crc_table();
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_plain",
    .m_doc = "Finds whole transactions of row events alone.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__plain(void)
{
    return PyModuleDef_Init(&definition);
}
