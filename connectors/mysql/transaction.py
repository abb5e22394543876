"""One transaction that is open in the log, and what of it is held until its end is known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.mysql.binlog import events
from connectors.mysql.position import PreparedXa

Ranges = Sequence[tuple[int, int]]
"""Half-open, in ascending order, with gaps between them."""


class Held(NamedTuple):
    """A change that waits for its transaction's end."""

    event: events.Rows
    offset: int
    """Of the event in its file."""
    query: str | None
    """The statement behind it, if the server logs it."""


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """What is held in memory at most, about: one more row event, always."""

    rows: int
    size: int
    """Bytes of row images as they lie in the log."""


@dataclass(slots=True)
class Transaction:
    """Its row events of captured tables are its changes, numbered from 0 as they stand in the log."""

    file: str
    offset: int
    """Where in ``file`` it begins."""
    gtid: str | None = None
    committed_us: int | None = None
    explicit: bool = False
    """It lasts until its own end; else it is the one statement that follows."""
    alters: bool = True
    """Its DDL takes effect: it is not the mere beginning of an ALTER TABLE that is logged in two parts."""
    query: str | None = None
    """The statement behind the changes that come next, if the server logs it."""
    changes: int = 0
    held: list[Held] = field(default_factory=list)
    """All changes so far, unless it is deferred."""
    held_rows: int = 0
    held_size: int = 0
    deferred: bool = False
    """It is too large to be held, and is read again once its end is known."""
    savepoints: dict[str, int] = field(default_factory=dict)
    """Changes before each."""
    taken_back: list[tuple[int, int]] = field(default_factory=list)
    """Ranges of changes that a rollback to a savepoint took back."""
    completes: str | None = None
    """The XA transaction whose commit or rollback this is."""

    def add(self, event: events.Rows, offset: int, limits: HoldLimits) -> None:
        """Take in the next change, and hold it unless that would be too much."""
        self.changes += 1
        if self.deferred:
            return
        self.held.append(Held(event, offset, self.query))
        self.held_rows += event.count
        self.held_size += event.image_size
        if self.held_rows >= limits.rows or self.held_size >= limits.size:
            self.defer()

    def defer(self) -> None:
        """Let go of what is held."""
        self.deferred = True
        self.held.clear()
        self.held_rows = self.held_size = 0

    def set_savepoint(self, name: str) -> None:
        """A rollback to ``name`` takes back what comes from now on."""
        self.savepoints[name] = self.changes

    def roll_back_to(self, name: str) -> bool:
        """Take back all since savepoint ``name``; False if there is none."""
        start = self.savepoints.get(name)
        if start is None:
            return False
        while self.taken_back and self.taken_back[-1][1] >= start:
            start = min(start, self.taken_back.pop()[0])
        if start < self.changes:
            self.taken_back.append((start, self.changes))
        return True

    def prepared(self, xid: str, server: str, before: str | None) -> PreparedXa:
        """Itself as it is remembered under ``xid``, with what it takes to find it again."""
        return PreparedXa(xid, server, self.file, self.offset, self.gtid, before, self.changes, tuple(self.taken_back))


def in_ranges(ranges: Ranges, number: int) -> bool:
    """Whether ``number`` is in one of them."""
    at = bisect_right(ranges, number, key=lambda each: each[0])
    return at > 0 and number < ranges[at - 1][1]
