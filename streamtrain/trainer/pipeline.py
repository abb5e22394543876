"""The one way from slices to checkpoints, used by live training and by replay, so that the two cannot drift apart.

State has two layers. The *base* has learned complete slices only, so it is a function of the log and the spec. The *tip*
is a copy of the base that has also learned what has arrived of the slices still open; it is what is served and reported.
When more arrives the tip is thrown away and made again from the base. So the model is fresh within ``max_wait_ms`` and
yet no arrival time ever enters the durable state: whatever was learned early is learned again as part of its whole slice.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import torch

from streamtrain import __version__, examples, faults, tensors
from streamtrain.errors import NoUsableCheckpoint
from streamtrain.learner import Learner, LearnerSpec, StepReport
from streamtrain.slices import Slice
from streamtrain.state.records import (
    CheckpointDraft,
    DeadLetter,
    Deletion,
    LearnedRange,
    ScheduledSlice,
    offsets_as_json,
    offsets_from_json,
)
from streamtrain.topic.base import TopicPartition

_PROGRESS = "progress"
_BASE = "base/"
_TIP = "tip/"


def versions() -> dict[str, str]:
    """What computed a checkpoint: other versions of these may round differently."""
    return {
        "streamtrain": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a checkpoint is."""

    number: int
    """Complete slices that its base has learned."""
    began: Mapping[TopicPartition, int]
    """Where the run began."""
    offsets: Mapping[TopicPartition, int]
    resume_offsets: Mapping[TopicPartition, int]


def read_progress(blobs: Mapping[str, bytes]) -> Progress:
    """How far the checkpoint of these blobs is. Raises NoUsableCheckpoint."""
    if _PROGRESS not in blobs:
        raise NoUsableCheckpoint("the checkpoint does not say how far it is")
    document = orjson.loads(blobs[_PROGRESS])
    return Progress(
        document["number"],
        offsets_from_json(document["began"]),
        offsets_from_json(document["offsets"]),
        offsets_from_json(document["resume_offsets"]),
    )


