"""The connections that snapshots read by: one for each table at work, and one for what has to be asked meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile

from connectors.mysql.address import Address
from connectors.mysql.connection import Connection, quote_table
from connectors.mysql.server import Server, inspect
from connectors.mysql.snapshots.state import TableTask
from connectors.mysql.snapshots.watermarks import Watermarks, watermarks
from streamtrain.errors import SourceUnavailable

READ_TIMEOUT_S = 3600.0
"""The longest wait for a row: finding the first that meets a condition may take long."""
_LOCK_WAIT_S = 86_400
"""Longer than any answer is waited for: MariaDB leaves out of information_schema what it could not lock in time."""
_ROW_LOCK_WAIT_S = 1
"""The log is not read meanwhile."""


@dataclass(frozen=True, slots=True)
class ReadingSession:
    """A connection on which rows of one table arrive, and what makes its chunks exact."""

    connection: Connection
    watermarks: Watermarks


class Sessions:
    """Connections to one and the same server. Raises SourceUnavailable if they are not to the one that is followed.

    ``control`` is for short questions: nothing is ever left to be read on it.
    """

    def __init__(self, address: Address, server: Server, lock_wait_s: int) -> None:
        self._address = address
        self._server = server
        self._lock_wait_s = lock_wait_s
        self._open: list[Connection] = []
        self._idle: list[ReadingSession] = []
        try:
            self.control = self._connected(Connection(address))
            self.control.query("SET SESSION lock_wait_timeout = %s", (_LOCK_WAIT_S,))
            self.control.query("SET SESSION innodb_lock_wait_timeout = %s", (_ROW_LOCK_WAIT_S,))
        except BaseException:
            self.close()
            raise

    def lend(self) -> ReadingSession:
        """A session for one table, to be given back or dropped."""
        if self._idle:
            return self._idle.pop()
        reader = self._connected(Connection(self._address, query_timeout_s=READ_TIMEOUT_S))
        reader.query("SET SESSION net_write_timeout = %s", (int(READ_TIMEOUT_S),))
        return ReadingSession(reader, watermarks(reader, self.control, self._server, self._lock_wait_s))

    def give_back(self, session: ReadingSession) -> None:
        """Nothing is left to be read on ``session``."""
        self._idle.append(session)

    def drop(self, session: ReadingSession) -> None:
        """End a session on which rows may still be arriving."""
        self._open.remove(session.connection)
        session.connection.close()

    def empty(self, tasks: Sequence[TableTask], lock: str = "") -> list[TableTask]:
        """As ``empty_tables``. One that somebody waits to alter, or holds rows of, is not known to be empty.

        Who alters a table waits for its rows that are arriving here, so that it would not do to wait for him.
        """
        found = list[TableTask]()
        if tasks:
            with self.impatient(), suppress(SourceUnavailable):
                found.extend(empty_tables(self.control, tasks, lock))
        return found

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """``control`` waits for no lock on a table longer than a second."""
        self.control.query("SET SESSION lock_wait_timeout = 0")  # MySQL takes it for 1
        try:
            yield
        finally:
            self.control.query("SET SESSION lock_wait_timeout = %s", (_LOCK_WAIT_S,))

    def close(self) -> None:
        """End all. Safe to call twice."""
        for connection in self._open:
            connection.close()

    def _connected(self, connection: Connection) -> Connection:
        self._open.append(connection)
        identity = inspect(connection).identity
        if identity != self._server.identity:
            raise SourceUnavailable(
                f"{self._address} is server {identity} now; the log is followed on {self._server.identity}",
                hint="source.url leads to more than one server: the connector goes on with one of them",
            )
        return connection


def empty_tables(connection: Connection, tasks: Sequence[TableTask], lock: str = "") -> Iterator[TableTask]:
    """The tables before the first that has a row, or is not there: it may have another name. Each is looked into as it is taken.

    ``lock`` is what a read has to end with that is to see rows which are in the log but not visible yet.
    """
    return takewhile(lambda task: _is_empty(connection, task, lock), tasks)


def _is_empty(connection: Connection, task: TableTask, lock: str) -> bool:
    there = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
    if not connection.query(there, (task.database, task.table)):
        return False
    table = quote_table(task.database, task.table)
    return not connection.query(f"SELECT 1 FROM {table} LIMIT 1{lock}")  # noqa: S608 - quoted
