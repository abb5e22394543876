"""The captured tables as ``information_schema`` shows them: columns, types, keys, engines."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from connectors.mysql.address import parse_url
from connectors.mysql.connection import Connection
from connectors.mysql.settings import SYSTEM_DATABASES
from connectors.source import Table
from streamtrain.errors import ConfigError

ColumnKind = Literal["numeric", "categorical", "boolean", "datetime", "text", "unsupported"]

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


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it is declared."""

    name: str
    data_type: str
    """The type's name alone: ``varchar``."""
    declared: str
    """The type in full: ``varchar(40)``, ``int unsigned``."""
    charset: str | None
    nullable: bool
    in_key: bool

    @property
    def fraction_digits(self) -> int:
        """Of a TIME, DATETIME or TIMESTAMP."""
        match = _FRACTION.search(self.declared)
        return int(match[1]) if match else 0

    @property
    def width(self) -> int:
        """The number in parentheses: characters, bytes or bits; 1 if there is none."""
        match = _WIDTH.search(self.declared)
        return int(match[1]) if match else 1

    @property
    def kind(self) -> ColumnKind:
        """The kind of feature that the type suggests. TIME is numeric: it is a length of time, not a moment."""
        if self.declared.split(" ")[0] in _BOOLEANS:
            return "boolean"
        if self.data_type in {"char", "varchar"} and self.width > _LONGEST_CATEGORY:
            return "text"
        return _KINDS.get(self.data_type, "unsupported")


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table with its columns in their order, those of its primary key by index, and how it is stored."""

    table: Table
    columns: tuple[Column, ...]
    engine: str
    versioned: bool
    """MariaDB's system versioning: old rows stay in the table, and are logged as inserts."""

    @property
    def transactional(self) -> bool:
        """Whether a transaction sees the table as it stood when it began."""
        return self.engine.lower() in _TRANSACTIONAL_ENGINES


def tables(connection: Connection, captures: Callable[[str, str], bool]) -> list[TableSchema]:
    """The tables for which ``captures(database, name)`` holds, by name. Views are none. Needs SELECT on them."""
    found = {
        (database, name): (engine or "", kind == "SYSTEM VERSIONED")
        for database, name, engine, kind in connection.query(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_TYPE FROM information_schema.TABLES"
            " WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
        )
        if database.lower() not in SYSTEM_DATABASES and captures(database, name)
    }
    columns: dict[tuple[str, str], list[Column]] = {}
    indexes: dict[tuple[str, str], dict[str, list[str]]] = {}
    for database in sorted({database for database, _ in found}):
        _add_columns(connection, database, columns)
        _add_indexes(connection, database, indexes)
    return [
        TableSchema(
            Table(*name, columns=tuple(column.name for column in own), key=_key(own, indexes.get(name, {}))),
            tuple(own),
            engine,
            versioned,
        )
        for name, (engine, versioned) in sorted(found.items())
        if (own := columns.get(name))
    ]


def describe(url: str, table: str) -> tuple[list[tuple[str, ColumnKind]], tuple[str, ...]]:
    """Each column of ``database.table`` with the kind of feature that its type suggests, and the primary key's columns.

    Raises ConfigError if there is no such table, SourceUnavailable or AccessDenied if the server cannot be asked.
    """
    connection = Connection(parse_url(url))
    try:
        found = tables(connection, lambda database, name: f"{database}.{name}" == table)
    finally:
        connection.close()
    if not found:
        raise ConfigError(
            f"there is no table {table} that {connection.account} may read",
            hint="check its name, which is case-sensitive, and the SELECT right on it",
        )
    schema = found[0]
    return [(column.name, column.kind) for column in schema.columns], tuple(
        schema.table.columns[index] for index in schema.table.key
    )


def _add_columns(connection: Connection, database: str, columns: dict[tuple[str, str], list[Column]]) -> None:
    for name, column, data_type, declared, charset, nullable, key in connection.query(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, IS_NULLABLE, COLUMN_KEY"
        " FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s ORDER BY TABLE_NAME, ORDINAL_POSITION",
        (database,),
    ):
        columns.setdefault((database, name), []).append(
            Column(column, data_type.lower(), declared.lower(), charset, nullable == "YES", key == "PRI")
        )


def _add_indexes(connection: Connection, database: str, indexes: dict[tuple[str, str], dict[str, list[str]]]) -> None:
    for name, index, column in connection.query(
        "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS"
        " WHERE TABLE_SCHEMA = %s AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', SEQ_IN_INDEX",
        (database,),
    ):
        indexes.setdefault((database, name), {}).setdefault(index, []).append(column)


def _key(columns: list[Column], indexes: dict[str, list[str]]) -> tuple[int, ...]:
    """The primary key or, where there is none, the unique key that the server takes for it, in the index's order.

    Both servers take a unique key whose columns are all NOT NULL, say so in the log, and show its columns as ``PRI``.
    """
    names = [column.name for column in columns]
    marked = {column.name for column in columns if column.in_key}
    for index in indexes.values():
        if marked and set(index) == marked:
            return tuple(names.index(name) for name in index)
    return ()