class Pipeline:
    """Base, tip, and what has come up since the last checkpoint. Not thread-safe."""

    def __init__(self, spec: LearnerSpec, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._base = Learner(spec)
        self._tip: Learner | None = None
        self._tip_slices: Sequence[Slice] = ()
        self._began: dict[TopicPartition, int] = {}
        self._offsets: dict[TopicPartition, int] = {}
        self._number = 0
        self._found = _Found()
        self._tip_found = _Found()
        self.last_committed_ms = 0

    @property
    def number(self) -> int:
        """How many complete slices (and retried dead letters) the base has learned."""
        return self._number

    @property
    def base_offsets(self) -> Mapping[TopicPartition, int]:
        """Where the base goes on: the start of each partition's open slice."""
        return self._offsets

    @property
    def offsets(self) -> dict[TopicPartition, int]:
        """Where the tip goes on: the next record of each partition that it has not learned."""
        return {**self._offsets, **{one.source: one.end for one in self._tip_slices}}

    @property
    def learner(self) -> Learner:
        """The learner to serve and report: the tip where there is one."""
        return self._tip or self._base

    @property
    def changed(self) -> bool:
        """Whether anything was learned since the last ``draft``."""
        return self._found.slices + self._tip_found.slices > 0

    @property
    def slices_since_draft(self) -> int:
        """Complete slices learned since the last ``draft``."""
        return self._found.slices

    def begin(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Start at these offsets with a learner that has seen nothing."""
        self._began = dict(offsets)
        self._offsets = dict(offsets)

    def restore(self, blobs: Mapping[str, bytes]) -> None:
        """Go on from a checkpoint's blobs: its base; the tip is made again from the records."""
        progress = read_progress(blobs)
        self._began = dict(progress.began)
        self._offsets = dict(progress.resume_offsets)
        self._number = progress.number
        self._base.load({name.removeprefix(_BASE): data for name, data in blobs.items() if name.startswith(_BASE)})
        self._tip = None

    def join(self, source: TopicPartition, offset: int) -> None:
        """Take in a partition that is new to the run."""
        self._began[source] = offset
        self._offsets[source] = offset

    def learn(self, one: Slice, retry: ScheduledSlice | None = None) -> StepReport:
        """Let the base learn a complete slice, or a dead letter once more."""
        self._drop_tip()
        report = self._base.learn(one.records)
        faults.passed("train.learned")
        self._number += 1
        if retry is None:
            self._found.add_range(one)
            self._offsets[one.source] = one.end
        else:
            self._found.add_retry(retry)
        self._found.add(one, report, self._number)
        self.last_committed_ms = max(self.last_committed_ms, report.last_committed_ms)
        return report

    def skip(self) -> None:
        """Go past a dead letter that was to be learned again and whose record is gone."""
        self._drop_tip()
        self._number += 1
        self._found.slices += 1

    def look_ahead(self, open_slices: Sequence[Slice]) -> bool:
        """Make the tip anew: the base and what has arrived of the open slices. Whether there was anything new."""
        if [(one.source, one.end) for one in open_slices] == [(one.source, one.end) for one in self._tip_slices]:
            return False
        self._drop_tip()
        if not open_slices:
            return False
        tip = self._base.clone()
        for index, one in enumerate(open_slices, start=1):
            report = tip.learn(one.records)
            self._tip_found.add(one, report, self._number + index)
            self.last_committed_ms = max(self.last_committed_ms, report.last_committed_ms)
        self._tip = tip
        self._tip_slices = tuple(open_slices)
        return True

    def draft(self) -> CheckpointDraft:
        """Everything to be stored, as of now."""
        blobs = {_BASE + name: data for name, data in self._base.state().items()}
        if self._tip is not None:
            blobs |= {_TIP + name: data for name, data in self._tip.state().items()}
        progress = {
            "number": self._number,
            "began": offsets_as_json(self._began),
            "offsets": offsets_as_json(self.offsets),
            "resume_offsets": offsets_as_json(self._offsets),
        }
        blobs[_PROGRESS] = orjson.dumps(progress, option=orjson.OPT_SORT_KEYS)
        learner = self.learner
        return CheckpointDraft(
            slice=self._number + len(self._tip_slices),
            events=learner.events,
            blobs=blobs,
            weights_sha256=tensors.weights_sha256(learner.weights()),
            offsets=self.offsets,
            resume_offsets=dict(self._offsets),
            metrics=learner.report() | {name: float(count) for name, count in sorted(learner.counts.items())},
            settings=self._settings,
            versions=versions(),
            dead_letters=[*self._found.letters, *self._tip_found.letters],
            deletions=[*self._found.deletions, *self._tip_found.deletions],
            learned=self._found.ranges(),
            retried=list(self._found.retried),
        )

    def saved(self) -> None:
        """Say that the last ``draft`` has been committed."""
        self._found = _Found()
        self._tip_found.slices = 0

    def _drop_tip(self) -> None:
        self._tip = None
        self._tip_slices = ()
        self._tip_found = _Found()


def serving_learner(spec: LearnerSpec, blobs: Mapping[str, bytes]) -> Learner:
    """The learner that a checkpoint serves: its tip where it has one, else its base."""
    layer = _TIP if any(name.startswith(_TIP) for name in blobs) else _BASE
    learner = Learner(spec)
    learner.load({name.removeprefix(layer): data for name, data in blobs.items() if name.startswith(layer)})
    return learner


class _Found:
    """What came up while learning and is stored with the next checkpoint."""

    def __init__(self) -> None:
        self.slices = 0
        self.letters: list[DeadLetter] = []
        self.deletions: list[Deletion] = []
        self.retried: list[ScheduledSlice] = []
        self._learned: dict[TopicPartition, tuple[int, int]] = {}

    def add_range(self, one: Slice) -> None:
        start, _ = self._learned.get(one.source, (one.start, one.end))
        self._learned[one.source] = (start, one.end)

    def add_retry(self, retry: ScheduledSlice) -> None:
        """A letter that came up since the last checkpoint and is learned by now has never been."""
        self.retried.append(retry)
        place = (retry.source, retry.start)
        self.letters = [letter for letter in self.letters if (letter.source, letter.offset) != place]

    def ranges(self) -> list[LearnedRange]:
        return [
            LearnedRange(source, *ends) for source, ends in sorted(self._learned.items(), key=lambda item: str(item[0]))
        ]

    def add(self, one: Slice, report: StepReport, number: int) -> None:
        self.slices += 1
        self.letters.extend(_letters(one, report, number))
        self.deletions.extend(
            Deletion(one.source, one.records.offsets[slot], examples.row_key(one.records, slot), number)
            for slot in report.deleted
        )


def _letters(one: Slice, report: StepReport, number: int) -> Iterable[DeadLetter]:
    for slot, error in sorted(report.rejected.items()):
        key = examples.row_key(one.records, slot)
        yield DeadLetter(one.source, one.records.offsets[slot], error.reason, error.message, key, number)
