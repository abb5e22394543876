from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from streamtrain.errors import ConfigChanged, ConfigError
from streamtrain.features.encoder import Columns, Encoder
from streamtrain.features.spec import parse_features

SPECS = parse_features(
    {"price": "numeric", "user": "categorical", "member": "boolean", "at": "datetime", "city": "categorical"}
)
ROWS: list[dict[str, Any]] = [
    {"price": 10.0, "user": 1, "member": True, "at": "2024-01-01", "city": "Bern", "more": 1},
    {"price": None, "user": 2, "member": 0, "at": None, "city": None},
    {"price": "30.00", "user": "x", "member": None, "at": 1_700_000_000_000, "city": "Basel"},
]


def encoder() -> Encoder:
    return Encoder(SPECS, 18)


def learned(rows: list[dict[str, Any]]) -> Encoder:
    made = encoder()
    made.learn(made.read(rows))
    return made


def bits(made: Encoder) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in made.state().items()}


def test_features_stand_in_the_order_of_their_specs() -> None:
    made = learned(ROWS)
    features = made.transform(made.read(ROWS))
    assert (made.dense_width, made.index_width) == (2 + 2 + 8, 2)
    assert made.dense_names[:5] == ("price", "price is null", "member", "member is null", "at time of day sin")
    assert features.dense.dtype == np.float32
    assert features.indices.dtype == np.int64
    assert features.dense[:, :4].tolist() == [[-1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 1]]
    assert features.dense[1, 4:].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert features.indices.shape == (3, 2)
    assert len(set(features.indices.ravel().tolist())) == 6


def test_a_row_is_rejected_once_for_its_first_fault() -> None:
    rows = [{**ROWS[0], "price": "x", "city": 0.5}, ROWS[1], {**ROWS[2], "city": []}, {"price": 1.0}]
    columns = encoder().read(rows)
    assert {row: rejection.reason for row, rejection in columns.rejected.items()} == {
        0: "wrong_type", 2: "wrong_type", 3: "missing_column",
    }  # fmt: skip
    assert "'price'" in columns.rejected[0].message
    assert "'user'" in columns.rejected[3].message


def test_the_rows_left_are_encoded_as_if_the_rejected_had_never_been() -> None:
    broken = {**ROWS[0], "price": float("nan")}
    made, clean = encoder(), learned(ROWS)
    columns = made.read([ROWS[0], broken, ROWS[1], {}, ROWS[2]]).select(np.array([0, 2, 4]))
    made.learn(columns)
    assert bits(made) == bits(clean)
    assert made.transform(columns).dense.tolist() == clean.transform(clean.read(ROWS)).dense.tolist()
    assert made.transform(columns).indices.tolist() == clean.transform(clean.read(ROWS)).indices.tolist()


def test_rejected_rows_are_neither_learned_nor_transformed_nor_selected() -> None:
    made = encoder()
    columns = made.read([ROWS[0], {}])
    for use in (made.learn, made.transform, lambda columns: columns.select(np.array([1]))):
        with pytest.raises(ValueError, match="rejected"):
            use(columns)
    assert bits(made) == bits(encoder())
    assert len(columns.select(np.array([True, False]))) == 1


def test_reading_and_transforming_change_nothing() -> None:
    made = learned(ROWS)
    before = bits(made)
    made.transform(made.read([{**ROWS[0], "price": 1e9, "city": "new"}]))
    assert bits(made) == before


def test_an_empty_slice_is_read_learned_and_transformed() -> None:
    made = learned(ROWS)
    before = bits(made)
    columns: Columns = made.read([])
    made.learn(columns)
    features = made.transform(columns)
    assert bits(made) == before
    assert (features.dense.shape, features.indices.shape) == ((0, 12), (0, 2))


def test_a_loaded_encoder_goes_on_bit_for_bit() -> None:
    first, second = learned(ROWS), encoder()
    second.load(first.state())
    for made in (first, second):
        made.learn(made.read([{**row, "price": 7.7} for row in ROWS]))
    assert bits(first) == bits(second)
    assert bits(first) != bits(learned(ROWS))


def test_a_copy_is_independent() -> None:
    made = learned(ROWS)
    before = bits(made)
    copied = copy.deepcopy(made)
    copied.learn(copied.read(ROWS))
    assert bits(made) == before
    assert bits(copied) != before


def test_the_state_is_named_by_feature_and_a_foreign_one_is_refused() -> None:
    made = learned(ROWS)
    assert set(made.state()) == {"price/count", "price/mean", "price/m2", "at/count", "at/mean", "at/m2"}
    with pytest.raises(ConfigChanged, match="lacks 'at/count'"):
        Encoder(parse_features({"price": "numeric", "at": "datetime"}), 18).load(
            Encoder(parse_features({"price": "numeric", "member": "boolean"}), 18).state()
        )


def test_a_column_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="given twice"):
        Encoder([*SPECS, SPECS[0]], 18)
