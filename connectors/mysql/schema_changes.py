"""Changes of structure as Debezium tells them: one message a table, with the table as it is afterwards.

https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-schema-change-topic
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.mysql.ddl.catalog import ChangeKind, TableChange
from connectors.mysql.structure import Column, TableSchema
from connectors.source import SchemaChange, Table

# java.sql.Types, as Debezium's parser of MySQL's DDL chooses them.
_BIT, _TINY, _BIG, _OTHER, _BLOB = -7, 5, -5, 1111, 2004
_JDBC_TYPES = {
    "tinyint": _TINY, "smallint": 5, "mediumint": 4, "int": 4, "bigint": _BIG, "year": 4, "bit": _BIT, "decimal": 3,
    "float": 6, "double": 8, "date": 91, "time": 92, "datetime": 93, "timestamp": 2014, "char": 1, "varchar": 12,
    "tinytext": 12, "text": 12, "mediumtext": 12, "longtext": 12, "enum": 1, "set": 1, "binary": -2, "varbinary": -3,
    "tinyblob": _BLOB, "blob": _BLOB, "mediumblob": _BLOB, "longblob": _BLOB,
}  # fmt: skip


def schema_changes(
    statement: str,
    changes: Sequence[TableChange],
    captured: Callable[[str, str], bool],
    origin: Callable[[Table], Mapping[str, Any]],
) -> list[SchemaChange]:
    """The events of a statement that touches a captured table, under its old name or its new one; else none.

    ``origin`` makes the source block of a change; that of several tables names them all.
    """
    if not any(captured(*name) for change in changes for name in (change.name, change.previous or change.name)):
        return []
    events = []
    for change in changes:
        database = change.name[0]
        names = dict.fromkeys(each.name[1] for each in changes if each.name[0] == database)
        block = origin(Table(database, ",".join(names), columns=()))
        events.append(SchemaChange(database, statement, block, _documents(change)))
    return events


def snapshot_change(statement: str, schema: TableSchema, origin: Mapping[str, Any]) -> SchemaChange:
    """The event of a table that a snapshot has found."""
    name = (schema.table.database, schema.table.name)
    return SchemaChange(
        schema.table.database, statement, origin, _documents(TableChange(ChangeKind.CREATE, name, schema))
    )


def _documents(change: TableChange) -> list[dict[str, Any]]:
    """``tableChanges``; none of a TRUNCATE, which changes no structure, or where the structure is not known."""
    if change.kind is ChangeKind.TRUNCATE:
        return []
    if change.kind is ChangeKind.DROP:
        return [_change(change, None)]
    return [] if change.schema is None else [_change(change, _table(change.schema))]


def _change(change: TableChange, table: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": change.kind.value, "id": '"{}"."{}"'.format(*change.name), "table": table}


def _table(schema: TableSchema) -> dict[str, Any]:
    return {
        "defaultCharsetName": schema.charset,
        "primaryKeyColumnNames": [schema.table.columns[index] for index in schema.table.key],
        "columns": [_column(column, position) for position, column in enumerate(schema.columns, start=1)],
        "comment": None,
    }


def _column(column: Column, position: int) -> dict[str, Any]:
    length, scale = _length(column)
    labels = [f"'{label}'" for label in column.labels]
    words = [column.data_type, *(word for word in ("unsigned", "zerofill") if f" {word}" in column.declared)]
    name = " ".join(words).upper() if not labels else column.data_type.upper()
    return {
        "name": column.name,
        "jdbcType": _JDBC_TYPES.get(column.data_type, _OTHER),
        "nativeType": None,
        "typeName": name,
        "typeExpression": name,
        "charsetName": column.charset,
        "length": length,
        "scale": scale,
        "position": position,
        "optional": column.nullable,
        "autoIncremented": column.auto_increment,
        "generated": column.generated or column.auto_increment,
        "comment": None,
        "defaultValueExpression": None,
        "enumValues": labels or None,
    }


def _length(column: Column) -> tuple[int | None, int | None]:
    """Length and scale. An ENUM's is one character, a SET's as many as it has labels, and the commas between them."""
    if column.data_type == "enum":
        return 1, None
    if column.data_type == "set":
        return 2 * len(column.labels) - 1, None
    if "(" not in column.declared:
        return None, None
    return column.width, column.scale if column.data_type == "decimal" or "," in column.declared else None
