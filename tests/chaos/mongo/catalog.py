"""The collections of a round as the workload knows them.

Each is known by ``home``, a number that all of its documents carry, whatever the collection is renamed to. The other marks
in a document: ``tx``, the tag of the transaction that wrote it last; ``born``, the number of the insert that made it;
``ver``, 1 after that and one more after every change.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

DATABASE, SECOND = "chaos", "chaos2"
JOURNAL = "journal"


@dataclass(frozen=True)
class CollectionModel:
    """A collection under its present name, ``database.collection``."""

    home: int
    name: str
    images: bool = False
    """It has kept images of its documents at some time."""

    @property
    def place(self) -> tuple[str, str]:
        database, _, collection = self.name.partition(".")
        return database, collection


class Gate:
    """Writers pass together; whoever creates, drops and renames collections passes alone.

    So a document is never written to another collection than the one whose ``home`` it carries.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


class Catalog:
    """Which collections there are, under which names."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self.patterns = patterns
        """What the source captures."""
        self.gate = Gate()
        self.captured = threading.Event()
        """The initial snapshot is captured."""
        self.models: dict[int, CollectionModel] = {}
        """All collections that there have been, as they were last."""
        self.entered: set[int] = set()
        """Homes that were renamed into what is captured: until they are read, changes of theirs may go into that reading."""
        self._present: dict[str, CollectionModel] = {}

    def captures(self, name: str) -> bool:
        """Whether ``database.collection`` is captured."""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)

    def collections(self) -> list[CollectionModel]:
        """Those that are there, in a fixed order."""
        return sorted(self._present.values(), key=lambda model: model.home)

    def names(self) -> dict[str, int]:
        """Home of each captured name."""
        return {name: model.home for name, model in self._present.items() if self.captures(name)}

    def hold(self, present: list[CollectionModel]) -> None:
        """From now on there are these."""
        self._present = {model.name: model for model in present}
        self.models |= {model.home: model for model in present}
