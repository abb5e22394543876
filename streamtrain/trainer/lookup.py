"""Reads single records back from a topic: dead letters keep only a record's place, the record stays where it is."""

from __future__ import annotations

from collections.abc import Callable

from streamtrain.errors import PositionLost
from streamtrain.slices import Slice
from streamtrain.topic.base import Records, TopicPartition, TopicReader


class RecordLookup:
    """Finds records by partition and offset, on a reader of its own that is opened when first needed."""

    def __init__(self, open_reader: Callable[[], TopicReader]) -> None:
        self._open_reader = open_reader
        self._reader: TopicReader | None = None

    def find(self, source: TopicPartition, offset: int) -> Slice | None:
        """A slice of this one record; None if it is no longer in the log. Raises TopicUnavailable."""
        if self._reader is None:
            self._reader = self._open_reader()
        try:
            self._reader.assign({source: offset})
            while True:
                for records in self._reader.poll(1, 1.0):
                    if len(records) and records.offsets[0] == offset:
                        return Slice(source, offset, offset + 1, _first(records))
                    if records.next_offset > offset:
                        return None  # compacted away
        except PositionLost:
            return None

    def close(self) -> None:
        """Let go of the reader."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _first(records: Records) -> Records:
    return Records(
        records.source,
        records.offsets[:1],
        records.keys[:1],
        records.values[:1],
        records.timestamps_ms[:1],
        records.offsets[0] + 1,
    )
