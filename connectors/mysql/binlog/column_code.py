"""How each column type lies in a row, and the Python expression that makes a JSON value of it.

Where the decoder in C (``_rows.c``) has an operation that gives the same, its name stands beside the expression.
Expressions name the unpacked integers ``$0``, ``$1``, …, the bytes of a length-prefixed value ``$v``, and the column's own
constant ``$c``; otherwise only the functions and dictionaries in ``NAMES``. Nothing that a user chose is ever in them.
"""

from __future__ import annotations

import re
from codecs import charmap_decode
from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.mysql.binlog.charsets import Charset
from connectors.mysql.binlog.columns import OLD_TEMPORALS, Column, ColumnType
from connectors.mysql.binlog.compressed import decompressed
from connectors.mysql.binlog.json_binary import json_text
from connectors.mysql.binlog.old_temporals import old_code, old_datetime, old_fine_datetime, old_time, old_timestamp
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.binlog.values import (
    DECIMAL_GROUP_BYTES,
    MINUTE_TEXTS,
    MINUTES_MS,
    MINUTES_US,
    TWO_DIGITS,
    Dates,
    DatetimeDays,
    DayTexts,
    SetLabels,
    beyond_its_digits,
    decimal_groups,
    time_microseconds,
)
from connectors.mysql.surrogates import SURROGATES
from connectors.mysql.value_modes import CONVERSIONS
from connectors.mysql.value_types import logged_type
from connectors.mysql.values import (
    ZERO,
    ZERO_TIMESTAMP,
    base64_text,
    bit_value,
    float32,
    fraction_text,
    geometry_value,
    inet4_text,
    inet6_text,
    point_value,
    uuid_text,
    vector_value,
)

NAMES: dict[str, object] = {
    **CONVERSIONS,
    "DATES": Dates(),
    "DATETIME_DAYS_MS": DatetimeDays(1),
    "DATETIME_DAYS_US": DatetimeDays(1000),
    "DAY_TEXTS": DayTexts(),
    "MINUTES_MS": MINUTES_MS,
    "MINUTES_US": MINUTES_US,
    "MINUTE_TEXTS": MINUTE_TEXTS,
    "TWO_DIGITS": TWO_DIGITS,
    "base64_text": base64_text,
    "beyond_its_digits": beyond_its_digits,
    "bit_value": bit_value,
    "charmap_decode": charmap_decode,
    "decompressed": decompressed,
    "float32": float32,
    "fraction_text": fraction_text,
    "geometry_value": geometry_value,
    "inet4_text": inet4_text,
    "inet6_text": inet6_text,
    "json_text": json_text,
    "old_datetime": old_datetime,
    "old_fine_datetime": old_fine_datetime,
    "old_time": old_time,
    "old_timestamp": old_timestamp,
    "point_value": point_value,
    "time_microseconds": time_microseconds,
    "uuid_text": uuid_text,
    "vector_value": vector_value,
}
"""What expressions may name."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value of fixed width."""

    codes: str
    """``struct`` codes of the integers or bytes that it is unpacked into."""
    expression: str = "$0"
    big_endian: bool = False
    constant: object = None
    native: str = ""
    """The operation of ``_rows.c`` that does the same; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A value with its length before it."""

    prefix: int
    """Bytes of the length."""
    expression: str
    constant: object = None
    native: str = ""


_PLACEHOLDER = re.compile(r"\$(\d+|[cv])")


def filled_in(expression: str, *, unpacked: str, value: str, constant: str) -> str:
    """``expression`` with names in place of ``$0``, ``$1``, … (``unpacked`` and the number), ``$v`` and ``$c``."""
    names = {"c": constant, "v": value}
    return _PLACEHOLDER.sub(lambda match: names.get(match[1], f"{unpacked}{match[1]}"), expression)


def column_code(column: Column) -> Fixed | Sized:
    """How to read a value of ``column`` that is not null."""
    code = _default_code(column)
    if not column.conversion:
        return code
    return replace(code, expression=f"{column.conversion}({code.expression})", native="")


def _default_code(column: Column) -> Fixed | Sized:
    if column.type in _INTEGERS:
        signed, unsigned = _INTEGERS[column.type]
        return unsigned if column.unsigned else signed
    return _CODE[column.type](column)


_INTEGERS = {
    ColumnType.TINY: (Fixed("b", native="signed"), Fixed("B", native="unsigned")),
    ColumnType.SHORT: (Fixed("h", native="signed"), Fixed("H", native="unsigned")),
    ColumnType.INT24: (
        Fixed("Hb", "$0 | $1 << 16", native="signed"),
        Fixed("HB", "$0 | $1 << 16", native="unsigned"),
    ),
    ColumnType.LONG: (Fixed("i", native="signed"), Fixed("I", native="unsigned")),
    ColumnType.LONGLONG: (Fixed("q", native="signed"), Fixed("Q", native="unsigned")),
}

