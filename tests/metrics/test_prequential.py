from __future__ import annotations

import copy
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import metrics as river

from streamtrain.errors import ConfigChanged, FatalError
from streamtrain.features.labels import Task
from streamtrain.metrics.auc import exact_auc
from streamtrain.metrics.prequential import Prequential

TASKS: list[Task] = ["binary", "multiclass", "regression"]
OUTPUTS = {"binary": 1, "multiclass": 3, "regression": 1}


def stream(task: Task, rows: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
    generator = np.random.default_rng(0)
    if task == "binary":
        labels = (generator.random(rows) < 0.3).astype(np.float32)
        logits = generator.normal(-1.0, 1.0, rows) + 1.5 * labels
        return (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)[:, np.newaxis], labels
    if task == "multiclass":
        classes = generator.integers(0, 3, rows)
        scores = np.exp(generator.normal(size=(rows, 3)) + 1.5 * np.eye(3)[classes])
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32), classes
    values = np.cumsum(generator.normal(size=rows)).astype(np.float32)
    return (values + generator.normal(size=rows)).astype(np.float32)[:, np.newaxis], values


def scored(task: Task, rows: int, first: int | None = None) -> Prequential:
    """Scores of the ``first`` rows of a stream of ``rows``, by default of all, in slices of 64 and a window of 500."""
    metrics = Prequential(task, 500, OUTPUTS[task])
    predictions, labels = (column[:first] for column in stream(task, rows))
    for start in range(0, len(labels), 64):
        metrics.update(predictions[start : start + 64], labels[start : start + 64])
    return metrics


def bits(metrics: Prequential) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in metrics.state().items()}


def test_binary_scores_are_rivers() -> None:
    predictions, labels = stream("binary", 3000)
    loss, accuracy = river.LogLoss(), river.Accuracy()
    for probability, label in zip(predictions[:, 0].tolist(), labels.tolist(), strict=True):
        loss.update(bool(label), probability)
        accuracy.update(bool(label), probability >= 0.5)
    report = scored("binary", 3000).report()
    assert report["log_loss"] == pytest.approx(loss.get(), rel=1e-9)
    assert report["accuracy"] == pytest.approx(accuracy.get(), rel=1e-12)
    assert report["count"] == 3000


def test_binary_scores_that_river_has_not_are_their_definitions() -> None:
    predictions, labels = stream("binary", 3000)
    report = scored("binary", 3000).report()
    last, last_labels = predictions[-500:, 0], labels[-500:]
    assert report["auc"] == pytest.approx(exact_auc(predictions[:, 0], labels > 0.5), abs=1e-5)
    assert report["auc_window"] == exact_auc(last, last_labels > 0.5)
    chance = np.where(last_labels > 0.5, last, 1.0 - last.astype(np.float64))
    assert report["log_loss_window"] == pytest.approx(-np.log(chance).mean())
    assert report["calibration"] == pytest.approx(predictions.astype(np.float64).sum() / labels.sum())


