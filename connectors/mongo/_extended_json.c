/* Writes BSON documents as JSON: extended_json.py and json_values.py in C, to which it is held byte by byte.
 *
 * Only doubles that have no short decimal form are left to Python's own routine.
 */

#include "_bson.h"

#include <math.h>

/* How a document is written; extended_json.Style. */
typedef struct {
    int relaxed;
    const char *comma;
    size_t comma_length;
} Style;

static const Style VALUE = {0, ",", 1};
static const Style UPDATE = {1, ", ", 2};
static const Style KEY = {1, ",", 1};

#define ON_THE_STACK 4096

/* Text that grows, first on the stack. */
typedef struct {
    char *text, *heap;
    size_t length, capacity;
    const unsigned char *data;
    const Style *style;
    int replace;
} Writer;

static unsigned char escaped[0x10000 / 8]; /* escaped_characters.escaped_bits() */

/* Room for `more` bytes behind what is there; NULL with an exception set if memory is out. */
static inline char *reserve(Writer *writer, size_t more)
{
    size_t needed = writer->length + more;
    if (needed > writer->capacity) {
        size_t capacity = writer->capacity * 2;
        while (capacity < needed) {
            capacity *= 2;
        }
        char *heap = PyMem_Realloc(writer->heap, capacity);
        if (heap == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        if (writer->heap == NULL) {
            memcpy(heap, writer->text, writer->length);
        }
        writer->heap = writer->text = heap;
        writer->capacity = capacity;
    }
    return writer->text + writer->length;
}

static inline int put(Writer *writer, const char *text, size_t length)
{
    char *at = reserve(writer, length);
    if (at == NULL) {
        return -1;
    }
    memcpy(at, text, length);
    writer->length += length;
    return 0;
}

#define PUT(writer, literal) put(writer, literal, sizeof(literal) - 1)

static inline int put_comma(Writer *writer)
{
    return put(writer, writer->style->comma, writer->style->comma_length);
}

/* Text */

static const char HEX[] = "0123456789abcdef";

/* What stands behind the backslash; 'u' for the number of the character, 0 if it is written as it is. */
static const char ESCAPES[0x80] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\', [0x7F] = 'u',
};

#define LONGEST_ESCAPE 6

static inline char *put_unit(char *at, unsigned int unit)
{
    *at++ = '\\';
    *at++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) {
        *at++ = HEX[unit >> shift & 15];
    }
    return at;
}

