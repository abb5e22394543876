"""Scripted inputs for tests of what is built on streamtrain: a topic in memory, and time that stands until moved.

For fault cases that no real server can be brought to at will; everything else is tested on real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from streamtrain.envelope import Fields
from streamtrain.errors import PositionLost, StreamtrainError
from streamtrain.topic.base import Records, TopicPartition, Watermarks

Slot = tuple[bytes | None, bytes | None] | None
"""Key and value at an offset; None where the offset holds no record (a transaction marker)."""


class ManualClock:
    """Time that moves only when told to, in seconds and milliseconds."""

    def __init__(self, seconds: float = 1_700_000_000.0) -> None:
        self._seconds = seconds

    def monotonic_s(self) -> float:
        """Seconds that only rise."""
        return self._seconds

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return round(self._seconds * 1000)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds


class ScriptedReader:
    """A ``TopicReader`` over logs in memory. Each poll gives the next number of slots from ``polls``, then all there are.

    ``before_poll`` is called at each poll and may append to a log, move a clock, or raise an error of the tree.
    """

    def __init__(
        self,
        logs: Mapping[TopicPartition, Sequence[Slot]],
        polls: Iterable[int] = (),
        low: int = 0,
        before_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._logs = {source: list(slots) for source, slots in logs.items()}
        self._polls = iter(polls)
        self._low = low
        self._before_poll = before_poll
        self._positions: dict[TopicPartition, int] = {}

    def append(self, source: TopicPartition, slots: Iterable[Slot]) -> None:
        """Add to a log."""
        self._logs[source].extend(slots)

    def reopened(self) -> ScriptedReader:
        """Another reader of the same logs, without a script."""
        return ScriptedReader(self._logs, low=self._low)

    def partitions(self, topic: str) -> list[int]:
        return sorted(source.partition for source in self._logs if source.topic == topic)

    def watermarks(self, source: TopicPartition) -> Watermarks:
        return Watermarks(self._low, len(self._logs[source]))

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        for source, offset in offsets.items():
            if offset < self._low:
                raise PositionLost(f"{source}: offset {offset} is below the log's start, low watermark {self._low}")
        self._positions = dict(offsets)

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        del timeout_s
        self._before_poll()
        count = min(max_records, next(self._polls, max_records))
        found = (self._next(source, count) for source in sorted(self._positions, key=lambda one: one.partition))
        return [records for records in found if records is not None]

    def close(self) -> None:
        """Nothing is held."""

    def _next(self, source: TopicPartition, count: int) -> Records | None:
        start = self._positions[source]
        end = min(start + count, len(self._logs[source]))
        if end == start:
            return None
        taken = [(start + index, slot) for index, slot in enumerate(self._logs[source][start:end])]
        there = [(offset, slot) for offset, slot in taken if slot is not None]
        self._positions[source] = end
        return Records(
            source,
            [offset for offset, _ in there],
            [slot[0] for _, slot in there],
            [slot[1] for _, slot in there],
            [0] * len(there),
            end,
        )


def change(op: str, before: Fields | None, after: Fields | None, key: Fields | None = None) -> Slot:
    """A change record as a connector writes it; the key is the row's ``id`` unless given."""
    row = after if after is not None else before
    identity = key if key is not None else {"id": row["id"]} if row is not None and "id" in row else None
    document = {"before": before, "after": after, "source": {"ts_ms": 1_700_000_000_000}, "op": op}
    return (None if identity is None else orjson.dumps(identity)), orjson.dumps(document)


def failing(errors: Iterable[StreamtrainError | None]) -> Callable[[], None]:
    """A ``before_poll`` that raises these errors in turn; None lets the poll through."""
    script = iter(errors)

    def before_poll() -> None:
        error = next(script, None)
        if error is not None:
            raise error

    return before_poll
