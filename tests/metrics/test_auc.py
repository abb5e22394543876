from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrain.metrics.auc import LIMIT, AucHistogram, exact_auc

ROWS = st.lists(st.tuples(st.floats(-LIMIT, LIMIT), st.booleans()), min_size=2, max_size=60)
TIED = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), st.booleans()), min_size=2, max_size=60)


def by_pairs(rows: list[tuple[float, bool]]) -> float | None:
    """The definition: the share of pairs that are in the right order."""
    pairs = [(p, n) for p, positive in rows if positive for n, other in rows if not other]
    return sum((p > n) + 0.5 * (p == n) for p, n in pairs) / len(pairs) if pairs else None


@settings(deadline=None)
@given(ROWS | TIED)
def test_the_exact_area_is_the_share_of_ordered_pairs(rows: list[tuple[float, bool]]) -> None:
    scores, labels = np.array([row[0] for row in rows], np.float32), np.array([row[1] for row in rows])
    expected = by_pairs([(float(score), positive) for score, positive in zip(scores, labels, strict=True)])
    assert exact_auc(scores, labels) == (None if expected is None else pytest.approx(expected, abs=1e-12))


@settings(deadline=None)
@given(ROWS | TIED, st.sampled_from([4, 64, 2**12, 2**16]))
def test_the_histogram_is_never_further_off_than_its_bound(rows: list[tuple[float, bool]], bins: int) -> None:
    histogram = AucHistogram(bins)
    histogram.learn(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))
    expected, area = by_pairs(rows), histogram.auc()
    if expected is None:
        assert area is None
    else:
        assert area is not None
        assert abs(area - expected) <= histogram.error_bound() + 1e-12


@pytest.mark.parametrize(("spread", "shift"), [(0.3, 0.2), (1.0, 1.5), (4.0, 3.0)])
def test_scores_that_spread_like_a_models_are_exact_to_1e_5(spread: float, shift: float) -> None:
    generator = np.random.default_rng(3)
    positive = generator.random(20_000) < 0.1
    logits = np.clip(generator.normal(-2.0, spread, 20_000) + shift * positive, -LIMIT, LIMIT)
    histogram = AucHistogram(2**16)
    for start in range(0, 20_000, 1000):
        histogram.learn(logits[start : start + 1000], positive[start : start + 1000])
    expected = exact_auc(logits.astype(np.float32), positive)
    assert histogram.auc() == pytest.approx(expected, abs=1e-5)
    assert histogram.error_bound() < 1e-3


def test_both_ends_of_the_range_have_their_bin() -> None:
    histogram = AucHistogram(16)
    histogram.learn(np.array([-LIMIT, LIMIT]), np.array([False, True]))
    assert histogram.auc() == 1.0
    assert histogram.error_bound() == 0.0


def test_billions_of_rows_do_not_overflow() -> None:
    histogram = AucHistogram(2)
    histogram.load({"counts": np.array([[3 * 10**10, 10**10], [10**10, 3 * 10**10]])})
    assert histogram.auc() == pytest.approx(0.75)
    assert histogram.error_bound() == pytest.approx(3 / 16)
