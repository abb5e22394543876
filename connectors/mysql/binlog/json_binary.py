"""MySQL's binary JSON -> compact JSON text.

Format: https://dev.mysql.com/doc/dev/mysql-server/latest/json__binary_8h.html. Numbers are written as the server writes
them (``1.0``, ``1e20``, decimals with their scale), temporal values as strings in the server's form, opaque ones (BLOBs,
bits) as base64 without the ``base64:typeN:`` that CAST puts before it.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import NamedTuple

from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.binlog.values import decimal_text
from connectors.mysql.values import base64_text

MAX_DEPTH = 100
"""The server's own limit."""

_SMALL_OBJECT, _LARGE_OBJECT, _SMALL_ARRAY, _LARGE_ARRAY, _LITERAL = 0, 1, 2, 3, 4
_STRING, _OPAQUE = 12, 15
_LITERALS = {0: "null", 1: "true", 2: "false"}
_OPAQUE_DECIMAL = 246
_OPAQUE_DATE, _OPAQUE_TIME = 10, 11
_OPAQUE_TEMPORAL = frozenset({7, 10, 11, 12})
"""TIMESTAMP, DATE, TIME, DATETIME."""


class _Form(NamedTuple):
    """Small documents count and point with 2 bytes, large ones with 4."""

    head: struct.Struct
    keys: struct.Struct
    values: struct.Struct
    inlined: frozenset[int]
    """Types whose value stands where another's offset would."""


_SMALL = _Form(struct.Struct("<HH"), struct.Struct("<HH"), struct.Struct("<BH"), frozenset({4, 5, 6}))
_LARGE = _Form(struct.Struct("<II"), struct.Struct("<IH"), struct.Struct("<BI"), frozenset({4, 5, 6, 7, 8}))
_FORMS = {_SMALL_OBJECT: _SMALL, _SMALL_ARRAY: _SMALL, _LARGE_OBJECT: _LARGE, _LARGE_ARRAY: _LARGE}
_OBJECTS = frozenset({_SMALL_OBJECT, _LARGE_OBJECT})
_NUMBERS = {  # int16, uint16, int32, uint32, int64, uint64, double
    5: struct.Struct("<h"), 6: struct.Struct("<H"), 7: struct.Struct("<i"), 8: struct.Struct("<I"),
    9: struct.Struct("<q"), 10: struct.Struct("<Q"), 11: struct.Struct("<d"),
}  # fmt: skip


def json_text(data: bytes) -> str:
    """Compact JSON text of a JSON column's value. Raises Malformed on bytes that are no such document.

    Takes time linear in ``len(data)``: values do not overlap, so what is read is counted against it.
    """
    if not data:
        return "null"  # what INSERT IGNORE leaves behind when it takes a NULL away
    document = _Document(data)
    document.value(data[0], 1, len(data), 0)
    return "".join(document.parts)


