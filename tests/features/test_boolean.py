from __future__ import annotations

from typing import Any

import pytest

from streamtrain.features.column import MISSING
from tests.features.columns import dense, feature, reasons


def test_true_false_1_0_and_null_are_read() -> None:
    assert dense(feature("boolean"), [True, False, 1, 0]).tolist() == [[1, 0], [0, 0], [1, 0], [0, 0]]
    assert dense(feature("boolean"), [None, True]).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("value", [2, -1, 1.0, "true", "1", "", [], 10**30])
def test_anything_else_is_the_wrong_type(value: Any) -> None:
    assert reasons(feature("boolean").read([True, value, MISSING])) == {1: "wrong_type", 2: "missing_column"}


def test_it_has_no_statistics() -> None:
    boolean = feature("boolean")
    boolean.learn(boolean.read([True]))
    assert boolean.state() == {}