_UNSIGNED_CODES = {1: "B", 2: "H", 3: "HB", 4: "I", 8: "Q"}


def _labelled(size: int, constant: object, native: str) -> Fixed:
    """An unsigned integer, and what ``constant`` has for it."""
    codes = _UNSIGNED_CODES.get(size)
    if codes is None:
        raise Malformed(f"an ENUM or SET of {size} bytes")
    return Fixed(codes, "$c[$0 | $1 << 16]" if size == 3 else "$c[$0]", constant=constant, native=native)


def _enum(column: Column) -> Fixed:
    return _labelled(column.length, ("", *column.labels), "label")


def _set(column: Column) -> Fixed:
    return _labelled(column.length, SetLabels(column.labels), "labels")


def _date(column: Column) -> Fixed:
    days = "DATES[$0 | $1 << 16]"
    zero = None if column.nullable else ZERO
    return Fixed("HB", days if column.nullable else f"({days} or $c)", constant=zero, native="date")


# Fraction digits -> codes of the bytes that hold them; big endian, in units of 1/100, 1/10,000 or 1/1,000,000 second.
_FRACTION_CODES = ("", "B", "B", "H", "H", "BH", "BH")
_FRACTIONS_US = {"": "0", "B": "$n * 10000", "H": "$n * 100", "BH": "($n << 16 | $m)"}
_FRACTIONS_MS = {"": "0", "B": "$n * 10", "H": "$n // 10"}


def _datetime(column: Column) -> Fixed:
    """5 bytes: the day in the upper 23 bits, then 5 bits hour, 6 minute, 6 second; then the fraction."""
    codes = _FRACTION_CODES[column.length]
    unit, second, fraction = ("US", 1_000_000, _FRACTIONS_US) if column.length > 3 else ("MS", 1000, _FRACTIONS_MS)
    clock = f"MINUTES_{unit}[$1 >> 6 & 2047] + ($1 & 63) * {second}"
    if codes:
        clock += " + " + fraction[codes].replace("$n", "$2").replace("$m", "$3")
    zero = None if column.nullable else ZERO
    day = f"(day := DATETIME_DAYS_{unit}[$0 << 15 | $1 >> 17])"
    expression = f"($c if {day} is None else day + {clock})"
    return Fixed("BI" + codes, expression, big_endian=True, constant=zero, native="datetime")


def _timestamp(column: Column) -> Fixed:
    """4 bytes of seconds since 1970, of which 0 is the zero date, and the fraction."""
    codes = _FRACTION_CODES[column.length]
    parts = ["DAY_TEXTS[$0 // 86400]", "MINUTE_TEXTS[$0 % 86400 // 60]", "TWO_DIGITS[$0 % 60]"]
    if codes:
        parts.append(f"fraction_text({_FRACTIONS_US[codes].replace('$n', '$1').replace('$m', '$2')})")
    text = "".join(f"{{{part}}}" for part in parts)
    zero = None if column.nullable else ZERO_TIMESTAMP
    return Fixed("I" + codes, f"(f'{text}Z' if $0 else $c)", big_endian=True, constant=zero, native="timestamp")


def _time(column: Column) -> Fixed:
    """3 bytes and the fraction's as one number, with half its range added so that it is positive."""
    size = (column.length + 1) // 2
    codes, packed = (("BH", "$0 << 16 | $1"), ("I", "$0"), ("BI", "$0 << 32 | $1"), ("HI", "$0 << 32 | $1"))[size]
    expression = f"time_microseconds(({packed}) - {0x800000 << 8 * size}, {size})"
    return Fixed(codes, expression, big_endian=True, native="time")


def _old_temporal(column: Column) -> Fixed:
    codes, expression, big_endian = old_code(column)
    return Fixed(codes, expression, big_endian)


def _bit(column: Column) -> Fixed:
    return Fixed(f"{(column.length + 7) // 8}s", f"bit_value($0, {column.length})", native="bit")


def _string(column: Column) -> Sized:
    prefix = 1 if column.length < 256 else 2
    charset = column.charset
    if charset is not None and charset.binary and column.type is ColumnType.STRING:
        return Sized(prefix, f"base64_text({_padded(column)})", native="base64_padded")
    return _text(prefix, charset)


def _padded(column: Column) -> str:
    """The log leaves out the zero bytes at the end of a BINARY(n), and of what MariaDB keeps in the same way."""
    return f"$v.ljust({column.length}, b'\\0')"


def _fixed_binary(function: str) -> Callable[[Column], Sized]:
    return lambda column: Sized(1, f"{function}({_padded(column)})")


