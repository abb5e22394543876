"""Documents as they stand at the position that was read up to: a SQLite file, with what it takes to go back.

Each batch is written before the topics' transaction is committed, together with what it replaced. So whatever is killed, the
store can be brought back to the position that the topics hold; what lies before that is forgotten.
"""

from __future__ import annotations

import sqlite3
import sys
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.mongo.undo import packed, unpacked
from streamtrain.errors import SourceMisconfigured, SourceUnavailable

_FORMAT = 2
_CACHE_KIB = 16_384
_WAL_PAGES = 25_000
"""Of the log, 100 MB, before it is brought into the file: what is changed again and again until then is written there once."""
_IN_ONE_STATEMENT = 250
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE collections (number INTEGER PRIMARY KEY, name TEXT, gone_at INTEGER);
CREATE TABLE documents (collection INTEGER, id BLOB, document BLOB, PRIMARY KEY (collection, id)) WITHOUT ROWID;
CREATE TABLE undo (batch INTEGER PRIMARY KEY, count INTEGER, replaced BLOB);
CREATE TABLE undo_names (batch INTEGER, number INTEGER, name TEXT, PRIMARY KEY (batch, number)) WITHOUT ROWID;
"""
"""A collection that ``undo_names`` has without a name was not there before the batch."""


@dataclass(slots=True)
class Changed:
    """Documents of one collection, by ``{_id: …}`` in BSON."""

    before: Mapping[bytes, bytes]
    """As they were held."""
    now: dict[bytes, bytes | None] = field(default_factory=dict)
    """As they are to be held; None for one that is gone."""

    def get(self, identity: bytes) -> bytes | None:
        """As it is now."""
        return self.now[identity] if identity in self.now else self.before.get(identity)


class DocumentStore:
    """The documents of captured collections. One process has it open at a time.

    ``kept``: so many documents as they were are kept beyond those that it takes to go back.
    Raises SourceUnavailable if the file is in use, SourceMisconfigured if it cannot be used.
    """

    def __init__(self, path: Path, kept: int = 10_000) -> None:
        self._path = path
        self._kept = kept
        self.identity = ""
        """Made anew whenever it is emptied: a position names the store that belongs to it."""
        self.batch = 0
        """The number of the last batch in it."""
        self._floor = 0
        self._confirmed = 0
        self._numbers: dict[str, int] = {}
        self._undoable: deque[tuple[int, int]] = deque()
        """Batches that can be undone, oldest first, and how many documents each has."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            with self._guarded():
                self._prepare()
        except OSError as error:
            raise SourceMisconfigured(
                f"the store of documents {path} cannot be made: {error.strerror}",
                hint="set source.store to another file",
            ) from None

    def empty(self) -> None:
        """Forget everything, and take another identity."""
        with self._writing():
            for table in ("collections", "documents", "undo", "undo_names"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
            self._meta("identity", uuid.uuid4().hex)
            self._meta("batch", 0)
            self._meta("floor", 0)
        self._load()

    def go_back(self, identity: str | None, batch: int) -> bool:
        """Bring it to the state after ``batch``; False if it is another store, or cannot be brought there."""
        if identity != self.identity or not self._floor <= batch <= self.batch:
            return False
        with self._writing():
            undone = self._db.execute("SELECT replaced FROM undo WHERE batch > ? ORDER BY batch DESC", (batch,))
            for (replaced,) in undone:
                for collection, documents in unpacked(replaced):
                    self._put(collection, documents)
            names = self._db.execute(
                "SELECT number, name, MIN(batch) FROM undo_names WHERE batch > ? GROUP BY number", (batch,)
            ).fetchall()
            self._db.executemany(
                "UPDATE collections SET name = ?, gone_at = NULL WHERE number = ?", [(name, n) for n, name, _ in names]
            )
            self._db.executemany(
                "DELETE FROM collections WHERE number = ?", [(n,) for n, name, _ in names if name is None]
            )
            self._db.execute("DELETE FROM undo WHERE batch > ?", (batch,))
            self._db.execute("DELETE FROM undo_names WHERE batch > ?", (batch,))
            self._meta("batch", batch)
        self._load()
        return True

    @property
    def names(self) -> list[str]:
        """The collections that are there."""
        return list(self._numbers)

    def number(self, name: str) -> int:
        """The number of the collection ``database.collection``; it is given one, with the next batch, if it has none."""
        known = self._numbers.get(name)
        if known is None:
            with self._writing():
                cursor = self._db.execute("INSERT INTO collections (name) VALUES (?)", (name,))
                known = cursor.lastrowid or 0
                self._db.execute("INSERT INTO undo_names VALUES (?, ?, NULL)", (self.batch + 1, known))
            self._numbers[name] = known
        return known

    def get(self, collection: int, ids: Sequence[bytes], most: int = sys.maxsize) -> dict[bytes, bytes]:
        """The documents that are held of these; no more of them once they have more than ``most`` bytes."""
        found: dict[bytes, bytes] = {}
        left = most
        with self._guarded():
            for start in range(0, len(ids), _IN_ONE_STATEMENT):
                some = ids[start : start + _IN_ONE_STATEMENT]
                marks = ",".join("?" * len(some))
                sql = f"SELECT id, document FROM documents WHERE collection = ? AND id IN ({marks})"  # noqa: S608 - question marks
                for identity, document in self._db.execute(sql, (collection, *some)):
                    found[identity] = document
                    left -= len(document)
                    if left < 0:
                        return found
        return found

    def write(self, changed: Mapping[int, Changed]) -> None:
        """What became of documents, by collection: one batch, or several at once if what they replace is large."""
        rows = packed(
            (number, list(each.now), list(map(each.before.get, each.now))) for number, each in changed.items()
        )
        undone = [(batch, *row) for batch, row in enumerate(rows, self.batch + 1)]
        batch = undone[-1][0]
        with self._writing():
            self._forget()
            self._db.executemany("INSERT INTO undo VALUES (?, ?, ?)", undone)
            for collection, each in changed.items():
                self._put(collection, each.now)
            self._meta("batch", batch)
        self._undoable.extend((batch, count) for batch, count, _ in undone)
        self.batch = batch

    def rename(self, name: str, to: str | None) -> None:
        """A batch of its own: a collection has another name, or is gone; what had the new name is gone."""
        batch = self.batch + 1
        with self._writing():
            for old, new in ((to, None), (name, to)):
                number = None if old is None else self._numbers.pop(old, None)
                if number is None:
                    continue
                # What was first numbered within this batch had no name before it.
                self._db.execute("INSERT OR IGNORE INTO undo_names VALUES (?, ?, ?)", (batch, number, old))
                gone_at = batch if new is None else None
                self._db.execute(
                    "UPDATE collections SET name = ?, gone_at = ? WHERE number = ?", (new, gone_at, number)
                )
                if new is not None:
                    self._numbers[new] = number
            self._meta("batch", batch)
        self._undoable.append((batch, 1))
        self.batch = batch

    def confirm(self, batch: int) -> None:
        """Nobody will go back to before ``batch``: with the next batch what that would have taken is forgotten."""
        self._confirmed = max(self._confirmed, min(batch, self.batch))

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._db.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        # A kill loses nothing of what the file was given. After a power cut the file may be older than the topics, which
        # ``go_back`` tells.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        # Some builds of SQLite overwrite what is deleted: every batch's undo would be written twice.
        self._db.execute("PRAGMA secure_delete = OFF")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            with self._writing():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_FORMAT}")
            self.empty()
        elif version != _FORMAT:
            raise SourceMisconfigured(
                f"{self._path} is not a store of documents of this version", hint="set source.store to another file"
            )
        self._load()

    def _load(self) -> None:
        meta = dict(self._db.execute("SELECT name, value FROM meta").fetchall())
        self.identity, self.batch, self._floor = str(meta["identity"]), int(meta["batch"]), int(meta["floor"])
        self._confirmed = self._floor
        found = self._db.execute(
            "SELECT batch, SUM(count) FROM"
            " (SELECT batch, count FROM undo UNION ALL SELECT batch, 1 FROM undo_names WHERE name IS NOT NULL)"
            " GROUP BY batch ORDER BY batch"
        )
        self._undoable = deque(found.fetchall())
        self._numbers = dict(self._db.execute("SELECT name, number FROM collections WHERE name IS NOT NULL").fetchall())

    def _forget(self) -> None:
        """Forget how to go back to before what was confirmed; some of it is kept for positions that are older still."""
        floor, kept = self._floor, sum(count for _, count in self._undoable)
        while self._undoable and self._undoable[0][0] <= self._confirmed and kept > self._kept:
            floor, count = self._undoable.popleft()
            kept -= count
        if floor == self._floor:
            return
        self._db.execute("DELETE FROM undo WHERE batch <= ?", (floor,))
        self._db.execute("DELETE FROM undo_names WHERE batch <= ?", (floor,))
        gone = self._db.execute("SELECT number FROM collections WHERE gone_at <= ?", (floor,)).fetchall()
        self._db.executemany("DELETE FROM documents WHERE collection = ?", gone)
        self._db.executemany("DELETE FROM collections WHERE number = ?", gone)
        self._meta("floor", floor)
        self._floor = floor

    def _put(self, collection: int, documents: Mapping[bytes, bytes | None]) -> None:
        held = [part for each in documents.items() if each[1] is not None for part in each]
        gone = [identity for identity, document in documents.items() if document is None]
        # Many rows in a statement take two thirds of the time that as many statements take.
        for some in _pieces(held, 2 * _IN_ONE_STATEMENT):
            rows = ",".join(["(?1,?,?)"] * (len(some) // 2))
            self._db.execute(f"INSERT OR REPLACE INTO documents VALUES {rows}", (collection, *some))  # noqa: S608 - question marks
        for some in _pieces(gone, _IN_ONE_STATEMENT):
            marks = ",".join("?" * len(some))
            self._db.execute(f"DELETE FROM documents WHERE collection = ? AND id IN ({marks})", (collection, *some))  # noqa: S608 - question marks

    def _meta(self, name: str, value: str | int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise SourceUnavailable(
                f"the store of documents {self._path}: {error}",
                hint="it is in use by another process, or the disk is full",
            ) from None
        except sqlite3.DatabaseError as error:
            raise SourceMisconfigured(
                f"the store of documents {self._path} is damaged: {error}",
                hint="remove it; with source.snapshot: when_needed the collections are read again",
            ) from None


def _pieces(values: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
