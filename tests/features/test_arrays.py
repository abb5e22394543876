from __future__ import annotations

import numpy as np
import pytest

from streamtrain.errors import ConfigChanged
from streamtrain.features import arrays
from streamtrain.features.moments import Moments

EXPECTED = {"count": arrays.integer(0), "weights": np.zeros((4, 2), np.float32)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": arrays.integer(0)}, "lacks 'weights'"),
        ({**EXPECTED, "bias": np.zeros(1)}, "has 'bias'"),
        ({**EXPECTED, "weights": np.zeros((2, 4), np.float32)}, "'weights' is float32[2, 4], not float32[4, 2]"),
        ({**EXPECTED, "weights": np.zeros((4, 2))}, "'weights' is float64[4, 2], not float32[4, 2]"),
        ({**EXPECTED, "count": np.zeros(1, np.int64)}, "'count' is int64[1], not int64[]"),
    ],
)
def test_a_foreign_state_is_refused_naming_what_differs(given: arrays.State, said: str) -> None:
    with pytest.raises(ConfigChanged, match="the state is not that of the model") as refused:
        arrays.check("the model", EXPECTED, given)
    assert said in refused.value.message
    assert refused.value.hint


def test_the_same_names_shapes_and_dtypes_are_taken() -> None:
    arrays.check("the model", EXPECTED, {name: array + 1 for name, array in EXPECTED.items()})


def test_parts_are_loaded_all_or_none() -> None:
    parts = {"price": Moments(), "age": Moments()}
    parts["price"].learn(np.array([1.0, 2.0]))
    state = arrays.joined(parts)
    with pytest.raises(ConfigChanged):
        arrays.load_parts("the features", parts, {**state, "price/count": arrays.integer(9), "age/m2": np.zeros(3)})
    assert parts["price"].count == 2
    arrays.load_parts("the features", parts, {**state, "age/count": arrays.integer(9)})
    assert (parts["price"].count, parts["age"].count) == (2, 9)
