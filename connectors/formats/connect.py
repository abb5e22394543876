"""Kafka Connect's schemas, and those that Debezium's connectors for MySQL, MariaDB and MongoDB give their records.

Names, versions and the order of fields are Debezium 3.5's. The types of columns come from ``Table.types``.
https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-events
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from connectors.source import Collection, FieldType, Table
from streamtrain.errors import ConfigError
from streamtrain.topic.names import topic_name

Type = Literal["boolean", "int8", "int16", "int32", "int64", "float32", "float64", "string", "bytes", "array", "struct"]

Rename = Callable[[str], str]
"""What a name becomes in a format that does not take every name."""

DECIMAL = "org.apache.kafka.connect.data.Decimal"

_SNAPSHOT = "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"
_SCHEMA_CHANGE = "io.debezium.connector.schema"


@dataclass(frozen=True, slots=True)
class Schema:
    """A Kafka Connect schema."""

    type: Type
    optional: bool = False
    name: str | None = None
    version: int | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    documentation: str | None = None
    default: str | None = None
    fields: tuple[Field, ...] = ()
    """Of a struct."""
    items: Schema | None = None
    """Of an array."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct."""

    name: str
    schema: Schema
    column: str | None = None
    """The column's own name, where the field could not be called so."""


@dataclass(frozen=True, slots=True)
class TableSchemas:
    """What the messages about a table are declared as."""

    key: Schema | None
    """None for a table without a key."""
    row: Schema
    """Of ``before`` and ``after``."""
    envelope: Schema


def _fields(**schemas: Schema) -> tuple[Field, ...]:
    return tuple(Field(name, schema) for name, schema in schemas.items())


def _optional(kind: Type) -> Schema:
    return Schema(kind, optional=True)


_INT32, _INT64, _STRING, _FLOAT64 = Schema("int32"), Schema("int64"), Schema("string"), Schema("float64")
_TEXT, _NUMBER, _FLAG, _BYTES = _optional("string"), _optional("int64"), _optional("boolean"), _optional("bytes")
_SMALL_NUMBER = _optional("int32")

_STRUCTS: dict[str, tuple[str, tuple[Field, ...]]] = {
    "io.debezium.data.geometry.Point": (
        "Geometry (POINT)",
        _fields(x=_FLOAT64, y=_FLOAT64, wkb=_BYTES, srid=_SMALL_NUMBER),
    ),
    "io.debezium.data.geometry.Geometry": ("Geometry", _fields(wkb=Schema("bytes"), srid=_SMALL_NUMBER)),
}
"""What the fields of a column's struct are, and how it is documented, by its name."""

_SOURCE_FIELDS = _fields(
    version=_STRING,
    connector=_STRING,
    name=_STRING,
    ts_ms=_INT64,
    snapshot=Schema("string", True, "io.debezium.data.Enum", 1, (("allowed", _SNAPSHOT),), default="false"),
    db=_STRING,
    sequence=_TEXT,
    ts_us=_NUMBER,
    ts_ns=_NUMBER,
    table=_TEXT,
    server_id=_INT64,
    gtid=_TEXT,
    file=_STRING,
    pos=_INT64,
    row=_INT32,
    thread=_NUMBER,
    query=_TEXT,
)

TRANSACTION = Schema(
    "struct", True, "event.block", 1, fields=_fields(id=_STRING, total_order=_INT64, data_collection_order=_INT64)
)
"""The ``transaction`` block of a change."""

HEARTBEAT_KEY = Schema(
    "struct", name="io.debezium.connector.common.ServerNameKey", version=1, fields=_fields(serverName=_STRING)
)
HEARTBEAT_VALUE = Schema(
    "struct", name="io.debezium.connector.common.Heartbeat", version=1, fields=_fields(ts_ms=_INT64)
)
TRANSACTION_KEY = Schema(
    "struct", name="io.debezium.connector.common.TransactionMetadataKey", version=1, fields=_fields(id=_STRING)
)
TRANSACTION_VALUE = Schema(
    "struct",
    name="io.debezium.connector.common.TransactionMetadataValue",
    version=1,
    fields=_fields(
        status=_STRING,
        id=_STRING,
        event_count=_NUMBER,
        data_collections=Schema(
            "array",
            optional=True,
            items=Schema(
                "struct", True, "event.collection", 1, fields=_fields(data_collection=_STRING, event_count=_INT64)
            ),
        ),
        ts_ms=_INT64,
    ),
)

_NAMES = Schema("array", optional=True, items=_STRING)
_COLUMN = Schema(
    "struct",
    name=f"{_SCHEMA_CHANGE}.Column",
    version=1,
    fields=_fields(
        name=_STRING,
        jdbcType=_INT32,
        nativeType=_SMALL_NUMBER,
        typeName=_STRING,
        typeExpression=_TEXT,
        charsetName=_TEXT,
        length=_SMALL_NUMBER,
        scale=_SMALL_NUMBER,
        position=_INT32,
        optional=_FLAG,
        autoIncremented=_FLAG,
        generated=_FLAG,
        comment=_TEXT,
        defaultValueExpression=_TEXT,
        enumValues=_NAMES,
    ),
)
_TABLE_CHANGE = Schema(
    "struct",
    name=f"{_SCHEMA_CHANGE}.Change",
    version=1,
    fields=_fields(
        type=_STRING,
        id=_STRING,
        table=Schema(
            "struct",
            True,
            f"{_SCHEMA_CHANGE}.Table",
            1,
            fields=_fields(
                defaultCharsetName=_TEXT,
                primaryKeyColumnNames=_NAMES,
                columns=Schema("array", items=_COLUMN),
                comment=_TEXT,
            ),
        ),
    ),
)


