"""What every topic offers: transactions on the writing side, explicit offsets on the reading side.

Two implementations stand behind these protocols, ``file`` and ``kafka``; ``tests/contract/test_topics.py`` holds both to
them. Neither side is thread-safe; one process owns one writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Header = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """One ordered log."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


@dataclass(frozen=True, slots=True)
class Message:
    """What is written: key and value as bytes; a ``None`` value is a tombstone."""

    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    """A run of committed records of one partition, as columns of equal length, offsets ascending.

    ``next_offset`` is where reading goes on. It may lie beyond the last record's offset + 1: transaction markers, aborted
    transactions and compaction leave gaps, and knowing that a gap has been passed is what lets a slice be closed.
    """

    source: TopicPartition
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    timestamps_ms: Sequence[int]
    next_offset: int

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class Watermarks:
    """First offset still in the log, and the offset at which the next committed record will be read."""

    low: int
    high: int


class TopicReader(Protocol):
    """Reads committed records from offsets that the caller decides; never from a consumer group's."""

    def partitions(self, topic: str) -> list[int]:
        """Partition numbers, ascending; empty if the topic does not exist (yet)."""

    def watermarks(self, source: TopicPartition) -> Watermarks:
        """The log's ends as committed readers see them, asked afresh."""

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read exactly these partitions, from these offsets on. Replaces an earlier assignment.

        Raises PositionLost, naming partition, offset and low watermark, if an offset is below the log's start or
        beyond its end.
        """

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        """Up to ``max_records`` records, waiting at most ``timeout_s`` for the first.

        At most one ``Records`` a partition, in order; it may be empty of records and only move ``next_offset``.
        Raises TopicUnavailable while the broker is away, PositionLost if retention overtook the reader.
        """

    def close(self) -> None:
        """Let go of connections and files. Safe to call twice."""


class TopicWriter(Protocol):
    """Writes messages and the source's position in one transaction: either all are seen by readers, or none.

    Opening a writer fences the one before it with the same name: the older one's commit raises FencedOut, and what it
    had not committed is aborted.
    """

    def position(self) -> bytes | None:
        """The position of the last committed transaction of this writer's name; None if there never was one."""

    def ensure_topic(self, topic: str) -> None:
        """Create the topic if it is missing, with the configured number of partitions."""

    def send(self, topic: str, messages: Iterable[Message]) -> None:
        """Add messages to the open transaction, beginning one if none is open. Order per key is kept."""

    def commit(self, position: bytes) -> None:
        """Commit what was sent together with ``position``; durable when this returns.

        Raises TopicUnavailable if it cannot be known or has been aborted: open a new writer and ask ``position()``.
        """

    def abort(self) -> None:
        """Drop the open transaction, if any."""

    def close(self) -> None:
        """Abort what is open and let go. Safe to call twice."""
