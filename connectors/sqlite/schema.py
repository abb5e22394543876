"""Tables as SQLite's own catalogue describes them: columns, declared types, keys, unique indexes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from connectors.source import Table
from connectors.sqlite.connection import Database
from connectors.sqlite.settings import DATABASE
from streamtrain.errors import ConfigError, SourceMisconfigured

OWN_PREFIX = "_streamtrain_"
"""Begins the name of every table and trigger that capture adds to a database."""

_SYSTEM_PREFIX = "sqlite_"
_MOST_COLUMNS = 900
"""A change holds a table's columns twice in one row, and SQLite allows 2,000 columns as it is usually built."""

ColumnKind = Literal["numeric", "categorical", "boolean", "datetime", "text", "unsupported"]

_KINDS: tuple[tuple[ColumnKind, tuple[str, ...]], ...] = (
    ("boolean", ("BOOL",)),
    ("datetime", ("DATE", "TIMESTAMP")),
    ("text", ("CLOB", "LONGTEXT", "MEDIUMTEXT")),
    ("categorical", ("CHAR", "TEXT", "UUID", "ENUM")),
    ("numeric", ("INT", "REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL")),
)
_WIDTH = re.compile(r"\((\d+)\)")
# A longer text is prose: as a category nearly every row would have one of its own.
_LONGEST_CATEGORY = 255


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it was declared. ``default`` is SQL text, None if there is none."""

    name: str
    declared: str
    default: str | None = None

    @property
    def is_boolean(self) -> bool:
        """Whether it is declared as a boolean, which SQLite stores as 0 and 1."""
        return kind(self.declared) == "boolean"


@dataclass(frozen=True, slots=True)
class IndexedColumn:
    """A column of an index, and the collation by which that index compares it."""

    name: str
    collation: str


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table of the file, as far as capture needs to know it."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[int, ...]
    """Indexes into ``columns`` of the primary key, in key order."""
    unique: tuple[tuple[IndexedColumn, ...], ...]
    """The unique indexes over stored columns. ``INTEGER PRIMARY KEY`` has none: it is the rowid."""
    identity: tuple[IndexedColumn, ...]
    """What identifies a row of a WITHOUT ROWID table; empty for any other."""
    has_computed_index: bool
    """Whether there is a unique index over an expression or a generated column, whose new value no BEFORE trigger sees."""
    rowid: str | None
    """The name by which the rowid is reached; None for a WITHOUT ROWID table."""

    @property
    def table(self) -> Table:
        """The table as a Change carries it."""
        return Table(DATABASE, self.name, tuple(column.name for column in self.columns), self.key)


def tables(database: Database, includes: Callable[[str], bool]) -> list[TableSchema]:
    """The tables that ``includes`` says yes to, by name; system tables and capture's own are never asked about.

    Raises SourceMisconfigured for a virtual table (SQLite allows no trigger on one) and for more than 900 columns.
    """
    listed = database.rows("SELECT name, type, wr FROM pragma_table_list WHERE schema = ? ORDER BY name", (DATABASE,))
    found = []
    for name, table_type, without_rowid in listed:
        if table_type in {"view", "shadow"} or name.startswith((_SYSTEM_PREFIX, OWN_PREFIX)) or not includes(name):
            continue
        if table_type == "virtual":
            raise SourceMisconfigured(
                f"{DATABASE}.{name} is a virtual table, whose changes SQLite tells to nobody",
                hint="write source.include so that it names the plain tables alone",
            )
        found.append(_table(database, name, bool(without_rowid)))
    return found


def exists(database: Database, table: str) -> bool:
    """Whether there is a table, view or virtual table of this name."""
    return bool(database.rows("SELECT 1 FROM pragma_table_list WHERE schema = ? AND name = ?", (DATABASE, table)))


def describe(path: Path, table: str) -> tuple[list[tuple[str, ColumnKind]], tuple[str, ...]]:
    """Each column of ``main.TABLE`` with the kind of feature that its type suggests, and the primary key's columns.

    Raises ConfigError if there is no such file or table, and SourceUnavailable while the file is locked.
    """
    database = Database(path)
    try:
        found = tables(database, lambda name: f"{DATABASE}.{name}" == table)
    finally:
        database.close()
    if not found:
        raise ConfigError(f"there is no table {table} in {path}", hint=f"tables are written as {DATABASE}.TABLE")
    [schema] = found
    kinds = [(column.name, kind(column.declared)) for column in schema.columns]
    return kinds, tuple(schema.columns[index].name for index in schema.key)


def kind(declared: str) -> ColumnKind:
    """The feature kind of a declared type, by the names it contains, as SQLite itself reads types.

    TEXT is categorical, being SQLite's one type for short strings too; CLOB is text, and so is VARCHAR(n) with n above
    255. A column without a type is not supported, nor is TIME, which SQLite stores as whatever text it is given.
    Source: https://www.sqlite.org/datatype3.html#determination_of_column_affinity.
    """
    upper = declared.upper()
    width = _WIDTH.search(upper)
    for column_kind, names in _KINDS:
        if any(name in upper for name in names):
            is_prose = column_kind == "categorical" and width is not None and int(width[1]) > _LONGEST_CATEGORY
            return "text" if is_prose else column_kind
    return "unsupported"


def _table(database: Database, name: str, without_rowid: bool) -> TableSchema:
    described = database.rows(
        "SELECT name, type, dflt_value, hidden, pk FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1 ORDER BY cid",
        (name, DATABASE),
    )
    if len(described) > _MOST_COLUMNS:
        raise SourceMisconfigured(
            f"{DATABASE}.{name} has {len(described)} columns, more than the {_MOST_COLUMNS} that can be captured"
        )
    columns = tuple(Column(column, declared, default) for column, declared, default, *_ in described)
    stored = {column for column, _, _, hidden, _ in described if not hidden}
    key = sorted((place, index) for index, (*_, place) in enumerate(described) if place)
    indexes = _unique_indexes(database, name, stored)
    return TableSchema(
        name=name,
        columns=columns,
        key=tuple(index for _, index in key),
        unique=tuple(index.columns for index in indexes if index.columns),
        identity=next(index.columns for index in indexes if index.is_primary_key) if without_rowid else (),
        has_computed_index=any(not index.columns for index in indexes),
        rowid=None if without_rowid else _reachable_rowid(name, columns),
    )


@dataclass(frozen=True, slots=True)
class _UniqueIndex:
    is_primary_key: bool
    columns: tuple[IndexedColumn, ...]
    """Empty if it is over something computed."""


def _unique_indexes(database: Database, table: str, stored: set[str]) -> list[_UniqueIndex]:
    found = []
    listed = database.rows(
        'SELECT name, origin FROM pragma_index_list(?, ?) WHERE "unique" ORDER BY seq', (table, DATABASE)
    )
    for index, origin in listed:
        members = database.rows(
            'SELECT name, coll FROM pragma_index_xinfo(?, ?) WHERE "key" ORDER BY seqno', (index, DATABASE)
        )
        is_plain = all(column in stored for column, _ in members)
        columns = tuple(IndexedColumn(column, collation) for column, collation in members) if is_plain else ()
        found.append(_UniqueIndex(origin == "pk", columns))
    return found


def _reachable_rowid(table: str, columns: tuple[Column, ...]) -> str:
    taken = {column.name.lower() for column in columns}
    for name in ("rowid", "_rowid_", "oid"):
        if name not in taken:
            return name
    raise SourceMisconfigured(
        f"{DATABASE}.{table} has columns named rowid, _rowid_ and oid, so that its rowid cannot be reached",
        hint="rename one of them",
    )