_JSON = Schema("string", True, "io.debezium.data.Json", 1)
_CHANGE_STREAM = "io.debezium.connector.mongodb.changestream"
_UPDATE = Schema(
    "struct",
    True,
    f"{_CHANGE_STREAM}.updatedescription",
    1,
    fields=_fields(
        removedFields=_NAMES,
        updatedFields=_JSON,
        truncatedArrays=Schema(
            "array",
            optional=True,
            items=Schema(
                "struct", name=f"{_CHANGE_STREAM}.truncatedarray", version=1, fields=_fields(field=_STRING, size=_INT32)
            ),
        ),
    ),
)
_DOCUMENT_SOURCE_FIELDS = (
    *_SOURCE_FIELDS[:9],
    *_fields(collection=_STRING, ord=_INT32, lsid=_TEXT, txnNumber=_NUMBER, wallTime=_NUMBER, after_from=_TEXT),
)
"""Debezium's, and where ``after`` is from."""
_SOURCES = {
    "mysql": ("mysql", _SOURCE_FIELDS),
    "mariadb": ("mariadb", _SOURCE_FIELDS),
    "mongodb": ("mongo", _DOCUMENT_SOURCE_FIELDS),
}


def source_schema(connector: str) -> Schema:
    """The ``source`` block of a connector: ``mysql``, ``mariadb``, ``mongodb``. Raises ConfigError for one without a schema."""
    known = _SOURCES.get(connector)
    if known is None:
        raise ConfigError(
            f"records of a source of kind {connector} have no schema: its columns hold values of any type",
            hint="set topic.format to json",
        )
    return Schema("struct", name=f"io.debezium.connector.{known[0]}.Source", version=1, fields=known[1])


def document_schemas(collection: Collection, prefix: str) -> tuple[Schema, Schema]:
    """Key and envelope of a collection's messages.

    https://debezium.io/documentation/reference/stable/connectors/mongodb.html#mongodb-create-events
    """
    name = topic_name(prefix, collection.database, collection.name)
    envelope = Schema(
        "struct",
        name=f"{name}.Envelope",
        version=2,
        fields=(
            *_fields(before=_JSON, after=_JSON, updateDescription=_UPDATE, source=source_schema("mongodb")),
            *_fields(transaction=TRANSACTION, op=_STRING, ts_ms=_NUMBER, ts_us=_NUMBER, ts_ns=_NUMBER),
        ),
    )
    return Schema("struct", name=f"{name}.Key", fields=_fields(id=_STRING)), envelope


def schema_change_schemas(connector: str) -> tuple[Schema, Schema]:
    """Key and value of a message about a change of structure."""
    name = f"io.debezium.connector.{connector}.SchemaChange"
    key = Schema("struct", name=f"{name}Key", version=1, fields=_fields(databaseName=_STRING))
    value = Schema(
        "struct",
        name=f"{name}Value",
        version=1,
        fields=_fields(
            source=source_schema(connector),
            ts_ms=_INT64,
            databaseName=_TEXT,
            schemaName=_TEXT,
            ddl=_TEXT,
            tableChanges=Schema("array", items=_TABLE_CHANGE),
        ),
    )
    return key, value


def table_schemas(table: Table, prefix: str, connector: str, rename: Rename | None = None) -> TableSchemas:
    """The schemas of a table's messages. ``rename`` is applied to the names of columns.

    Raises ConfigError if the table's types are not known.
    """
    name = topic_name(prefix, table.database, table.name)
    fields = _columns(table, rename)
    row = Schema("struct", True, f"{name}.Value", fields=fields)
    envelope = Schema(
        "struct",
        name=f"{name}.Envelope",
        version=2,
        fields=(
            *_fields(before=row, after=row, source=source_schema(connector), transaction=TRANSACTION, op=_STRING),
            *_fields(ts_ms=_NUMBER, ts_us=_NUMBER, ts_ns=_NUMBER),
        ),
    )
    key = Schema("struct", name=f"{name}.Key", fields=tuple(fields[at] for at in table.key)) if table.key else None
    return TableSchemas(key, row, envelope)


def _columns(table: Table, rename: Rename | None) -> tuple[Field, ...]:
    if len(table.types) != len(table.columns):
        raise ConfigError(
            f"the types of the columns of {table.full_name} are not known, and a schema declares them",
            hint="set topic.format to json",
        )
    fields = []
    for column, declared in zip(table.columns, table.types, strict=True):
        called = column if rename is None else rename(column)
        fields.append(Field(called, _column(table, column, declared), None if called == column else column))
    _refuse_namesakes(table, fields)
    return tuple(fields)


def _refuse_namesakes(table: Table, fields: Sequence[Field]) -> None:
    seen: dict[str, Field] = {}
    for field in fields:
        other = seen.setdefault(field.name, field)
        if other is not field:
            names = " and ".join(repr(one.column or one.name) for one in (other, field))
            raise ConfigError(
                f"the columns {names} of {table.full_name} would both be called {field.name!r} in Avro",
                hint="leave one of them out with source.column_exclude_list, or set topic.format to json",
            )


def _column(table: Table, column: str, declared: FieldType) -> Schema:
    schema = Schema(declared.type, declared.optional, declared.name, parameters=declared.parameters)
    if declared.name is not None:
        schema = replace(schema, version=declared.version)
    if declared.type == "array":
        return replace(schema, items=Schema("float32"))
    if declared.type == "struct":
        known = _STRUCTS.get(declared.name or "")
        if known is None:
            raise ConfigError(
                f"{table.full_name}.{column} is of type {declared.name}, of which no schema is known",
                hint="leave the column out with source.column_exclude_list, or set topic.format to json",
            )
        return replace(schema, documentation=known[0], fields=known[1])
    return schema
