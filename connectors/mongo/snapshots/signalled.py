"""What signals do to the snapshots of a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.mongo.client import Time, filter_of
from connectors.mongo.snapshots.state import Job, SnapshotState
from connectors.signals import Signal
from streamtrain import log
from streamtrain.errors import ConfigError

_log = log.get("mongo")


def obeyed(state: SnapshotState, signal: Signal, captured: Sequence[str], named_at: Time) -> SnapshotState:
    """``state`` after ``signal``. Initial snapshots are not touched: what they have not read is not in the topics yet.

    ``captured``: the collections that have these names at a time, which the stream may not have reached yet.
    """
    _log.info("signal", kind=signal.kind, id=signal.id)
    if signal.kind == "execute-snapshot":
        return _begun(state, signal, captured, named_at)
    if signal.kind == "stop-snapshot":
        return _stopped(state, signal)
    paused = signal.kind == "pause-snapshot"
    return SnapshotState(tuple(replace(job, paused=paused) if job.kind == "incremental" else job for job in state.jobs))


def _begun(state: SnapshotState, signal: Signal, captured: Sequence[str], named_at: Time) -> SnapshotState:
    names = tuple(name for name in captured if signal.concerns(name))
    conditions = {name: where for name in names if (where := signal.condition(name)) is not None}
    if not names:
        _log.warning("a signal names no captured collection", id=signal.id)
        return state
    try:
        for where in conditions.values():
            filter_of(where)
    except ConfigError as error:
        _log.warning("a signal is not understood", id=signal.id, why=error.message)
        return state
    job = Job("incremental", names, signal.id, conditions=conditions or None, names_at=named_at)
    return SnapshotState((*state.jobs, job))


def _stopped(state: SnapshotState, signal: Signal) -> SnapshotState:
    jobs = list[Job]()
    for job in state.jobs:
        kept = tuple(name for name in job.collections if job.kind != "incremental" or not signal.concerns(name))
        if kept:
            jobs.append(replace(job if kept[0] == job.collections[0] else job.next_collection(), collections=kept))
    return SnapshotState(tuple(jobs))