def test_the_binary_baseline_knows_only_the_label_before() -> None:
    labels = np.tile(np.repeat([0.0, 1.0], 25), 60).astype(np.float32)
    metrics = Prequential("binary")
    metrics.update(np.full((len(labels), 1), 0.5, np.float32), labels)
    report = metrics.report()
    assert report["baseline_accuracy"] == pytest.approx(0.96, abs=0.005)
    assert report["baseline_auc"] == pytest.approx(0.96, abs=0.001)
    assert report["baseline_log_loss"] < 0.2 < report["log_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert report["auc"] == report["auc_window"] == 0.5


def test_multiclass_scores_are_rivers() -> None:
    predictions, labels = stream("multiclass", 2500)
    loss, accuracy = river.CrossEntropy(), river.Accuracy()
    for row, label in zip(predictions.astype(np.float64), labels.tolist(), strict=True):
        loss.update(label, dict(enumerate(row.tolist())))
        accuracy.update(label, int(row.argmax()))
    report = scored("multiclass", 2500).report()
    assert report["log_loss"] == pytest.approx(loss.get(), rel=1e-6)
    assert report["accuracy"] == pytest.approx(accuracy.get(), rel=1e-12)
    assert report["baseline_accuracy"] == pytest.approx(1 / 3, abs=0.05)
    assert report["baseline_log_loss"] == pytest.approx(math.log(3), abs=0.02)


def test_regression_scores_are_rivers() -> None:
    predictions, labels = stream("regression", 2500)
    scores = {"mae": river.MAE(), "rmse": river.RMSE(), "r2": river.R2()}
    baseline = {"baseline_mae": river.MAE(), "baseline_rmse": river.RMSE()}
    previous = None
    for prediction, label in zip(predictions[:, 0].tolist(), labels.tolist(), strict=True):
        for score in scores.values():
            score.update(label, prediction)
        for score in baseline.values() if previous is not None else ():
            score.update(label, previous)
        previous = label
    report = scored("regression", 2500).report()
    for name, score in (scores | baseline).items():
        assert report[name] == pytest.approx(score.get(), rel=1e-6), name


@pytest.mark.parametrize("task", TASKS)
def test_the_first_scores_are_finite_and_undefined_ones_are_left_out(task: Task) -> None:
    metrics = Prequential(task, 10, OUTPUTS[task])
    assert metrics.report() == {"count": 0.0}
    predictions, labels = stream(task, 1)
    metrics.update(predictions, labels * 0)
    report = metrics.report()
    assert all(math.isfinite(value) and isinstance(value, float) for value in report.values())
    assert not {"auc", "auc_window", "calibration", "r2", "baseline_mae", "baseline_auc"} & report.keys()
    json.dumps(report, allow_nan=False)


def test_certain_and_wrong_predictions_cost_a_finite_loss() -> None:
    metrics = Prequential("binary")
    metrics.update(np.array([[0.0], [1.0]], np.float32), np.array([1.0, 0.0], np.float32))
    assert metrics.report()["log_loss"] == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize("task", TASKS)
@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(0, 2600), max_size=12))
def test_how_rows_are_cut_into_slices_changes_no_bit(task: Task, cuts: list[int]) -> None:
    predictions, labels = stream(task, 2600)
    metrics = Prequential(task, 500, OUTPUTS[task])
    edges = [0, *sorted(cuts), 2600]
    for start, end in itertools.pairwise(edges):
        metrics.update(predictions[start:end], labels[start:end])
        metrics.report()
    assert bits(metrics) == bits(scored(task, 2600))
    assert metrics.report() == scored(task, 2600).report()


@pytest.mark.parametrize("task", TASKS)
def test_loaded_metrics_go_on_bit_for_bit(task: Task) -> None:
    whole, first = scored(task, 3000), scored(task, 3000, first=1700)
    second = Prequential(task, 500, OUTPUTS[task])
    second.load(first.state())
    predictions, labels = stream(task, 3000)
    second.update(predictions[1700:], labels[1700:])
    copied = copy.deepcopy(first)
    assert bits(second) == bits(whole)
    assert bits(copied) == bits(first) == bits(scored(task, 3000, first=1700))


@pytest.mark.parametrize("task", TASKS)
def test_a_foreign_state_is_refused_and_changes_nothing(task: Task) -> None:
    metrics = scored(task, 1100)
    before = bits(metrics)
    for foreign in (
        scored({"binary": "regression", "multiclass": "binary", "regression": "multiclass"}[task], 10).state(),  # type: ignore[arg-type]
        {name: array for name, array in metrics.state().items() if name != "block/filled"},
        {**metrics.state(), "block/labels": np.zeros(3, np.float32)},
    ):
        with pytest.raises(ConfigChanged, match="the state is not that of the metrics"):
            metrics.load(foreign)
    assert bits(metrics) == before


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_prediction_that_is_not_finite_stops_the_run(value: float) -> None:
    metrics = scored("binary", 100)
    before = bits(metrics)
    with pytest.raises(FatalError, match="after 100 rows"):
        metrics.update(np.array([[0.5], [value]], np.float32), np.zeros(2, np.float32))
    assert bits(metrics) == before


def test_multiclass_needs_the_number_of_classes() -> None:
    with pytest.raises(ValueError, match="number of classes"):
        Prequential("multiclass")
