"""Reads topics back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from streamtrain.topic.base import Records, TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.servers import Broker

POLL_RECORDS = 10_000


def end_of(broker: Broker, topic: str) -> int:
    """Up to which offset the topic's one partition can be read; 0 while it is not there."""
    with closing(KafkaReader(KafkaSettings(broker.bootstrap))) as reader:
        return reader.watermarks(TopicPartition(topic, 0)).high if reader.partitions(topic) else 0


def read(broker: Broker, topic: str, begin: int, end: int) -> Iterator[Records]:
    """The committed records from ``begin`` to before ``end``."""
    position = begin
    with closing(KafkaReader(KafkaSettings(broker.bootstrap))) as reader:
        reader.assign({TopicPartition(topic, 0): begin})
        while position < end:
            for records in reader.poll(POLL_RECORDS, 1.0):
                position = records.next_offset
                yield records
