"""What signals do to the snapshots of a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.mysql.snapshots.readable import Unreadable
from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask
from connectors.mysql.structure import TableSchema
from connectors.signals import Signal
from streamtrain import log

_log = log.get("mysql")
Require = Callable[[TableSchema, TableTask], None]
"""Raises Unreadable if a table cannot be read as the task asks."""


def obeyed(
    state: SnapshotState, signal: Signal, captured: Sequence[TableSchema], now_us: int, require: Require
) -> SnapshotState:
    """``state`` after ``signal``. Initial snapshots are not touched: what they have not read is not in the topics yet.

    One by which some table cannot be read is refused whole, and said so in the log.
    """
    _log.info("signal", kind=signal.kind, id=signal.id)
    if signal.kind == "execute-snapshot":
        return _begun(state, signal, _asked(signal, captured), now_us, require)
    if signal.kind == "stop-snapshot":
        return _stopped(state, signal)
    paused = signal.kind == "pause-snapshot"
    return SnapshotState(tuple(job if job.kind == "initial" else job.with_pause(paused=paused) for job in state.jobs))


def _asked(signal: Signal, captured: Sequence[TableSchema]) -> list[tuple[TableSchema, TableTask]]:
    return [
        (schema, TableTask(schema.table.database, schema.table.name, signal.condition(name), signal.by))
        for schema in captured
        if signal.concerns(name := schema.table.full_name)
    ]


def _begun(
    state: SnapshotState,
    signal: Signal,
    asked: Sequence[tuple[TableSchema, TableTask]],
    now_us: int,
    require: Require,
) -> SnapshotState:
    if not asked:
        _log.warning("a signal names no captured table", id=signal.id)
        return state
    try:
        for schema, task in asked:
            require(schema, task)
    except Unreadable as error:
        why = error.reason
        _log.error(
            "a signal is refused, nothing is read", id=signal.id, table=error.table, why=why.message, hint=why.hint
        )
        return state
    tasks = tuple(task for _, task in asked)
    return SnapshotState((*state.jobs, Job("incremental", tasks, signal.id, started_us=now_us)))


def _stopped(state: SnapshotState, signal: Signal) -> SnapshotState:
    stopped = {
        task.name
        for job in state.jobs
        if job.kind == "incremental"
        for task in job.tables
        if signal.concerns(task.name)
    }
    jobs = (job if job.kind == "initial" else job.without(stopped) for job in state.jobs)
    return SnapshotState(tuple(job for job in jobs if job.tables))
