"""Looks at a table that is to be read: how, and whether it can be yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from connectors.mysql.address import Address
from connectors.mysql.position import LogPosition
from connectors.mysql.schema import one_table
from connectors.mysql.server import Server, log_end
from connectors.mysql.server_errors import LockNotHad
from connectors.mysql.snapshots.awaited import AwaitedTable, MissingTable, ParkedTable, UnreadTable, read_alike
from connectors.mysql.snapshots.chunked import ChunkedTable, Others
from connectors.mysql.snapshots.exact import ExactTable
from connectors.mysql.snapshots.jobs import require_transactional
from connectors.mysql.snapshots.plan import Plan, planned, planned_for_changes, read_as_of_a_moment
from connectors.mysql.snapshots.readable import reading, require_condition
from connectors.mysql.snapshots.reader import ChunkLimits, ChunkReader
from connectors.mysql.snapshots.renames import Captured
from connectors.mysql.snapshots.sessions import Sessions
from connectors.mysql.snapshots.state import Job, TableTask
from connectors.mysql.snapshots.window import Window
from connectors.mysql.structure import TableSchema
from connectors.mysql.value_modes import ValueModes


class OrderChanged(Exception):
    """The rows of ``table`` that are published cannot be told by its bound any more: it is to be read from its start."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table
        """``database.table``."""


OpenTable = ChunkedTable | ExactTable | UnreadTable | MissingTable


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """How tables are read."""

    sessions: int
    """Tables that are read at once."""
    chunk_rows: int
    """In one chunk at most."""
    range_rows: int
    """In one range of a table without a key, about."""
    lock_wait_s: int
    clock: Callable[[], float]
    """Seconds since 1970."""
    monotonic: Callable[[], float]
    modes: ValueModes
    structure_of: Callable[[str, str], object]
    """The structure of a table as of the place to which the log has been read: another object after each change of it."""
    captured: Captured


class Opener:
    """Opens tables over connections of its own. ``close`` lets go of these."""

    def __init__(self, address: Address, server: Server, settings: SnapshotSettings) -> None:
        self._address = address
        self._server = server
        self._settings = settings
        self._sessions: Sessions | None = None
        self._told: dict[str, TableSchema] = {}
        """Tables of which the log has told as far as it ever will, by name, as the server has them."""

    def structure(self, task: TableTask) -> object:
        """The table's structure as far as the log is read: another object after each change of it."""
        return self._settings.structure_of(task.database, task.table)

    def as_of_a_moment(self, task: TableTask) -> bool:
        """Whether the table, as the log knows it, cannot be read while others are."""
        known = self.structure(task)
        return isinstance(known, TableSchema) and read_as_of_a_moment(known, task.by, self._settings.modes)

    def open(self, job: Job, task: TableTask, others: Others, *, parked: bool) -> OpenTable:
        """The table as it is to be read now, or waited for. Raises OrderChanged, and Unreadable if it cannot be read."""
        sessions = self._connected()
        found = one_table(sessions.control, task.database, task.table)
        known = self.structure(task)
        if found is None or (known is None and found != self._told.get(task.name)):
            return self._missing(sessions, found, known, job, task)
        with reading(task.name):
            require_transactional(found)
            if self._is_ahead(found, known, task) and isinstance(known, TableSchema):
                return self._awaited(sessions, found, known, job, task)
            if task.where is not None:
                with sessions.impatient(), suppress(LockNotHad):
                    require_condition(sessions.control, task, task.where)
            plan = planned(sessions.control, found, task, self._settings.modes)
        window = _window(plan, job, task)
        if not plan.merged:
            return ExactTable(plan, window, others, self._settings.range_rows)
        if parked:
            return ParkedTable(plan, window)
        return ChunkedTable(sessions, self._reader(sessions, plan), window, others)

    def told(self, name: str, there: TableSchema) -> None:
        """The log has told of the table that the server has under this name."""
        self._told[name] = there

    def fix(self, table: ExactTable, position: LogPosition) -> None:
        """Choose the moment as of which ``table`` is read, if it can be while the log is read up to ``position``."""
        table.fix(self._address, self._server, position, self._settings.lock_wait_s)

    def close(self) -> None:
        """Let go of the connections. Safe to call twice; tables that are opened later have new ones."""
        if self._sessions is not None:
            self._sessions.close()
            self._sessions = None

    def _missing(
        self, sessions: Sessions, found: TableSchema | None, known: object, job: Job, task: TableTask
    ) -> MissingTable:
        window = None
        if task.after is not None and isinstance(known, TableSchema):
            with reading(task.name):
                window = _window(planned_for_changes(sessions.control, known, task, self._settings.modes), job, task)
        end = log_end(sessions.control, self._server)
        return MissingTable(found, end, window, passes_all=job.passes_all(task))

    def _awaited(
        self, sessions: Sessions, found: TableSchema, known: TableSchema, job: Job, task: TableTask
    ) -> AwaitedTable:
        begun = task.after is not None
        # Nothing is read by the column that is named, which the log may not know yet.
        asked = task if begun else replace(task, by=None)
        plan = planned_for_changes(sessions.control, known, asked, self._settings.modes)
        return AwaitedTable(plan, _window(plan, job, task), found, log_end(sessions.control, self._server))

    def _connected(self) -> Sessions:
        if self._sessions is None:
            self._sessions = Sessions(self._address, self._server, self._settings.lock_wait_s)
        return self._sessions

    def _reader(self, sessions: Sessions, plan: Plan) -> ChunkReader:
        limits = ChunkLimits.shared(self._settings.chunk_rows, self._settings.sessions)
        return ChunkReader(sessions.lend(), plan, limits, self._settings.monotonic)

    def _is_ahead(self, there: TableSchema, known: object, task: TableTask) -> bool:
        """Whether what the server has under this name is not what the log, as far as it is read, tells of."""
        alike = not isinstance(known, TableSchema) or read_alike(known, there, task.by)
        return not alike and there != self._told.get(task.name)


def _window(plan: Plan, job: Job, task: TableTask) -> Window:
    """Raises OrderChanged if what is published of the table was read in another order than it would be now."""
    if task.after is not None and not plan.ordering.has(task.after):
        raise OrderChanged(task.name)
    return Window(plan, task.after, incremental=job.passes_all(task))
