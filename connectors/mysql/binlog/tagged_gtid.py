"""GTID_TAGGED (MySQL 8.3 and newer), which is laid out by the server's serialization library.

A message is its version, its size, the last field that a reader must know, then numbered fields. Format:
https://dev.mysql.com/doc/dev/mysql-server/latest/PageLibsMysqlSerialization.html; fields: ``Gtid_event::define_fields``.
"""

from __future__ import annotations

from uuid import UUID

from connectors.mysql.binlog.reading import Malformed, Reader

_UUID, _NUMBER, _TAG, _LAST_COMMITTED, _SEQUENCE, _COMMIT, _ORIGINAL_COMMIT, _TICKET = 1, 2, 3, 4, 5, 6, 7, 11
_SIGNED = frozenset({_NUMBER, _LAST_COMMITTED, _SEQUENCE})


def read_tagged_gtid(reader: Reader) -> tuple[str, int | None]:
    """``uuid:tag:number`` (``uuid:number`` without a tag), and the first commit's microseconds since 1970 if known.

    Raises Malformed on fields that are not known, as even their length is not.
    """
    start = reader.position
    version, size, last_required = _unsigned(reader), _unsigned(reader), _unsigned(reader)
    if version != 1 or last_required > _TICKET + 1 or start + size != reader.end:
        raise Malformed(f"a tagged GTID of format {version}")
    uuid, tag = b"", ""
    numbers: dict[int, int] = {}
    while reader.left:
        field = _unsigned(reader)
        if field == _UUID:
            uuid = bytes(_byte(reader) for _ in range(16))
        elif field == _TAG:
            tag = reader.text(_unsigned(reader))
        elif field <= _TICKET:
            numbers[field] = _signed(reader) if field in _SIGNED else _unsigned(reader)
        else:
            raise Malformed(f"field {field} of a tagged GTID is not known")
    if not uuid or _NUMBER not in numbers:
        raise Malformed("a tagged GTID without its server or number")
    committed_us = numbers.get(_ORIGINAL_COMMIT, numbers.get(_COMMIT, 0))
    return ":".join(filter(None, (str(UUID(bytes=uuid)), tag, str(numbers[_NUMBER])))), committed_us or None


def _unsigned(reader: Reader) -> int:
    """As many bytes as the first one has trailing ones, and one more; the value is above those ones and a zero."""
    first = reader.uint(1)
    more = (~first & first + 1).bit_length() - 1
    if more == 8:
        return reader.uint(8)
    return (first | reader.uint(more) << 8) >> more + 1


def _signed(reader: Reader) -> int:
    """The sign is the lowest bit; a negative number is stored as its complement."""
    value = _unsigned(reader)
    return ~(value >> 1) if value & 1 else value >> 1


def _byte(reader: Reader) -> int:
    value = _unsigned(reader)
    if value > 0xFF:
        raise Malformed(f"{value} is no byte of a UUID")
    return value
