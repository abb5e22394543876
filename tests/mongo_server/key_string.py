"""KeyString: BSON values as bytes that compare as the values do, as far as resume tokens hold them.

Types and numbers are written as ``src/mongo/db/storage/key_string`` of the server documents its format (version 1):
a byte for the type, then for an integer its size in that byte and its value shifted left by one.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from dataclasses import dataclass, field
from typing import Any

from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.documents import Element, plain
from tests.mongo_server.ordering import sort_key

END = 4
ZERO, POSITIVE, NEGATIVE = 41, 43, 39
"""Bytes of a number: zero, and of one byte above and below it; each further byte is one further away."""
DECIMAL_BIAS = 6176
TYPE_BYTE = {
    1: 10,
    99: 240,
    5: 20,
    10: 30,
    15: 60,
    20: 70,
    25: 80,
    30: 90,
    35: 100,
    40: 110,
    45: 120,
    47: 130,
    50: 140,
    55: 150,
    60: 160,
    65: 170,
}
"""From the rank of a type in the sort order (``ordering``) to its byte."""


@dataclass(slots=True)
class Writer:
    """Values written one after another, and beside them the bits that tell types apart which compare as one."""

    content: bytearray = field(default_factory=bytearray)
    bits: list[int] = field(default_factory=list)

    @property
    def type_bits(self) -> bytes | None:
        """The bits as bytes, the first one the lowest; None where all are zero: plain 32-bit integers and strings."""
        if not any(self.bits):
            return None
        number = sum(bit << at for at, bit in enumerate(self.bits))
        packed = number.to_bytes((number.bit_length() + 7) // 8, "little")
        return packed if len(packed) == 1 and packed[0] < 0x80 else bytes([0x80 | len(packed)]) + packed


def append(out: Writer, value: Any) -> None:
    """Write one value."""
    if isinstance(value, bool):
        out.content.append(111 if value else 110)
    elif isinstance(value, int | float | Decimal128):
        _append_number(out, value)
    elif isinstance(value, str):
        out.content += b"\x3c" + value.encode().replace(b"\0", b"\0\xff") + b"\0"
        out.bits.append(0)
    elif isinstance(value, dict | RawBSONDocument):
        out.content.append(70)
        for name, inner in plain(value).items():
            out.content += bytes([TYPE_BYTE[sort_key(inner)[0]]]) + name.encode() + b"\0"
            append(out, inner)
        out.content.append(0)
    elif isinstance(value, list):
        out.content.append(80)
        for inner in value:
            append(out, inner)
        out.content.append(0)
    else:
        _append_rare(out, value)


def _append_number(out: Writer, value: float | Decimal128) -> None:
    out.bits += _number_type(value)
    number = float(value.to_decimal()) if isinstance(value, Decimal128) else value
    if math.isnan(number):
        out.content.append(30)
    elif math.isinf(number) or abs(number) >= 1 << 63:
        magnitude = struct.pack(">d", abs(number))
        out.content += b"\x33" + magnitude if number > 0 else b"\x1f" + _inverted(magnitude)
    elif number == 0:
        out.content.append(ZERO)
    elif abs(number) < 1:
        magnitude = struct.pack(">d", abs(number))
        out.content += b"\x2a" + magnitude if number > 0 else b"\x28" + _inverted(magnitude)
    else:
        _append_middle(out, number)


def _number_type(value: float | Decimal128) -> list[int]:
    """Two bits for the type of a number, and of a decimal six of its exponent."""
    if isinstance(value, Decimal128):
        exponent = int(value.to_decimal().as_tuple().exponent) + DECIMAL_BIAS
        return [1, 1, *(exponent >> bit & 1 for bit in range(5, -1, -1))]
    if isinstance(value, Int64):
        return [0, 1]
    return [1, 0] if isinstance(value, float) else [0, 0]


def _append_middle(out: Writer, number: float) -> None:
    whole = abs(int(number))
    fraction = abs(number) - whole
    shifted = whole << 1 | bool(fraction)
    size = (shifted.bit_length() + 7) // 8
    magnitude = shifted.to_bytes(size, "big")
    if fraction and size < 8:
        rest = 8 - size
        magnitude += int(fraction * (1 << 8 * rest)).to_bytes(rest, "big")
    if number > 0:
        out.content += bytes([POSITIVE + size - 1]) + magnitude
    else:
        out.content += bytes([NEGATIVE - size + 1]) + _inverted(magnitude)


def _inverted(content: bytes) -> bytes:
    return bytes(255 - byte for byte in content)


def _append_rare(out: Writer, value: Any) -> None:
    if isinstance(value, ObjectId):
        out.content += b"\x64" + value.binary
    elif isinstance(value, bytes):
        subtype = value.subtype if isinstance(value, Binary) else 0
        size = bytes([len(value)]) if len(value) < 0xFF else b"\xff" + struct.pack(">I", len(value))
        out.content += b"\x5a" + size + bytes([subtype]) + value
    elif isinstance(value, Timestamp):
        out.content += b"\x82" + struct.pack(">II", value.time, value.inc)
    elif isinstance(value, dt.datetime):
        out.content += b"\x78" + struct.pack(">Q", sort_key(value)[1] + (1 << 63))
    elif value is None:
        out.content.append(20)
    elif isinstance(value, MinKey | MaxKey):
        out.content.append(TYPE_BYTE[sort_key(value)[0]])
    elif isinstance(value, Element):
        out.content += bytes([value.type]) + value.payload
    else:
        out.content += b"\x3c" + repr(value).encode() + b"\0"


class FormatError(ValueError):
    """Bytes that are no KeyString."""


class Reader:
    """Reads the values that stand before the document key of a token."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def next(self) -> Any:
        """The next value; None at the end. Raises FormatError for a type that no token has there."""
        kind = self._take(1)[0]
        if kind == END:
            return None
        if kind == 0x82:
            return Timestamp(*struct.unpack(">II", self._take(8)))
        if kind in {110, 111}:
            return kind == 111
        if kind == ZERO:
            return 0
        if POSITIVE <= kind < POSITIVE + 8:
            return int(int.from_bytes(self._take(kind - POSITIVE + 1), "big") >> 1)
        if kind == 0x5A:
            size, _ = self._take(2)
            return self._take(size)
        raise FormatError(f"Unknown type: {kind}")

    def _take(self, size: int) -> bytes:
        self._at += size
        if self._at > len(self._content):
            raise FormatError("it ends too early")
        return self._content[self._at - size : self._at]
