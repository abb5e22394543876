from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.preprocessing import StandardScaler

from streamtrain.features.column import MISSING, Column, read_each
from streamtrain.features.moments import Moments
from streamtrain.features.numbers import _number, read_numbers
from tests.features.columns import dense, feature, reasons

GOOD = [0, -3, 2.5, "12.30", "-0.5", "+7", "1e3", 10**20, "3.4e38", 2**53 + 1]
BAD = {
    "wrong_type": [True, False, [], {}, "", " ", "abc", "1_000", " 1", "1 ", "0x10", "١٢", "1,5", "--1", "e"],
    "not_finite": [
        math.nan,
        math.inf,
        -math.inf,
        "NaN",
        "nan",
        "Infinity",
        "-inf",
        10**400,
        "1e999",
        1e39,
        "1e39",
        -1e300,
    ],
    "missing_column": [MISSING],
}


def test_json_numbers_and_decimal_texts_are_read() -> None:
    column = read_numbers("x", GOOD)
    assert column.values.tolist() == [0, -3, 2.5, 12.3, -0.5, 7, 1000, 1e20, 3.4e38, float(2**53 + 1)]
    assert not column.rejected
    assert not column.null.any()


@pytest.mark.parametrize(("reason", "value"), [(reason, value) for reason, values in BAD.items() for value in values])
def test_what_is_no_finite_number_is_rejected_alone(reason: str, value: Any) -> None:
    column = read_numbers("x", [1.0, value, None, 2.0])
    assert reasons(column) == {1: reason}
    assert column.null.tolist() == [False, False, True, False]
    assert column.values.tolist() == [1.0, 0.0, 0.0, 2.0]
    assert reasons(read_numbers("x", [value])) == {0: reason}


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([value for values in BAD.values() for value in values]),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
    st.text(alphabet="0123456789.-+eE nai_", max_size=6),
)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=8) | st.lists(st.floats(-1e6, 1e6) | st.none()) | st.lists(st.integers()))
def test_reading_at_once_is_reading_one_by_one(values: list[Any]) -> None:
    at_once, by_one = read_numbers("x", values), read_each("x", values, lambda value: _number("x", value))
    assert at_once.values.tolist() == by_one.values.tolist()
    assert at_once.null.tolist() == by_one.null.tolist()
    assert reasons(at_once) == reasons(by_one)


def test_a_slice_of_one_row_is_standardised_as_by_river() -> None:
    generator = np.random.default_rng(1)
    values = (generator.normal(size=500) * generator.choice([1.0, 3.0], 500) + 100).tolist()
    ours, river = feature("numeric"), StandardScaler()
    for value in [7.0, 7.0, *values]:
        ours.learn(ours.read([value]))
        river.learn_one({"x": value})
        assert dense(ours, [value])[0, 0] == pytest.approx(river.transform_one({"x": value})["x"], rel=1e-6, abs=1e-7)


FINITE = st.floats(-1e30, 1e30)


@settings(deadline=None)
@given(st.lists(st.lists(FINITE, max_size=20), max_size=6))
def test_slices_merge_to_the_moments_of_all_their_rows(slices: list[list[float]]) -> None:
    moments = Moments()
    for values in slices:
        moments.learn(np.array(values))
    together = np.array([value for values in slices for value in values])
    assert moments.count == len(together)
    if len(together):
        scale = np.abs(together).max()
        assert moments.mean == pytest.approx(together.mean(), rel=1e-9, abs=scale * 1e-12)
        assert moments.deviation == pytest.approx(together.std(), rel=1e-6, abs=scale * 1e-7)


@settings(deadline=None)
@given(FINITE, st.lists(st.integers(1, 70), min_size=1, max_size=5))
def test_a_constant_column_has_no_variance_and_is_0(value: float, sizes: list[int]) -> None:
    constant = feature("numeric")
    for size in sizes:
        constant.learn(constant.read([value] * size))
    assert float(constant.state()["m2"]) == 0.0
    assert dense(constant, [value, value + 1.0])[:, 0].tolist() == [0.0, 0.0]


def test_a_large_offset_does_not_drown_the_spread() -> None:
    moments = Moments()
    for start in range(0, 1000, 64):
        moments.learn(1e9 + np.arange(start, min(start + 64, 1000)) % 2)
    assert moments.deviation == pytest.approx(0.5, rel=1e-9)


def test_null_is_0_and_says_so_and_is_not_counted() -> None:
    numeric = feature("numeric")
    numeric.learn(numeric.read([1.0, None, 3.0]))
    assert int(numeric.state()["count"]) == 2
    assert dense(numeric, [None, 3.0]).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert numeric.dense_names == ("x", "x is null")


def test_an_outlier_is_held_at_ten_deviations() -> None:
    numeric = feature("numeric")
    numeric.learn(numeric.read([-1.0, 1.0]))
    assert dense(numeric, [1e12, -1e12, 9.0])[:, 0].tolist() == [10.0, -10.0, 9.0]


def test_log_keeps_the_sign_and_is_taken_before_the_statistics() -> None:
    logged = feature("numeric", log=True)
    logged.learn(logged.read([math.e - 1, "-1.718281828459045", None]))
    assert dense(logged, [math.e - 1, 1 - math.e, 0])[:, 0].tolist() == pytest.approx([1.0, -1.0, 0.0], abs=1e-7)


def test_without_standardising_the_number_is_used_as_it_is() -> None:
    plain = feature("numeric", standardize=False)
    plain.learn(plain.read([5.0]))
    assert plain.state() == {}
    assert dense(plain, [5.0, None, -2]).tolist() == [[5.0, 0.0], [0.0, 1.0], [-2.0, 0.0]]


def test_selected_rows_are_those_asked_for() -> None:
    column: Column = read_numbers("x", [1.0, "bad", None, 4.0])
    by_index, by_mask = column.select(np.array([0, 3])), column.select(np.array([False, False, True, True]))
    assert by_index.values.tolist() == [1.0, 4.0]
    assert by_mask.null.tolist() == [True, False]
