"""What the workload knows of its own transactions: which were acknowledged, which never came to be, and when."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Reading:
    """Tables that a signal asked to be read again."""

    asked_ms: int
    """The wall clock's milliseconds before it was sent."""
    patterns: frozenset[str]
    """What it named."""
    homes: frozenset[int]
    """The tables that this was; 0 is the journal."""
    named: bool
    """It named single tables: one that changes its name may escape it."""
    certain: bool = False
    """The broker had it."""
    whole: bool = True
    """All rows were asked for."""
    stopped: bool = False
    """It may have been called off."""


@dataclass
class History:
    """Filled by all writing threads while a round runs, read by the checker after it.

    Moments are numbers of one counter: if one transaction was acknowledged at 5 and another began at 7, the first comes
    before the second in every true order of commits.
    """

    acknowledged: dict[int, int] = field(default_factory=dict)
    """Tag -> the moment at which the commit was acknowledged."""
    undone: set[int] = field(default_factory=set)
    """Tags of transactions that were rolled back: no row may ever show one."""
    unknown: set[int] = field(default_factory=set)
    """Tags of transactions whose commit was sent and never answered."""
    alone: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """Tags of acknowledged statements in autocommit, which have no row in the journal: the moment at which it began, and
    the least and most rows that show its tag."""
    at_one_place: set[int] = field(default_factory=set)
    """Tags of transactions all of whose records may be told to lie at one place in the log: compressed ones, and XA."""
    namings: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    """Which table had which name from the journal's row with this tag on."""
    renamed_columns: dict[str, str] = field(default_factory=dict)
    """New name of a column -> the one before."""
    readings: list[Reading] = field(default_factory=list)
    """Snapshots that were asked for by signals, in order."""
    captured_at: int | None = None
    """The moment at which the snapshot was known to be complete."""
    statements: dict[str, int] = field(default_factory=dict)
    """How often each kind of statement took effect."""
    _moments: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _tags: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _births: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> tuple[int, int]:
        """The tag of a new transaction, and the moment."""
        with self._lock:
            return next(self._tags), next(self._moments)

    def birth(self) -> int:
        """The number of a statement that inserts: a row that REPLACE puts in another's place is told from it by this."""
        with self._lock:
            return next(self._births)

    def captured(self) -> None:
        """The snapshot is complete."""
        with self._lock:
            self.captured_at = next(self._moments)

    def gather(self, tag: int) -> None:
        with self._lock:
            self.at_one_place.add(tag)

    def acknowledge(self, tag: int) -> None:
        with self._lock:
            self.acknowledged[tag] = next(self._moments)

    def undo(self, tag: int) -> None:
        with self._lock:
            self.undone.add(tag)

    def lose_sight(self, tag: int) -> None:
        with self._lock:
            self.unknown.add(tag)

    def acknowledge_alone(self, tag: int, began: int, low: int, high: int) -> None:
        with self._lock:
            self.alone[tag] = (began, low, high)
            self.acknowledged[tag] = next(self._moments)

    def name(self, tag: int, names: Mapping[str, int]) -> None:
        with self._lock:
            self.namings.append((tag, dict(names)))

    def count(self, what: str) -> None:
        with self._lock:
            self.statements[what] = self.statements.get(what, 0) + 1
