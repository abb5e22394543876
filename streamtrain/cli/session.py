"""One opening of a run: restore, check the settings, work, and close everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streamtrain import log
from streamtrain.cli import build, learning
from streamtrain.cli.build import StateParts
from streamtrain.cli.display import Display
from streamtrain.cli.reporting import ComponentReport
from streamtrain.cli.stopping import Stop
from streamtrain.config.fingerprint import difference, stored_form
from streamtrain.config.models import Config
from streamtrain.errors import ConfigChanged, FatalError, RetryableError
from streamtrain.retrying import Outage, keep_running
from streamtrain.state.checkpoints import Writer
from streamtrain.state.records import Checkpoint
from streamtrain.topic.base import TopicPartition, TopicReader
from streamtrain.trainer.limits import Limit
from streamtrain.trainer.lookup import RecordLookup
from streamtrain.trainer.pipeline import Pipeline
from streamtrain.trainer.recorder import RunRecorder
from streamtrain.trainer.worker import TrainingProgress, Worker, WorkerParts

_log = log.get("trainer")
_TOPIC_POLL_S = 0.5
_TELL_S = 10.0


class TrainingSession:
    """What one ``train`` command is to reach. ``run`` may be called again after an outage: the goal stays where it was."""

    def __init__(self, config: Config, *, max_events: int | None, until_caught_up: bool, accept_config: bool) -> None:
        self._config = config
        self._max_events = max_events
        self._until_caught_up = until_caught_up
        self._accept_config = accept_config
        self._ends: dict[TopicPartition, int] | None = None
        self._last_event: int | None = None
        self._writer: Writer | None = None

    def run(self, stop: Stop, observe: Callable[[TrainingProgress], None]) -> None:
        """Open everything at the newest whole checkpoint and train until the goal or a stop."""
        with build.state(self._config) as state:
            reader, lookup = build.reader(self._config), RecordLookup(lambda: build.reader(self._config))
            try:
                if not self._wait_for_topic(state, reader, stop):
                    return
                self._train(state, reader, lookup, stop, observe)
            finally:
                reader.close()
                lookup.close()

    def _train(
        self,
        state: StateParts,
        reader: TopicReader,
        lookup: RecordLookup,
        stop: Stop,
        observe: Callable[[TrainingProgress], None],
    ) -> None:
        config = build.resolved(self._config, state.checkpoints.run_config(self._config.name))
        spec, settings = learning.learner_spec(config)
        name = config.name
        # Looked at before taking over: a start with other settings must not fence out the trainer that is at work.
        self._changes(state.checkpoints.list(name)[-1:], settings)
        self._writer = writer = state.checkpoints.open_run(name, stored_form(config), held=self._writer)
        found = state.checkpoints.newest(name)
        started, blobs = found or (None, {})
        changes = self._changes([started] if started else [], settings)
        pipeline = Pipeline(spec, settings)
        if started is not None:
            pipeline.restore(blobs)
            self._record_changes(state, writer, started, changes)
            state.checkpoints.record_config(writer, stored_form(config))
        recorder = RunRecorder(state.checkpoints, state.ledger, writer, config.train.checkpoint.keep)
        worker = Worker(
            WorkerParts(reader, lookup, recorder), pipeline, learning.worker_settings(config), learning.worker_clocks()
        )
        worker.open(started.offsets if started else None, state.ledger.scheduled(name, after=pipeline.number))
        _log.info("training", topic=config.topic_name, checkpoint=started.id if started else None,
                  events=started.events if started else 0)  # fmt: skip
        worker.run(stop, self._limit(reader, pipeline, started), observe)
        recorder.report("stopped", worker.detail())

    def _wait_for_topic(self, state: StateParts, reader: TopicReader, stop: Stop) -> bool:
        """Wait until the topic is there; False if a stop was asked for first."""
        topic = self._config.topic_name
        told_s = None
        while not reader.partitions(topic):
            if self._until_caught_up:
                raise FatalError(f"topic {topic} does not exist", hint="fill it first: streamtrain connect CONFIG")
            if told_s is None or time.monotonic() - told_s >= _TELL_S:
                _log.info("waiting for the topic", topic=topic)
                state.ledger.report(self._config.name, "trainer", "waiting", {"for": f"topic {topic}"})
                told_s = time.monotonic()
            if stop.wait(_TOPIC_POLL_S):
                state.ledger.report(self._config.name, "trainer", "stopped", {})
                return False
        return True

    def _changes(self, newest: Sequence[Checkpoint], settings: Mapping[str, Any]) -> list[str]:
        """What differs from the newest checkpoint in what decides the weights. Raises ConfigChanged unless accepted."""
        changes = difference(newest[0].settings, settings) if newest else []
        if changes and not self._accept_config:
            raise ConfigChanged(
                f"run {self._config.name!r} was trained with other settings: {'; '.join(changes)}",
                hint="set them back, train under another `name`, or go on with --accept-config, which records the change",
            )
        return changes

    def _record_changes(self, state: StateParts, writer: Writer, checkpoint: Checkpoint, changes: list[str]) -> None:
        if changes:
            state.ledger.record_config_change(writer, checkpoint.id, changes)
            _log.warning("settings changed", checkpoint=checkpoint.id, changes=changes)

    def _limit(self, reader: TopicReader, pipeline: Pipeline, started: Checkpoint | None) -> Limit:
        if self._until_caught_up and self._ends is None:
            self._ends = {source: reader.watermarks(source).high for source in pipeline.base_offsets}
        left = None
        if self._max_events is not None:
            if self._last_event is None:
                self._last_event = (started.events if started else 0) + self._max_events
            left = self._last_event - pipeline.learner.events
        return Limit(self._ends, left)


def learn(config: Config, session: TrainingSession, stop: Stop) -> None:
    """Train until the session's limit is reached or a stop is asked for, through outages."""
    learning.pin_threads(config)
    with ComponentReport(config, "trainer") as report, Display("train") as display:

        def attempt(outage: Outage) -> bool:
            def working(progress: TrainingProgress) -> None:
                # Reading and learning prove nothing: an outage is over once what was learned has been stored.
                if progress.checkpoints or progress.stored:
                    outage.healthy()
                display.show(_shown(progress))

            session.run(stop, working)
            return True

        def retrying(error: RetryableError, wait_s: float) -> None:
            _log.warning("retrying", why=error.message, hint=error.hint, in_s=round(wait_s, 1))
            report.retrying(error, wait_s)

        ended = keep_running(attempt, build.backoff(config), on_retry=retrying, wait=stop.wait, clock=time.monotonic)
        if not ended:
            report.stopped()


def _shown(progress: TrainingProgress) -> dict[str, object]:
    chosen = ("auc", "log_loss", "baseline_log_loss", "accuracy", "mae")
    scores = {name: progress.metrics[name] for name in chosen if name in progress.metrics}
    return {
        "events": progress.events,
        "slices": progress.slices,
        "lag": progress.lag_records,
        "checkpoints": progress.checkpoints,
        **scores,
    }
