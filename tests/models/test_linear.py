from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim

from streamtrain.features.encoder import Features
from streamtrain.features.labels import Task
from streamtrain.models.coordinates import Coordinates, Grouping, sum_groups
from streamtrain.models.linear import LinearModel
from streamtrain.models.registry import build
from tests.models.streams import CLASSES, HASH_BITS, mixed_rows, prequential, shape

CASES = [("logistic", "binary"), ("logistic", "multiclass"), ("ftrl", "binary"), ("ftrl", "regression")]


def linear(kind: str, task: Task, **options: Any) -> LinearModel:
    model = build(kind, options, shape(task))
    assert isinstance(model, LinearModel)
    return model


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=60))
def test_grouping_numbers_the_distinct_indexes(indexes: list[int]) -> None:
    grouping = Grouping(41)
    for given_indexes in (np.array(indexes, np.int64), np.array(indexes[::-1], np.int64)):
        distinct, groups = grouping.group(given_indexes)
        assert distinct[groups].tolist() == given_indexes.tolist()
        assert sorted(distinct.tolist()) == sorted(set(indexes))


def test_rows_of_a_group_are_summed() -> None:
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    assert sum_groups(values, np.array([1, 0, 1]), 3).tolist() == [[2, 20], [5, 50], [0, 0]]


def test_adagrad_is_rivers_row_by_row() -> None:
    (features, labels), initial = mixed_rows("binary", 800), 0.1
    ours = prequential(
        linear("logistic", "binary", learning_rate=0.2, initial_accumulator=initial), (features, labels), 1
    )
    # River adds eps below the root, which makes it an initial accumulator.
    river = linear_model.LogisticRegression(optim.AdaGrad(0.2, eps=initial), intercept_lr=0.0)
    for dense, indices, label, prediction in zip(
        features.dense.tolist(), features.indices.tolist(), labels.tolist(), ours[:, 0].tolist(), strict=True
    ):
        row = dict.fromkeys(indices, 1.0) | {f"dense {n}": value for n, value in enumerate(dense)} | {"constant": 1.0}
        assert prediction == pytest.approx(river.predict_proba_one(row)[True], rel=1e-6)
        river.learn_one(row, bool(label))


def loss_of(model: LinearModel, sums: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], task: Task) -> float:
    predictions = model._predictions(sums)
    if task == "binary":
        return float(-np.log(np.where(labels > 0.5, predictions[:, 0], 1.0 - predictions[:, 0])).sum())
    if task == "multiclass":
        return float(-np.log(predictions[np.arange(len(labels)), labels]).sum())
    return float(((sums[:, 0] - model._label_scaler.scale(labels.astype(np.float64))) ** 2).sum())


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_the_closed_form_gradient_is_that_of_finite_differences(kind: str, task: Task) -> None:
    model = linear(kind, task)
    prequential(model, mixed_rows(task, 256), 32)
    features, labels = mixed_rows(task, 8, seed=1)
    features.indices[3] = features.indices[2]  # the same index in two rows
    touched = model._coordinates.touched(features)
    gradient = touched.gradient(model._errors(features, labels))
    assert gradient.shape == (len(touched.coordinates), CLASSES if task == "multiclass" else 1)
    for position, coordinate in enumerate(touched.coordinates.tolist()):
        for output in range(gradient.shape[1]):
            losses = []
            for shift in (1e-5, -1e-5):
                moved = model._weights.copy()
                moved[coordinate, output] += shift
                losses.append(loss_of(model, model._coordinates.sums(moved, features), labels, task))
            expected = (losses[0] - losses[1]) / 2e-5
            assert gradient[position, output] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_only_touched_coordinates_change(kind: str, task: Task) -> None:
    model = linear(kind, task)
    prequential(model, mixed_rows(task, 300), 64)
    before = model.state()
    features, labels = mixed_rows(task, 8, seed=1)
    model.learn(features, labels, np.ones(8, np.float32))
    untouched = np.setdiff1d(np.arange(2**HASH_BITS), features.indices)
    changed = {name for name, array in model.state().items() if array.tobytes() != before[name].tobytes()}
    assert {"weights/hashed", "weights/dense", "weights/intercept"} <= changed
    for name in (name for name in changed if name.endswith("hashed")):
        np.testing.assert_array_equal(model.state()[name][untouched], before[name][untouched])


class RowsOnly(np.ndarray[Any, Any]):
    """A table whose rows may be read and written. Any operation on the table as a whole is an error."""

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(super().__getitem__(key)).view(np.ndarray)

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("an operation on the whole table")

    def __array_function__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("an operation on the whole table")


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_no_slice_visits_the_whole_table(kind: str, task: Task) -> None:
    model = linear(kind, task)
    model._weights = model._weights.view(RowsOnly)
    model._tables = {name: table.view(RowsOnly) for name, table in model._tables.items()}
    prequential(model, mixed_rows(task, 128), 64)
    with pytest.raises(AssertionError, match="whole table"):
        np.sqrt(model._weights)


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_a_retraction_shrinks_no_accumulator(kind: str, task: Task) -> None:
    model = linear(kind, task)
    features, labels = mixed_rows(task, 64)
    model.learn(features, labels, np.ones(64, np.float32))
    before = model.state()
    model.learn(features, labels, -np.ones(64, np.float32))
    after = model.state()
    assert after["weights/dense"].tolist() != before["weights/dense"].tolist()
    for name in before:
        if name.startswith(("optimizer/squares", "optimizer/n/", "weights/label")):
            np.testing.assert_array_equal(after[name], before[name])


def test_a_retraction_of_what_was_never_learned_is_bounded() -> None:
    for kind in ("logistic", "ftrl"):
        model = linear(kind, "binary")
        features, labels = mixed_rows("binary", 1)
        model.learn(features, labels, -np.ones(1, np.float32))
        assert np.isfinite(model.predict(features)).all()
        assert np.abs(model.state()["weights/hashed"]).max() < 0.5


def test_without_indices_there_is_no_table_of_hashed_weights() -> None:
    model = build("ftrl", {}, shape("binary", indices=0, hash_bits=28))
    assert set(model.state()) == {
        f"{table}/{part}" for table in ("weights", "optimizer/z", "optimizer/n") for part in ("dense", "intercept")
    }
    features = Features(np.ones((3, 6), np.float32), np.empty((3, 0), np.int64))
    model.learn(features, np.ones(3, np.float32), np.ones(3, np.float32))
    assert (model.predict(features) > 0.5).all()


def test_tables_split_and_join_to_themselves() -> None:
    coordinates = Coordinates(shape("multiclass"))
    table = coordinates.table()
    table[:] = np.arange(table.size).reshape(table.shape)
    np.testing.assert_array_equal(coordinates.join(coordinates.split(table)), table)
