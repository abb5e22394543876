"""What signals do to the snapshots of a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from connectors.mongo.client import Time
from connectors.mongo.snapshots.state import Job, SnapshotState
from connectors.signals import Signal
from streamtrain import log
from streamtrain.errors import SourceMisconfigured

_log = log.get("mongo")
Require = Callable[[str, str], None]
"""Raises SourceMisconfigured if a collection, ``database.collection``, cannot be read by a condition."""


def obeyed(
    state: SnapshotState, signal: Signal, captured: Sequence[str], named_at: Time, require: Require
) -> SnapshotState:
    """``state`` after ``signal``. Initial snapshots are not touched: what they have not read is not in the topics yet.

    One with a condition by which a collection cannot be read is refused whole, and said so in the log.

    ``captured``: the collections that have these names at a time, which the stream may not have reached yet.
    """
    _log.info("signal", kind=signal.kind, id=signal.id)
    if signal.kind == "execute-snapshot":
        return _begun(state, signal, captured, named_at, require)
    if signal.kind == "stop-snapshot":
        return _stopped(state, signal)
    paused = signal.kind == "pause-snapshot"
    return SnapshotState(tuple(replace(job, paused=paused) if job.kind == "incremental" else job for job in state.jobs))


def _begun(
    state: SnapshotState, signal: Signal, captured: Sequence[str], named_at: Time, require: Require
) -> SnapshotState:
    names = tuple(name for name in captured if signal.concerns(name))
    conditions = {name: where for name in names if (where := signal.condition(name)) is not None}
    if not names:
        _log.warning("a signal names no captured collection", id=signal.id)
        return state
    try:
        for name, where in conditions.items():
            require(name, where)
    except SourceMisconfigured as error:
        _log.error("a signal is refused, nothing is read", id=signal.id, why=error.message, hint=error.hint)
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
