from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from streamtrain.features.column import MISSING
from streamtrain.features.kinds import categorical
from tests.features.columns import feature, reasons


def indices(values: list[Any], **options: Any) -> list[int]:
    column = feature("categorical", **options).read(values)
    assert not column.rejected
    return [int(index) for index in column.values]


FROZEN_CITY = [67230, 60645, 22128, 31073, 195058, 12208, 83835]
FROZEN_USER_ID = [216827597, 185902295, 125913600, 216962639, 8328286, 146356159, 102632941]


def test_the_hash_is_frozen_because_weights_are_stored_by_it() -> None:
    values = ["", "a", "Zürich", 0, -17, 10**30, None]
    assert indices(values, name="city") == FROZEN_CITY
    assert indices(values, name="user_id", hash_bits=28) == FROZEN_USER_ID


@pytest.mark.parametrize("same", [[1, "1", 1.0, True], [0, "0", 0.0, -0.0, False], [10**20, 1e20, str(10**20)]])
def test_equal_values_of_different_types_are_one_category(same: list[Any]) -> None:
    kind = feature("categorical")
    assert len({int(kind.read([value]).values[0]) for value in same}) == 1
    for value in same:  # whichever of them is seen first
        assert indices([value]) == [int(kind.read([same[0]]).values[0])]


def test_null_is_a_category_of_its_own() -> None:
    assert len(set(indices([None, "", "null", "None", "NULL", 0, "\x00", "\xff"], hash_bits=28))) == 8


def test_features_hash_the_same_value_to_different_places() -> None:
    assert indices(["a"], name="city", hash_bits=28) != indices(["a"], name="country", hash_bits=28)


@pytest.mark.parametrize("value", [0.5, math.nan, math.inf, [], {}, {"a": 1}, "\ud800"])
def test_fractions_and_structures_are_the_wrong_type(value: Any) -> None:
    kind = feature("categorical")
    for _ in range(2):
        assert reasons(kind.read(["a", value, None, MISSING])) == {1: "wrong_type", 3: "missing_column"}


def test_a_rejected_row_leaves_the_others_as_they_are() -> None:
    kind = feature("categorical")
    assert kind.read(["a", 0.5, None]).values[[0, 2]].tolist() == indices(["a", None])


def test_listed_values_are_the_only_ones() -> None:
    kind = feature("categorical", values=["red", "green", 3])
    column = kind.read(["red", "blue", "3", 3, None, "Red"])
    assert reasons(column) == {1: "unknown_value", 5: "unknown_value"}
    assert "'blue'" in column.rejected[1].message


def test_indices_stay_below_the_size_of_the_table() -> None:
    assert set(indices(list(range(1000)), hash_bits=4)) == set(range(16))


def test_the_cache_is_bounded_and_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categorical, "_REMEMBERED", 10)
    kind = categorical.Categorical("x", {"values": None}, 18)
    values = [*range(25), *range(25)]
    assert kind.read(values).values.tolist() == indices(values)
    assert len(kind._buckets) <= 10
    assert kind.state() == {}
    copied = copy.deepcopy(kind)
    assert len(copied._buckets) == 0
    assert copied.read(values).values.tolist() == indices(values)
