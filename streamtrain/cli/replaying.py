"""Trains again over records that were learned before: from a checkpoint or the beginning, up to a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import typer

from streamtrain import log
from streamtrain.cli import build, learning
from streamtrain.cli.build import StateParts
from streamtrain.cli.display import Display
from streamtrain.cli.stopping import Stop
from streamtrain.config.fingerprint import difference, stored_form
from streamtrain.config.load import overlay
from streamtrain.config.models import Config
from streamtrain.errors import ConfigChanged, ConfigError, DivergedReplay, NoUsableCheckpoint
from streamtrain.state.records import Checkpoint, ScheduledSlice, iso_time
from streamtrain.trainer.limits import Limit
from streamtrain.trainer.lookup import RecordLookup
from streamtrain.trainer.pipeline import Pipeline, read_progress, versions
from streamtrain.trainer.recorder import ProofRecorder, Recorder, RunRecorder
from streamtrain.trainer.worker import Worker, WorkerParts, WorkerSettings

_log = log.get("replay")
_NEVER_S = 86_400.0 * 365
_BEGINNING = "beginning"


@dataclass(frozen=True, slots=True)
class _Plan:
    """From where to where, with which settings."""

    config: Config
    start: Checkpoint | None
    goal: Checkpoint


def prove(config: Config, begin: str, end: str | None) -> dict[str, object]:
    """Train again in memory and compare with what is recorded. Raises DivergedReplay if it came out otherwise."""
    learning.pin_threads(config)
    with build.state(config) as state:
        return _prove(_plan(config, state, begin, end), state)


def train_again(
    config: Config, begin: str, end: str | None, settings: Sequence[str], name: str | None
) -> dict[str, object]:
    """Train again as a run of its own, with these ``KEY=VALUE`` settings laid over the configuration."""
    learning.pin_threads(config)
    with build.state(config) as state:
        plan = _plan(config, state, begin, end)
        return _as_run(plan, state, overlay(plan.config, settings), name or f"{config.name}-replay-{_stamp()}")


def _plan(config: Config, state: StateParts, begin: str, end: str | None) -> _Plan:
    stored = state.checkpoints.list(config.name)
    if not stored:
        raise NoUsableCheckpoint(f"run {config.name!r} has no checkpoint", hint="train first: streamtrain train CONFIG")
    goal = stored[-1] if end is None else _find(stored, end, "--to")
    start = None if begin == _BEGINNING else _find(stored, begin, "--from")
    if start is not None and start.id >= goal.id:
        raise ConfigError(f"--from is checkpoint {start.id}, --to is {goal.id}: nothing lies between them")
    resolved = build.resolved(config, state.checkpoints.run_config(config.name))
    return _Plan(resolved, start, goal)


def _find(stored: Sequence[Checkpoint], text: str, option: str) -> Checkpoint:
    """The checkpoint of this id, or the newest one that is not younger than this time."""
    if text.isdecimal():
        found = [one for one in stored if one.id == int(text)]
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ConfigError(
                f"{option} {text}: is neither a checkpoint's id nor a time like 2026-01-31T12:00:00Z"
            ) from None
        utc = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        found = [one for one in stored if one.created_ms <= utc.timestamp() * 1000]
    if not found:
        ids = (
            f"{stored[0].id} ({iso_time(stored[0].created_ms)}) to {stored[-1].id} ({iso_time(stored[-1].created_ms)})"
        )
        raise NoUsableCheckpoint(f"{option} {text}: there is no such checkpoint", hint=f"there are {ids}")
    return found[-1]


def _prove(plan: _Plan, state: StateParts) -> dict[str, object]:
    changes = difference(plan.goal.settings, learning.learner_spec(plan.config)[1])
    if changes:
        raise ConfigChanged(
            f"checkpoint {plan.goal.id} was trained with other settings: {'; '.join(changes)}",
            hint="verify with the configuration of that time",
        )
    _refuse_changes_between(plan, state)
    if changed := difference(plan.goal.versions, versions()):
        _log.warning("other versions may round differently", changes=changed)
    recorder = ProofRecorder()
    _train(plan, state, plan.config, recorder)
    if recorder.state_sha256 != plan.goal.state_sha256:
        raise DivergedReplay(
            f"checkpoint {plan.goal.id} was not reproduced: state_sha256 recorded {plan.goal.state_sha256}, "
            f"replayed {recorder.state_sha256}",
            hint="look for changed records in the topic, other library versions or another CPU",
        )
    return {"verified": plan.goal.id, "from": plan.start.id if plan.start else _BEGINNING, "slice": plan.goal.slice,
            "events": plan.goal.events, "state_sha256": recorder.state_sha256}  # fmt: skip


def _refuse_changes_between(plan: _Plan, state: StateParts) -> None:
    """A state that was reached with two settings cannot be reached with one."""
    first = 0 if plan.start is None else plan.start.id + 1
    accepted = [one for one, _ in state.ledger.config_changes(plan.config.name) if first <= one < plan.goal.id]
    if accepted:
        raise ConfigChanged(
            f"other settings were accepted at checkpoint {accepted[-1]}, which lies before checkpoint {plan.goal.id}",
            hint=f"verify from there: --from {accepted[-1]}",
        )


def _as_run(plan: _Plan, state: StateParts, config: Config, name: str) -> dict[str, object]:
    if state.checkpoints.run_config(name) is not None:
        raise ConfigError(f"there is a run {name!r} already", hint="choose another --name")
    config = build.resolved(config, stored_form(plan.config)).model_copy(update={"name": name})
    writer = state.checkpoints.open_run(name, stored_form(config), parent=plan.config.name)
    recorder = RunRecorder(state.checkpoints, state.ledger, writer, config.train.checkpoint.keep)
    _train(plan, state, config, recorder)
    last = state.checkpoints.list(name)[-1]
    return {
        "run": name,
        "checkpoint": last.id,
        "events": last.events,
        "state_sha256": last.state_sha256,
        **last.metrics,
    }


def _train(plan: _Plan, state: StateParts, config: Config, recorder: Recorder) -> None:
    spec, settings = learning.learner_spec(config)
    pipeline = Pipeline(spec, settings)
    goal = read_progress(state.checkpoints.blobs(plan.goal))
    if plan.start is None:
        pipeline.begin(goal.began)
    else:
        pipeline.restore(state.checkpoints.blobs(plan.start))
    planned = _recorded_order(plan, state, settings, pipeline.number, goal.number)
    if planned:
        recorder.schedule(planned)
    reader, lookup = build.reader(config), RecordLookup(lambda: build.reader(config))
    worker = Worker(
        WorkerParts(reader, lookup, recorder), pipeline, _settings(config, recorder), learning.worker_clocks()
    )
    stop = Stop().install()
    try:
        worker.open(None, planned, [source.partition for source in plan.goal.offsets])
        with Display("replay") as display:
            worker.run(
                stop,
                Limit(plan.goal.offsets),
                lambda progress: display.show({"events": progress.events, "of": plan.goal.events}),
            )
    finally:
        reader.close()
        lookup.close()
    if stop():
        raise typer.Abort


def _recorded_order(
    plan: _Plan, state: StateParts, settings: Mapping[str, Any], after: int, until: int
) -> list[ScheduledSlice]:
    """The slices of the run that is replayed; none where slices are cut otherwise, as their numbers then mean others."""
    planned = state.ledger.scheduled(plan.config.name, after=after, until=until)
    same = all(
        settings.get(key) == plan.goal.settings.get(key) for key in ("train.slice", "topic.prefix", "examples.from")
    )
    if planned and not same:
        _log.warning("slices are cut otherwise: the recorded order and retried dead letters are not followed")
    return planned if same else []


def _settings(config: Config, recorder: Recorder) -> WorkerSettings:
    """A replay has all its records before it: it looks ahead only at its end, and a proof stores only there."""
    settings = replace(learning.worker_settings(config), max_wait_s=_NEVER_S)
    if isinstance(recorder, ProofRecorder):
        return replace(settings, every_s=_NEVER_S, every_slices=2**62)
    return settings


def _stamp() -> str:
    return datetime.fromtimestamp(build.wall_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
