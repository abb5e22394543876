"""What is read from a source -> the messages of each topic, in a format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import orjson

from connectors.documents import document_messages
from connectors.envelope import messages
from connectors.row_json import RowEncoder, row_encoder
from connectors.source import (
    Change,
    DeadLetter,
    DocumentChange,
    Heartbeat,
    SchemaChange,
    SourceEvent,
    Table,
    TransactionEvent,
)
from streamtrain.topic.base import Messages
from streamtrain.topic.names import topic_name


class Addressed(NamedTuple):
    """Messages of one topic."""

    topic: str
    messages: Messages
    partitions: int | None = None
    """How many the topic gets if it is missing; None: as many as are configured."""


class Serializer(Protocol):
    """Turns events into messages. ``now_ns`` is the connector's clock, for the envelope's ``ts_*``."""

    def serialize(self, event: SourceEvent | Heartbeat, now_ns: int) -> Iterable[Addressed]:
        """The messages of ``event``, in order."""


_MOST_GATHERED = 1_024
"""Messages are many times the size of their rows."""


def gathered(sent: Iterable[Addressed]) -> Iterator[Addressed]:
    """The same messages in the same order, where the next ones go to the same topic some of them together.

    Sending costs as much as making the message where each change has one row.
    """
    topic, partitions = "", None
    keys, values = list[bytes | None](), list[bytes | None]()
    for addressed in sent:
        messages = addressed.messages
        if addressed.topic != topic or messages.headers or len(keys) >= _MOST_GATHERED:
            if keys:
                yield Addressed(topic, Messages(keys, values), partitions)
            topic, keys, values = "", [], []
            if messages.headers or len(messages.keys) >= _MOST_GATHERED:
                yield addressed
                continue
            topic, _, partitions = addressed
        keys += messages.keys
        values += messages.values
    if keys:
        yield Addressed(topic, Messages(keys, values), partitions)


class JsonSerializer:
    """Debezium's messages as JSON without schemas.

    Changes go to ``PREFIX.DB.TABLE`` (``topic_name``), beginnings and ends of transactions to ``PREFIX.transaction``, changes of structure to
    ``PREFIX``, heartbeats to ``__debezium-heartbeat.PREFIX``, what could not be had to ``PREFIX.dead-letters``; all but the first have
    one partition each, as their order says something.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._tables: dict[tuple[str, str], _Known] = {}

    def serialize(self, event: SourceEvent | Heartbeat, now_ns: int) -> Iterable[Addressed]:
        if isinstance(event, Change):
            known = self._known(event.table)
            return (Addressed(known.topic, messages(event, now_ns, known.encoder)),)
        if isinstance(event, DocumentChange):
            collection = event.collection
            topic = topic_name(self._prefix, collection.database, collection.name)
            return (Addressed(topic, document_messages(event, now_ns)),)
        if isinstance(event, TransactionEvent):
            document = transaction_document(event)
            key = {"id": event.id}
            return (_one(f"{self._prefix}.transaction", key, document),)
        if isinstance(event, Heartbeat):
            return (_one(heartbeat_topic(self._prefix), heartbeat_key(self._prefix), heartbeat_document(now_ns)),)
        if isinstance(event, DeadLetter):
            return (dead_letter(self._prefix, event, now_ns),)
        return (_one(self._prefix, {"databaseName": event.database}, schema_document(event, now_ns)),)

    def _known(self, table: Table) -> _Known:
        name = (table.database, table.name)
        known = self._tables.get(name)
        if (
            known is None or known.table is not table
        ):  # the same object comes with every change, until the table changes
            known = self._tables[name] = _Known(table, topic_name(self._prefix, *name), row_encoder(table))
        return known


class _Known(NamedTuple):
    """What is made once for a table."""

    table: Table
    topic: str
    encoder: RowEncoder


def heartbeat_topic(prefix: str) -> str:
    """Where heartbeats go.

    https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-property-topic-heartbeat-prefix
    """
    return f"__debezium-heartbeat.{prefix}"


def heartbeat_key(prefix: str) -> dict[str, Any]:
    """The key of a heartbeat."""
    return {"serverName": prefix}


def heartbeat_document(now_ns: int) -> dict[str, Any]:
    """The value of a heartbeat."""
    return {"ts_ms": now_ns // 1_000_000}


def transaction_document(event: TransactionEvent) -> dict[str, Any]:
    """The value of a message about a transaction.

    https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-transaction-metadata
    """
    ended = event.status == "END"
    counts = [{"data_collection": table, "event_count": count} for table, count in event.counts.items()]
    return {
        "status": event.status,
        "id": event.id,
        "event_count": sum(event.counts.values()) if ended else None,
        "data_collections": counts if ended else None,
        "ts_ms": event.committed_ms,
    }


def schema_document(event: SchemaChange, now_ns: int) -> dict[str, Any]:
    """The value of a message about a change of structure.

    https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-schema-change-topic
    """
    return {
        "source": dict(event.origin),
        "ts_ms": now_ns // 1_000_000,
        "databaseName": event.database,
        "schemaName": None,
        "ddl": event.statement,
        "tableChanges": list(event.table_changes),
    }


def dead_letter(prefix: str, event: DeadLetter, now_ns: int) -> Addressed:
    """The message about a change that could not be had."""
    topic = topic_name(prefix, event.collection.database, event.collection.name)
    known = {"op": event.op.value, "source": dict(event.origin), "place": event.place}
    return in_place_of(prefix, topic, {"id": event.key.decode()}, {"reason": event.reason, **known}, now_ns)


def in_place_of(prefix: str, topic: str, key: Any, known: Mapping[str, Any], now_ns: int) -> Addressed:
    """The message about one that ``topic`` lacks: JSON without a schema, whatever the format of the others is."""
    value = {**known, "ts_ms": now_ns // 1_000_000}
    return _one(f"{prefix}.dead-letters", {"topic": topic, "key": key}, value)


def _one(topic: str, key: Mapping[str, Any], value: Mapping[str, Any]) -> Addressed:
    return Addressed(topic, Messages([orjson.dumps(key)], [orjson.dumps(value)]), partitions=1)
