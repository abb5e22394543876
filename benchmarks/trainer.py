"""The trainer with a meter on it, as a process of its own: ``python -m benchmarks.trainer MODE CONFIG OUTPUT [EVENTS]``.

The parts are those of ``streamtrain train``: the same reader, pipeline, worker, state database and checkpoints. What is
added notes times. ``MODE`` is

    kafka    learn the topic as it stands to its end; from opening the worker to its return
    memory   read the same topic into slices first, then learn them; the learning alone is timed
    follow   learn what comes, until ``EVENTS`` changes have been learned; notes when each offset was first learned

The readings are written to ``OUTPUT`` as JSON.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks.usage import usage
from streamtrain import tensors
from streamtrain.cli import build, learning
from streamtrain.cli.stopping import Stop
from streamtrain.config.fingerprint import stored_form
from streamtrain.config.models import Config
from streamtrain.learner import LearnerSpec, StepReport
from streamtrain.slices import Slice, SliceCutter
from streamtrain.state.records import CheckpointDraft, ScheduledSlice
from streamtrain.topic.base import Records, TopicPartition, TopicReader
from streamtrain.trainer.limits import Limit
from streamtrain.trainer.lookup import RecordLookup
from streamtrain.trainer.pipeline import Pipeline
from streamtrain.trainer.recorder import RunRecorder
from streamtrain.trainer.worker import TrainingProgress, Worker, WorkerParts

Readings = dict[str, Any]

POLL_RECORDS = 4096
READY = "reading the topic"
"""Printed once the worker has the topic's partitions and reads on from now."""


class Meter:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - begin


class MeteredReader:
    """A reader whose polls are timed."""

    def __init__(self, reader: TopicReader, meter: Meter) -> None:
        self._reader, self._meter = reader, meter
        self.partitions, self.watermarks = reader.partitions, reader.watermarks
        self.assign, self.close = reader.assign, reader.close

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        with self._meter.on("polling"):
            return self._reader.poll(max_records, timeout_s)


class MeteredRecorder:
    """A recorder whose checkpoints are timed."""

    def __init__(self, recorder: RunRecorder, meter: Meter) -> None:
        self._recorder, self._meter = recorder, meter
        self.schedule, self.report = recorder.schedule, recorder.report
        self.requested, self.schedule_retries = recorder.requested, recorder.schedule_retries
        self.mark_gone = recorder.mark_gone

    def save(self, draft: CheckpointDraft) -> None:
        with self._meter.on("storing checkpoints"):
            self._recorder.save(draft)


class MeteredPipeline(Pipeline):
    """A pipeline whose steps are timed, and that notes when it first had learned up to each offset."""

    def __init__(self, spec: LearnerSpec, settings: Mapping[str, Any], meter: Meter) -> None:
        super().__init__(spec, settings)
        self._meter = meter
        self.reached: list[tuple[int, int]] = []
        """(offset up to which all has been learned, nanoseconds since 1970), of one partition."""

    def learn(self, one: Slice, retry: ScheduledSlice | None = None) -> StepReport:
        with self._meter.on("learning"):
            report = super().learn(one, retry)
        self._note(one.end)
        return report

    def look_ahead(self, open_slices: Sequence[Slice]) -> bool:
        with self._meter.on("looking ahead"):
            new = super().look_ahead(open_slices)
        for one in open_slices:
            self._note(one.end)
        return new

    def draft(self) -> CheckpointDraft:
        with self._meter.on("drafting checkpoints"):
            return super().draft()

    def _note(self, end: int) -> None:
        if not self.reached or end > self.reached[-1][0]:
            self.reached.append((end, time.time_ns()))


def main() -> None:
    mode, path, output, *events = sys.argv[1:]
    config = build.resolved(build.load(Path(path)), None)
    learning.pin_threads(config)
    readings = from_memory(config) if mode == "memory" else from_topic(config, int(events[0]) if events else None)
    if used := usage(os.getpid()):
        readings["peak_rss_mib"] = used.peak_rss_mib
    Path(output).write_bytes(orjson.dumps(readings))


def from_topic(config: Config, events: int | None) -> Readings:
    """Learn the topic with a worker: to its end as it stands now, or until so many events have been learned."""
    meter, freshness = Meter(), list[int]()

    def observe(progress: TrainingProgress) -> None:
        if progress.freshness_ms is not None:
            freshness.append(progress.freshness_ms)

    spec, settings = learning.learner_spec(config)
    pipeline = MeteredPipeline(spec, settings, meter)
    with build.state(config) as state, closing(build.reader(config)) as reader:
        writer = state.checkpoints.open_run(config.name, stored_form(config))
        recorder = RunRecorder(state.checkpoints, state.ledger, writer, config.train.checkpoint.keep)
        lookup = RecordLookup(lambda: build.reader(config))
        parts = WorkerParts(MeteredReader(reader, meter), lookup, MeteredRecorder(recorder, meter))
        worker = Worker(parts, pipeline, learning.worker_settings(config), learning.worker_clocks())
        begin, cpu = time.perf_counter(), time.process_time()
        worker.open(None, ())
        print(READY, flush=True)
        worker.run(Stop().install(), _limit(reader, pipeline, events), observe)
        elapsed, cpu = time.perf_counter() - begin, time.process_time() - cpu
        checkpoints = worker.progress().checkpoints
    return _readings(pipeline, elapsed, cpu) | {
        "seconds": meter.seconds,
        "checkpoints": checkpoints,
        "freshness_ms": freshness,
        "reached": pipeline.reached,
    }


def from_memory(config: Config) -> Readings:
    """Learn the same slices from memory, with the same pipeline and nothing around it."""
    pipeline = Pipeline(*learning.learner_spec(config))
    starts, slices, rest = _slices(config)
    pipeline.begin(starts)
    begin, cpu = time.perf_counter(), time.process_time()
    for one in slices:
        pipeline.learn(one)
    pipeline.look_ahead(rest)
    return _readings(pipeline, time.perf_counter() - begin, time.process_time() - cpu)


def _limit(reader: TopicReader, pipeline: Pipeline, events: int | None) -> Limit:
    if events is not None:
        return Limit(max_events=events)
    return Limit({source: reader.watermarks(source).high for source in pipeline.base_offsets})


def _slices(config: Config) -> tuple[Mapping[TopicPartition, int], list[Slice], list[Slice]]:
    """Where the topic's partitions begin, all their complete slices, and the open ones behind those."""
    with closing(build.reader(config)) as reader:
        sources = [TopicPartition(config.topic_name, partition) for partition in reader.partitions(config.topic_name)]
        marks = {source: reader.watermarks(source) for source in sources}
        starts = {source: mark.low for source, mark in marks.items()}
        cutter = SliceCutter(config.train.slice, starts)
        reader.assign(starts)
        while any(cutter.positions()[source] < mark.high for source, mark in marks.items()):
            cutter.feed(reader.poll(POLL_RECORDS, 1.0))
    complete = [cutter.take(source, end) for source, _, end in cutter.complete()]
    return starts, complete, cutter.rest()


def _readings(pipeline: Pipeline, elapsed_s: float, cpu_s: float) -> Readings:
    """How much was learned in what time, with the proof that it was the same."""
    learner = pipeline.learner
    return {
        "events": learner.events,
        "rejected": learner.counts.get("rejected", 0),
        "elapsed_s": elapsed_s,
        "cpu_s": cpu_s,
        "weights_sha256": tensors.weights_sha256(learner.weights()),
        "metrics": learner.report(),
    }


if __name__ == "__main__":
    main()
