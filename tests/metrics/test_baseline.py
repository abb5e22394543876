from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrain.metrics.auc import exact_auc
from streamtrain.metrics.baseline import LabelChain

LABELS = st.integers(2, 5).flatmap(
    lambda classes: st.tuples(st.just(classes), st.lists(st.integers(0, classes - 1), min_size=1, max_size=40))
)


def one_by_one(classes: int, labels: list[int]) -> list[list[float]]:
    counts: dict[tuple[int | None, int], int] = {}
    previous, found = None, []
    for label in labels:
        row = [counts.get((previous, other), 0) + 1 for other in range(classes)]
        found.append([n / sum(row) for n in row])
        counts[previous, label] = counts.get((previous, label), 0) + 1
        previous = label
    return found


@settings(deadline=None)
@given(LABELS, st.integers(1, 9))
def test_slices_give_what_row_by_row_gives(stream: tuple[int, list[int]], size: int) -> None:
    classes, labels = stream
    chain, found = LabelChain(classes), []
    for start in range(0, len(labels), size):
        found += chain.predict_and_learn(np.array(labels[start : start + size])).tolist()
    assert found == [pytest.approx(row) for row in one_by_one(classes, labels)]


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_its_area_is_that_of_the_label_before_as_score(labels: list[bool]) -> None:
    chain, stream = LabelChain(2), np.array(labels)
    chain.predict_and_learn(stream.astype(np.int64))
    area = exact_auc(stream[:-1].astype(np.float32), stream[1:])
    assert chain.auc() == (None if area is None else pytest.approx(max(area, 1.0 - area)))


def test_labels_in_runs_are_foreseen() -> None:
    chain = LabelChain(2)
    runs = np.repeat([0, 1, 0, 1, 0, 1], 50)
    probabilities = chain.predict_and_learn(runs)
    assert probabilities[-1, 1] > 0.9
    assert float(((probabilities[:, 1] >= 0.5) == runs).mean()) > 0.95
