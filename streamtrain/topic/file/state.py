"""What a commit log says, put together: topics, ends, writers. Writer and reader each hold one and keep it up to date."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field

from streamtrain.topic.base import TopicPartition, Watermarks
from streamtrain.topic.file.commits import Committed, Created, DamagedLineError, End, Entry, FormatLine, Opened, Trimmed


@dataclass(slots=True)
class Extent:
    """The committed part of one partition, and the index by which a reader seeks in it: one place a transaction."""

    low: int = 0
    offsets: array[int] = field(default_factory=lambda: array("q", [0]))
    lengths: array[int] = field(default_factory=lambda: array("q", [0]))

    @property
    def end(self) -> End:
        return End(self.offsets[-1], self.lengths[-1])

    @property
    def watermarks(self) -> Watermarks:
        return Watermarks(self.low, self.offsets[-1])

    def extend(self, end: End) -> None:
        """Take in one more transaction. Raises DamagedLineError if it does not lie behind the last one."""
        if end.next_offset < self.offsets[-1] or end.length < self.lengths[-1]:
            raise DamagedLineError("a transaction ends before the one it follows")
        self.offsets.append(end.next_offset)
        self.lengths.append(end.length)

    def nearest(self, offset: int) -> End:
        """The last place of the index that is not behind ``offset``."""
        at = bisect_right(self.offsets, offset) - 1
        return End(self.offsets[at], self.lengths[at])


class CommittedState:
    """Everything that the entries applied so far amount to."""

    def __init__(self) -> None:
        self.topics: dict[str, int] = {}
        self.extents: dict[TopicPartition, Extent] = {}
        self.owners: dict[str, Opened] = {}
        self.positions: dict[str, bytes] = {}
        self.notes: dict[str, dict[str, bytes]] = {}

    def apply(self, entry: Entry) -> None:
        """Take in one entry. Raises DamagedLineError if it does not fit the entries before it."""
        match entry:
            case FormatLine():
                pass
            case Opened(writer, epoch):
                if epoch != self.next_epoch(writer):
                    raise DamagedLineError(f"epoch {epoch} of writer {writer!r} does not follow the one before it")
                self.owners[writer] = entry
            case Created(topic, partitions):
                self.topics[topic] = partitions
                self.extents |= {TopicPartition(topic, number): Extent() for number in range(partitions)}
            case Committed(writer, _, position, ends, notes):
                for source, end in ends.items():
                    self._extent(source).extend(end)
                self.positions[writer] = position
                kept = {**self.notes.get(writer, {}), **notes}
                self.notes[writer] = {name: note for name, note in kept.items() if note is not None}
            case Trimmed(source, low):
                self._extent(source).low = low

    def next_epoch(self, writer: str) -> int:
        """The epoch that a writer of this name would open with."""
        return self.owners[writer].epoch + 1 if writer in self.owners else 1

    def _extent(self, source: TopicPartition) -> Extent:
        extent = self.extents.get(source)
        if extent is None:
            raise DamagedLineError(f"{source} was never created")
        return extent