static inline int continues(const unsigned char *text, const unsigned char *end, int count)
{
    for (int n = 1; n <= count; n++) {
        if (text + n >= end || (text[n] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return 1;
}

/* The bytes of the character at `text`, which is not ASCII, and its number; 0 if it is not UTF-8. */
static inline int utf8_character(const unsigned char *text, const unsigned char *end, unsigned int *point)
{
    unsigned int lead = text[0];
    if (lead < 0xE0) {
        if (lead < 0xC2 || !continues(text, end, 1)) {
            return 0;
        }
        *point = (lead & 0x1F) << 6 | (text[1] & 0x3F);
        return 2;
    }
    if (lead < 0xF0) {
        if (!continues(text, end, 2)) {
            return 0;
        }
        *point = (lead & 0x0F) << 12 | (unsigned int)(text[1] & 0x3F) << 6 | (text[2] & 0x3F);
        return *point < 0x800 || (*point >= 0xD800 && *point < 0xE000) ? 0 : 3;
    }
    if (lead > 0xF4 || !continues(text, end, 3)) {
        return 0;
    }
    *point = (lead & 0x07) << 18 | (unsigned int)(text[1] & 0x3F) << 12 | (unsigned int)(text[2] & 0x3F) << 6 |
             (text[3] & 0x3F);
    return *point < 0x10000 || *point > 0x10FFFF ? 0 : 4;
}

static char *put_character(char *at, const unsigned char *text, int width, unsigned int point)
{
    if (width == 4) {
        point -= 0x10000;
        at = put_unit(at, 0xD800 + (point >> 10));
        return put_unit(at, 0xDC00 + (point & 0x3FF));
    }
    if (escaped[point / 8] >> point % 8 & 1) {
        return put_unit(at, point);
    }
    memcpy(at, text, (size_t)width);
    return at + width;
}

static int put_damaged(Writer *writer, Py_ssize_t from, Py_ssize_t to);

/* A JSON string of the UTF-8 in data[from:to]. */
static int put_text(Writer *writer, Py_ssize_t from, Py_ssize_t to)
{
    const unsigned char *text = writer->data + from, *end = writer->data + to;
    char *at = reserve(writer, LONGEST_ESCAPE * (size_t)(to - from) + 2);
    if (at == NULL) {
        return -1;
    }
    *at++ = '"';
    while (text < end) {
        if (*text >= 0x80) {
            unsigned int point;
            int width = utf8_character(text, end, &point);
            if (!width) {
                return put_damaged(writer, from, to);
            }
            at = put_character(at, text, width, point);
            text += width;
            continue;
        }
        char escape = ESCAPES[*text];
        if (!escape) {
            *at++ = (char)*text++;
        } else if (escape == 'u') {
            at = put_unit(at, *text++);
        } else {
            *at++ = '\\';
            *at++ = escape;
            text++;
        }
    }
    *at++ = '"';
    writer->length = (size_t)(at - writer->text);
    return 0;
}

/* The same for text that is not UTF-8, with U+FFFD where it is not, if that is wanted. */
static int put_damaged(Writer *writer, Py_ssize_t from, Py_ssize_t to)
{
    if (!writer->replace) {
        return (int)bson_fail(from, "text is not UTF-8");
    }
    PyObject *mended = PyUnicode_DecodeUTF8((const char *)writer->data + from, to - from, "replace");
    Py_ssize_t mended_length;
    const char *utf8 = mended == NULL ? NULL : PyUnicode_AsUTF8AndSize(mended, &mended_length);
    int failed = -1;
    if (utf8 != NULL) {
        const unsigned char *data = writer->data;
        writer->data = (const unsigned char *)utf8;
        failed = put_text(writer, 0, mended_length);
        writer->data = data;
    }
    Py_XDECREF(mended);
    return failed;
}

static int put_string(Writer *writer, Py_ssize_t at, Py_ssize_t end)
{
    return put_text(writer, at + 4, end - 1);
}

/* Numbers */

#define LONGEST_INTEGER 20

static inline int put_unsigned(Writer *writer, uint64_t number)
{
    char digits[LONGEST_INTEGER];
    int from = LONGEST_INTEGER;
    do {
        digits[--from] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(writer, digits + from, (size_t)(LONGEST_INTEGER - from));
}

static inline int put_integer(Writer *writer, int64_t number)
{
    if (number < 0 && PUT(writer, "-") < 0) {
        return -1;
    }
    return put_unsigned(writer, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* Digits with a point after `whole` of them, and zeros where there are no digits. */
static int put_plain(Writer *writer, const char *digits, int count, int whole)
{
    char *at = reserve(writer, (size_t)(count + abs(whole) + 4));
    if (at == NULL) {
        return -1;
    }
    char *begin = at;
    int n = 0;
    do {
        *at++ = n < whole && n < count ? digits[n] : '0';
    } while (++n < whole);
    *at++ = '.';
    for (n = whole; n < 0; n++) {
        *at++ = '0';
    }
    n = whole > 0 ? whole : 0;
    do {
        *at++ = n < count ? digits[n] : '0';
    } while (++n < count);
    writer->length += (size_t)(at - begin);
    return 0;
}

#define PLAIN_FROM 1e-3
#define PLAIN_UNTIL 1e7
#define LONGEST_DOUBLE 32

/* The digits of a number above zero, without zeros at their end, and the power of ten of the first. */
static int double_digits(double size, char *digits, int *count, int *power)
{
    for (int shortest = 0; shortest < 2; shortest++) {
        char *text = shortest ? PyOS_double_to_string(size, 'e', 1, 0, NULL) : PyOS_double_to_string(size, 'r', 0, 0, NULL);
        if (text == NULL) {
            return -1;
        }
        int before_point = -1, seen = 0;
        *count = 0;
        char *at = text;
        for (; *at && *at != 'e'; at++) {
            if (*at == '.') {
                before_point = seen;
            } else if (++seen && (*count > 0 || *at != '0') && *count < LONGEST_DOUBLE) {
                digits[(*count)++] = *at;
            }
        }
        *power = (before_point < 0 ? seen : before_point) - 1 - (seen - *count) + (*at ? atoi(at + 1) : 0);
        PyMem_Free(text);
        while (*count > 1 && digits[*count - 1] == '0') {
            (*count)--;
        }
        if (*count > 1) {
            break; /* Java's shortest number has two digits; see json_values.py */
        }
    }
    return 0;
}

#define DECIMALS_TRIED 6
#define EXACT_DIGITS 1e15

/* What has a short decimal form, as prices have: the digits are those of an integer, divided by a power of ten. 1 if written. */
static int put_short_double(Writer *writer, double size)
{
    static const double POWERS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    for (int decimals = 0; decimals <= DECIMALS_TRIED; decimals++) {
        double whole = nearbyint(size * POWERS[decimals]);
        if (whole >= EXACT_DIGITS) {
            return 0;
        }
        if (whole / POWERS[decimals] == size) {
            char digits[LONGEST_INTEGER];
            int from = LONGEST_INTEGER;
            for (uint64_t left = (uint64_t)whole; left > 0; left /= 10) {
                digits[--from] = (char)('0' + left % 10);
            }
            int count = LONGEST_INTEGER - from;
            return put_plain(writer, digits + from, count, count - decimals) < 0 ? -1 : 1;
        }
    }
    return 0;
}

/* A finite double as Java has it. */
static int put_finite(Writer *writer, double value)
{
    double size = fabs(value);
    if (signbit(value) && PUT(writer, "-") < 0) {
        return -1;
    }
    if (size == 0) {
        return PUT(writer, "0.0");
    }
    int plain = size >= PLAIN_FROM && size < PLAIN_UNTIL;
    int written = plain ? put_short_double(writer, size) : 0;
    if (written) {
        return written < 0 ? -1 : 0;
    }
    char digits[LONGEST_DOUBLE];
    int count, power;
    if (double_digits(size, digits, &count, &power) < 0) {
        return -1;
    }
    if (plain) {
        return put_plain(writer, digits, count, power + 1);
    }
    if (put_plain(writer, digits, count, 1) < 0 || PUT(writer, "E") < 0) {
        return -1;
    }
    return put_integer(writer, power);
}

static int put_double(Writer *writer, Py_ssize_t at)
{
    uint64_t bits = bson_uint64(writer->data + at);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value)) {
        return put_finite(writer, value);
    }
    if (isnan(value)) {
        return PUT(writer, "{\"$numberDouble\": \"NaN\"}");
    }
    return value > 0 ? PUT(writer, "{\"$numberDouble\": \"Infinity\"}") : PUT(writer, "{\"$numberDouble\": \"-Infinity\"}");
}

typedef struct {
    uint64_t high, low;
} Coefficient;

static int beyond_decimal(Coefficient coefficient)
{
    const uint64_t high = UINT64_C(0x1ED09BEAD87C0), low = UINT64_C(0x378D8E6400000000); /* 10 to the 34th */
    return coefficient.high > high || (coefficient.high == high && coefficient.low >= low);
}

#define LONGEST_DECIMAL 35

/* The digits at the end of `digits`; where they begin. */
static int coefficient_digits(Coefficient coefficient, char *digits)
{
    uint32_t words[] = {(uint32_t)(coefficient.high >> 32), (uint32_t)coefficient.high, (uint32_t)(coefficient.low >> 32),
                        (uint32_t)coefficient.low};
    int from = LONGEST_DECIMAL;
    while (words[0] | words[1] | words[2] | words[3]) {
        uint64_t rest = 0;
        for (int n = 0; n < 4; n++) {
            rest = rest << 32 | words[n];
            words[n] = (uint32_t)(rest / 1000000000);
            rest %= 1000000000;
        }
        for (int n = 0; n < 9 && from > 0; n++, rest /= 10) {
            digits[--from] = (char)('0' + rest % 10);
        }
    }
    while (from < LONGEST_DECIMAL && digits[from] == '0') {
        from++;
    }
    if (from == LONGEST_DECIMAL) {
        digits[--from] = '0';
    }
    return from;
}

static int put_scientific(Writer *writer, const char *digits, int count, int exponent)
{
    int power = exponent + count - 1;
    if (exponent <= 0 && power >= -6) {
        return exponent == 0 ? put(writer, digits, (size_t)count) : put_plain(writer, digits, count, count + exponent);
    }
    if (put(writer, digits, 1) < 0 || (count > 1 && (PUT(writer, ".") < 0 || put(writer, digits + 1, (size_t)count - 1) < 0))) {
        return -1;
    }
    if (put(writer, power < 0 ? "E-" : "E+", 2) < 0) {
        return -1;
    }
    return put_unsigned(writer, (uint64_t)abs(power));
}

#define EXPONENT_BIAS 6176

static int put_decimal(Writer *writer, Py_ssize_t at)
{
    Coefficient bits = {bson_uint64(writer->data + at + 8), bson_uint64(writer->data + at)};
    unsigned int combination = bits.high >> 58 & 0x1F;
    if (combination == 0x1F) {
        return PUT(writer, "NaN");
    }
    if (bits.high >> 63 && PUT(writer, "-") < 0) {
        return -1;
    }
    if (combination == 0x1E) {
        return PUT(writer, "Infinity");
    }
    Coefficient coefficient = {bits.high & ((UINT64_C(1) << 49) - 1), bits.low};
    int exponent = (int)(bits.high >> 49 & 0x3FFF);
    if (combination >> 3 == 3) {
        exponent = (int)(bits.high >> 47 & 0x3FFF);
        coefficient.high = coefficient.low = 0;
    } else if (beyond_decimal(coefficient)) {
        coefficient.high = coefficient.low = 0;
    }
    char digits[LONGEST_DECIMAL];
    int from = coefficient_digits(coefficient, digits);
    return put_scientific(writer, digits + from, LONGEST_DECIMAL - from, exponent - EXPONENT_BIAS);
}

/* Times */

#define END_OF_9999_MS INT64_C(253402300800000)
#define DAY_MS INT64_C(86400000)

static char *put_digits(char *at, int number, int width)
{
    for (int n = width - 1; n >= 0; n--, number /= 10) {
        at[n] = (char)('0' + number % 10);
    }
    return at + width;
}

/* Year, month and day of a count of days from 1970-01-01 on, which is not negative. Years begin in March here, so that the
 * leap day is the last: months before it have 153 days in every five. */
static void civil(int64_t days, int *year, int *month, int *day)
{
    const int days_of_400_years = 146097;
    int64_t from_march_0 = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
    int era = (int)(from_march_0 / days_of_400_years), of_era = (int)(from_march_0 % days_of_400_years);
    int years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * years + years / 4 - years / 100);
    int from_march = (5 * of_year + 2) / 153;
    *day = of_year - (153 * from_march + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = years + era * 400 + (*month <= 2);
}

static int put_iso(Writer *writer, int64_t milliseconds)
{
    int year, month, day, of_day = (int)(milliseconds % DAY_MS), of_second = of_day % 1000;
    civil(milliseconds / DAY_MS, &year, &month, &day);
    char text[32], *at = put_digits(text, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600000, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 1000 % 60, 2);
    if (of_second) {
        *at++ = '.';
        at = put_digits(at, of_second, 3);
        while (at[-1] == '0') {
            at--;
        }
    }
    *at++ = 'Z';
    return put(writer, text, (size_t)(at - text));
}

static int put_date(Writer *writer, Py_ssize_t at)
{
    int64_t milliseconds = (int64_t)bson_uint64(writer->data + at);
    if (!writer->style->relaxed) {
        return PUT(writer, "{\"$date\": ") < 0 || put_integer(writer, milliseconds) < 0 ? -1 : PUT(writer, "}");
    }
    if (milliseconds >= 0 && milliseconds < END_OF_9999_MS) {
        return PUT(writer, "{\"$date\": \"") < 0 || put_iso(writer, milliseconds) < 0 ? -1 : PUT(writer, "\"}");
    }
    if (PUT(writer, "{\"$date\": {\"$numberLong\": \"") < 0 || put_integer(writer, milliseconds) < 0) {
        return -1;
    }
    return PUT(writer, "\"}}");
}

static int put_timestamp(Writer *writer, Py_ssize_t at)
{
    if (PUT(writer, "{\"$timestamp\": {\"t\": ") < 0 || put_unsigned(writer, bson_uint32(writer->data + at + 4)) < 0 ||
        put_comma(writer) < 0 || PUT(writer, "\"i\": ") < 0 || put_unsigned(writer, bson_uint32(writer->data + at)) < 0) {
        return -1;
    }
    return PUT(writer, "}}");
}

static int put_int64(Writer *writer, Py_ssize_t at)
{
    int64_t number = (int64_t)bson_uint64(writer->data + at);
    if (writer->style->relaxed) {
        return put_integer(writer, number);
    }
    return PUT(writer, "{\"$numberLong\": \"") < 0 || put_integer(writer, number) < 0 ? -1 : PUT(writer, "\"}");
}

/* Bytes */

static int put_object_id(Writer *writer, Py_ssize_t from)
{
    char text[24];
    for (int n = 0; n < 12; n++) {
        text[2 * n] = HEX[writer->data[from + n] >> 4];
        text[2 * n + 1] = HEX[writer->data[from + n] & 15];
    }
    return PUT(writer, "{\"$oid\": \"") < 0 || put(writer, text, sizeof text) < 0 ? -1 : PUT(writer, "\"}");
}

static int put_base64(Writer *writer, Py_ssize_t from, Py_ssize_t to)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = reserve(writer, (size_t)(to - from) / 3 * 4 + 4);
    if (at == NULL) {
        return -1;
    }
    char *begin = at;
    for (; from < to; from += 3) {
        Py_ssize_t count = to - from;
        uint32_t bits = (uint32_t)writer->data[from] << 16;
        bits |= count > 1 ? (uint32_t)writer->data[from + 1] << 8 : 0;
        bits |= count > 2 ? writer->data[from + 2] : 0;
        *at++ = LETTERS[bits >> 18];
        *at++ = LETTERS[bits >> 12 & 63];
        *at++ = count > 1 ? LETTERS[bits >> 6 & 63] : '=';
        *at++ = count > 2 ? LETTERS[bits & 63] : '=';
    }
    writer->length += (size_t)(at - begin);
    return 0;
}

static int put_binary(Writer *writer, Py_ssize_t at, Py_ssize_t end)
{
    static const char UPPER_HEX[] = "0123456789ABCDEF";
    int subtype = writer->data[at + 4];
    char digits[] = {UPPER_HEX[subtype >> 4], UPPER_HEX[subtype & 15]};
    Py_ssize_t from = at + 5;
    if (subtype == OLD_BINARY) {
        if (end - from < 4 || (int32_t)bson_uint32(writer->data + from) != end - from - 4) {
            return (int)bson_fail(at, "two lengths of one value differ");
        }
        from += 4;
    }
    int relaxed = writer->style->relaxed;
    if ((relaxed ? PUT(writer, "{\"$binary\": {\"base64\": \"") : PUT(writer, "{\"$binary\": \"")) < 0 ||
        put_base64(writer, from, end) < 0 || PUT(writer, "\"") < 0 || put_comma(writer) < 0 ||
        (relaxed ? PUT(writer, "\"subType\": \"") : PUT(writer, "\"$type\": \"")) < 0 || put(writer, digits, 2) < 0) {
        return -1;
    }
    return relaxed ? PUT(writer, "\"}}") : PUT(writer, "\"}");
}

/* What is made of several parts */

static int put_regex(Writer *writer, Py_ssize_t at, Py_ssize_t end)
{
    int relaxed = writer->style->relaxed;
    Py_ssize_t middle = bson_cstring_end(writer->data, at, end);
    if (middle < 0 ||
        (relaxed ? PUT(writer, "{\"$regularExpression\": {\"pattern\": ") : PUT(writer, "{\"$regex\": ")) < 0 ||
        put_text(writer, at, middle) < 0 || put_comma(writer) < 0 ||
        (relaxed ? PUT(writer, "\"options\": ") : PUT(writer, "\"$options\": ")) < 0 ||
        put_text(writer, middle + 1, end - 1) < 0) {
        return -1;
    }
    return relaxed ? PUT(writer, "}}") : PUT(writer, "}");
}

static int put_db_pointer(Writer *writer, Py_ssize_t at, Py_ssize_t end)
{
    if (PUT(writer, "{\"$ref\": ") < 0 || put_string(writer, at, end - 12) < 0 || put_comma(writer) < 0 ||
        PUT(writer, "\"$id\": ") < 0 || put_object_id(writer, end - 12) < 0) {
        return -1;
    }
    return PUT(writer, "}");
}

static int put_document(Writer *writer, Py_ssize_t at, Py_ssize_t limit, int depth, int array);

static int put_code_with_scope(Writer *writer, Py_ssize_t at, Py_ssize_t end, int depth)
{
    Py_ssize_t scope = bson_string_end(writer->data, at + 4, end);
    if (scope < 0 || PUT(writer, "{\"$code\": ") < 0 || put_string(writer, at + 4, scope) < 0 || put_comma(writer) < 0) {
        return -1;
    }
    Py_ssize_t scope_end = bson_document_end(writer->data, scope, end);
    if (scope_end != end) {
        return scope_end < 0 ? -1 : (int)bson_fail(at, "two lengths of one value differ");
    }
    if (PUT(writer, "\"$scope\": ") < 0 || put_document(writer, scope, end, depth + 1, 0) < 0) {
        return -1;
    }
    return PUT(writer, "}");
}

/* A string as the end of an object of one field, whose name is written already. */
static int put_wrapped(Writer *writer, Py_ssize_t at, Py_ssize_t end)
{
    return put_string(writer, at, end) < 0 ? -1 : PUT(writer, "}");
}

static int put_boolean(Writer *writer, Py_ssize_t at)
{
    if (writer->data[at] > 1) {
        return (int)bson_fail(at, "a boolean is neither 0 nor 1");
    }
    return writer->data[at] ? PUT(writer, "true") : PUT(writer, "false");
}

static int put_value(Writer *writer, const Element *element, int depth)
{
    Py_ssize_t at = element->value, end = element->end;
    switch (element->kind) {
    case DOUBLE:
        return put_double(writer, at);
    case STRING:
        return put_string(writer, at, end);
    case DOCUMENT:
    case ARRAY:
        return put_document(writer, at, end, depth + 1, element->kind == ARRAY);
    case BINARY:
        return put_binary(writer, at, end);
    case UNDEFINED:
        return PUT(writer, "{\"$undefined\": true}");
    case OBJECT_ID:
        return put_object_id(writer, at);
    case BOOLEAN:
        return put_boolean(writer, at);
    case DATE:
        return put_date(writer, at);
    case NULL_VALUE:
        return PUT(writer, "null");
    case REGEX:
        return put_regex(writer, at, end);
    case DB_POINTER:
        return put_db_pointer(writer, at, end);
    case CODE:
        return PUT(writer, "{\"$code\": ") < 0 ? -1 : put_wrapped(writer, at, end);
    case SYMBOL:
        return PUT(writer, "{\"$symbol\": ") < 0 ? -1 : put_wrapped(writer, at, end);
    case CODE_WITH_SCOPE:
        return put_code_with_scope(writer, at, end, depth);
    case INT32:
        return put_integer(writer, (int32_t)bson_uint32(writer->data + at));
    case TIMESTAMP:
        return put_timestamp(writer, at);
    case INT64:
        return put_int64(writer, at);
    case DECIMAL128:
        if (PUT(writer, "{\"$numberDecimal\": \"") < 0 || put_decimal(writer, at) < 0) {
            return -1;
        }
        return PUT(writer, "\"}");
    case MIN_KEY:
        return PUT(writer, "{\"$minKey\": 1}");
    default: /* bson_next gives no other */
        return PUT(writer, "{\"$maxKey\": 1}");
    }
}

static int put_document(Writer *writer, Py_ssize_t at, Py_ssize_t limit, int depth, int array)
{
    if (depth > MAX_DEPTH) {
        char what[40];
        PyOS_snprintf(what, sizeof what, "more than %d levels of nesting", MAX_DEPTH);
        return (int)bson_fail(at, what);
    }
    Elements all;
    Element element;
    if (bson_elements(&all, writer->data, at, limit) < 0 || (array ? PUT(writer, "[") : PUT(writer, "{")) < 0) {
        return -1;
    }
    int more, first = 1;
    while ((more = bson_next(&all, &element)) > 0) {
        if (!first && put_comma(writer) < 0) {
            return -1;
        }
        first = 0;
        if (!array && (put_text(writer, element.start + 1, element.value - 1) < 0 || PUT(writer, ": ") < 0)) {
            return -1;
        }
        if (put_value(writer, &element, depth) < 0) {
            return -1;
        }
    }
    return more < 0 ? -1 : (array ? PUT(writer, "]") : PUT(writer, "}"));
}

static int put_id(Writer *writer, Py_ssize_t at, Py_ssize_t limit)
{
    Elements all;
    Element element;
    int more = bson_elements(&all, writer->data, at, limit);
    if (more < 0) {
        return -1;
    }
    while ((more = bson_next(&all, &element)) > 0) {
        if (element.name_length == 3 && memcmp(element.name, "_id", 3) == 0) {
            return put_value(writer, &element, 1);
        }
    }
    return more < 0 ? -1 : (int)bson_fail(at, "a document without _id");
}

/* The module */

static PyObject *written(const char *name, PyObject *const *arguments, Py_ssize_t count, const Style *style)
{
    char text[ON_THE_STACK];
    Writer writer = {.text = text, .capacity = sizeof text, .style = style};
    if (count < 1 || count > 3 || !PyBytes_Check(arguments[0])) {
        return PyErr_Format(PyExc_TypeError, "%s(data: bytes, start: int = 0, replace: bool = False)", name);
    }
    Py_ssize_t start = count > 1 ? PyLong_AsSsize_t(arguments[1]) : 0;
    writer.replace = count > 2 ? PyObject_IsTrue(arguments[2]) : 0;
    if (PyErr_Occurred()) {
        return NULL;
    }
    writer.data = (const unsigned char *)PyBytes_AS_STRING(arguments[0]);
    Py_ssize_t limit = PyBytes_GET_SIZE(arguments[0]);
    int failed = style == &KEY ? put_id(&writer, start, limit) : put_document(&writer, start, limit, 1, 0);
    PyObject *bytes = failed ? NULL : PyBytes_FromStringAndSize(writer.text, (Py_ssize_t)writer.length);
    PyMem_Free(writer.heap);
    return bytes;
}

PyDoc_STRVAR(value_doc, "value_json(data, start=0, replace=False, /)\n--\n\nA document as before and after hold it.");

static PyObject *value_json(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    return written("value_json", arguments, count, &VALUE);
}

PyDoc_STRVAR(update_doc, "update_json(data, start=0, replace=False, /)\n--\n\nA document as updatedFields holds it.");

static PyObject *update_json(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    return written("update_json", arguments, count, &UPDATE);
}

PyDoc_STRVAR(id_doc, "id_json(data, start=0, replace=False, /)\n--\n\nThe _id of a document as a message's key holds it.");

static PyObject *id_json(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    return written("id_json", arguments, count, &KEY);
}

PyDoc_STRVAR(set_escaped_doc, "set_escaped(bits, /)\n--\n\nTakes a bit for each code point up to U+FFFF: whether it is escaped.");

static PyObject *set_escaped(PyObject *module, PyObject *bits)
{
    (void)module;
    if (!PyBytes_Check(bits) || PyBytes_GET_SIZE(bits) != sizeof escaped) {
        return PyErr_Format(PyExc_TypeError, "%zu bytes are needed", sizeof escaped);
    }
    memcpy(escaped, PyBytes_AS_STRING(bits), sizeof escaped);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"value_json", (PyCFunction)(void (*)(void))value_json, METH_FASTCALL, value_doc},
    {"update_json", (PyCFunction)(void (*)(void))update_json, METH_FASTCALL, update_doc},
    {"id_json", (PyCFunction)(void (*)(void))id_json, METH_FASTCALL, id_doc},
    {"set_escaped", set_escaped, METH_O, set_escaped_doc},
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
    .m_name = "_extended_json",
    .m_doc = "Writes BSON documents as JSON.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__extended_json(void)
{
    return PyModuleDef_Init(&definition);
}
