"""Asks for the chunks of a table, and takes them in as they arrive."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from connectors.mysql.position import LogPosition
from connectors.mysql.result_rows import ResultRows
from connectors.mysql.snapshots.bounds import Bound
from connectors.mysql.snapshots.plan import Plan
from connectors.mysql.snapshots.sessions import ReadingSession
from streamtrain.errors import SourceMisconfigured, SourceUnavailable

_CHUNK_S = 0.1
_FEWEST_ROWS = 64
_FIRST_ROWS = 1_024
_MOST_BYTES = 8 << 20
_LARGEST_STRETCH = 16


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """What is held of one table at a time."""

    rows: int
    bytes: int
    """Of rows as the server sends them."""

    @classmethod
    def shared(cls, rows: int, sessions: int) -> ChunkLimits:
        """Those of each of so many sessions, which hold no more together than one alone would."""
        return cls(rows, _MOST_BYTES // sessions)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one SELECT gave."""

    rows: list[bytes]
    """As the server sent them."""
    upper: Bound | None
    """The last place that was read to; None if the table has no rows behind."""


class ChunkReader:
    """One SELECT at a time, of about so many rows as are read in a tenth of a second, so that the log has its turn.

    ``monotonic`` gives seconds that only rise.
    """

    def __init__(
        self, session: ReadingSession, plan: Plan, limits: ChunkLimits, monotonic: Callable[[], float]
    ) -> None:
        self.plan = plan
        self.session = session
        self._monotonic = monotonic
        self.limits = limits
        by_bytes = limits.bytes // plan.row_bytes if plan.row_bytes else limits.rows
        self._rows = max(1, min(_FIRST_ROWS, by_bytes, limits.rows))
        self._asked = 0
        self._result: ResultRows | None = None
        self._rows_arrived: list[bytes] = []
        self._bytes = 0
        self._cut = False
        self._drained = False
        self._spent_s = 0.0
        self._stretched = 1

    def ask(self, after: Bound | None, position: LogPosition) -> bool:
        """Send the SELECT of the rows behind ``after``; False if it could not see yet all that is before ``position``."""
        if position.skip_rows or not self.session.watermarks.low(position):
            return False
        self._asked = self._rows * self._stretched
        # One row more than is kept tells whether there are any behind.
        statement = self.plan.statement(after, self._asked + 1, self.session.watermarks.lock)
        reader = self.plan.reader
        self._result = self.session.connection.select(statement, reader.width, needs=f"SELECT ON {reader.quoted_name}")
        self._rows_arrived, self._bytes, self._cut, self._spent_s = [], 0, False, 0.0
        self._drained = False
        return True

    def take(self) -> Arrived | None:
        """The chunk, once it has arrived whole; None if it has not yet, or has to be asked for again with more rows."""
        result, began = self._result, self._monotonic()
        if result is None:
            return None
        while not result.ended:
            try:
                rows, size = result.read(0.0, lambda: self._monotonic() - began > _CHUNK_S)
            except SourceUnavailable:
                self._result = None
                raise
            self._keep(rows, size)
            self._drained = not rows
            if not rows or self._monotonic() - began > _CHUNK_S:
                break
        self._spent_s += self._monotonic() - began
        if not result.ended:
            return None
        self._result = None
        return self._bounded()

    def drop(self, session: ReadingSession) -> None:
        """Let go of the SELECT that was sent, with its session, and go on over another one."""
        self.session, self._result = session, None
        self._rows_arrived = []

    @property
    def busy(self) -> bool:
        """Whether a SELECT has been sent of which not all has arrived."""
        return self._result is not None

    @property
    def awaited(self) -> ResultRows | None:
        """The answer of which all was taken that has arrived, and more is to come."""
        return self._result if self._drained else None

    def _keep(self, rows: list[bytes], size: int) -> None:
        self._bytes += size
        if not self._cut:
            self._rows_arrived += rows
            self._cut = self._bytes > self.limits.bytes * self._stretched  # what comes after it is asked for again

    def _bounded(self) -> Arrived | None:
        rows, self._rows_arrived = self._rows_arrived, []
        self._adapt(len(rows))
        if len(rows) <= self._asked and not self._cut:
            return Arrived(rows, None)
        kept = min(len(rows), self._asked) if self.plan.one_row_a_place else self._before_the_last_place(rows)
        if not kept:
            self._stretch()
            return None
        self._stretched = 1
        return Arrived(rows[:kept], self.bound(rows[kept - 1]))

    def bound(self, row: bytes) -> Bound:
        """The place of a row that has arrived."""
        return self.plan.ordering.bound(self.plan.reader.cells(row))

    def _before_the_last_place(self, rows: list[bytes]) -> int:
        """How many rows come before those that share the last row's place, of which there may be more behind."""
        ordering = self.plan.ordering
        last = ordering.of_row(self.plan.reader.rows(rows[-1:])[0])
        return bisect_left(rows, True, key=lambda row: not ordering.beyond([last], self.bound(row))[0])

    def _stretch(self) -> None:
        """All rows shared one place: ask for more at once."""
        self._stretched *= 4
        rows, size = self._rows * self._stretched, self.limits.bytes * self._stretched
        if rows > _LARGEST_STRETCH * self.limits.rows or size > _LARGEST_STRETCH * _MOST_BYTES:
            names = self.plan.ordering.names
            raise SourceMisconfigured(
                f"{self.plan.name} has more than {self._asked} rows, or {self._bytes >> 20} MB, with one value of {names}",
                hint="name a column with more values to read it by: source.snapshot_keys: {DATABASE.TABLE: COLUMN}",
            )

    def _adapt(self, count: int) -> None:
        """Ask for so many rows next time as keep us busy for the time that is meant."""
        factor = min(2.0, max(0.5, _CHUNK_S / max(self._spent_s, 1e-6)))
        rows = min(self.limits.rows, max(_FEWEST_ROWS, int(max(count, 1) * factor)))
        if self._bytes > self.limits.bytes // 2:
            rows = min(rows, self.limits.bytes * max(count, 1) // self._bytes)
        self._rows = max(1, rows)
