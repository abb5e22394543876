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

    def slice_of(self, source: TopicPartition, offset: int) -> Slice:
        """A slice of this one record. Raises PositionLost if it is no longer in the log, TopicUnavailable."""
        if self._reader is None:
            self._reader = self._open_reader()
        self._reader.assign({source: offset})
        while True:
            for records in self._reader.poll(1, 1.0):
                if len(records) and records.offsets[0] == offset:
                    one = Records(source, records.offsets[:1], records.keys[:1], records.values[:1],
                                  records.timestamps_ms[:1], offset + 1)  # fmt: skip
                    return Slice(source, offset, offset + 1, one)
                if records.next_offset > offset:
                    raise PositionLost(
                        f"{source} has no record at offset {offset} any more", hint="it was compacted away"
                    )

    def close(self) -> None:
        """Let go of the reader."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
