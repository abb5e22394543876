"""The internal topics that hold a writer's positions and notes, written in the transactions that they belong to.

Notes have a topic of their own: it is read whole when a writer opens, and a position is written at every commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from streamtrain.errors import TopicUnavailable
from streamtrain.topic.base import Records, TopicPartition
from streamtrain.topic.kafka.reader import KafkaReader
from streamtrain.topic.kafka.settings import KafkaSettings

PREFIX = "__streamtrain-positions."
_NOTES_PREFIX = "__streamtrain-notes."
_WINDOW = 64
_POLL_S = 1.0


def positions_topic(name: str) -> str:
    """The topic of the writer ``name``: one partition, compacted, keyed by ``name``."""
    return PREFIX + name


def internal_topics(name: str) -> tuple[str, str]:
    """All topics that the writer ``name`` keeps for itself."""
    return positions_topic(name), notes_topic(name)


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
            begin, position = max(ends.low, ends.high - window), None
            for records in _between(reader, source, (begin, ends.high), lambda: clock() > deadline):
                position = records.values[-1] if records.values else position
            if position is not None or begin == ends.low:
                return position
            window *= 4


def notes_topic(name: str) -> str:
    """The topic of the notes of the writer ``name``: one partition, compacted, keyed by the note's name."""
    return _NOTES_PREFIX + name


def kept_notes(settings: KafkaSettings, name: str, clock: Callable[[], float] = time.monotonic) -> dict[str, bytes]:
    """The notes that were committed last; as ``last_position``, to be called when no transaction can be open."""
    source = TopicPartition(notes_topic(name), 0)
    notes: dict[str, bytes] = {}
    with closing(KafkaReader(settings)) as reader:
        if not reader.partitions(source.topic):
            return notes
        ends, deadline = reader.watermarks(source), clock() + settings.timeout_s
        for records in _between(reader, source, (ends.low, ends.high), lambda: clock() > deadline):
            for key, note in zip(records.keys, records.values, strict=True):
                if note is None:
                    notes.pop((key or b"").decode(), None)
                else:
                    notes[(key or b"").decode()] = note
    return notes


def _between(
    reader: KafkaReader, source: TopicPartition, offsets: tuple[int, int], late: Callable[[], bool]
) -> Iterator[Records]:
    """The records from the first offset up to the second."""
    at, end = offsets
    reader.assign({source: at})
    while at < end:
        for records in reader.poll(_WINDOW, _POLL_S):
            yield records
            at = records.next_offset
        if at < end and late():
            raise TopicUnavailable(f"{source} could not be read to its end", hint="check the broker's log")
