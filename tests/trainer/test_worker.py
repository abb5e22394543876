"""The training loop on scripted topics: what it learns is a function of the log, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrain.errors import FatalError, PositionLost
from streamtrain.features.labels import LabelSpec
from streamtrain.features.spec import parse_features
from streamtrain.learner import LearnerSpec
from streamtrain.slices import SliceCutter
from streamtrain.state.records import CheckpointDraft, LearnedRange, ScheduledSlice, state_sha256
from streamtrain.testing import ManualClock, ScriptedReader, Slot, change
from streamtrain.topic.base import TopicPartition
from streamtrain.trainer.limits import Limit
from streamtrain.trainer.lookup import RecordLookup
from streamtrain.trainer.pipeline import Pipeline, serving_learner
from streamtrain.trainer.recorder import Place
from streamtrain.trainer.worker import Clocks, Worker, WorkerParts, WorkerSettings

LOG = TopicPartition("shop.shop.events", 0)
SPEC = LearnerSpec(
    label=LabelSpec("clicked", "binary"),
    features=parse_features({"user_id": "categorical", "price": "numeric"}),
    hash_bits=8,
    model="ftrl",
)


class Recorder:
    """Keeps everything in memory."""

    def __init__(self) -> None:
        self.drafts: list[CheckpointDraft] = []
        self.scheduled: list[ScheduledSlice] = []
        self.wanted: list[Place] = []
        self.gone: list[Place] = []
        self.told: list[tuple[str, Any]] = []

    def schedule(self, slices: Iterable[ScheduledSlice]) -> None:
        self.scheduled += slices

    def requested(self, learned: object) -> list[Place]:
        due, self.wanted = self.wanted, []
        return due

    def schedule_retries(self, after: int, places: Iterable[Place]) -> list[ScheduledSlice]:
        numbered = [
            ScheduledSlice(after + index, *place, place[1] + 1, retry=True) for index, place in enumerate(places, 1)
        ]
        self.scheduled += numbered
        return numbered

    def mark_gone(self, places: Iterable[Place]) -> None:
        self.gone += places

    def save(self, draft: CheckpointDraft) -> None:
        self.drafts.append(draft)

    def report(self, state: str, detail: Any) -> None:
        self.told.append((state, detail))


def log_of(count: int, seed: int = 1) -> list[Slot]:
    """Inserts, updates, deletes, tombstones, markers and broken records."""
    chance = random.Random(seed)
    slots: list[Slot] = []
    for number in range(count):
        row = {
            "id": number,
            "user_id": chance.randrange(9),
            "price": chance.random(),
            "clicked": chance.choice([0, 1, None]),
        }
        kind = chance.random()
        if kind < 0.6:
            slots.append(change("c", None, row))
        elif kind < 0.8:
            slots.append(change("u", row, {**row, "clicked": chance.choice([0, 1, None])}))
        elif kind < 0.85:
            slots.append(change("d", row, None))
        elif kind < 0.9:
            slots.append((b'{"id":1}', None))
        elif kind < 0.95:
            slots.append(None)
        else:
            slots.append((b'{"id":1}', chance.choice([b"broken", b'{"op":"z"}', b'{"op":"c","after":{"clicked":1}}'])))
    return slots


class Run:
    """One life of a worker after another, on one recorder."""

    def __init__(self, size: int = 8, **settings: Any) -> None:
        self.recorder = Recorder()
        self.clock = ManualClock()
        self._settings = WorkerSettings(LOG.topic, slice_size=size, **settings)

    def live(self, reader: ScriptedReader, stop_after: int | None = None, limit: Limit | None = None) -> Pipeline:
        """Restore from the last draft, and work until the limit (or so many looks at the stop flag)."""
        pipeline = Pipeline(SPEC, {})
        last = self.recorder.drafts[-1] if self.recorder.drafts else None
        if last is not None:
            pipeline.restore(last.blobs)
        planned = [one for one in self.recorder.scheduled if one.number > pipeline.number]
        clocks = Clocks(self.clock.monotonic_s, self.clock.wall_ms)
        worker = Worker(
            WorkerParts(reader, RecordLookup(reader.reopened), self.recorder), pipeline, self._settings, clocks
        )
        worker.open(last.offsets if last else None, planned)
        looks = iter(range(stop_after)) if stop_after is not None else iter(())
        ends = {source: reader.watermarks(source).high for source in pipeline.base_offsets}
        worker.run(lambda: stop_after is not None and next(looks, None) is None, limit or Limit(ends), lambda _: None)
        return pipeline

    @property
    def state(self) -> str:
        return state_sha256(self.recorder.drafts[-1].blobs)


def undisturbed(slots: list[Slot], size: int = 8) -> Run:
    run = Run(size)
    run.live(ScriptedReader({LOG: slots}))
    return run


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 120),
    size=st.integers(1, 20),
    polls=st.lists(st.integers(1, 30), max_size=60),
    lives=st.lists(st.integers(1, 6), max_size=5),
    wait=st.floats(0, 1),
)
def test_poll_sizes_waits_and_restarts_at_any_moment_change_no_bit(
    count: int, size: int, polls: list[int], lives: list[int], wait: float
) -> None:
    slots = log_of(count)
    run = Run(size, every_slices=2, max_wait_s=0.1)
    script = iter(polls)
    for looks in [*lives, None]:
        reader = ScriptedReader({LOG: slots}, script, before_poll=lambda: run.clock.advance(wait))
        run.live(reader, stop_after=looks)
    assert run.state == undisturbed(slots, size).state


def test_records_that_arrive_late_end_in_the_state_of_those_that_were_there() -> None:
    slots = log_of(50)
    run = Run(8, max_wait_s=0.1)
    arriving = iter(slots)
    reader = ScriptedReader({LOG: []})

    def arrive() -> None:
        run.clock.advance(1)
        reader.append(LOG, [next(arriving)] if reader.watermarks(LOG).high < len(slots) else [])

    reader._before_poll = arrive
    run.live(reader, limit=Limit({LOG: 50}))
    assert run.state == undisturbed(slots).state
    assert len(run.recorder.drafts) > 3


def test_a_slice_that_does_not_fill_is_learned_after_the_wait_and_not_before() -> None:
    run = Run(64, max_wait_s=0.2, every_s=0.01)
    seen: list[int] = []
    pipeline = Pipeline(SPEC, {})
    reader = ScriptedReader({LOG: [change("c", None, {"id": 1, "user_id": 1, "price": 1.0, "clicked": 1})]})

    def look() -> bool:
        seen.append(pipeline.learner.events)
        run.clock.advance(0.15)
        return len(seen) == 4

    worker = Worker(
        WorkerParts(reader, RecordLookup(reader.reopened), run.recorder),
        pipeline,
        WorkerSettings(LOG.topic, slice_size=64, max_wait_s=0.2),
        Clocks(run.clock.monotonic_s, run.clock.wall_ms),
    )
    worker.open(None, [])
    worker.run(look, Limit(), lambda _: None)
    assert seen == [0, 0, 0, 1]


def test_the_served_model_has_learned_the_open_slice_and_the_resumed_one_learns_it_whole() -> None:
    slots = log_of(11)
    run = Run(8)
    pipeline = run.live(ScriptedReader({LOG: slots}))
    draft = run.recorder.drafts[-1]
    assert draft.offsets == {LOG: 11}
    assert draft.resume_offsets == {LOG: 8}
    served = serving_learner(SPEC, draft.blobs)
    assert served.state() == pipeline.learner.state()
    assert served.events > 8 - 3
    more = [*slots, *log_of(20, seed=2)]
    run.live(ScriptedReader({LOG: more}))
    assert run.state == undisturbed(more).state


def test_a_slice_that_was_learned_early_and_is_now_whole_is_not_served_from_before() -> None:
    slots = log_of(16)
    pipeline = Pipeline(SPEC, {})
    pipeline.begin({LOG: 0})
    cutter = SliceCutter(8, {LOG: 0})
    reader = ScriptedReader({LOG: slots}, polls=[5, 11])
    reader.assign({LOG: 0})
    cutter.feed(reader.poll(100, 0))
    pipeline.look_ahead(cutter.rest())
    early = pipeline.learner.events
    cutter.feed(reader.poll(100, 0))
    pipeline.learn(cutter.take(LOG, 8))
    assert pipeline.offsets == {LOG: 8}
    assert pipeline.learner.events > early
    assert not any(name.startswith("tip/") for name in pipeline.draft().blobs)


def test_nothing_is_learned_early_while_a_recorded_slice_of_another_partition_is_waited_for() -> None:
    other = TopicPartition(LOG.topic, 1)
    run = Run(8, max_wait_s=0.1)
    run.recorder.scheduled = [ScheduledSlice(1, LOG, 0, 8), ScheduledSlice(2, other, 0, 8)]
    reader = ScriptedReader({LOG: log_of(3), other: log_of(20, seed=2)}, before_poll=lambda: run.clock.advance(1))
    pipeline = run.live(reader, stop_after=3, limit=Limit())
    assert pipeline.number == 0
    assert pipeline.learner.events == 0


def test_the_order_of_several_partitions_is_recorded_before_it_is_learned_and_followed_after_a_restart() -> None:
    other = TopicPartition(LOG.topic, 1)
    logs = {LOG: log_of(40), other: log_of(60, seed=2)}
    run = Run(8, every_slices=1)
    first = ScriptedReader({LOG: logs[LOG][:9], other: logs[other]})
    run.live(first, stop_after=1)
    scheduled = list(run.recorder.scheduled)
    assert [one.source.partition for one in scheduled] == [0, 1, 1, 1, 1, 1, 1, 1]
    # All but the first checkpoint is lost: what was scheduled is learned in the same order, though more is there now.
    expected = next(draft for draft in run.recorder.drafts if draft.slice >= 8)
    del run.recorder.drafts[1:]
    run.live(ScriptedReader(logs))
    again = next(draft for draft in run.recorder.drafts if draft.slice == expected.slice)
    assert again.weights_sha256 == expected.weights_sha256 or again.offsets != expected.offsets
    assert run.recorder.scheduled[: len(scheduled)] == scheduled
    assert run.recorder.drafts[-1].offsets == {LOG: 40, other: 60}


def test_rejected_records_are_dead_letters_with_their_place_and_the_rest_is_learned() -> None:
    good = {"id": 1, "user_id": 1, "price": 1.0, "clicked": 1}
    slots: list[Slot] = [
        change("c", None, good),
        (b'{"id":2}', b"broken"),
        change("c", None, {**good, "id": 3, "price": "NaN"}),
        change("c", None, {**good, "id": 4, "clicked": "perhaps"}),
        change("c", None, {"id": 5, "user_id": 1, "clicked": 1}),
        change("c", None, {**good, "id": 6, "price": True}),
        change("c", None, {**good, "id": 7}),
    ]
    run = Run(4)
    run.live(ScriptedReader({LOG: slots}))
    letters = {one.offset: (one.reason, one.row_key, one.source) for one in run.recorder.drafts[-1].dead_letters}
    assert letters == {
        1: ("malformed", '{"id":2}', LOG),
        2: ("not_finite", '{"id":3}', LOG),
        3: ("unknown_label", '{"id":4}', LOG),
        4: ("missing_column", '{"id":5}', LOG),
        5: ("wrong_type", '{"id":6}', LOG),
    }
    metrics = run.recorder.drafts[-1].metrics
    assert (metrics["events"], metrics["rejected"], metrics["count"]) == (7.0, 5.0, 2.0)


def test_a_rejected_record_leaves_the_state_of_a_log_in_which_its_slot_is_empty() -> None:
    slots = log_of(40)
    broken, empty = list(slots), list(slots)
    broken[5], empty[5] = (b'{"id":5}', b"broken"), None
    found, expected = undisturbed(broken).recorder.drafts[-1], undisturbed(empty).recorder.drafts[-1]
    assert found.weights_sha256 == expected.weights_sha256
    assert found.blobs["base/optimizer"] == expected.blobs["base/optimizer"]
    assert found.blobs["base/features"] == expected.blobs["base/features"]


def test_a_retried_letter_is_a_slice_of_its_own_and_a_replay_does_the_same() -> None:
    slots = log_of(40)
    run = Run(8, every_slices=1)
    run.live(ScriptedReader({LOG: slots}), limit=Limit({LOG: 16}))
    run.recorder.wanted = [(LOG, 3)]
    run.live(ScriptedReader({LOG: slots}))
    assert [one.start for one in run.recorder.scheduled] == [3]
    again = Run(8)
    again.recorder.scheduled = list(run.recorder.scheduled)
    again.live(ScriptedReader({LOG: slots}))
    assert again.state == run.state
    assert undisturbed(slots).state != run.state


def test_a_retry_of_a_record_that_is_gone_is_said_to_be_so_and_stops_nothing() -> None:
    run = Run(8)
    run.live(ScriptedReader({LOG: log_of(20)}))
    run.recorder.wanted = [(LOG, 3)]
    pipeline = run.live(ScriptedReader({LOG: log_of(40)}, low=10))
    assert run.recorder.gone == [(LOG, 3)]
    assert pipeline.offsets == {LOG: 40}
    run.recorder.scheduled = [ScheduledSlice(pipeline.number + 1, LOG, 3, 4, retry=True)]
    assert run.live(ScriptedReader({LOG: log_of(50)}, low=10)).offsets == {LOG: 50}


def test_a_letter_that_is_learned_by_its_own_slice_after_all_is_handed_over_as_learned() -> None:
    run = Run(8)
    run.live(ScriptedReader({LOG: log_of(20)}))
    assert run.recorder.drafts[-1].learned == [LearnedRange(LOG, 0, 16)]


def test_a_stop_before_the_open_slice_has_been_read_again_stores_nothing_older() -> None:
    slots = log_of(13)
    run = Run(8)
    run.live(ScriptedReader({LOG: slots}))
    assert run.recorder.drafts[-1].offsets == {LOG: 13}
    run.live(ScriptedReader({LOG: slots}), stop_after=0)
    assert [draft.offsets[LOG] for draft in run.recorder.drafts] == [13]


def test_a_partition_that_was_added_later_stops_a_replay_from_before_it() -> None:
    other = TopicPartition(LOG.topic, 1)
    run = Run(8)
    run.recorder.scheduled = [ScheduledSlice(3, other, 0, 8)]
    with pytest.raises(FatalError, match="a partition was added"):
        run.live(ScriptedReader({LOG: log_of(40), other: log_of(40)}))


def test_a_delete_is_recorded_with_the_rows_key() -> None:
    row = {"id": 7, "user_id": 1, "price": 1.0, "clicked": 1}
    run = Run(4)
    run.live(ScriptedReader({LOG: [change("c", None, row), change("d", row, None), (b'{"id":7}', None)]}))
    (gone,) = run.recorder.drafts[-1].deletions
    assert (gone.offset, gone.row_key) == (1, '{"id":7}')


def test_offsets_below_the_logs_start_stop_naming_partition_offset_and_low_watermark() -> None:
    run = Run(8)
    run.live(ScriptedReader({LOG: log_of(20)}))
    with pytest.raises(PositionLost, match=r"shop\.shop\.events\[0\].*offset 16.*low watermark 18"):
        run.live(ScriptedReader({LOG: log_of(40)}, low=18))


def test_a_partition_that_is_gone_stops() -> None:
    other = TopicPartition(LOG.topic, 1)
    run = Run(8)
    run.live(ScriptedReader({LOG: log_of(20), other: log_of(20)}))
    with pytest.raises(PositionLost, match="not in the topic any more"):
        run.live(ScriptedReader({LOG: log_of(20)}))