class _Document:
    """One document on its way from bytes to the parts of a text."""

    __slots__ = ("_data", "_unread", "parts")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._unread = len(data)
        self.parts: list[str] = []

    def value(self, kind: int, start: int, end: int, depth: int) -> None:
        """Write the value of type ``kind`` that begins at ``start`` and ends by ``end``."""
        number = _NUMBERS.get(kind)
        if number is not None:
            self._take(start, number.size, end)
            self.parts.append(number_text(number.unpack_from(self._data, start)[0]))
        elif kind in _FORMS:
            self._container(kind, start, end, depth)
        elif kind == _STRING:
            self.parts.append(encode_basestring(self._sized(start, end).decode()))
        elif kind == _LITERAL:
            self._literal(self._take(start, 1, end)[0])
        elif kind == _OPAQUE:
            type_ = self._take(start, 1, end)[0]
            self.parts.append(_opaque_text(type_, self._sized(start + 1, end)))
        else:
            raise Malformed(f"JSON type {kind} is not known")

    def _container(self, kind: int, start: int, end: int, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise Malformed(f"JSON is nested deeper than {MAX_DEPTH}")
        form, is_object = _FORMS[kind], kind in _OBJECTS
        count, length = form.head.unpack(self._take(start, form.head.size, end))
        if start + length > end:
            raise Malformed(f"JSON of {length} bytes at {start} of {end}")
        keys_end = start + form.head.size + (count * form.keys.size if is_object else 0)
        keys = form.keys.iter_unpack(self._take(start + form.head.size, keys_end - start - form.head.size, end))
        entries = form.values.iter_unpack(self._take(keys_end, count * form.values.size, end))
        self.parts.append("{" if is_object else "[")
        for n, (kind_, offset) in enumerate(entries):
            if n:
                self.parts.append(",")
            if is_object:
                key_offset, key_length = next(keys)
                key = self._take(start + key_offset, key_length, start + length)
                self.parts.append(encode_basestring(key.decode()))
                self.parts.append(":")
            if kind_ in form.inlined:
                self._inlined(kind_, offset)
            else:
                self.value(kind_, start + offset, start + length, depth + 1)
        self.parts.append("}" if is_object else "]")

    def _inlined(self, kind: int, bits: int) -> None:
        if kind == _LITERAL:
            self._literal(bits)
            return
        number = _NUMBERS[kind]
        self.parts.append(str(number.unpack(bits.to_bytes(4, "little")[: number.size])[0]))

    def _literal(self, code: int) -> None:
        text = _LITERALS.get(code)
        if text is None:
            raise Malformed(f"JSON literal {code} is not known")
        self.parts.append(text)

    def _sized(self, start: int, end: int) -> bytes:
        """Bytes with their length before them, in groups of 7 bits, lowest first."""
        length = shift = 0
        for position in range(start, start + 5):
            byte = self._take(position, 1, end)[0]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return self._take(position + 1, length, end)
            shift += 7
        raise Malformed(f"the length of a JSON value at {start} is longer than 5 bytes")

    def _take(self, start: int, length: int, end: int) -> bytes:
        self._unread -= length
        if start + length > end or self._unread < 0:
            raise Malformed(f"{length} bytes of JSON at {start} of {end}, or parts of it overlap")
        return self._data[start : start + length]


def number_text(value: float) -> str:
    """A number as the server prints it (``my_gcvt`` of its dtoa.cc). Raises Malformed on infinity.

    The shortest digits; plain if from 1e-15 up to 1e15 or with a fraction, like ``1.5e20`` otherwise. Whole numbers get a
    ``.0`` that tells them from integers.
    """
    if isinstance(value, int):
        return str(value)
    if value == 0 or 1e-4 <= abs(value) < 1e15:
        return repr(value)
    if not isfinite(value):
        raise Malformed("a JSON number is not finite")
    number = Decimal(repr(value)).normalize()
    sign, digits, _ = number.as_tuple()
    exponent = number.adjusted()
    if exponent >= -15 and (exponent < 15 or len(digits) > exponent + 1):
        return f"{number:f}"
    text = "".join(map(str, digits))
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{fraction}e{exponent}"


def _opaque_text(type_: int, data: bytes) -> str:
    if type_ == _OPAQUE_DECIMAL:
        if len(data) < 2:
            raise Malformed("a JSON decimal without its digits")
        return decimal_text(data[2:], data[0], data[1])
    if type_ not in _OPAQUE_TEMPORAL:
        return f'"{base64_text(data)}"'
    if len(data) != 8:
        raise Malformed(f"a JSON date or time of {len(data)} bytes")
    return f'"{_temporal_text(type_, int.from_bytes(data, "little", signed=True))}"'


def _temporal_text(type_: int, packed: int) -> str:
    """``TIME_to_longlong_packed``: date (22 bits), hours (5, or 10 in a TIME), minutes, seconds (6), fraction (24)."""
    sign, packed = ("-", -packed) if packed < 0 else ("", packed)
    clock, microseconds = packed >> 24, packed & 0xFFFFFF
    minutes_on = f"{clock >> 6 & 63:02d}:{clock & 63:02d}.{microseconds:06d}"
    if type_ == _OPAQUE_TIME:
        return f"{sign}{clock >> 12 & 0x3FF:02d}:{minutes_on}"
    year, month = divmod(clock >> 22, 13)
    day = f"{year:04d}-{month:02d}-{clock >> 17 & 31:02d}"
    return day if type_ == _OPAQUE_DATE else f"{day} {clock >> 12 & 31:02d}:{minutes_on}"
