"""Reads a table as of one moment, where chunks cannot be merged with the log: the log has to stand still meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice

from connectors.mysql.address import Address
from connectors.mysql.connection import Connection, quote_table
from connectors.mysql.mariadb_views import LOCK, PATIENCE
from connectors.mysql.position import LogPosition
from connectors.mysql.preflight import look_into
from connectors.mysql.server import Server
from connectors.mysql.snapshot_point import SnapshotPoint, open_snapshot_point
from connectors.mysql.snapshots.bounds import Bound
from connectors.mysql.snapshots.chunked import Others, Piece
from connectors.mysql.snapshots.plan import Plan
from connectors.mysql.snapshots.readable import reading
from connectors.mysql.snapshots.sessions import empty_tables
from connectors.mysql.snapshots.state import TableTask
from connectors.mysql.snapshots.window import Window
from connectors.mysql.text_cells import cells
from connectors.source import Change, Row
from streamtrain.errors import SourceUnavailable

_PIECE_ROWS = 1_000


class ExactTable:
    """One table, or a range of it. The log is to be read to ``halt``, and no further, before ``pieces`` are taken.

    They are published at once or not at all: nothing tells how far one has come among rows that cannot be told apart.
    No other table may be at work from ``fix`` on until then.
    """

    def __init__(self, plan: Plan, window: Window, others: Others, range_rows: int) -> None:
        self.plan = plan
        self._window = window
        self._others = others
        self._range_rows = range_rows
        self._point: SnapshotPoint | None = None
        self._empty: Sequence[TableTask] = ()
        """Other tables that keep their names meanwhile, and were empty a moment before."""

    @property
    def altered(self) -> bool:
        """Whether the table is no longer as it was when it was looked at."""
        return self._window.altered

    @property
    def halt(self) -> LogPosition | None:
        """The place in the log as of which the table is read; None before it is known."""
        return None if self._point is None else self._point.position

    def route(self, change: Change) -> list[Change]:
        """What passes of a change of this table, in order."""
        return self._window.route(change)

    def fix(self, address: Address, server: Server, position: LogPosition, lock_wait_s: int) -> None:
        """Choose the moment, if it can be: one that the log, read up to ``position``, has not gone beyond.

        Raises Unreadable if the table cannot be read so.

        The moment is one of rows. That the table has the same name then and when it is read is seen to by its metadata
        lock, which a transaction has once it has looked into it: another one has it before the moment and until then.
        """
        if position.skip_rows:
            return
        with closing(Connection(address)) as guard:
            guard.query("SET SESSION lock_wait_timeout = %s", (lock_wait_s,))
            guard.query("START TRANSACTION")
            with reading(self.plan.name):
                look_into(guard, self.plan.task.database, self.plan.task.table)
                self._empty = list(empty_tables(guard, self._others()))
                self._fix(address, server, position, lock_wait_s)

    def _fix(self, address: Address, server: Server, position: LogPosition, lock_wait_s: int) -> None:
        names = {(task.database, task.table) for task in (self.plan.task, *self._others())}
        point = open_snapshot_point(address, server, lambda *name: name in names, lock_wait_s, self._settle)
        self._window.altered = self.plan.schema not in point.schemas
        if self._window.altered or point.position.is_before(position) or not self._named(point):
            point.connection.close()
        else:
            self._point = point

    def _settle(self, connection: Connection) -> None:
        """Wait for the rows that a transaction has locked."""
        table = quote_table(self.plan.task.database, self.plan.task.table)
        for _ in range(PATIENCE):
            with suppress(SourceUnavailable):  # waited too long; a connection that broke says so again
                connection.query(f"SELECT COUNT(*) FROM {table}{LOCK}")  # noqa: S608 - quoted
                list(empty_tables(connection, self._empty, LOCK))
                return

    def _named(self, point: SnapshotPoint) -> bool:
        """Whether the tables have their names for as long as they are read; not if somebody waits to alter them."""
        point.connection.query("SET SESSION lock_wait_timeout = 1")
        try:
            for task in (self.plan.task, *self._empty):
                look_into(point.connection, task.database, task.table)
        except SourceUnavailable:
            return False
        return True

    def pieces(self) -> Iterator[Piece]:
        """The rows of the next range, piece by piece; the last piece says where it ends."""
        point = self._opened()
        connection, plan, after = point.connection, self.plan, self._window.after
        until = self._edge(point)
        needs = f"SELECT ON {plan.reader.quoted_name}"
        rows = connection.stream(plan.whole(after, until), plan.reader.width, needs=needs)
        chunk = list(islice(rows, _PIECE_ROWS))
        while following := list(islice(rows, _PIECE_ROWS)):
            yield Piece(plan.reader.rows(chunk), after, ended=False, resumable=False)
            chunk = following
        ended = until is None
        empty = list(empty_tables(connection, self._empty)) if ended else ()
        published: list[Row] = plan.reader.rows(chunk) if chunk else []
        self._window.after = until
        self.close()
        yield Piece(published, until, ended, empty)

    def close(self) -> None:
        """Let go of the moment. Safe to call twice."""
        point, self._point = self._point, None
        if point is not None:
            point.connection.close()

    def _opened(self) -> SnapshotPoint:
        if self._point is None:
            raise RuntimeError("pieces before a moment is fixed")
        return self._point

    def _edge(self, point: SnapshotPoint) -> Bound | None:
        """Where the next range ends; None if it is the last, or the table cannot be read in ranges."""
        if not self.plan.columns:
            return None
        statement = self.plan.edge(self._window.after, self._range_rows)
        width = len(self.plan.columns)
        last = list(point.connection.stream(statement, width, needs=f"SELECT ON {self.plan.reader.quoted_name}"))
        return self.plan.ordering.bound_of(cells(last[0], width)) if last else None
