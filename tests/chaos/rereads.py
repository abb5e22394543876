"""What signals asked to be read again: how often a row may come, and which tables have to have come whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from tests.chaos.history import History
from tests.chaos.schema import DATABASE


class Heard(Protocol):
    """A table as its records leave it behind."""

    def unheard(self, since_ms: int) -> Iterator[str]:
        """Rows of which no record has come since then."""


class Rereads:
    """The signals of a round against the names that its tables had."""

    def __init__(self, history: History, database: str | None = DATABASE) -> None:
        """``database`` is where all tables are; None: their names have it."""
        self._readings = history.readings
        self._prefix = "" if database is None else f"{database}."
        self._names: dict[int, list[str]] = {}
        """Each table's names, one after the other."""
        for _, names in history.namings:
            for name, home in names.items():
                had = self._names.setdefault(home, [])
                if not had or had[-1] != name:
                    had.append(name)
        self._most: dict[int, int] = {}

    def most(self, home: int) -> int:
        """How often one row of a table may have come again: once for each signal that was of it.

        With a new name a table is read from the start, also by signals that did not name it: it is swapped for one that they
        did name.
        """
        found = self._most.get(home)
        if found is None:
            names = self._names.get(home, [])
            meant = len(self._readings)
            if len(names) == 1:
                meant = sum(self._concerns(reading.patterns, names[0]) for reading in self._readings)
            found = self._most[home] = meant * max(1, len(names))
        return found

    def _concerns(self, patterns: AbstractSet[str], name: str) -> bool:
        return any(re.fullmatch(pattern, f"{self._prefix}{name}") for pattern in patterns)

    def missing(self, homes: AbstractSet[int], folds: Mapping[int, Heard]) -> Iterator[tuple[int, str]]:
        """Home and description of rows that a signal asked for, and of which no record has come since it was sent."""
        for reading in self._readings:
            if not reading.certain or not reading.whole or reading.stopped:
                continue
            for home in sorted(reading.homes & homes):
                if reading.named and len(self._names.get(home, [])) != 1:
                    continue
                for row in folds[home].unheard(reading.asked_ms):
                    yield home, f"not read again since the signal at {reading.asked_ms}: {row}"
