"""The tables of one job that are at work at once, each in a lane: what each is doing, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector

from connectors.mysql.position import LogPosition
from connectors.mysql.snapshots.awaited import AwaitedTable, MissingTable, ParkedTable
from connectors.mysql.snapshots.chunked import ChunkedTable, Piece
from connectors.mysql.snapshots.exact import ExactTable
from connectors.mysql.snapshots.opening import Opener, OpenTable
from connectors.mysql.snapshots.readable import reading
from connectors.mysql.snapshots.state import Job, TableTask
from connectors.source import Change

_TURN_S = 0.1
_ARRIVAL_S = 0.01


@dataclass(frozen=True, slots=True)
class Lane:
    """One table of a job."""

    task: TableTask
    """As it was when the table was taken up."""
    table: OpenTable
    structure: object
    """The table's, as the log told it then."""


class Lanes:
    """At most ``most`` tables of ``job`` are read at once. ``monotonic`` gives seconds that only rise.

    A table of which a part is published is always among them: which of its changes pass depends on how far it has come. One
    that is read as of a moment is read alone.
    """

    job: Job | None = None
    """As far as it has come."""

    def __init__(self, opener: Opener, most: int, monotonic: Callable[[], float]) -> None:
        self._opener = opener
        self._most = most
        self._monotonic = monotonic
        self._lanes: dict[str, Lane] = {}
        """By name, the one whose turn it is first."""
        self._filled = False
        self._rested = False
        self._told: set[str] = set()
        """Names of tables that were not there, and of which the log has told by now all that it ever will."""

    @property
    def at_work(self) -> list[Lane]:
        """Those that are not parked."""
        return [lane for lane in self._lanes.values() if not isinstance(lane.table, ParkedTable)]

    @property
    def waits(self) -> bool:
        """Whether there was nothing to do, the last time it was looked at, before the log has been read further."""
        return self._rested

    @property
    def alone(self) -> ExactTable | None:
        """The table that is to be read as of a moment, if no other is at work but those that wait for the same."""
        tables = [lane.table for lane in self._lanes.values()]
        exact = [table for table in tables if isinstance(table, ExactTable)]
        return exact[0] if exact and len(exact) == len(tables) else None

    @property
    def full(self) -> bool:
        """Whether the log is not to be read on before more rows have arrived."""
        return any(isinstance(lane.table, ChunkedTable) and lane.table.full for lane in self._lanes.values())

    def fill(self) -> str | None:
        """Take up as many tables as can be at work. The name of one that is gone for good ends it.

        Raises Unreadable on a table that cannot be read, OrderChanged on one that is to be read from its start.
        """
        if self._filled or self.job is None:
            return None
        self._rested = False
        for task in self._due(self.job):
            table = self._open(self.job, task)
            if isinstance(table, MissingTable) and table.there is None and task.name in self._told:
                return task.name
            self._lanes[task.name] = Lane(task, table, self._opener.structure(task))
            self._told.discard(task.name)
        self._filled = True
        return None

    def renew(self, position: LogPosition) -> None:
        """Let go of tables that are to be looked at again: they were altered, or the log has been read to what was awaited."""
        for name, lane in list(self._lanes.items()):
            table = lane.table
            if isinstance(table, MissingTable) and not position.is_before(table.end):
                self._has_told(name, table)
                self.end(name)
            elif table.altered or self._opener.structure(lane.task) is not lane.structure:
                self.end(name)
            elif isinstance(table, AwaitedTable) and not position.is_before(table.end):
                self._opener.told(name, table.there)
                self.end(name)
            elif isinstance(table, ChunkedTable):
                table.relieve(position)

    def route(self, change: Change) -> list[Change] | None:
        """What passes of a change, in order; None if its table is not at work."""
        lane = self._lanes.get(change.table.full_name)
        return None if lane is None else lane.table.route(change)

    def touched(self, name: str) -> None:
        """A row of this table was changed: those who hold it for empty are told."""
        for other, lane in self._lanes.items():
            if other != name and isinstance(lane.table, ChunkedTable):
                lane.table.touched(name)

    def advance(self, position: LogPosition) -> tuple[ChunkedTable, Piece] | None:
        """Read on in each lane by turns, until one has rows to be published, or a while has passed, or nothing comes.

        Raises Unreadable on a table that cannot be read on.
        """
        began = self._monotonic()
        while True:
            for name, lane in list(self._lanes.items()):
                table = lane.table
                if not isinstance(table, ChunkedTable):
                    continue
                with reading(name):
                    piece = table.advance(position)
                if piece is not None or self._monotonic() - began > _TURN_S:
                    self._lanes[name] = self._lanes.pop(name)  # the others are before it next time
                    self._rested = False
                    return None if piece is None else (table, piece)
            if not self._more_arrives():
                return None

    def end(self, name: str) -> None:
        """Let go of a table; what was read of it and is not published is dropped."""
        lane = self._lanes.pop(name, None)
        if lane is not None:
            lane.table.close()
        self._filled = False

    def close(self) -> None:
        """Let go of all tables, and of the job."""
        for name in list(self._lanes):
            self.end(name)
        self._told.clear()
        self.job = None

    def _has_told(self, name: str, table: MissingTable) -> None:
        if table.there is None:
            self._told.add(name)
        else:
            self._opener.told(name, table.there)

    def _more_arrives(self) -> bool:
        """Whether rows come for a table that waits for them: it is worth while to look again."""
        busy = [lane.table for lane in self._lanes.values() if not self._waits(lane.table)]
        self._rested = not busy
        awaited = [table.awaited for table in busy if isinstance(table, ChunkedTable)]
        results = [result for result in awaited if result is not None]
        if not results:
            return False
        with DefaultSelector() as selector:
            for result in results:
                selector.register(result, EVENT_READ)
            return bool(selector.select(_ARRIVAL_S if len(results) == len(busy) else 0.0))

    def _waits(self, table: OpenTable) -> bool:
        """Whether there is nothing to do of it before the log has been read further, or another table to its end."""
        if isinstance(table, ExactTable):
            return table is not self.alone or table.halt is not None
        return not isinstance(table, ChunkedTable) or table.waits

    def _due(self, job: Job) -> Iterator[TableTask]:
        """Tables to be taken up, one after the other: first what was begun. What is read alone waits until no other is left."""
        for task in job.begun:
            if task.name not in self._lanes or self._can_go_on(task.name):
                yield task
        for task in job.tables:
            if self._full or any(isinstance(lane.table, ExactTable) for lane in self._lanes.values()):
                return
            if task.name not in self._lanes and not (self._lanes and self._opener.as_of_a_moment(task)):
                yield task

    @property
    def _full(self) -> bool:
        reading = [lane for lane in self.at_work if not isinstance(lane.table, ExactTable)]
        return len(reading) >= self._most

    def _can_go_on(self, name: str) -> bool:
        return isinstance(self._lanes[name].table, ParkedTable) and not self._full

    def _open(self, job: Job, task: TableTask) -> OpenTable:
        name = task.name
        self._lanes.pop(name, None)
        return self._opener.open(job, task, lambda: self._others(name), parked=self._full)

    def _others(self, name: str) -> list[TableTask]:
        """Tables that are not read to their end, as it is known of an initial snapshot what was read of them."""
        if self.job is None or self.job.kind == "incremental":
            return []
        return [task for task in self.job.tables if task.name != name]
