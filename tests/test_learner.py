"""Predict first, learn after; and what a row that is learned again does not do a second time."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamtrain.errors import NoUsableCheckpoint
from streamtrain.features.labels import LabelSpec
from streamtrain.features.spec import parse_features
from streamtrain.learner import Learner, LearnerSpec
from streamtrain.testing import Slot, change
from streamtrain.topic.base import Records, TopicPartition

LOG = TopicPartition("shop.shop.events", 0)
SPEC = LearnerSpec(
    label=LabelSpec("clicked", "binary"),
    features=parse_features({"user_id": "categorical", "price": "numeric"}),
    hash_bits=8,
    model="ftrl",
)


def records(*slots: Slot) -> Records:
    there = [slot for slot in slots if slot is not None]
    return Records(
        LOG, range(len(there)), [key for key, _ in there], [value for _, value in there], [0] * len(there), len(there)
    )


def row(identity: int, clicked: int | None = 1, price: float = 1.0) -> dict[str, object]:
    return {"id": identity, "user_id": 1, "price": price, "clicked": clicked}


def test_a_slice_is_scored_with_the_model_as_it_was_before_it() -> None:
    learner = Learner(SPEC)
    learner.learn(records(change("c", None, row(1)), change("c", None, row(2))))
    # Nothing was known before the first slice, so both predictions were one half.
    assert learner.report()["log_loss"] == pytest.approx(np.log(2))
    before = learner.predict([row(3)])[0][0, 0]
    assert before > 0.5
    learner.learn(records(change("c", None, row(3))))
    assert learner.report()["log_loss"] == pytest.approx((2 * np.log(2) - np.log(before)) / 3, rel=1e-6)


def test_a_row_that_is_learned_again_is_neither_scored_nor_counted_in_the_feature_statistics_again() -> None:
    once, twice = Learner(SPEC), Learner(SPEC)
    rows = [change("c", None, row(1, 0, 3.0)), change("c", None, row(2, 1, 5.0))]
    once.learn(records(*rows))
    twice.learn(records(*rows))
    another = change("c", None, row(3, 1, 4.0))
    once.learn(records(another))
    twice.learn(records(change("u", row(1, 0, 3.0), row(1, 1, 3.0)), another))
    assert twice.report()["count"] == once.report()["count"] == 3
    assert twice.state()["features"] == once.state()["features"]
    assert twice.state()["weights"] != once.state()["weights"]
    assert twice.predict([row(9)])[0][0, 0] > once.predict([row(9)])[0][0, 0]


def test_predicting_changes_nothing() -> None:
    learner = Learner(SPEC)
    learner.learn(records(change("c", None, row(1))))
    before = learner.state()
    learner.predict([row(5, price=1e9), {"user_id": None, "price": None}, {}])
    assert learner.state() == before


def test_a_state_that_lacks_a_part_is_refused() -> None:
    blobs = Learner(SPEC).state()
    del blobs["optimizer"]
    with pytest.raises(NoUsableCheckpoint, match="optimizer"):
        Learner(SPEC).load(blobs)


def test_records_are_counted_by_kind() -> None:
    learner = Learner(SPEC)
    learner.learn(
        records(change("r", None, row(1)), change("c", None, row(2, None)), change("d", row(1), None), (b"k", b"x"))
    )
    assert orjson.loads(learner.state()["counts"]) == learner.counts
    assert learner.counts == {"events": 4, "reads": 1, "inserts": 1, "deletes": 1, "unlabelled": 1, "rejected": 1}
