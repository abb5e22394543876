"""Debezium's messages as JSON with schemas: what Kafka Connect's JsonConverter writes with ``schemas.enable=true``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from connectors.formats.connect import (
    HEARTBEAT_KEY,
    HEARTBEAT_VALUE,
    TRANSACTION_KEY,
    TRANSACTION_VALUE,
    Schema,
    document_schemas,
    schema_change_schemas,
    table_schemas,
)
from connectors.formats.connect_json import json_schema
from connectors.serializing import Addressed, JsonSerializer
from connectors.source import (
    Change,
    Collection,
    DeadLetter,
    DocumentChange,
    Heartbeat,
    SchemaChange,
    SourceEvent,
    Table,
    TransactionEvent,
)
from streamtrain.envelope import Op
from streamtrain.topic.base import Messages

Heads = tuple[bytes, bytes]
"""What stands before the payload of a key and of a value."""


class SchemaJsonSerializer:
    """JSON without schemas, with its schema before each key and value. Headers stay as they are.

    Raises ConfigError on a table whose types are not known.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._json = JsonSerializer(prefix)
        self._tables: dict[tuple[str, str], tuple[Table, Heads]] = {}
        self._collections: dict[Collection, Heads] = {}
        self._structure: dict[str, Heads] = {}
        self._transaction = _heads(TRANSACTION_KEY, TRANSACTION_VALUE)
        self._heartbeat = _heads(HEARTBEAT_KEY, HEARTBEAT_VALUE)

    def serialize(self, event: SourceEvent | Heartbeat, now_ns: int) -> Iterable[Addressed]:
        if isinstance(event, DeadLetter):
            yield from self._json.serialize(event, now_ns)
            return
        key, value = self._heads(event)
        for topic, messages, partitions in self._json.serialize(event, now_ns):
            wrapped = Messages(_wrapped(key, messages.keys), _wrapped(value, messages.values), messages.headers)
            yield Addressed(topic, wrapped, partitions)

    def _heads(self, event: Change | DocumentChange | TransactionEvent | SchemaChange | Heartbeat) -> Heads:
        if isinstance(event, Change):
            return self._table(event)
        if isinstance(event, DocumentChange):
            heads = self._collections.get(event.collection)
            if heads is None:
                heads = self._collections[event.collection] = _heads(*document_schemas(event.collection, self._prefix))
            return heads
        if isinstance(event, TransactionEvent):
            return self._transaction
        if isinstance(event, Heartbeat):
            return self._heartbeat
        connector = str(event.origin["connector"])
        heads = self._structure.get(connector)
        if heads is None:
            heads = self._structure[connector] = _heads(*schema_change_schemas(connector))
        return heads

    def _table(self, change: Change) -> Heads:
        table = change.table
        name = (table.database, table.name)
        known = self._tables.get(name)
        # A table is the same object as long as it has not changed: comparing all its columns each time would cost more.
        # A TRUNCATE does not tell the columns.
        if known is None or (known[0] is not table and change.op is not Op.TRUNCATE):
            schemas = table_schemas(table, self._prefix, str(change.origin["connector"]))
            known = self._tables[name] = (table, _heads(schemas.key, schemas.envelope))
        return known[1]


def _heads(key: Schema | None, value: Schema) -> Heads:
    return b"" if key is None else _head(key), _head(value)


def _head(schema: Schema) -> bytes:
    return b'{"schema":%b,"payload":' % orjson.dumps(json_schema(schema))


def _wrapped(head: bytes, payloads: Sequence[bytes | None]) -> list[bytes | None]:
    return [None if payload is None else b"%b%b}" % (head, payload) for payload in payloads]
