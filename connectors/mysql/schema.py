"""The captured tables as ``information_schema`` shows them: columns, types, keys, engines."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from connectors.mysql.address import address
from connectors.mysql.charset_names import charset_of_collation, plain_charset
from connectors.mysql.connection import Connection
from connectors.mysql.labels import with_true_labels
from connectors.mysql.settings import SYSTEM_DATABASES
from connectors.mysql.structure import PRIMARY, Column, ColumnKind, Index, TableSchema, identifies, in_order, key_of
from connectors.source import Table
from streamtrain.errors import ConfigError
from streamtrain.tls import Tls

_COMMENT_MARK = re.compile(r"/\*M?!\d*\s*|\s*\*/")
_Name = tuple[str, str]
_TABLES = "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_TYPE, TABLE_COLLATION FROM information_schema.TABLES"
_COLUMNS = (
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, IS_NULLABLE, EXTRA, GENERATION_EXPRESSION, COLUMN_KEY"
    " FROM information_schema.COLUMNS"
)
_INDEXES = "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS"


def tables(connection: Connection, captures: Callable[[str, str], bool]) -> list[TableSchema]:
    """The tables for which ``captures(database, name)`` holds, by name. Views are none. Needs SELECT on them.

    Raises AccessDenied where something of a table is seen, but its labels cannot be known without SELECT.
    """
    return [found for found in tables_and_sequences(connection, captures) if not found.sequence]


def tables_and_sequences(connection: Connection, captures: Callable[[str, str], bool]) -> list[TableSchema]:
    """As ``tables``, with MariaDB's sequences, whose rows are logged as those of tables."""
    return _tables(connection, captures, None)


def one_table(connection: Connection, database: str, name: str) -> TableSchema | None:
    """The table of this name; None if there is none. No other table is looked at, which may be locked for long."""
    found = _tables(connection, lambda *seen: seen == (database, name), (database, name))
    return found[0] if found and not found[0].sequence else None


def _tables(connection: Connection, captures: Callable[[str, str], bool], only: _Name | None) -> list[TableSchema]:
    found = {
        (database, name): (engine or "", kind, collation and charset_of_collation(collation))
        for database, name, engine, kind, collation in connection.query(
            f"{_TABLES} WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE'){_and(only or ())}",
            only or (),
        )
        if database.lower() not in SYSTEM_DATABASES and captures(database, name)
    }
    columns: dict[_Name, list[Column]] = defaultdict(list)
    marked: dict[_Name, set[str]] = defaultdict(set)
    indexes: dict[_Name, list[Index]] = defaultdict(list)
    for database in sorted({database for database, _ in found}):
        chosen = (database,) if only is None else only
        _add_columns(connection, chosen, columns, marked)
        _add_indexes(connection, chosen, indexes)
    schemas = []
    for name, (engine, kind, charset) in sorted(found.items()):
        if own := columns.get(name):
            own = with_true_labels(connection, name, own)
            sorted_indexes = _with_marked_first(own, indexes[name], marked[name])
            table = Table(*name, columns=tuple(column.name for column in own), key=key_of(own, sorted_indexes))
            schema = TableSchema(table, tuple(own), engine, charset=charset, indexes=sorted_indexes)
            schemas.append(replace(schema, versioned=kind == "SYSTEM VERSIONED", sequence=kind == "SEQUENCE"))
    return schemas


def database_charsets(connection: Connection) -> dict[str, str]:
    """The character set of new tables, by database, of all that this account may see."""
    rows = connection.query("SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA")
    return {database: plain_charset(charset) for database, charset in rows if database.lower() not in SYSTEM_DATABASES}


def describe(url: str, table: str, tls: Tls | None = None) -> tuple[list[tuple[str, ColumnKind]], tuple[str, ...]]:
    """Each column of ``database.table`` with the kind of feature that its type suggests, and the primary key's columns.

    Raises ConfigError if there is no such table, SourceUnavailable or AccessDenied if the server cannot be asked.
    """
    connection = Connection(address(url, tls))
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


def _and(chosen: tuple[str, ...]) -> str:
    """The condition on all tables, on those of a database, or on one of them."""
    return "".join(f" AND {column} = %s" for column in ("TABLE_SCHEMA", "TABLE_NAME")[: len(chosen)])


def _add_columns(
    connection: Connection,
    chosen: tuple[str, ...],
    columns: dict[_Name, list[Column]],
    marked: dict[_Name, set[str]],
) -> None:
    database = chosen[0]
    for name, column, declared, charset, nullable, extra, expression, key in connection.query(
        f"{_COLUMNS} WHERE TRUE{_and(chosen)} ORDER BY TABLE_NAME, ORDINAL_POSITION", chosen
    ):
        columns[database, name].append(
            Column(
                column,
                _plain_type(declared),
                None if charset is None else plain_charset(charset),
                nullable=nullable == "YES",
                generated=bool(expression),
                invisible="INVISIBLE" in extra,
                auto_increment="auto_increment" in extra,
            )
        )
        if key == "PRI":
            marked[database, name].add(column)


def _plain_type(declared: str) -> str:
    """Without the comment marks in which MariaDB shows COMPRESSED. Labels keep their case."""
    if declared.startswith(("enum", "set")):
        return declared
    return _COMMENT_MARK.sub("", declared).lower()


def _add_indexes(connection: Connection, chosen: tuple[str, ...], indexes: dict[_Name, list[Index]]) -> None:
    database = chosen[0]
    parts: dict[tuple[str, str, bool], list[tuple[str | None, int | None]]] = defaultdict(list)
    for name, index, repeats, column, prefix in connection.query(
        f"{_INDEXES} WHERE TRUE{_and(chosen)} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX", chosen
    ):
        parts[name, index, not int(repeats)].append((column, prefix))
    for (name, index, unique), own in parts.items():
        columns = tuple(column for column, _ in own if column is not None)  # an expression has no column
        whole = all(column is not None and prefix is None for column, prefix in own)
        indexes[database, name].append(Index(index, columns, unique, whole))


def _with_marked_first(columns: Sequence[Column], indexes: list[Index], marked: set[str]) -> tuple[Index, ...]:
    """In the server's order, as far as it shows: of two unique keys that could both be the key, the columns are marked."""
    ordered = in_order(columns, indexes)
    if any(index.name == PRIMARY for index in ordered):
        return tuple(ordered)
    chosen = [index for index in ordered if marked and index.unique and set(index.columns) == marked]
    if not chosen:  # one that looks as if it could be the key, but is not for the server: MariaDB's over long columns
        return tuple(replace(index, whole=index.whole and not identifies(columns, index)) for index in ordered)
    return (*chosen, *(index for index in ordered if index not in chosen))
