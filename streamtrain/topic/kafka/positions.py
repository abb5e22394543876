"""The internal topic that holds a writer's positions, written in the same transactions as the records they belong to."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from streamtrain.errors import TopicUnavailable
from streamtrain.topic.base import TopicPartition
from streamtrain.topic.kafka.reader import KafkaReader
from streamtrain.topic.kafka.settings import KafkaSettings

PREFIX = "__streamtrain-positions."
_WINDOW = 64
_POLL_S = 1.0


def positions_topic(name: str) -> str:
    """The topic of the writer ``name``: one partition, compacted, keyed by ``name``."""
    return PREFIX + name


def last_position(settings: KafkaSettings, name: str, clock: Callable[[], float] = time.monotonic) -> bytes | None:
    """The position of the last committed transaction, None if there never was one.

    Call it when no transaction of that name can be open: after ``init_transactions``. It looks at the end of the topic
    first, and goes back in growing steps only over transactions that were aborted.
    """
    source = TopicPartition(positions_topic(name), 0)
    with closing(KafkaReader(settings)) as reader:
        ends, window = reader.watermarks(source), _WINDOW
        deadline = clock() + settings.timeout_s
        while True:
            begin = max(ends.low, ends.high - window)
            position = _newest(reader, source, begin, ends.high, lambda: clock() > deadline)
            if position is not None or begin == ends.low:
                return position
            window *= 4


def _newest(
    reader: KafkaReader, source: TopicPartition, begin: int, end: int, late: Callable[[], bool]
) -> bytes | None:
    """The value of the last record in ``[begin, end)``."""
    reader.assign({source: begin})
    newest, at = None, begin
    while at < end:
        for records in reader.poll(_WINDOW, _POLL_S):
            newest, at = (records.values[-1] if records.values else newest), records.next_offset
        if at < end and late():
            raise TopicUnavailable(f"{source} could not be read to its end", hint="check the broker's log")
    return newest
