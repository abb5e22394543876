"""All snapshots of one source: which table is read next, what passes of the log, and how far everything has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from connectors.mysql.address import Address
from connectors.mysql.ddl.renames import NameChanges
from connectors.mysql.origin import LogPlace, OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.server import Server
from connectors.mysql.snapshots.absorbed import Absorbed
from connectors.mysql.snapshots.chunked import ChunkedTable, Piece
from connectors.mysql.snapshots.exact import ExactTable
from connectors.mysql.snapshots.lanes import Lanes
from connectors.mysql.snapshots.opening import Opener, OrderChanged, SnapshotSettings
from connectors.mysql.snapshots.readable import Unreadable, reading
from connectors.mysql.snapshots.renames import after_renaming
from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask
from connectors.snapshot_markers import markers
from connectors.source import Change, SnapshotProgress, SourceEvent, TransactionEvent
from streamtrain import log
from streamtrain.envelope import Op

_log = log.get("mysql")
_IMPATIENT_S = 0.005
_ROWS_A_CHANGE = 2_048
"""Messages are many times the size of their rows, and those of one change are made at once."""


class Snapshots:
    """Works through ``state`` beside the log. ``close`` lets go of its connections; the state stays."""

    def __init__(
        self,
        address: Address,
        server: Server,
        origin: OriginWriter,
        state: SnapshotState,
        settings: SnapshotSettings,
        *,
        absorbed: Absorbed,
    ) -> None:
        self.state = state
        self.absorbed = absorbed
        """What is not published of the transaction that is open."""
        self._origin = origin
        self._settings = settings
        self._unread = state.unread()
        self._opener = Opener(address, server, settings)
        self._lanes = Lanes(self._opener, settings.sessions, settings.monotonic)
        self._pieces: Iterator[Piece] | None = None
        self._position: LogPosition | None = None
        """Up to here the log has been read."""
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
        if self._lanes.full:
            return self._position
        table = self._lanes.alone
        return None if table is None else table.halt

    def patience_s(self, timeout_s: float) -> float:
        """How long a read of the log may wait: not at all while there are rows to be read meanwhile."""
        if not self.pending:
            return timeout_s
        return min(timeout_s, _IMPATIENT_S) if self._lanes.waits else 0.0

    def take_up(self) -> None:
        """Look at the tables that are to be read, before more of the log is: what passes of that depends on them."""
        while True:
            job = self.state.current
            if job is not self._lanes.job:
                self._let_go()
                self._lanes.job = job
            try:
                gone = self._lanes.fill()
            except Unreadable as error:
                self._give_up(error)
                continue
            except OrderChanged as changed:
                self._read_again(changed.table)
                continue
            if gone is None:
                return
            _log.info("a table to be read is gone", table=gone)
            self._update(self.state.without({gone}))

    def route(self, events: Sequence[SourceEvent]) -> Sequence[SourceEvent]:
        """What passes of the log's events, in order."""
        if not (self.active or self.absorbed.counts):
            return events
        passed = list[SourceEvent]()
        for event in events:
            if isinstance(event, TransactionEvent):
                passed.append(self.absorbed.told(event))
                continue
            if not isinstance(event, Change):
                passed.append(event)
                continue
            own = self._lanes.route(event)
            unread = event.table.full_name in self._unread
            if own is None:
                own = [] if unread else [event]
            passed += self.absorbed.renumbered(event, own)
            if unread:
                self._lanes.touched(event.table.full_name)
        return passed

    def advance(self, position: LogPosition) -> list[Change]:
        """Read on, as far as the log's having been read to ``position`` allows; what is published, as of there."""
        self._position = position
        self._lanes.renew(position)
        self.take_up()
        try:
            if self._lanes.alone is not None:
                self._prepare(self._lanes.alone, position)
            found = self._lanes.advance(position)
        except Unreadable as error:
            self._give_up(error)
            return []
        return [] if found is None else self._published(*found, position)

    def read_alone(self, position: LogPosition) -> list[Change]:
        """The next rows of the table that is read as of ``position``; ``alone`` is over with the last of them."""
        table = self._lanes.alone
        if self._pieces is None or table is None:
            return []
        try:
            with reading(table.plan.name):
                piece = next(self._pieces)
        except Unreadable as error:
            self._pieces = None
            self._give_up(error)
            return []
        if piece.resumable:
            self._pieces = None
        return self._published(table, piece, position)

    def progress(self) -> SnapshotProgress | None:
        """How far the snapshot has come that is at work, or else the first that is paused; None if there is none."""
        job = self.state.current or next(iter(self.state.jobs), None)
        if job is None:
            return None
        at_work = {lane.task.name: lane.table.plan for lane in self._lanes.at_work} if job is self._lanes.job else {}
        tasks = [task for task in job.tables if task.name in at_work] or (job.begun or job.tables)[:1]
        estimates = [0 if (plan := at_work.get(task.name)) is None else plan.estimate for task in tasks]
        return SnapshotProgress(
            job.kind,
            ", ".join(task.name for task in tasks),
            rows=job.rows,
            table_rows=sum(task.rows for task in tasks),
            table_estimate=sum(estimates) if all(estimates) else 0,
            tables_left=len(job.tables),
            rows_per_s=self._read / max(self._settings.monotonic() - self._began_s, 1e-3),
            paused=job.paused,
        )

    def close(self) -> None:
        """Let go of the connections. Safe to call twice."""
        self._let_go()

    def _let_go(self) -> None:
        """Drop what was read and is not published, with all connections."""
        self._lanes.close()
        self._opener.close()
        self._pieces = None

    def _give_up(self, unreadable: Unreadable) -> None:
        """Go on without a table of an incremental snapshot: its changes are told all the same. Raises its reason on another."""
        job, why = self._lanes.job, unreadable.reason
        if job is None or job.kind == "initial":
            raise why from None
        text = "a table cannot be read, its incremental snapshot is given up"
        hint = why.hint or "mend the condition or the table, then send the signal again"
        _log.error(text, table=unreadable.table, id=job.id, why=why.message, hint=hint)
        following = job.without({unreadable.table})
        self._update(self.state.replaced(job, following))
        self._go_on(following, {unreadable.table})

    def _read_again(self, table: str) -> None:
        job = self._lanes.job
        if job is not None:
            _log.info("the order of a table has changed by which it was read in part, it is read again", table=table)
            self._update(self.state.replaced(job, job.read_again(table)))

    def _prepare(self, table: ExactTable, position: LogPosition) -> None:
        if table.halt is None:
            self._opener.fix(table, position)
        if table.halt is not None and not position.is_before(table.halt):
            self._pieces = table.pieces()

    def _published(self, table: ChunkedTable | ExactTable, piece: Piece, position: LogPosition) -> list[Change]:
        job = self._lanes.job
        if job is None:
            return []
        plan, rows = table.plan, piece.rows
        task = job.task(plan.name)
        ended = {task.name, *(other.name for other in piece.empty)} if piece.ended else set[str]()
        following = job.advanced(task.name, piece.after, len(rows)).without(ended)
        marked = _marked(job, task, len(rows), table_ends=piece.ended, job_ends=not following.tables)
        self._read += len(rows)
        if piece.ended:
            _log.info("table read", table=plan.name, kind=job.kind, rows=task.rows + len(rows))
        self._update(self.state.replaced(job, following))
        self._go_on(following, ended)
        snapshot = "incremental" if job.kind == "incremental" else "true"
        place = LogPlace(position.file, position.offset)
        block = self._origin.block(plan.reader.table, int(self._settings.clock() * 1_000_000), place, snapshot=snapshot)
        parts = [slice(first, first + _ROWS_A_CHANGE) for first in range(0, len(rows), _ROWS_A_CHANGE)]
        return [Change(plan.reader.table, Op.READ, None, rows[part], block, marked[part]) for part in parts]

    def _go_on(self, job: Job, ended: AbstractSet[str]) -> None:
        """With the tables that are left of the job."""
        if not job.tables:
            self._let_go()
            return
        self._lanes.job = job
        for name in ended:
            self._lanes.end(name)

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
        self._update(changed)

    def _update(self, state: SnapshotState) -> None:
        self.state = state
        self._unread = state.unread()


def _marked(job: Job, task: TableTask, count: int, *, table_ends: bool, job_ends: bool) -> tuple[str, ...]:
    """One marker for each of ``count`` rows that follow what was published of ``task``; empty if none stands out."""
    if job.kind == "incremental":
        return ()
    return markers(
        count,
        begins=not task.rows,
        ends=table_ends,
        first_of_all=not job.rows,
        last_of_all=table_ends and job_ends,
    )
