from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamtrain.errors import ConfigError
from streamtrain.features.column import MISSING
from streamtrain.features.labels import LabelSpec


def reasons(rejected: Any) -> dict[int, str]:
    return {row: rejection.reason for row, rejection in rejected.items()}


def test_binary_takes_true_false_1_0_and_their_texts() -> None:
    values, pending, rejected = LabelSpec("clicked", "binary").read([True, False, 1, 0, "1", "0", 1.0, None])
    assert values.dtype == np.float32
    assert values.tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    assert pending.tolist() == [False] * 7 + [True]
    assert not rejected


@pytest.mark.parametrize("value", [2, -1, 0.5, "yes", "true", "", [], float("nan")])
def test_any_other_binary_label_is_unknown(value: Any) -> None:
    _, pending, rejected = LabelSpec("clicked", "binary").read([1, value, MISSING, None])
    assert reasons(rejected) == {1: "unknown_label", 2: "missing_column"}
    assert pending.tolist() == [False, False, False, True]


def test_multiclass_gives_the_position_of_the_class() -> None:
    spec = LabelSpec("grade", "multiclass", ("low", 2, "high"))
    values, _, rejected = spec.read(["high", "2", 2, "low", "medium", None])
    assert spec.outputs == 3
    assert values.dtype == np.int64
    assert values.tolist() == [2, 1, 1, 0, 0, 0]
    assert reasons(rejected) == {4: "unknown_label"}


def test_text_classes_with_leading_zeros_stay_text() -> None:
    _, _, rejected = LabelSpec("code", "multiclass", ("01", "02")).read(["01", 1, "1"])
    assert reasons(rejected) == {1: "unknown_label", 2: "unknown_label"}


def test_regression_takes_what_a_numeric_feature_takes() -> None:
    values, pending, rejected = LabelSpec("price", "regression").read([1.5, "12.30", None, "x", float("inf")])
    assert values.dtype == np.float32
    assert values.tolist() == [1.5, np.float32(12.3), 0, 0, 0]
    assert pending.tolist() == [False, False, True, False, False]
    assert reasons(rejected) == {3: "wrong_type", 4: "not_finite"}


@pytest.mark.parametrize(
    ("task", "classes", "said"),
    [
        ("multiclass", (), "at least two"),
        ("multiclass", ("a",), "at least two"),
        ("multiclass", ("a", 1, "1"), "given twice"),
        ("binary", ("a", "b"), "takes none"),
        ("regression", ("a", "b"), "takes none"),
    ],
)
def test_classes_that_do_not_fit_the_task_are_refused(task: Any, classes: tuple[str | int, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        LabelSpec("y", task, classes)


def test_specs_of_the_same_label_are_equal() -> None:
    assert LabelSpec("y", "multiclass", ("a", "b")) == LabelSpec("y", "multiclass", ("a", "b"))
    assert LabelSpec("y", "multiclass", ("a", "b")) != LabelSpec("y", "multiclass", ("b", "a"))
