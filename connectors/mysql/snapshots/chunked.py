"""Reads one table in chunks, each merged with the log up to its upper watermark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from connectors.mysql.connection import Connection, quote_table
from connectors.mysql.position import LogPosition
from connectors.mysql.snapshots.bounds import Bound
from connectors.mysql.snapshots.plan import Plan
from connectors.mysql.snapshots.reader import ChunkReader
from connectors.mysql.snapshots.sessions import Sessions
from connectors.mysql.snapshots.state import TableTask
from connectors.mysql.snapshots.window import Window
from connectors.source import Change, Row
from streamtrain import faults
from streamtrain.errors import SourceUnavailable

_ARRIVAL_S = 0.01


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that are published from now on."""

    rows: list[Row]
    after: Bound | None
    """The place of the last of them."""
    ended: bool
    """Nothing of the table is left."""
    empty_behind: Sequence[TableTask] = ()
    """When it ended: tables behind it of which is known that they had no row at that place of the log."""
    resumable: bool = True
    """Whether reading can go on behind it after a restart."""


class ChunkedTable:
    """One table of a job. ``next_tables`` are those behind it, in order; they are looked into at its end."""

    def __init__(
        self,
        sessions: Sessions,
        plan: Plan,
        window: Window,
        reader: ChunkReader,
        next_tables: Sequence[TableTask],
    ) -> None:
        self.plan = plan
        self._sessions = sessions
        self._window = window
        self._reader = reader
        self._next_tables = next_tables

    @property
    def altered(self) -> bool:
        """Whether the table is no longer as it was when it was looked at: what is not published has to be read again."""
        return self._window.altered

    @property
    def waits(self) -> bool:
        """Whether there is nothing to do before the log has been read further."""
        return self._window.waiting is not None

    def route(self, change: Change) -> list[Change]:
        """What passes of a change of this table, in order."""
        return self._window.route(change)

    def touched(self, name: str) -> None:
        """A row of a table behind this one was changed: it is not known to be empty any more."""
        for chunk in (self._window.waiting, self._window.reading):
            if chunk is not None:
                chunk.touched.add(name)

    def advance(self, position: LogPosition) -> Piece | None:
        """Do what can be done while the log has been read up to ``position``: ask, take in, publish one chunk."""
        window = self._window
        if window.waiting is None and self._reader.busy:
            self._take(position)
        if not self._reader.busy and (window.waiting is None or window.asked_until is not None):
            self._ask(position)
        return self._piece(position)

    def _reached(self, position: LogPosition) -> bool:
        waiting = self._window.waiting
        return waiting is not None and waiting.high is not None and not position.is_before(waiting.high)

    def _piece(self, position: LogPosition) -> Piece | None:
        waiting = self._window.waiting
        if waiting is None or not self._reached(position):
            return None
        empty = takewhile(lambda task: task.name not in waiting.touched, waiting.empty_behind)
        return Piece(self._window.publish(), waiting.upper, waiting.upper is None, list(empty))

    def _ask(self, position: LogPosition) -> None:
        if self._sessions.watermarks.lock and self._window.waiting is not None and not self._reached(position):
            return  # its locks would last until we take its rows, which is when the chunk before it is published
        if self._reader.ask(self._window.asked_until, position):
            self._window.begin()
            faults.passed("snapshot.asked")

    def _take(self, position: LogPosition) -> None:
        empty: Sequence[TableTask] = ()
        try:
            arrived = self._reader.take(_ARRIVAL_S)
            if arrived is not None and arrived.upper is None:
                empty = empty_tables(self._sessions.reader, self._next_tables, self._sessions.watermarks.lock)
        except SourceUnavailable:
            if not self._sessions.watermarks.lock:
                raise
            self._window.reading = None  # it lost a lock to a writer, or waited too long for one: to be asked for again
            return
        if arrived is None:
            if not self._reader.busy:
                self._window.reading = None  # to be asked for again
                self._sessions.watermarks.high()
            return
        faults.passed("snapshot.arrived")
        chunk = self._window.arrived(arrived.upper, self._sessions.watermarks.high())
        chunk.empty_behind = empty
        if arrived.upper is not None:
            self._ask(position)  # the server reads on while we convert
        chunk.rows = self.plan.reader.rows(arrived.rows)


def empty_tables(connection: Connection, tasks: Sequence[TableTask], lock: str = "") -> list[TableTask]:
    """The tables before the first that has a row, or is not there: it may have another name.

    ``lock`` is what a read has to end with that is to see rows which are in the log but not visible yet.
    """

    def is_empty(task: TableTask) -> bool:
        there = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
        if not connection.query(there, (task.database, task.table)):
            return False
        table = quote_table(task.database, task.table)
        return not connection.query(f"SELECT 1 FROM {table} LIMIT 1{lock}")  # noqa: S608 - quoted

    return list(takewhile(is_empty, tasks))
