"""The frame of one record in a data file. A file holds nothing else; a record's offset is its place in the file.

    u32  length of what follows the checksum
    u32  CRC-32 (zlib's) of what follows
    i64  timestamp, milliseconds since 1970
    i32  length of the key, -1 for none
    i32  length of the value, -1 for a tombstone
    u32  length of the headers
    ...  key, value, headers; each header is u16 length, UTF-8 name, u32 length, value

All numbers are little-endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from streamtrain.topic.base import Header, Message

_FRAME = struct.Struct("<IIqiiI")
_CHECKSUM = struct.Struct("<II")
_FIXED = struct.Struct("<qiiI")
_NAME = struct.Struct("<H")
_VALUE = struct.Struct("<I")


class DamagedRecordError(ValueError):
    """A frame whose checksum does not fit. ``at`` is its place in the buffer."""

    def __init__(self, at: int) -> None:
        super().__init__("the checksum does not fit")
        self.at = at


@dataclass(slots=True)
class Columns:
    """Decoded records, as columns of equal length."""

    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)


def encode(messages: Iterable[Message], timestamp_ms: int) -> tuple[bytes, int]:
    """Frames of ``messages``, and how many there are."""
    parts: list[bytes] = []
    count = 0
    fixed_of, checksum_of, crc32 = _FIXED.pack, _CHECKSUM.pack, zlib.crc32
    for message in messages:
        key, value = message.key, message.value
        headers = _encode_headers(message.headers) if message.headers else b""
        fixed = fixed_of(
            timestamp_ms, -1 if key is None else len(key), -1 if value is None else len(value), len(headers)
        )
        body = b"".join((fixed, key or b"", value or b"", headers))
        parts += (checksum_of(len(body), crc32(body)), body)
        count += 1
    return b"".join(parts), count


def decode(buffer: bytes, at: int, limit: int, into: Columns) -> tuple[int, int]:
    """Append up to ``limit`` whole frames from ``at`` on to ``into``; where the next begins, and how many were read.

    Stops before a frame of which ``buffer`` does not hold the end. Raises DamagedRecordError.
    """
    view, end, count = memoryview(buffer), len(buffer), 0
    frame_at, crc32 = _FRAME.unpack_from, zlib.crc32
    keys, values, timestamps = into.keys, into.values, into.timestamps_ms
    while count < limit and at + _FRAME.size <= end:
        length, checksum, timestamp, key_length, value_length, _ = frame_at(buffer, at)
        stop = at + _CHECKSUM.size + length
        if stop > end:
            break
        # A block that a power cut left zeroed has length 0, and 0 is the checksum of nothing.
        if length < _FIXED.size or crc32(view[at + _CHECKSUM.size : stop]) != checksum:
            raise DamagedRecordError(at)
        key_at = at + _FRAME.size
        value_at = key_at + key_length if key_length > 0 else key_at
        keys.append(buffer[key_at:value_at] if key_length >= 0 else None)
        values.append(buffer[value_at : value_at + value_length] if value_length >= 0 else None)
        timestamps.append(timestamp)
        at, count = stop, count + 1
    return at, count


def _encode_headers(headers: Iterable[Header]) -> bytes:
    parts: list[bytes] = []
    for name, value in headers:
        encoded = name.encode()
        parts += (_NAME.pack(len(encoded)), encoded, _VALUE.pack(len(value)), value)
    return b"".join(parts)
