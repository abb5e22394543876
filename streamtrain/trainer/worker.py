"""The training loop: poll, cut, learn, look ahead, checkpoint. Offsets come from the checkpoint, never from a group."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamtrain import faults, log
from streamtrain.errors import FatalError, PositionLost
from streamtrain.slices import SliceCutter
from streamtrain.state.records import ScheduledSlice, offsets_as_json
from streamtrain.topic.base import TopicPartition, TopicReader
from streamtrain.trainer.limits import Limit
from streamtrain.trainer.lookup import RecordLookup
from streamtrain.trainer.pipeline import Pipeline
from streamtrain.trainer.recorder import Recorder

_log = log.get("trainer")

_POLL_RECORDS = 4096
_IDLE_POLL_S = 0.2
_REPORT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the loop needs to know; nothing here decides the weights but ``slice_size``."""

    topic: str
    slice_size: int = 64
    max_wait_s: float = 0.2
    every_slices: int = 200
    every_s: float = 10.0


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How the worker stands, for screens and ``status``."""

    events: int
    slices: int
    checkpoints: int
    lag_records: int
    freshness_ms: int | None
    """Age of the newest learned change at the moment it was learned, by the source's commit time."""
    stored: bool
    """Whether all that has been learned is in a checkpoint."""
    metrics: Mapping[str, float]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, as arguments: seconds that only rise, and milliseconds since 1970."""

    monotonic_s: Callable[[], float]
    wall_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What the loop works with; all of it is the caller's to close."""

    reader: TopicReader
    lookup: RecordLookup
    recorder: Recorder