def _compressed_string(column: Column) -> Sized:
    return _compressed(_text(1 if column.length < 256 else 2, column.charset))


def _compressed(plain: Sized) -> Sized:
    return replace(plain, expression=plain.expression.replace("$v", "decompressed($v)"), native="")


def _text(prefix: int, charset: Charset | None) -> Sized:
    if charset is None or charset.binary:
        return Sized(prefix, "base64_text($v)", native="base64")
    if charset.codec == "utf-8":
        return Sized(prefix, f"$v.decode('utf-8', {SURROGATES!r})", native="utf8")
    if charset.table:
        return Sized(prefix, "charmap_decode($v, 'strict', $c)[0]", charset.table, native="charmap")
    return Sized(prefix, "$c($v)", charset.decode)


def _geometry(column: Column) -> Sized:
    function = "point_value" if logged_type(column).kind == "point" else "geometry_value"
    return Sized(column.length, f"{function}($v)")


def _decimal(column: Column) -> Fixed:
    """``decimal_text`` of connectors/mysql/binlog/values.py, written out for one precision and scale."""
    integer, fraction = decimal_groups(column.length, column.scale)
    codes, terms = "", []
    for digits in (*integer, *fraction):
        size, n = DECIMAL_GROUP_BYTES[digits], len(codes)
        terms.append((f"(${n} << 16 | ${n + 1})" if size == 3 else f"${n}", 8 * size))
        codes += _BIG_ENDIAN_CODES[size]
    texts = []
    for sign in ("", "-"):
        values = [
            _in_range(_group_value(term, bits, first=n == 0, negative=bool(sign)), digits)
            for n, ((term, bits), digits) in enumerate(zip(terms, (*integer, *fraction), strict=True))
        ]
        texts.append(f'f"{sign}{_decimal_text(values, len(integer), fraction)}"')
    first, bits = terms[0]
    expression = f"({texts[0]} if {first} & {1 << bits - 1} else {texts[1]})"
    return Fixed(codes, expression, big_endian=True, native="decimal")


_BIG_ENDIAN_CODES = {1: "B", 2: "H", 3: "BH", 4: "I"}


def _group_value(term: str, bits: int, *, first: bool, negative: bool) -> str:
    if negative:
        return f"({term} ^ {(1 << bits - 1 if first else 1 << bits) - 1})"
    return f"({term} & {(1 << bits - 1) - 1})" if first else term


def _in_range(value: str, digits: int) -> str:
    """A group's value, which has room for more than its digits: what is larger is damage, and would be a wrong number."""
    return f"(g if (g := {value}) < {10**digits} else beyond_its_digits())"


def _decimal_text(values: list[str], integers: int, fraction: list[int]) -> str:
    """The inside of an f-string: integer part without leading zeros, then exactly the fraction's digits."""
    whole = values[0] if integers else "0"
    for value in values[1:integers]:
        whole = f"({whole} * 1000000000 + {value})"
    parts = [
        f"{{TWO_DIGITS[{value}]}}" if digits == 2 else f"{{{value}:0{digits}d}}"
        for value, digits in zip(values[integers:], fraction, strict=True)
    ]
    return f"{{{whole}}}" + ("." + "".join(parts) if parts else "")


_CODE: dict[ColumnType, Callable[[Column], Fixed | Sized]] = {
    ColumnType.FLOAT: lambda _: Fixed("f", "float32($0)", native="float"),
    ColumnType.DOUBLE: lambda _: Fixed("d", native="double"),
    ColumnType.DECIMAL: _decimal,
    ColumnType.DATE: _date,
    ColumnType.YEAR: lambda _: Fixed("B", "($0 and $0 + 1900)", native="year"),
    ColumnType.DATETIME: _datetime,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.TIME: _time,
    ColumnType.BIT: _bit,
    ColumnType.ENUM: _enum,
    ColumnType.SET: _set,
    ColumnType.VARCHAR: _string,
    ColumnType.VAR_STRING: _string,
    ColumnType.STRING: _string,
    ColumnType.VARCHAR_COMPRESSED: _compressed_string,
    ColumnType.BLOB: lambda column: _text(column.length, column.charset),
    ColumnType.BLOB_COMPRESSED: lambda column: _compressed(_text(column.length, column.charset)),
    **dict.fromkeys(OLD_TEMPORALS, _old_temporal),
    ColumnType.UUID: _fixed_binary("uuid_text"),
    ColumnType.INET4: _fixed_binary("inet4_text"),
    ColumnType.INET6: _fixed_binary("inet6_text"),
    ColumnType.JSON: lambda column: Sized(column.length, "json_text($v)"),
    ColumnType.GEOMETRY: _geometry,
    ColumnType.VECTOR: lambda column: Sized(column.length, "vector_value($v)"),
}
