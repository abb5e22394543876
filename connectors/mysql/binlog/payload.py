"""TRANSACTION_PAYLOAD: the events of one transaction as one event, compressed or not (MySQL 8.0.20 and newer).

Numbered fields, all of them length-encoded integers, then a zstd stream of events without checksums. Format:
https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Transaction__payload__event.html
The stream is read an event at a time: a transaction may be far larger than what it is compressed to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import zstandard

from connectors.mysql.binlog.control import HEADER_LENGTH
from connectors.mysql.binlog.reading import Malformed, Reader, forget

_END, _PAYLOAD_SIZE, _ALGORITHM, _UNPACKED_SIZE = 0, 1, 2, 3
_ZSTD, _NONE = 0, 255
_PIECE = 1 << 20
_SIZE_AT = 9


def packed_events(reader: Reader) -> Iterator[bytes]:
    """Each event of a payload, header and body, in order. ``reader`` is at the first field.

    Raises Malformed on a field or an algorithm that is not known, and on a stream that is cut short or too long.
    """
    fields = _fields(reader)
    if fields.get(_PAYLOAD_SIZE) != reader.left:
        raise Malformed(f"a payload of {fields.get(_PAYLOAD_SIZE)} bytes, where {reader.left} are left")
    read = _unpacking(fields.get(_ALGORITHM), reader)
    unpacked = 0
    while head := _take(read, HEADER_LENGTH):
        size = int.from_bytes(head[_SIZE_AT : _SIZE_AT + 4], "little")
        event = head + _take(read, size - HEADER_LENGTH) if size > HEADER_LENGTH else head
        unpacked += len(event)
        yield event
    if unpacked != fields.get(_UNPACKED_SIZE, unpacked):
        raise Malformed(f"{unpacked} bytes of events, where {fields[_UNPACKED_SIZE]} are told of")


def _fields(reader: Reader) -> dict[int, int]:
    fields: dict[int, int] = {}
    while (kind := reader.packed()) != _END:
        if kind > _UNPACKED_SIZE:
            raise Malformed(f"field {kind} of a payload is not known")
        value = Reader(reader.take(reader.packed()))
        fields[kind] = value.packed()
        value.finish()
    return fields


def _unpacking(algorithm: int | None, reader: Reader) -> Callable[[int], bytes]:
    """``read(n)`` gives at most ``n`` of the next bytes, none at the end."""
    if algorithm == _NONE:
        return _Packed(reader).read
    if algorithm == _ZSTD:
        return (
            zstandard.ZstdDecompressor().stream_reader(cast("BinaryIO", _Packed(reader)), read_across_frames=True).read
        )
    raise Malformed(f"compression algorithm {algorithm} is not known")


class _Packed:
    """What is left of ``reader``, as a file; of a large event that was read no more than a piece stays in memory."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._forgotten = reader.position

    def read(self, size: int) -> bytes:
        reader = self._reader
        part = reader.take(min(size, reader.left))
        if reader.position - self._forgotten >= _PIECE:
            forget(reader.data, self._forgotten, reader.position)
            self._forgotten = reader.position
        return part


def _take(read: Callable[[int], bytes], size: int) -> bytes:
    """``size`` bytes, or as many as are left, read in pieces: what a damaged event tells of is not reserved at once."""
    parts: list[bytes] = []
    try:
        while size > 0 and (part := read(min(size, _PIECE))):
            parts.append(part)
            size -= len(part)
    except zstandard.ZstdError as error:
        raise Malformed(f"the compressed events cannot be read: {error}") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)
