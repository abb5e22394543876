"""The topic of signals, ``PREFIX-signal``: how a connector reads it, and how one is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from streamtrain.topic.base import Messages, TopicPartition, TopicReader, TopicWriter


def signal_topic(prefix: str) -> str:
    """The topic's name, which is that of the writer too: sending a signal does not fence the connector."""
    return f"{prefix}-signal"


_TURNS = 10
_TURN_S = 0.5


class TopicSignals:
    """``connectors.signals.SignalChannel`` over a topic. Messages of another key are for another connector.

    The first read waits for all signals that lie there, for some seconds at most; later ones do not wait.
    """

    def __init__(self, open_reader: Callable[[], TopicReader], prefix: str) -> None:
        self._open_reader = open_reader
        self._reader: TopicReader | None = None
        self._source = TopicPartition(signal_topic(prefix), 0)
        self._key = prefix.encode()
        self._assigned = False

    def read(self, offset: int | None) -> tuple[int | None, Sequence[bytes]]:
        if self._reader is None:
            self._reader = self._open_reader()
        if not self._assigned:
            if not self._reader.partitions(self._source.topic):
                return 0, ()  # once it is made, its first signal counts
            marks = self._reader.watermarks(self._source)
            offset = marks.high if offset is None else min(max(offset, marks.low), marks.high)
            self._reader.assign({self._source: offset})
            self._assigned = True
            return self._all_until(marks.high, offset)
        found, values = self._next(0.0)
        return offset if found is None else found, values

    def _all_until(self, end: int, offset: int) -> tuple[int, Sequence[bytes]]:
        values = list[bytes]()
        for _ in range(_TURNS):
            if offset >= end:
                break
            found, more = self._next(_TURN_S)
            offset = offset if found is None else found
            values += more
        return offset, values

    def _next(self, timeout_s: float) -> tuple[int | None, list[bytes]]:
        """What has come, and the offset behind it; None if nothing has."""
        offset, values = None, list[bytes]()
        for records in self._reader.poll(100, timeout_s) if self._reader is not None else ():
            offset = records.next_offset
            pairs = zip(records.keys, records.values, strict=True)
            values += [value for key, value in pairs if key == self._key and value is not None]
        return offset, values

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader, self._assigned = None, False


def send(writer: TopicWriter, prefix: str, value: bytes) -> None:
    """Send one signal, durably. ``writer`` is of the topic's own name, and is closed."""
    with closing(writer):
        topic = signal_topic(prefix)
        writer.ensure_topic(topic, 1)
        writer.send(topic, Messages([prefix.encode()], [value]))
        writer.commit(b"{}")
