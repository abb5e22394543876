"""Where training ends: never, at given offsets, or after a number of events. Always at an exact record."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from streamtrain.topic.base import Records, TopicPartition


class Limit:
    """Cuts what is polled so that nothing beyond the limit is learned.

    ``ends`` are the offsets to stop before; None goes on for ever. ``max_events`` counts change records (tombstones are
    none) from where this command began.
    """

    def __init__(self, ends: Mapping[TopicPartition, int] | None = None, max_events: int | None = None) -> None:
        self._ends = ends
        self._left = max_events

    def reached(self, positions: Mapping[TopicPartition, int]) -> bool:
        """Whether everything up to the limit has been taken in."""
        if self._left is not None and self._left <= 0:
            return True
        return self._ends is not None and all(positions.get(source, 0) >= end for source, end in self._ends.items())

    def clip(self, polled: Sequence[Records]) -> list[Records]:
        """What of the polled records lies within the limit."""
        within = [self._before_end(records) for records in polled]
        return within if self._left is None else self._counted(within)

    def _before_end(self, records: Records) -> Records:
        end = None if self._ends is None else self._ends.get(records.source)
        if end is None or records.next_offset <= end:
            return records
        return _head(records, bisect_left(records.offsets, end), end)

    def _counted(self, within: Sequence[Records]) -> list[Records]:
        taken = []
        for records in within:
            if self._left is None or self._left <= 0:
                break
            events = [index for index, value in enumerate(records.values) if value is not None]
            if len(events) >= self._left:
                # Right after the last event, whatever markers or tombstones the same poll happened to bring.
                count = events[self._left - 1] + 1
                taken.append(_head(records, count, records.offsets[count - 1] + 1))
                self._left = 0
            else:
                taken.append(records)
                self._left -= len(events)
        return taken


def _head(records: Records, count: int, next_offset: int) -> Records:
    return Records(
        records.source,
        records.offsets[:count],
        records.keys[:count],
        records.values[:count],
        records.timestamps_ms[:count],
        next_offset,
    )