class Worker:
    """Trains one run from one topic. Not thread-safe; after any error everything is to be opened anew."""

    def __init__(self, parts: WorkerParts, pipeline: Pipeline, settings: WorkerSettings, clocks: Clocks) -> None:
        self._parts = parts
        self._pipeline = pipeline
        self._settings = settings
        self._clocks = clocks
        self._cutter = SliceCutter(settings.slice_size, {})
        self._planned: deque[ScheduledSlice] = deque()
        self._saved_at: tuple[int, Mapping[TopicPartition, int]] = (-1, {})
        self._saved_s = self._waiting_since_s = self._reported_s = self._retries_s = 0.0
        self._waiting = False
        self._checkpoints = 0
        self._freshness_ms: int | None = None

    def open(
        self,
        saved: Mapping[TopicPartition, int] | None,
        planned: Sequence[ScheduledSlice],
        partitions: Sequence[int] | None = None,
    ) -> None:
        """Read on where the pipeline stands.

        ``saved`` are the offsets of the checkpoint it was restored from, ``planned`` the slices whose order is recorded
        beyond it, ``partitions`` the ones to read (all that there are if None). Raises PositionLost if the log no longer holds the offsets to go on from.
        """
        reader, topic = self._parts.reader, self._settings.topic
        there = reader.partitions(topic) if partitions is None else partitions
        sources = [TopicPartition(topic, partition) for partition in there]
        for gone in set(self._pipeline.base_offsets) - set(sources):
            raise PositionLost(
                f"{gone} of the checkpoint is not in the topic any more", hint="was the topic made anew?"
            )
        for source in sources:
            if source not in self._pipeline.base_offsets:
                self._pipeline.join(source, reader.watermarks(source).low)
        offsets = self._pipeline.base_offsets
        reader.assign(offsets)
        self._cutter = SliceCutter(self._settings.slice_size, offsets)
        self._planned.extend(planned)
        self._take_up_retries()
        if saved is not None:
            self._saved_at = (self._pipeline.number, dict(saved))
        self._saved_s = self._clocks.monotonic_s()
        faults.passed("train.restored")

    def run(self, stop: Callable[[], bool], limit: Limit, observe: Callable[[TrainingProgress], None]) -> None:
        """Train until asked to stop or until ``limit`` is reached, then learn what is left and checkpoint."""
        while not stop() and not limit.reached(self._cutter.positions()):
            self._take_in(limit)
            self._learn_complete()
            self._look_ahead(at_once=False)
            self._checkpoint_if_due()
            self._take_up_retries_now_and_then()
            self._report(observe, at_once=False)
        self._learn_complete()
        self._look_ahead(at_once=True)
        if self._unsaved():
            self._checkpoint()
        self._report(observe, at_once=True)

    def _take_in(self, limit: Limit) -> None:
        polled = self._parts.reader.poll(_POLL_RECORDS, self._patience_s())
        taken = limit.clip(polled)
        self._cutter.feed(taken)
        if not self._waiting and any(len(records) for records in taken):
            self._waiting, self._waiting_since_s = True, self._clocks.monotonic_s()

    def _patience_s(self) -> float:
        if not self._waiting:
            return _IDLE_POLL_S
        waited = self._clocks.monotonic_s() - self._waiting_since_s
        return min(_IDLE_POLL_S, max(0.0, self._settings.max_wait_s - waited))

    def _learn_complete(self) -> None:
        """Learn every slice whose range has been read, in the recorded order where there is one."""
        while True:
            if self._planned and self._planned[0].number == self._pipeline.number + 1:
                if not self._learn_planned(self._planned[0]):
                    return
                self._planned.popleft()
                continue
            complete = self._cutter.complete()
            if not complete:
                return
            if len(self._pipeline.base_offsets) > 1:
                self._refuse_gap()
                self._plan(complete)
            else:
                self._learn(*complete[0])

    def _refuse_gap(self) -> None:
        """With several partitions every slice is recorded; where the record begins later, the topic had one then."""
        if self._planned:
            raise FatalError(
                f"the order of slices {self._pipeline.number + 1} to {self._planned[0].number - 1} is not recorded",
                hint="a partition was added to the topic: replay from a checkpoint that was made after that",
            )

    def _plan(self, complete: Sequence[tuple[TopicPartition, int, int]]) -> None:
        """Record the order of slices of several partitions before training: which were there first is a matter of time."""
        first = self._pipeline.number + 1
        slices = [ScheduledSlice(first + index, *one) for index, one in enumerate(complete)]
        self._parts.recorder.schedule(slices)
        self._planned.extend(slices)

    def _learn_planned(self, planned: ScheduledSlice) -> bool:
        if planned.retry:
            found = self._parts.lookup.find(planned.source, planned.start)
            if found is None:
                _log.warning("a dead letter's record is gone", at=str(planned.source), offset=planned.start)
                self._pipeline.skip()
            else:
                self._pipeline.learn(found, retry=planned)
            return True
        if not self._cutter.ready(planned.source, planned.end):
            return False
        self._learn(planned.source, planned.start, planned.end)
        return True

    def _learn(self, source: TopicPartition, start: int, end: int) -> None:
        one = self._cutter.take(source, end)
        if one.start != start:
            raise FatalError(f"slice of {source} begins at offset {one.start}, planned was {start}")
        faults.passed("train.sliced")
        self._pipeline.learn(one)
        self._learned()
        self._checkpoint_if_due()

    def _look_ahead(self, *, at_once: bool) -> None:
        """Let the tip learn what waits in open slices, once it has waited long enough."""
        due = self._waiting and self._clocks.monotonic_s() - self._waiting_since_s >= self._settings.max_wait_s
        if (due or at_once) and not self._cutter.complete():
            if self._pipeline.look_ahead(self._cutter.rest()):
                self._learned()
            self._waiting = False

    def _learned(self) -> None:
        if self._pipeline.last_committed_ms:
            self._freshness_ms = max(0, self._clocks.wall_ms() - self._pipeline.last_committed_ms)
        if not self._cutter.buffered():
            self._waiting = False

    def _unsaved(self) -> bool:
        """Whether there is more than what is stored. A restored tip that has not been made again yet is less."""
        (number, saved), offsets = self._saved_at, self._pipeline.offsets
        if number == self._pipeline.number and any(offsets.get(source, 0) < end for source, end in saved.items()):
            return False
        return (number, saved) != (self._pipeline.number, offsets)

    def _checkpoint_if_due(self) -> None:
        waited = self._clocks.monotonic_s() - self._saved_s >= self._settings.every_s
        many = self._pipeline.slices_since_draft >= self._settings.every_slices
        if (waited or many) and self._unsaved():
            self._checkpoint()
            self._take_up_retries()

    def _checkpoint(self) -> None:
        self._parts.recorder.save(self._pipeline.draft())
        self._pipeline.saved()
        self._saved_at = (self._pipeline.number, self._pipeline.offsets)
        self._saved_s = self._clocks.monotonic_s()
        self._checkpoints += 1

    def _take_up_retries(self) -> None:
        """Plan the dead letters that are to be learned again; they are learned before what comes next."""
        self._retries_s = self._clocks.monotonic_s()
        places = [] if self._planned else self._parts.recorder.requested(self._pipeline.base_offsets)
        there = [(source, offset) for source, offset in places if self._parts.lookup.find(source, offset) is not None]
        if gone := [place for place in places if place not in there]:
            self._parts.recorder.mark_gone(gone)
        if there:
            self._planned.extend(self._parts.recorder.schedule_retries(self._pipeline.number, there))

    def _take_up_retries_now_and_then(self) -> None:
        """On a quiet topic there are no checkpoints after which retries are taken up."""
        if self._clocks.monotonic_s() - self._retries_s >= self._settings.every_s:
            self._take_up_retries()

    def _report(self, observe: Callable[[TrainingProgress], None], *, at_once: bool) -> None:
        now = self._clocks.monotonic_s()
        if not at_once and now - self._reported_s < _REPORT_EVERY_S:
            return
        self._reported_s = now
        progress = self.progress()
        observe(progress)
        self._parts.recorder.report("running", self.detail(progress))

    def detail(self, progress: TrainingProgress | None = None) -> dict[str, Any]:
        """The progress as ``status`` shows it."""
        progress = progress or self.progress()
        return {
            "events": progress.events,
            "slices": progress.slices,
            "lag_records": progress.lag_records,
            "freshness_ms": progress.freshness_ms,
            "offsets": offsets_as_json(self._pipeline.offsets),
            "metrics": dict(progress.metrics),
        }

    def progress(self) -> TrainingProgress:
        """How things stand now."""
        learner = self._pipeline.learner
        return TrainingProgress(
            events=learner.events,
            slices=self._pipeline.number,
            checkpoints=self._checkpoints,
            lag_records=self._lag(),
            freshness_ms=self._freshness_ms,
            stored=self._saved_at == (self._pipeline.number, self._pipeline.offsets),
            metrics=learner.report(),
            counts=dict(learner.counts),
        )

    def _lag(self) -> int:
        """Offsets between what has been learned and the end of the log (markers included, so a little too high)."""
        learned = self._pipeline.offsets
        return sum(max(0, self._parts.reader.watermarks(source).high - offset) for source, offset in learned.items())
