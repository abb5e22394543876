"""Cuts records into slices by offset, so that slice borders depend on nothing but the log.

Slice borders of a partition lie at the multiples of the slice size: with size 64 a slice is the offsets 0..63, then 64..127.
Offsets that hold no record (transaction markers, aborted or compacted records, tombstones) are empty slots: they take
their place and change nothing. Poll sizes, arrival times and restarts therefore cannot move a border.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamtrain.topic.base import Records, TopicPartition


@dataclass(frozen=True, slots=True)
class Slice:
    """The records of one partition from ``start`` to before ``end``, to be learned as one step."""

    source: TopicPartition
    start: int
    end: int
    records: Records


class SliceCutter:
    """Buffers records and gives them out as slices. Pure: no clock, no waiting."""

    def __init__(self, size: int, offsets: Mapping[TopicPartition, int]) -> None:
        self._size = size
        self._buffers = {source: _Buffer(source, offset) for source, offset in offsets.items()}

    def feed(self, records: Iterable[Records]) -> None:
        """Take in what was polled; each must go on where its partition stands."""
        for some in records:
            self._buffers[some.source].append(some)

    def complete(self) -> list[tuple[TopicPartition, int, int]]:
        """The (partition, start, end) whose whole range has been read, in the order in which to learn them.

        The order takes partitions in turn: all first slices, then all second ones. It is a function of the log alone as
        long as every partition has its slices buffered; where one lags, the caller records the order that it took.
        """
        found: list[tuple[int, int, TopicPartition, int, int]] = []
        for source, buffer in self._buffers.items():
            start = buffer.start
            while (end := self._border(start)) <= buffer.next_offset:
                found.append((end, source.partition, source, start, end))
                start = end
        return [(source, start, end) for _, _, source, start, end in sorted(found, key=lambda one: one[:2])]

    def ready(self, source: TopicPartition, end: int) -> bool:
        """Whether the partition has been read up to ``end``."""
        return self._buffers[source].next_offset >= end

    def take(self, source: TopicPartition, end: int) -> Slice:
        """Remove and return the records before ``end`` of a partition that is ``ready``."""
        return self._buffers[source].take(end)

    def rest(self) -> list[Slice]:
        """What has been read beyond the complete slices, by partition; the buffers keep it. Empty slices are left out.

        To be asked for when ``complete()`` is empty.
        """
        open_ones = (buffer.peek() for _, buffer in sorted(self._buffers.items(), key=lambda item: item[0].partition))
        return [one for one in open_ones if one.end > one.start]

    def buffered(self) -> int:
        """How many records wait in the buffers."""
        return sum(len(buffer.offsets) for buffer in self._buffers.values())

    def positions(self) -> dict[TopicPartition, int]:
        """Where each partition has been read to."""
        return {source: buffer.next_offset for source, buffer in self._buffers.items()}

    def _border(self, offset: int) -> int:
        return (offset // self._size + 1) * self._size


class _Buffer:
    """The unread columns of one partition."""

    def __init__(self, source: TopicPartition, offset: int) -> None:
        self._source = source
        self.start = offset
        self.next_offset = offset
        self.offsets: list[int] = []
        self._keys: list[bytes | None] = []
        self._values: list[bytes | None] = []
        self._timestamps_ms: list[int] = []

    def append(self, records: Records) -> None:
        self.offsets.extend(records.offsets)
        self._keys.extend(records.keys)
        self._values.extend(records.values)
        self._timestamps_ms.extend(records.timestamps_ms)
        self.next_offset = records.next_offset

    def peek(self) -> Slice:
        return self._slice(len(self.offsets), self.next_offset)

    def take(self, end: int) -> Slice:
        count = bisect_left(self.offsets, end)
        taken = self._slice(count, end)
        del self.offsets[:count], self._keys[:count], self._values[:count], self._timestamps_ms[:count]
        self.start = end
        return taken

    def _slice(self, count: int, end: int) -> Slice:
        records = Records(
            self._source,
            self.offsets[:count],
            self._keys[:count],
            self._values[:count],
            self._timestamps_ms[:count],
            end,
        )
        return Slice(self._source, self.start, end, records)
