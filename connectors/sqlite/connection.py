"""The one door to sqlite3: open a file, run statements, quote names, map errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamtrain.errors import (
    AccessDenied,
    ConfigError,
    SourceMisconfigured,
    SourceUnavailable,
    StreamtrainError,
    UnsupportedChange,
)

BUSY_TIMEOUT_S = 5.0
"""How long another process's lock may hold a statement up before the file counts as unavailable."""

_OLDEST_SQLITE = (3, 37, 0)
"""The first with ``pragma_table_list``, which alone tells tables from views, virtual and shadow tables."""

_AWAY = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA,
})  # fmt: skip
_REFUSED = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})

StoredRow = tuple[Any, ...]
"""A row as SQLite stores it: int, float, str, bytes or None."""


def quoted(name: str) -> str:
    """``name`` as an SQL identifier. Source: https://www.sqlite.org/lang_keywords.html."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


class Database:
    """One connection to an existing file, outside of any transaction unless one of the two context managers is open."""

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise SourceMisconfigured(
                f"this Python's SQLite is {sqlite3.sqlite_version}", hint="SQLite 3.37 or newer is needed"
            )
        if not path.is_file():
            raise ConfigError(
                f"there is no SQLite file at {path}", hint="create it first, or correct the source's path"
            )
        self._path = path
        self._file = _file_number(path)
        with self._mapped():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
        try:
            self.rows("SELECT count(*) FROM sqlite_schema")
        except StreamtrainError:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """Where the file was opened."""
        return self._path

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[StoredRow]:
        """All rows of one statement. Raises what ``connectors/sqlite/connection.py`` maps SQLite's errors to."""
        with self._mapped():
            return self._connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None if there is none."""
        with self._mapped():
            row = self._connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def chunks(self, sql: str, size: int) -> Iterator[list[StoredRow]]:
        """The rows of one statement, ``size`` at a time and never none, read as they are asked for."""
        with self._mapped():
            cursor = self._connection.execute(sql)
        while True:
            with self._mapped():
                rows = cursor.fetchmany(size)
            if not rows:
                return
            yield rows

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that holds the write lock from its first moment, so that what it reads stays true."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.rows(begin)
        try:
            yield
            self.rows("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.rollback()

    def begin_reading(self) -> None:
        """Read one unchanging state of the database until ``close``."""
        self.rows("BEGIN")
        self.rows("SELECT count(*) FROM sqlite_schema")  # the state is the one at the first read, not at BEGIN

    def schema_version(self) -> int:
        """A number that grows with every change of the schema, whoever makes it."""
        return int(self.value("PRAGMA schema_version"))

    def data_version(self) -> int:
        """A number that differs when another connection has committed since it was last asked."""
        return int(self.value("PRAGMA data_version"))

    def replaced(self) -> bool:
        """Whether the path leads to another file than the one that is open here, or to none."""
        return self._file != _file_number(self._path)

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back. Safe to call twice."""
        self._connection.close()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _mapped(error, self._path) from error


def _file_number(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _mapped(error: sqlite3.Error, path: Path) -> StreamtrainError:
    """The error of our tree for one of SQLite's. Source of the codes: https://www.sqlite.org/rescode.html."""
    extended = getattr(error, "sqlite_errorcode", None)
    if extended is None:
        if "decode to UTF-8" in str(error):  # the driver's own text would quote the value
            return UnsupportedChange(
                f"{path} holds a text that is not valid UTF-8", hint="mend the value, or store it as a BLOB"
            )
        return SourceMisconfigured(f"{path}: {error}")
    code = extended & 0xFF
    if code in _AWAY:
        return SourceUnavailable(f"{path}: {error}", hint="another process may hold a lock; it is tried again")
    if code in _REFUSED:
        return AccessDenied(
            f"{path}: {error}", hint="capture needs to write triggers and its change table into the file"
        )
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigError(f"{path} is not a SQLite database", hint="correct the source's path")
    return SourceMisconfigured(f"{path}: {error}", hint="run PRAGMA integrity_check on the file")
