"""The structure of a table: its columns as they are declared, and its indexes. Whence it is known is not said here.

It comes from ``information_schema`` (``schema.py``) and is moved on by DDL (``ddl/``); both write it alike, in the words of
``information_schema.COLUMNS.COLUMN_TYPE``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.mysql.charset_names import bytes_per_character
from connectors.source import Table

ColumnKind = Literal["numeric", "categorical", "boolean", "datetime", "text", "unsupported"]

PRIMARY = "PRIMARY"
"""The name of every primary key."""

_KINDS: dict[str, ColumnKind] = {
    **dict.fromkeys(
        ("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "year", "time"), "numeric"
    ),
    **dict.fromkeys(("char", "varchar", "enum", "set"), "categorical"),
    **dict.fromkeys(("date", "datetime", "timestamp"), "datetime"),
    **dict.fromkeys(("tinytext", "text", "mediumtext", "longtext"), "text"),
}
_BOOLEANS = {"tinyint(1)", "bit(1)"}
# A longer text is prose: as a category nearly every row would have one of its own.
_LONGEST_CATEGORY = 255
_TRANSACTIONAL_ENGINES = {"innodb", "rocksdb"}
_FRACTION = re.compile(r"\((\d)\)")
_WIDTH = re.compile(r"\((\d+)")
_SCALE = re.compile(r"\(\d+,(\d+)\)")
_TYPE_NAME = re.compile(r"\w*")
_LABEL = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_ESCAPED = re.compile(r"''|\\(.)", re.DOTALL)
_UNBOUNDED = re.compile("text$|blob$|^json$|geom|point$|linestring$|polygon$|^vector$")
_LONGEST_KEY = 3072
_ESCAPES = {"0": "\0", "n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it is declared."""

    name: str
    declared: str
    """The type in full, as ``COLUMN_TYPE`` shows it, but its words in lower case: ``varchar(40)``, ``int unsigned``."""
    charset: str | None = None
    """Of text and of labels; None for all other types."""
    nullable: bool = True
    generated: bool = False
    """Computed from other columns, stored or not."""
    invisible: bool = False
    auto_increment: bool = False

    @property
    def data_type(self) -> str:
        """The type's name alone: ``varchar``."""
        match = _TYPE_NAME.match(self.declared)
        return match[0] if match else ""

    @property
    def unsigned(self) -> bool:
        """Whether numbers are without a sign; ZEROFILL implies it."""
        return " unsigned" in self.declared and self.data_type not in {"enum", "set"}

    @property
    def labels(self) -> tuple[str, ...]:
        """Of an ENUM or a SET, in the order of their definition."""
        if self.data_type not in {"enum", "set"}:
            return ()
        return tuple(_ESCAPED.sub(_unescaped, match[1]) for match in _LABEL.finditer(self.declared))

    @property
    def fraction_digits(self) -> int:
        """Of a TIME, DATETIME or TIMESTAMP."""
        match = _FRACTION.search(self.declared)
        return int(match[1]) if match else 0

    @property
    def width(self) -> int:
        """The first number in parentheses: characters, bytes, bits or digits; 1 if there is none."""
        match = _WIDTH.search(self.declared)
        return int(match[1]) if match else 1

    @property
    def scale(self) -> int:
        """The second number in parentheses: digits after the point; 0 if there is none."""
        match = _SCALE.search(self.declared)
        return int(match[1]) if match else 0

    @property
    def kind(self) -> ColumnKind:
        """The kind of feature that the type suggests. TIME is numeric: it is a length of time, not a moment."""
        if self.declared.split(" ")[0] in _BOOLEANS:
            return "boolean"
        if self.data_type in {"char", "varchar"} and self.width > _LONGEST_CATEGORY:
            return "text"
        return _KINDS.get(self.data_type, "unsupported")


@dataclass(frozen=True, slots=True)
class Index:
    """An index: a primary key is the one called ``PRIMARY``."""

    name: str
    columns: tuple[str, ...]
    """In the index's order, without parts that are expressions."""
    unique: bool
    whole: bool = True
    """Whether every part is a whole column: no prefix of one, no expression."""
    implicit: bool = False
    """Made for a foreign key; it goes when another index does its work. Known only of those that DDL has made."""


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table with its columns in their order, and how it is stored."""

    table: Table
    columns: tuple[Column, ...]
    engine: str
    versioned: bool = False
    """MariaDB's system versioning: old rows stay in the table, and are logged as inserts."""
    charset: str | None = None
    """That of text columns which are added without one; None if it is not known."""
    indexes: tuple[Index, ...] = ()
    """In the server's order; see ``in_order``."""
    sequence: bool = False
    """A MariaDB SEQUENCE: its row, which is logged as a table's, is the server's bookkeeping, and is not captured."""

    @property
    def transactional(self) -> bool:
        """Whether a transaction sees the table as it stood when it began."""
        return self.engine.lower() in _TRANSACTIONAL_ENGINES


@dataclass(frozen=True, slots=True)
class Gap:
    """Stands where the structure of a table is not known."""

    reason: str


def is_sequence(entry: TableSchema | Gap | None) -> bool:
    """Whether what is known of a name is that it is a sequence's."""
    return isinstance(entry, TableSchema) and entry.sequence


def key_of(columns: Sequence[Column], indexes: Iterable[Index]) -> tuple[int, ...]:
    """The primary key, by column, or where there is none the unique key that the server takes for it.

    Both servers take the first one of whole columns that are all NOT NULL, say so in the log, and show it as ``PRI``.
    """
    places = {column.name.lower(): index for index, column in enumerate(columns)}
    for index in in_order(columns, indexes):
        if identifies(columns, index):
            return tuple(places[name.lower()] for name in index.columns)
    return ()


def identifies(columns: Sequence[Column], index: Index) -> bool:
    """Whether an index can be the table's key. MariaDB keeps long values by their hash, which does not do."""
    if index.name == PRIMARY:
        return True
    if not (index.unique and index.whole) or _has_null(columns, index):
        return False
    names = {name.lower() for name in index.columns}
    own = [column for column in columns if column.name.lower() in names]
    return not any(_UNBOUNDED.search(column.data_type) for column in own) and sum(map(_bytes, own)) <= _LONGEST_KEY


def in_order(columns: Sequence[Column], indexes: Iterable[Index]) -> list[Index]:
    """The indexes as the server sorts them: by how well they tell rows apart, then by age."""

    def rank(index: Index) -> tuple[bool, bool, bool, bool]:
        unique = index.unique
        return index.name != PRIMARY, not unique, unique and _has_null(columns, index), unique and not index.whole

    return sorted(indexes, key=rank)


def _has_null(columns: Sequence[Column], index: Index) -> bool:
    names = {name.lower() for name in index.columns}
    return any(column.nullable for column in columns if column.name.lower() in names)


def _bytes(column: Column) -> int:
    """Of a value of a text or binary type, at most; else few."""
    if column.data_type not in {"char", "varchar", "binary", "varbinary"}:
        return 8
    return column.width * (bytes_per_character(column.charset) if column.charset else 1)


def _unescaped(match: re.Match[str]) -> str:
    return "'" if match[1] is None else _ESCAPES.get(match[1], match[1])
