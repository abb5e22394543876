"""Debezium's messages as Avro in Confluent's wire format, their schemas in a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from connectors.documents import document_envelopes, with_tombstones
from connectors.formats.avro_rows import RowWriter
from connectors.formats.connect import (
    HEARTBEAT_KEY,
    HEARTBEAT_VALUE,
    TRANSACTION_KEY,
    TRANSACTION_VALUE,
    Schema,
    TableSchemas,
    document_schemas,
    schema_change_schemas,
    source_schema,
    table_schemas,
)
from connectors.formats.connect_avro import avro_full_name, avro_name, avro_schema
from connectors.formats.subjects import Strategy, subject
from connectors.messages import Encoded, published
from connectors.serializing import (
    Addressed,
    dead_letter,
    heartbeat_document,
    heartbeat_key,
    heartbeat_topic,
    schema_document,
    transaction_document,
)
from connectors.source import Change, DeadLetter, DocumentChange, Heartbeat, Row, SourceEvent, Table, TransactionEvent
from streamtrain.avro import AvroWriter, header, long_bytes, string_bytes
from streamtrain.envelope import Op
from streamtrain.errors import UnsupportedChange
from streamtrain.topic.base import Messages
from streamtrain.topic.names import topic_name

Register = Callable[[str, str], int]
"""Subject and text of a schema -> its id in the registry."""

_NULL, _PRESENT = b"\x00", b"\x02"
"""Which branch of a union of null and something else follows."""


class AvroSerializer:
    """Messages as Debezium's connector and Confluent's AvroConverter write them with Debezium's names adjusted for Avro.

    Schemas are registered as they are first met. Raises ConfigError on a table whose types are not known, UnsupportedChange
    on a value that does not fit its column, and what ``register`` raises.
    """

    def __init__(self, prefix: str, register: Register, strategy: Strategy = "topic") -> None:
        self._prefix = prefix
        self._register = register
        self._strategy = strategy
        self._tables: dict[tuple[str, str], _TableWriter] = {}
        self._documents: dict[str, _DocumentWriter] = {}

    def serialize(self, event: SourceEvent | Heartbeat, now_ns: int) -> Iterable[Addressed]:
        if isinstance(event, Change):
            writer = self._table(event)
            return (Addressed(writer.topic, published(event, _ChangeWriter(event, now_ns, writer))),)
        if isinstance(event, TransactionEvent):
            topic = f"{self._prefix}.transaction"
            writer_of = self._document(topic, lambda: (TRANSACTION_KEY, TRANSACTION_VALUE))
            return (writer_of.message({"id": event.id}, transaction_document(event)),)
        if isinstance(event, Heartbeat):
            writer_of = self._document(heartbeat_topic(self._prefix), lambda: (HEARTBEAT_KEY, HEARTBEAT_VALUE))
            return (writer_of.message(heartbeat_key(self._prefix), heartbeat_document(now_ns)),)
        if isinstance(event, DocumentChange):
            return (self._documents_of(event, now_ns),)
        if isinstance(event, DeadLetter):
            return (dead_letter(self._prefix, event, now_ns),)
        connector = str(event.origin["connector"])
        writer_of = self._document(self._prefix, lambda: schema_change_schemas(connector))
        return (writer_of.message({"databaseName": event.database}, schema_document(event, now_ns)),)

    def _documents_of(self, change: DocumentChange, now_ns: int) -> Addressed:
        collection = change.collection
        topic = topic_name(self._prefix, collection.database, collection.name)
        writer = self._document(topic, lambda: document_schemas(collection, self._prefix))
        keys = [writer.key({"id": key.decode()}) for key in change.keys]
        values = [writer.value(envelope) for envelope in document_envelopes(change, now_ns)]
        return Addressed(topic, with_tombstones(change.ops, keys, values))

    def _table(self, change: Change) -> _TableWriter:
        table = change.table
        name = (table.database, table.name)
        known = self._tables.get(name)
        # A table is the same object as long as it has not changed: comparing all its columns each time would cost more.
        # A TRUNCATE does not tell the columns.
        if known is None or (known.table is not table and change.op is not Op.TRUNCATE):
            if not table.columns:
                raise UnsupportedChange(
                    f"the columns of {table.full_name}, of which all rows were taken away, are not known: a schema without "
                    "them would be the newest of its subject",
                    hint="let capture see a row of it first, or leave TRUNCATE out with source.skipped_operations: [t]",
                )
            connector = str(change.origin["connector"])
            schemas = table_schemas(table, self._prefix, connector, avro_name)
            topic = topic_name(self._prefix, *name)
            known = _TableWriter(table, topic, schemas, self._header_of(topic), _source_writers(connector))
            self._tables[name] = known
        return known

    def _document(self, topic: str, schemas: Callable[[], tuple[Schema, Schema]]) -> _DocumentWriter:
        known = self._documents.get(topic)
        if known is None:
            known = self._documents[topic] = _DocumentWriter(topic, *schemas(), self._header_of(topic))
        return known

    def _header_of(self, topic: str) -> Callable[[Schema, bool], bytes]:
        def registered(schema: Schema, key: bool) -> bytes:
            name = subject(self._strategy, topic, avro_full_name(schema.name or ""), key=key)
            return header(self._register(name, orjson.dumps(avro_schema(schema)).decode()))

        return registered


class _DocumentWriter:
    """Messages that are not about rows."""

    def __init__(self, topic: str, key: Schema, value: Schema, header_of: Callable[[Schema, bool], bytes]) -> None:
        self._topic = topic
        self._key = (header_of(key, True), AvroWriter(avro_schema(key)))
        self._value = (header_of(value, False), AvroWriter(avro_schema(value)))

    def message(self, key: Mapping[str, Any], value: Mapping[str, Any]) -> Addressed:
        return Addressed(self._topic, Messages([self.key(key)], [self.value(value)]), partitions=1)

    def key(self, key: Mapping[str, Any]) -> bytes:
        """A key."""
        return self._key[0] + self._key[1].encode(key)

    def value(self, value: Mapping[str, Any]) -> bytes:
        """A value."""
        return self._value[0] + self._value[1].encode(value)


class _TableWriter:
    """What all changes of a table, as it stands, have in common."""

    def __init__(
        self,
        table: Table,
        topic: str,
        schemas: TableSchemas,
        header_of: Callable[[Schema, bool], bytes],
        source: tuple[AvroWriter, AvroWriter],
    ) -> None:
        self.table = table
        self.topic = topic
        self.source = source
        self.value_header = header_of(schemas.envelope, False)
        self.key_header = header_of(schemas.key, True) if schemas.key is not None else b""
        self.key = RowWriter(table.full_name, schemas.key, table.key) if schemas.key is not None else None
        self.row = RowWriter(table.full_name, schemas.row, range(len(table.columns)))
        self.key_names = [field.name for field in schemas.key.fields] if schemas.key is not None else []


class _ChangeWriter:
    """The rows of one change. Source block and clocks are the same for all of them, so they are encoded once.

    Avro's encoding of a record is that of its fields, one after the other, so an envelope is put together from parts.
    """

    def __init__(self, change: Change, now_ns: int, writer: _TableWriter) -> None:
        self._change = change
        self._writer = writer
        self._clock = b"".join(_PRESENT + long_bytes(now_ns // unit) for unit in (1_000_000, 1_000, 1))
        self._source_head, self._source_tail = writer.source

    @property
    def has_key(self) -> bool:
        return self._writer.key is not None

    def keys(self, rows: Sequence[Row], /) -> Encoded:
        key, head = self._writer.key, self._writer.key_header
        return [None] * len(rows) if key is None else [head + key.encode(row) for row in rows]

    def header_keys(self, rows: Sequence[Row], /) -> Encoded:
        names, key = self._writer.key_names, self._writer.table.key
        return [orjson.dumps(dict(zip(names, [row[at] for at in key], strict=True))) for row in rows]

    def envelopes(
        self, op: str, before: Sequence[Row] | None, after: Sequence[Row] | None, first: int = 0, moved: int = 0
    ) -> Encoded:
        origin = self._change.origin
        head, tail = self._source_head.encode(origin), self._source_tail.encode(origin)
        end = string_bytes(op) + self._clock
        before_it = self._change.first_row
        rows = before if before is not None else after
        count = 1 if rows is None else len(rows)
        return [
            b"".join((images, head, long_bytes(before_it + number), tail, self._transaction(number + moved), end))
            for number, images in enumerate(self._images(before, after, count), first)
        ]

    def marked(self, rows: Sequence[Row]) -> Encoded:
        change = self._change
        tail = self._source_tail.encode(change.origin)
        end = long_bytes(0) + tail + _NULL + string_bytes(change.op.value) + self._clock
        heads = {
            marker: self._source_head.encode({**change.origin, "snapshot": marker}) for marker in set(change.markers)
        }
        images = self._images(None, rows, len(rows))
        return [b"".join((one, heads[marker], end)) for one, marker in zip(images, change.markers, strict=True)]

    def _images(self, before: Sequence[Row] | None, after: Sequence[Row] | None, count: int) -> list[bytes]:
        """The header, and the row before and after, of each row."""
        encode, start = self._writer.row.encode, self._writer.value_header
        gone = [_NULL] * count if before is None else [_PRESENT + encode(row) for row in before]
        come = [_NULL] * count if after is None else [_PRESENT + encode(row) for row in after]
        return [b"".join((start, one, other)) for one, other in zip(gone, come, strict=True)]

    def _transaction(self, number: int) -> bytes:
        part = self._change.transaction
        if part is None:
            return _NULL
        orders = long_bytes(part.total_order + number) + long_bytes(part.data_collection_order + number)
        return _PRESENT + string_bytes(part.id) + orders


def _source_writers(connector: str) -> tuple[AvroWriter, AvroWriter]:
    """Writers of the ``source`` block before and after ``row``, the one field in which the rows of a change differ."""
    fields = source_schema(connector).fields
    at = [field.name for field in fields].index("row")
    head, tail = (Schema("struct", name="Part", fields=part) for part in (fields[:at], fields[at + 1 :]))
    return AvroWriter(avro_schema(head)), AvroWriter(avro_schema(tail))
