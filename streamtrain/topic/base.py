"""What every topic offers: transactions on the writing side, explicit offsets on the reading side.

Two implementations stand behind these protocols, ``file`` and ``kafka``; ``tests/contract/test_topics.py`` holds both to
them. Neither side is thread-safe; one process owns one writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Header = tuple[str, bytes]

NO_NOTES: Mapping[str, bytes | None] = {}


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
class Messages:
    """Messages in their order, as columns of equal length."""

    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Mapping[int, tuple[Header, ...]] = field(default_factory=dict)
    """By the message's index: most have none."""

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Messages:
        """The columns of ``messages``."""
        rows = list(messages)
        return cls(
            [message.key for message in rows],
            [message.value for message in rows],
            {index: message.headers for index, message in enumerate(rows) if message.headers},
        )

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Message]:
        for index in range(len(self)):
            yield self.at(index)

    def at(self, index: int) -> Message:
        """One of them."""
        return Message(self.keys[index], self.values[index], self.headers.get(index, ()))


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
    """Writes messages, the source's position and its notes in one transaction: either all are seen, or none.

    Opening a writer fences the one before it with the same name: the older one's commit raises FencedOut, and what it
    had not committed is aborted.
    """

    def position(self) -> bytes | None:
        """The position of the last committed transaction of this writer's name; None if there never was one."""

    def notes(self) -> Mapping[str, bytes]:
        """All that was committed as notes under this writer's name and not taken away since."""

    def ensure_topic(self, topic: str, partitions: int | None = None) -> None:
        """Create the topic if it is missing, with ``partitions``, or the configured number of them."""

    def send(self, topic: str, messages: Messages) -> None:
        """Add messages to the open transaction, beginning one if none is open. Order per key is kept."""

    def commit(self, position: bytes, notes: Mapping[str, bytes | None] = NO_NOTES) -> None:
        """Commit what was sent together with ``position`` and ``notes``; durable when this returns.

        A note takes the place of the one before it under that name; None takes it away.

        Raises TopicUnavailable if it cannot be known or has been aborted: open a new writer and ask ``position()``.
        """

    def abort(self) -> None:
        """Drop the open transaction, if any."""

    def close(self) -> None:
        """Abort what is open and let go. Safe to call twice."""
