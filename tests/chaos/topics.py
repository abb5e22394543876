"""All that committed readers see of a round's topics, read with Kafka's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.chaos.formats import Decode
from tests.servers import Broker

SILENCE_S = 60.0


@dataclass(frozen=True)
class Record:
    """One record. A tombstone has no ``op``."""

    topic: str
    partition: int
    offset: int
    key: dict[str, Any] | None
    op: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    source: dict[str, Any] | None = None
    old_key: bool = False
    """Marked as the second half of an update that moved the key."""
    new_key: bool = False
    """Marked as the first half."""
    transaction: dict[str, Any] | None = None
    sent_ms: int = 0
    """The wall clock's milliseconds when the connector sent it."""
    update: dict[str, Any] | None = None
    """What an update changed, where the source tells it."""

    @property
    def place(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def gtid(self) -> str | None:
        return None if self.source is None else self.source.get("gtid")

    @property
    def log_place(self) -> tuple[int, int]:
        """Number of the log file, offset in it."""
        source = self.source or {}
        return int(str(source.get("file", ".0")).rpartition(".")[2]), int(source.get("pos") or 0)

    @property
    def reread(self) -> bool:
        """Whether it is a row that a signal had read again."""
        return self.op == "r" and (self.source or {}).get("snapshot") == "incremental"

    @property
    def row(self) -> dict[str, Any]:
        """The row after the change, or the one that is gone."""
        return self.after if self.after is not None else self.before or {}


Partitions = dict[tuple[str, int], list[Record]]


def read_topics(broker: Broker, prefix: str, decode: Decode = json.loads) -> Partitions:
    """Every partition of the tables' topics from its beginning to its end, committed records only."""
    names = broker.admin().list_topics(timeout=SILENCE_S).topics
    return {
        (name, partition): [record(message, decode) for message in _messages(broker, name, partition)]
        for name in sorted(names)
        if name.startswith(f"{prefix}.") and name != f"{prefix}.transaction"
        for partition in names[name].partitions
    }


def read_transactions(broker: Broker, prefix: str, decode: Decode = json.loads) -> list[tuple[str, dict[str, Any]]]:
    """Place and document of each record of the topic of transactions, a partition after the other."""
    name = f"{prefix}.transaction"
    topic = broker.admin().list_topics(timeout=SILENCE_S).topics.get(name)
    return [
        (f"{name}[{partition}]@{message.offset()}", decode(message.value() or b""))
        for partition in (() if topic is None else topic.partitions)
        for message in _messages(broker, name, partition)
    ]


def _consumer(broker: Broker) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap, "group.id": "chaos", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "error",
            "log_level": 0,
        }
    )  # fmt: skip


def _messages(broker: Broker, topic: str, partition: int) -> Iterator[Message]:
    consumer = _consumer(broker)
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while True:
            message = consumer.poll(SILENCE_S)
            if message is None:
                raise TimeoutError(f"{topic}[{partition}] cannot be read to its end within {SILENCE_S} s")
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            elif error.fatal():
                raise RuntimeError(f"{topic}[{partition}]: {error}")
    finally:
        consumer.close()


def record(message: Message, decode: Decode) -> Record:
    """A message as far as it is looked at."""
    topic, partition, offset = str(message.topic()), int(message.partition()), int(message.offset())
    key, value = message.key(), message.value()
    headers = {name for name, _ in message.headers() or ()}
    identity = None if key is None else decode(key)
    if value is None:
        return Record(topic, partition, offset, identity)
    document = decode(value)
    return Record(
        topic, partition, offset, identity, document["op"], document["before"], document["after"], document["source"],
        "__debezium.oldkey" in headers, "__debezium.newkey" in headers, document["transaction"], int(message.timestamp()[1]),
        document.get("updateDescription"),
    )  # fmt: skip
