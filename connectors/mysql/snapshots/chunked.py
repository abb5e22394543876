"""Reads one table in chunks, each merged with the log up to its upper watermark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from connectors.mysql.position import LogPosition
from connectors.mysql.result_rows import ResultRows
from connectors.mysql.snapshots.bounds import Bound
from connectors.mysql.snapshots.chunk import Chunk
from connectors.mysql.snapshots.reader import ChunkReader
from connectors.mysql.snapshots.sessions import Sessions
from connectors.mysql.snapshots.state import TableTask
from connectors.mysql.snapshots.window import Window
from connectors.source import Change, Row
from streamtrain import faults
from streamtrain.errors import SourceUnavailable


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that are published from now on."""

    rows: list[Row]
    after: Bound | None
    """The place of the last of them."""
    ended: bool
    """Nothing of the table is left."""
    empty: Sequence[TableTask] = ()
    """When it ended: other tables of which is known that they had no row at that place of the log."""
    resumable: bool = True
    """Whether reading can go on behind it after a restart."""


Others = Callable[[], Sequence[TableTask]]
"""The tables of a job, but for one, that are not read to their end: they are looked into when that one is."""


class ChunkedTable:
    """One table of a job, read over a session of its own. Nothing that it does waits for rows of it."""

    def __init__(self, sessions: Sessions, reader: ChunkReader, window: Window, others: Others) -> None:
        self.plan = reader.plan
        self._sessions = sessions
        self._reader = reader
        self._window = window
        self._others = others
        self._ahead_bytes = reader.limits.bytes
        """The chunk behind one that waits is asked for if this much of the log, at most, lies before what that one waits for."""
        self._resume: LogPosition | None = None
        """Nothing is asked for before the log has been read up to here."""

    @property
    def altered(self) -> bool:
        """Whether the table is no longer as it was when it was looked at: what is not published has to be read again."""
        return self._window.altered

    @property
    def waits(self) -> bool:
        """Whether there is nothing to do before the log has been read further."""
        return self._window.waiting is not None or self._resume is not None

    @property
    def full(self) -> bool:
        """Whether the log has to stand still until the chunk has arrived that was asked for: it tells where that one ends."""
        reading = self._window.reading
        return self._window.waiting is None and reading is not None and reading.exceeds(self._reader.limits)

    @property
    def awaited(self) -> ResultRows | None:
        """What there is nothing to do without before more of it arrives."""
        return None if self.waits else self._reader.awaited

    def route(self, change: Change) -> list[Change]:
        """What passes of a change of this table, in order."""
        return self._window.route(change)

    def touched(self, name: str) -> None:
        """A row of another table was changed: it is not known to be empty any more."""
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

    def relieve(self, position: LogPosition) -> None:
        """Drop chunks of which more of the log is held than may be, unless ``position`` is where they are published.

        They are asked for again where the log between is short: the one that waited once what it waited for has been read,
        as it sees all up to there then.
        """
        window, limits = self._window, self._reader.limits
        if window.waiting is None or self._reached(position):
            return
        if window.overfull(limits):
            self._resume, window.waiting = window.waiting.high, None
            self._drop_asked()
        elif window.reading is not None and window.reading.exceeds(limits):
            self._ahead_bytes //= 2
            self._drop_asked()

    def close(self) -> None:
        """Drop what was read and is not published, with the connection if rows may still be arriving on it."""
        (self._sessions.drop if self._reader.busy else self._sessions.give_back)(self._reader.session)

    def _drop_asked(self) -> None:
        self._window.reading = None
        if self._reader.busy:
            before = self._reader.session
            self._reader.drop(self._sessions.lend())
            self._sessions.drop(before)

    def _reached(self, position: LogPosition) -> bool:
        waiting = self._window.waiting
        return waiting is not None and waiting.high is not None and not position.is_before(waiting.high)

    def _piece(self, position: LogPosition) -> Piece | None:
        waiting = self._window.waiting
        if waiting is None or not self._reached(position):
            return None
        empty = takewhile(lambda task: task.name not in waiting.touched, waiting.empty)
        return Piece(self._window.publish(), waiting.upper, waiting.upper is None, list(empty))

    def _ask(self, position: LogPosition) -> None:
        if self._resume is not None:
            if position.is_before(self._resume):
                return
            self._resume = None
        waiting = self._window.waiting
        if waiting is not None and not self._reached(position) and not self._may_ask_ahead(position, waiting):
            return
        if self._reader.ask(self._window.asked_until, position):
            self._window.begin()
            faults.passed("snapshot.asked")

    def _may_ask_ahead(self, position: LogPosition, waiting: Chunk) -> bool:
        """Whether the chunk behind one that waits may be asked for, of which all is held that the log tells until then."""
        if self._reader.session.watermarks.lock:
            return False  # its locks would last until we take its rows, which is when the chunk before it is published
        high = waiting.high
        return high is not None and high.file == position.file and high.offset - position.offset <= self._ahead_bytes

    def _take(self, position: LogPosition) -> None:
        empty: Sequence[TableTask] = ()
        try:
            arrived = self._reader.take()
            if arrived is not None and arrived.upper is None:
                empty = self._sessions.empty(self._others(), self._reader.session.watermarks.lock)
        except SourceUnavailable:
            if not self._reader.session.watermarks.lock:
                raise
            self._window.reading = None  # it lost a lock to a writer, or waited too long for one: to be asked for again
            return
        if arrived is None:
            if not self._reader.busy:
                self._window.reading = None  # to be asked for again
                self._reader.session.watermarks.high()
            return
        faults.passed("snapshot.arrived")
        chunk = self._window.arrived(arrived.upper, self._reader.session.watermarks.high())
        chunk.empty, chunk.size = empty, sum(map(len, arrived.rows))
        if arrived.upper is None and arrived.rows:
            chunk.last = self._reader.bound(arrived.rows[-1])
        if arrived.upper is not None:
            self._ask(position)  # the server reads on while we convert
        chunk.rows = self.plan.reader.rows(arrived.rows)
