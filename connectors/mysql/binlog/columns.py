"""Column types, and what a TABLE_MAP tells of a column beside its optional metadata: lengths, precisions, fraction digits.

https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

from connectors.mysql.binlog.charsets import Charset
from connectors.mysql.binlog.reading import Malformed, Reader

EXCLUDE_HINT = "leave the table out of source.include"


class ColumnType(IntEnum):
    """Column types as the log numbers them (enum_field_types)."""

    TINY = 1
    SHORT = 2
    LONG = 3
    FLOAT = 4
    DOUBLE = 5
    OLD_TIMESTAMP = 7
    LONGLONG = 8
    INT24 = 9
    DATE = 10
    OLD_TIME = 11
    OLD_DATETIME = 12
    YEAR = 13
    VARCHAR = 15
    BIT = 16
    TIMESTAMP = 17
    DATETIME = 18
    TIME = 19
    BLOB_COMPRESSED = 140
    VARCHAR_COMPRESSED = 141
    VECTOR = 242
    JSON = 245
    DECIMAL = 246
    ENUM = 247
    SET = 248
    BLOB = 252
    VAR_STRING = 253
    STRING = 254
    GEOMETRY = 255
    UUID = 256
    """This and the two below are MariaDB's. The log shows them as STRING: only ``declared`` tells them from it."""
    INET4 = 257
    INET6 = 258


@dataclass(frozen=True, slots=True)
class Column:
    """One column. What ``length`` counts depends on the type."""

    type: ColumnType
    length: int = 0
    """DECIMAL: digits. BIT: bits. Strings: bytes at most. ENUM, SET: bytes of a value. BLOB and its like: bytes of the
    length before a value. TIME, DATETIME, TIMESTAMP: fraction digits."""
    scale: int = 0
    """DECIMAL: digits after the point."""
    nullable: bool = False
    unsigned: bool = False
    charset: Charset | None = None
    """Of strings and of labels."""
    labels: tuple[str, ...] = ()
    """ENUM, SET: in the order of their definition."""
    geometry: int = 0
    """GEOMETRY: the kind that values have to be of, as WKB numbers them; 0 if any."""
    conversion: str = ""
    """The name in ``CONVERSIONS`` of what is made of the value that the log holds; empty if it stays as it is."""
    declared: str = ""
    """The type in the words of ``information_schema``, such as ``uuid``, of which the log shows less; empty if unknown."""


_DIGITS = re.compile(r"\((\d)\)")
LABELLED = frozenset({ColumnType.ENUM, ColumnType.SET})
_TYPES = frozenset(ColumnType)
_LAST_IN_LOG = ColumnType.GEOMETRY
OLD_TEMPORALS = frozenset({ColumnType.OLD_TIME, ColumnType.OLD_DATETIME, ColumnType.OLD_TIMESTAMP})
"""MariaDB's of before 10.1: the log tells nothing but their type."""


def read_column(type_: int, metadata: Reader) -> Column:
    """Read the metadata of one column. Raises Malformed, with a hint, on a type that is not supported."""
    if type_ not in _TYPES or type_ > _LAST_IN_LOG:
        raise Malformed(f"column type {type_} is not supported", EXCLUDE_HINT)
    kind = ColumnType(type_)
    read = _METADATA.get(kind)
    return Column(kind) if read is None else read(kind, metadata)


def as_declared(column: Column, declared: str) -> Column:
    """``column`` with what ``declared`` tells and the log does not.

    MariaDB's UUID, INET4 and INET6 are BINARY in the log, and its old temporal types are without fraction digits. What does not fit the log's own word is of another time, and is passed over.
    """
    if column.type in OLD_TEMPORALS:
        digits = _DIGITS.search(declared)
        return replace(column, length=at_most(6, int(digits[1])) if digits else 0, declared=declared)
    found = _FIXED_BINARY.get(declared)
    if found is None or (column.type, column.length) != (ColumnType.STRING, found[1]):
        return replace(column, declared=declared)
    return replace(column, type=found[0], declared=declared)


def may_be_fixed_binary(column: Column) -> bool:
    """Whether the log shows UUID, INET4 or INET6 as it shows ``column``, if that is without a character set."""
    return any((column.type, column.length) == (ColumnType.STRING, length) for _, length in _FIXED_BINARY.values())


_FIXED_BINARY = {
    "uuid": (ColumnType.UUID, 16),
    "inet4": (ColumnType.INET4, 4),
    "inet6": (ColumnType.INET6, 16),
}


def _float(kind: ColumnType, metadata: Reader) -> Column:
    metadata.take(1)
    return Column(kind)


def _length_prefixed(kind: ColumnType, metadata: Reader) -> Column:
    return Column(kind, at_most(4, metadata.uint(1), at_least=1))


def _fractional(kind: ColumnType, metadata: Reader) -> Column:
    return Column(kind, at_most(6, metadata.uint(1)))


def _varchar(kind: ColumnType, metadata: Reader) -> Column:
    return Column(kind, metadata.uint(2))


def _decimal(kind: ColumnType, metadata: Reader) -> Column:
    precision = at_most(65, metadata.uint(1), at_least=1)
    return Column(kind, precision, scale=at_most(precision, metadata.uint(1)))


def _bit(kind: ColumnType, metadata: Reader) -> Column:
    bits = metadata.uint(1)
    return Column(kind, at_most(64, bits + 8 * metadata.uint(1), at_least=1))


def _string(_: ColumnType, metadata: Reader) -> Column:
    """CHAR, BINARY, ENUM and SET share a type; two bits of a length beyond 255 hide, inverted, in the type's byte."""
    first, second = metadata.uint(1), metadata.uint(1)
    if first in LABELLED:
        return Column(ColumnType(first), at_most(8, second, at_least=1))
    if first | 0x30 != ColumnType.STRING:
        raise Malformed(f"column type {first} inside a string type")
    return Column(ColumnType.STRING, second | ((first & 0x30) ^ 0x30) << 4)


def _never(kind: ColumnType, _: Reader) -> Column:
    raise Malformed(f"column type {kind} outside a string type")


_METADATA: dict[ColumnType, Callable[[ColumnType, Reader], Column]] = {
    ColumnType.FLOAT: _float,
    ColumnType.DOUBLE: _float,
    ColumnType.VARCHAR: _varchar,
    ColumnType.VARCHAR_COMPRESSED: _varchar,
    ColumnType.VAR_STRING: _varchar,
    ColumnType.STRING: _string,
    ColumnType.ENUM: _never,
    ColumnType.SET: _never,
    ColumnType.DECIMAL: _decimal,
    ColumnType.BIT: _bit,
    ColumnType.TIMESTAMP: _fractional,
    ColumnType.DATETIME: _fractional,
    ColumnType.TIME: _fractional,
    ColumnType.BLOB: _length_prefixed,
    ColumnType.BLOB_COMPRESSED: _length_prefixed,
    ColumnType.JSON: _length_prefixed,
    ColumnType.GEOMETRY: _length_prefixed,
    ColumnType.VECTOR: _length_prefixed,
}
"""How to read the metadata of the types that have some."""


def at_most(limit: int, value: int, *, at_least: int = 0) -> int:
    """``value``, if it is between the two; raises Malformed if not."""
    if not at_least <= value <= limit:
        raise Malformed(f"{value} in a column's metadata, where {at_least} to {limit} may stand")
    return value
