"""What signals do to the snapshots of a source."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask
from connectors.mysql.structure import TableSchema
from connectors.signals import Signal
from streamtrain import log

_log = log.get("mysql")


def obeyed(state: SnapshotState, signal: Signal, captured: Sequence[TableSchema], now_us: int) -> SnapshotState:
    """``state`` after ``signal``. Initial snapshots are not touched: what they have not read is not in the topics yet."""
    _log.info("signal", kind=signal.kind, id=signal.id)
    if signal.kind == "execute-snapshot":
        return _begun(state, signal, captured, now_us)
    if signal.kind == "stop-snapshot":
        return _stopped(state, signal)
    paused = signal.kind == "pause-snapshot"
    return SnapshotState(tuple(job if job.kind == "initial" else job.with_pause(paused=paused) for job in state.jobs))


def _begun(state: SnapshotState, signal: Signal, captured: Sequence[TableSchema], now_us: int) -> SnapshotState:
    tasks = tuple(
        TableTask(schema.table.database, schema.table.name, signal.condition(schema.table.full_name), signal.by)
        for schema in captured
        if signal.concerns(schema.table.full_name)
    )
    if not tasks:
        _log.warning("a signal names no captured table", id=signal.id)
        return state
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
