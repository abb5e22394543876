"""All that committed readers see of a round's topics, read with Kafka's own client and decoded with json alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

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
    def row(self) -> dict[str, Any]:
        """The row after the change, or the one that is gone."""
        return self.after if self.after is not None else self.before or {}


Partitions = dict[tuple[str, int], list[Record]]


def read_topics(broker: Broker, prefix: str) -> Partitions:
    """Every partition of the topics ``PREFIX.…`` from its beginning to its end, committed records only."""
    found: Partitions = {}
    for name, topic in broker.admin().list_topics(timeout=SILENCE_S).topics.items():
        if name.startswith(f"{prefix}."):
            for partition in topic.partitions:
                found[name, partition] = list(_records(broker, name, partition))
    return found


class FirstRecord:
    """Waits for a topic's first committed record. Not thread-safe."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._consumer = _consumer(broker)
        self._consumer.assign([TopicPartition(topic, 0, 0)])
        self._there = False

    def there(self, timeout_s: float) -> bool:
        """Whether it has come, after waiting so long at most."""
        if not self._there:
            message = self._consumer.poll(timeout_s)
            self._there = message is not None and message.error() is None
        return self._there

    def close(self) -> None:
        self._consumer.close()


def _consumer(broker: Broker) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap, "group.id": "chaos", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "error",
            "log_level": 0,
        }
    )  # fmt: skip


def _records(broker: Broker, topic: str, partition: int) -> Iterator[Record]:
    consumer = _consumer(broker)
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while True:
            message = consumer.poll(SILENCE_S)
            if message is None:
                raise TimeoutError(f"{topic}[{partition}] cannot be read to its end within {SILENCE_S} s")
            error = message.error()
            if error is None:
                headers = {name for name, _ in message.headers() or ()}
                yield record(topic, partition, message.offset(), message.key(), message.value(), headers)
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            elif error.fatal():
                raise RuntimeError(f"{topic}[{partition}]: {error}")
    finally:
        consumer.close()


def record(
    topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None, headers: set[str]
) -> Record:
    """A record of its bytes."""
    identity = None if key is None else json.loads(key)
    if value is None:
        return Record(topic, partition, offset, identity)
    document = json.loads(value)
    return Record(
        topic, partition, offset, identity, document["op"], document["before"], document["after"], document["source"],
        "__debezium.oldkey" in headers, "__debezium.newkey" in headers,
    )  # fmt: skip
