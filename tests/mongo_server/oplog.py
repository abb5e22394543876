"""The oplog: what was committed, in order, as far back as it is kept."""

from __future__ import annotations

import bisect
import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.documents import Document


@dataclass(frozen=True, slots=True)
class Operation:
    """One change: of a document, or of a collection or database."""

    kind: str
    """As change events call it: insert, update, replace, delete, create, drop, rename, dropDatabase, …"""
    database: str
    collection: str = ""
    uuid: bytes | None = None
    key: Document | None = None
    document: RawBSONDocument | None = None
    """Whole, after an insert or a replace."""
    delta: Document | None = None
    """``updateDescription`` of an update."""
    paths: Document = field(default_factory=dict)
    """``disambiguatedPaths`` of an update."""
    before: RawBSONDocument | None = None
    """Where the collection keeps pre-images."""
    after: RawBSONDocument | None = None
    """Where the collection keeps post-images."""
    details: Document = field(default_factory=dict)
    """Of a change of a collection: what events say of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was committed at one time: one operation, or those of a transaction."""

    time: Timestamp
    wall: dt.datetime
    operations: tuple[Operation, ...]
    session: Document | None = None
    """``lsid`` and ``txnNumber`` of a transaction."""


class Oplog:
    """Entries by number; the oldest are forgotten when there are more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: list[Entry] = []
        self._times: list[Any] = []
        self.first = 0
        """The number of the oldest entry that is still there."""
        self.held: Timestamp | None = None
        """Readers see nothing after this time: the point up to which a majority of members has everything."""

    def append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._times.append((entry.time.time, entry.time.inc))
        if len(self._entries) > self._most + self._most // 8:
            self.roll(self._most)

    def roll(self, keep: int) -> None:
        """Forget all but the newest ``keep`` entries."""
        gone = max(0, len(self._entries) - keep)
        del self._entries[:gone], self._times[:gone]
        self.first += gone

    @property
    def end(self) -> int:
        """The number after the newest entry that readers see."""
        if self.held is None:
            return self.first + len(self._entries)
        return self.first + bisect.bisect_right(self._times, (self.held.time, self.held.inc))

    @property
    def oldest(self) -> Timestamp | None:
        return self._entries[0].time if self._entries else None

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number - self.first]

    def number_at(self, time: Timestamp) -> int:
        """The number of the first entry that is not before ``time``, of those still there."""
        return self.first + bisect.bisect_left(self._times, (time.time, time.inc))

    def entries(self) -> list[Entry]:
        """All that are kept, the oldest first."""
        return list(self._entries)

    def lost(self, time: Timestamp) -> bool:
        """Whether entries of ``time`` may have been forgotten."""
        return self.first > 0 and (self.oldest is None or time < self.oldest)
