"""All snapshots of one source: which table is read next, what passes of the log, and how far everything has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from connectors.mysql.address import Address
from connectors.mysql.ddl.renames import NameChanges
from connectors.mysql.origin import LogPlace, OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.schema import tables
from connectors.mysql.server import Server, log_end
from connectors.mysql.snapshots.awaited import AwaitedTable, read_alike
from connectors.mysql.snapshots.chunked import ChunkedTable, Piece
from connectors.mysql.snapshots.exact import ExactTable
from connectors.mysql.snapshots.jobs import require_transactional
from connectors.mysql.snapshots.plan import planned
from connectors.mysql.snapshots.reader import ChunkReader
from connectors.mysql.snapshots.renames import Captured, after_renaming
from connectors.mysql.snapshots.sessions import Sessions
from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask
from connectors.mysql.snapshots.window import Window
from connectors.mysql.structure import TableSchema
from connectors.mysql.value_modes import ValueModes
from connectors.snapshot_markers import markers
from connectors.source import Change, SnapshotProgress, SourceEvent
from streamtrain import log
from streamtrain.envelope import Op

_log = log.get("mysql")
_IMPATIENT_S = 0.005
_ROWS_A_CHANGE = 2_048
"""Messages are many times the size of their rows, and those of one change are made at once."""


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """How tables are read."""

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


class Snapshots:
    """Works through ``state`` beside the log. ``close`` lets go of its connections; the state stays."""

    def __init__(
        self,
        address: Address,
        server: Server,
        origin: OriginWriter,
        state: SnapshotState,
        settings: SnapshotSettings,
    ) -> None:
        self.state = state
        self._address = address
        self._server = server
        self._origin = origin
        self._settings = settings
        self._unread = state.unread()
        self._sessions: Sessions | None = None
        self._job: Job | None = None
        self._table: ChunkedTable | ExactTable | AwaitedTable | None = None
        self._awaited: TableSchema | None = None
        """The table of which the log has told, as far as it ever will."""
        self._structure: object = None
        self._pieces: Iterator[Piece] | None = None
        self._missing: tuple[TableTask, LogPosition] | None = None
        """The table to be read next, if it is not there, and a place before which the log says where it went."""
        self._began_s = settings.monotonic()
        self._read = 0

    @property
    def active(self) -> bool:
        """Whether there is anything to be read or to be kept from passing."""
        return bool(self.state.jobs)

    @property
    def pending(self) -> bool:
        """Whether rows are still to be read that nobody has paused."""
        return self.state.current is not None

    @property
    def alone(self) -> bool:
        """Whether a table is read as of the place that the log has been read to: the log has to stand still."""
        return self._pieces is not None

    @property
    def halt(self) -> LogPosition | None:
        """The place beyond which the log is not to be read for now."""
        return self._table.halt if isinstance(self._table, ExactTable) else None

    def patience_s(self, timeout_s: float) -> float:
        """How long a read of the log may wait: not at all while there are rows to be read meanwhile."""
        if not self.pending:
            return timeout_s
        waits = (
            self.halt is not None
            or self._missing is not None
            or isinstance(self._table, AwaitedTable)
            or (isinstance(self._table, ChunkedTable) and self._table.waits)
        )
        return min(timeout_s, _IMPATIENT_S) if waits else 0.0

    def take_up(self) -> None:
        """Look at the table that is to be read, before more of the log is: what passes of that depends on the table."""
        if self._table is None and self._missing is None:
            self._take_up()

    def route(self, events: Sequence[SourceEvent]) -> list[SourceEvent]:
        """What passes of the log's events, in order."""
        passed = list[SourceEvent]()
        for event in events:
            if not isinstance(event, Change):
                passed.append(event)
            elif self._table is not None and event.table.full_name == self._table.plan.name:
                passed += self._table.route(event)
            elif event.table.full_name not in self._unread:
                passed.append(event)
            elif isinstance(self._table, ChunkedTable):
                self._table.touched(event.table.full_name)
        return passed

    def advance(self, position: LogPosition) -> list[Change]:
        """Read on, as far as the log's having been read to ``position`` allows; what is published, as of there."""
        if self._table is not None and (self._altered(self._table) or self.state.current is not self._job):
            self._let_go()
        if isinstance(self._table, AwaitedTable) and not position.is_before(self._table.end):
            self._awaited = self._table.there
            self._let_go()
        if self._table is None and not self._awaits(position):
            self._take_up(gone=self._missing is not None)
        if isinstance(self._table, ChunkedTable):
            piece = self._table.advance(position)
            return [] if piece is None else self._published(piece, position)
        if isinstance(self._table, ExactTable):
            self._prepare(self._table, position)
        return []

    def read_alone(self, position: LogPosition) -> list[Change]:
        """The next rows of the table that is read as of ``position``; ``alone`` is over with the last of them."""
        if self._pieces is None or self._table is None:
            return []
        piece = next(self._pieces)
        if piece.resumable:
            self._pieces = None
        return self._published(piece, position)

    def progress(self) -> SnapshotProgress | None:
        """How far the snapshot has come that is at work, or else the first that is paused; None if there is none."""
        job = self.state.current or next(iter(self.state.jobs), None)
        if job is None:
            return None
        task = job.tables[0]
        taken_up = self._table is not None and self._table.plan.task == task
        return SnapshotProgress(
            job.kind,
            task.name,
            rows=job.rows + job.rows_before,
            table_rows=job.rows,
            table_estimate=self._table.plan.estimate if self._table is not None and taken_up else 0,
            tables_left=len(job.tables),
            rows_per_s=self._read / max(self._settings.monotonic() - self._began_s, 1e-3),
            paused=job.paused,
        )

    def close(self) -> None:
        """Let go of the connections. Safe to call twice."""
        self._let_go()

    def _let_go(self) -> None:
        """Drop what was read and is not published, with the connections on which it may still be arriving."""
        if isinstance(self._table, ExactTable):
            self._table.close()
        self._table = self._pieces = self._job = None
        if self._sessions is not None:
            self._sessions.close()
            self._sessions = None

    def _awaits(self, position: LogPosition) -> bool:
        """Whether the log, read up to ``position``, may yet say where the next table went: it is not there."""
        job = self.state.current
        if self._missing is None or job is None or job.tables[0] != self._missing[0]:
            self._missing = None
            return False
        return position.is_before(self._missing[1])

    def _take_up(self, *, gone: bool = False) -> None:
        """Begin with the next table, or go on with it. If it is not there, it is ``gone``, or the log is to be waited for."""
        self._missing = None
        job = self.state.current
        if job is None:
            return
        sessions = self._sessions
        if sessions is None:
            sessions = self._sessions = Sessions(self._address, self._server, self._settings.lock_wait_s)
        task = job.tables[0]
        found = tables(sessions.control, lambda *name: name == (task.database, task.table))
        if not found and not gone:
            self._missing = (task, log_end(sessions.control, self._server))
            return
        if not found:
            _log.info("a table to be read is gone", table=task.name)
            self._update(self.state.without({task.name}))
            self._take_up()
            return
        require_transactional(found[0])
        known = self._settings.structure_of(task.database, task.table)
        ahead = self._is_ahead(found[0], known, task)
        schema = known if ahead and isinstance(known, TableSchema) else found[0]
        plan = planned(sessions.control, schema, task, self._settings.modes)
        incremental = job.kind == "incremental"
        window = Window(plan, job.after, incremental=incremental)
        behind = () if incremental else job.tables[1:]
        self._job, self._structure = job, known
        if ahead:
            self._table = AwaitedTable(plan, window, found[0], log_end(sessions.control, self._server))
        elif plan.merged:
            reader = ChunkReader(sessions, plan, self._settings.chunk_rows, self._settings.monotonic)
            self._table = ChunkedTable(sessions, plan, window, reader, behind)
        else:
            self._table = ExactTable(plan, window, behind, self._settings.range_rows)

    def _is_ahead(self, there: TableSchema, known: object, task: TableTask) -> bool:
        """Whether what the server has under this name is not what the log, as far as it is read, tells of."""
        alike = not isinstance(known, TableSchema) or read_alike(known, there, task.by)
        return not alike and there != self._awaited

    def _altered(self, table: ChunkedTable | ExactTable | AwaitedTable) -> bool:
        """Whether the table may have been altered since it was taken up, so that it is to be looked at again."""
        task = table.plan.task
        return table.altered or self._settings.structure_of(task.database, task.table) is not self._structure

    def _prepare(self, table: ExactTable, position: LogPosition) -> None:
        if table.halt is None:
            table.fix(self._address, self._server, position, self._settings.lock_wait_s)
        if table.halt is not None and not position.is_before(table.halt):
            self._pieces = table.pieces()

    def _published(self, piece: Piece, position: LogPosition) -> list[Change]:
        job, table = self._job, self._table
        if job is None or table is None:
            return []
        following = _after(job, piece)
        plan, rows = table.plan, piece.rows
        marked = _marked(job, len(rows), table_ends=piece.ended, job_ends=following is None)
        self._read += len(rows)
        self._job = following
        self._update(self.state.replaced(job, following))
        if piece.ended:
            self._table = None
            _log.info("table read", table=plan.name, kind=job.kind, rows=job.rows + len(rows))
        snapshot = "incremental" if job.kind == "incremental" else "true"
        place = LogPlace(position.file, position.offset)
        block = self._origin.block(plan.reader.table, int(self._settings.clock() * 1_000_000), place, snapshot=snapshot)
        parts = [slice(first, first + _ROWS_A_CHANGE) for first in range(0, len(rows), _ROWS_A_CHANGE)]
        return [Change(plan.reader.table, Op.READ, None, rows[part], block, marked[part]) for part in parts]

    def change(self, state: SnapshotState) -> None:
        """Go on with what a signal has made of ``state``."""
        self._update(state)

    def rename(self, changes: NameChanges) -> None:
        """Tables have other names, or are gone, behind all that was routed."""
        if not (changes.names and self.active):
            return
        changed = after_renaming(self.state, changes, self._settings.captured)
        if changed != self.state:
            self._let_go()
            self._missing = None
        self._update(changed)

    def _update(self, state: SnapshotState) -> None:
        self.state = state
        self._unread = state.unread()


def _marked(job: Job, count: int, *, table_ends: bool, job_ends: bool) -> tuple[str, ...]:
    """One marker for each of ``count`` rows that follow what ``job`` has published; empty if none stands out."""
    if job.kind == "incremental":
        return ()
    first_of_all = not (job.rows or job.rows_before)
    return markers(
        count, begins=not job.rows, ends=table_ends, first_of_all=first_of_all, last_of_all=table_ends and job_ends
    )


def _after(job: Job, piece: Piece) -> Job | None:
    """The job once ``piece`` is published; None if nothing is left of it."""
    job = replace(job, after=piece.after, rows=job.rows + len(piece.rows))
    if not piece.ended:
        return job
    following = job.next_table()
    following = replace(following, tables=following.tables[len(piece.empty_behind) :])
    return following if following.tables else None
