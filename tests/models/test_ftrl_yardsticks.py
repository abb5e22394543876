"""FTRL against the per-row arithmetic of Vowpal Wabbit and of River, and a slice of 64 against a slice of one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import vowpalwabbit
from numpy.typing import NDArray
from river import linear_model, optim

from streamtrain.features.encoder import Features
from streamtrain.models.registry import build
from tests.models.streams import DENSE, HASH_BITS, Stream, click_rows, log_loss, mixed_rows, prequential, shape

PENALTIES = [(0.0, 0.0), (0.5, 0.0), (0.0, 1.0), (0.7, 0.3)]
ALPHA, BETA = 0.1, 1.0


def ours(task: Any, stream: Stream, l1: float, l2: float) -> NDArray[np.float32]:
    options = {"alpha": ALPHA, "beta": BETA, "l1": l1, "l2": l2, "standardize_label": False}
    return prequential(build("ftrl", options, shape(task)), stream, 1)[:, 0]


def named_rows(features: Features) -> list[dict[int, float]]:
    """Each row as {coordinate: value}, without zeros: hashed coordinates first, then dense ones."""
    return [
        dict.fromkeys(indices, 1.0)
        | {2**HASH_BITS + column: value for column, value in enumerate(dense) if value != 0.0}
        for dense, indices in zip(features.dense.tolist(), features.indices.tolist(), strict=True)
    ]


def vowpal_wabbit(stream: Stream, labels: list[float], l1: float, l2: float, loss: str) -> list[float]:
    # Features named by a number below 2**18 are not hashed; the constant is VW's own, and FTRL treats it as any other.
    link = "--link logistic" if loss == "logistic" else ""
    workspace = vowpalwabbit.Workspace(
        f"--quiet --ftrl --ftrl_alpha {ALPHA} --ftrl_beta {BETA} --l1 {l1} --l2 {l2} --loss_function {loss} {link}"
    )
    predictions = []
    for row, label in zip(named_rows(stream[0]), labels, strict=True):
        text = " ".join(f"{coordinate}:{value:.9g}" for coordinate, value in row.items())
        example = workspace.parse(f"{label:.9g} | {text}")
        workspace.learn(example)  # predicts first
        predictions.append(example.get_simplelabel_prediction())
        workspace.finish_example(example)
    workspace.finish()
    return predictions


def river_logistic(stream: Stream, l1: float, l2: float) -> list[float]:
    """River's own order is one step behind: it predicts with weights from before the last gradient, because its optimizer
    computes them at the start of the next step. A step with a gradient of 0 brings them up to date and changes nothing else.
    """
    optimizer = optim.FTRLProximal(alpha=ALPHA, beta=BETA, l1=l1, l2=l2)
    # River's intercept learns by SGD; a feature that is always 1 learns as every other.
    model = linear_model.LogisticRegression(optimizer, intercept_lr=0.0)
    predictions = []
    for row, label in zip(named_rows(stream[0]), stream[1].tolist(), strict=True):
        with_constant = {**row, -1: 1.0}
        saved = model._enter_learn_mode(with_constant)
        optimizer.step(model._weights, dict.fromkeys(with_constant, 0.0))
        model._exit_learn_mode(saved)
        predictions.append(model.predict_proba_one(with_constant)[True])
        model.learn_one(with_constant, bool(label))
    return predictions


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_binary_predictions_are_vowpal_wabbits_row_by_row(l1: float, l2: float) -> None:
    stream = mixed_rows("binary", 1500)
    theirs = vowpal_wabbit(stream, (2.0 * stream[1] - 1.0).tolist(), l1, l2, "logistic")
    # VW computes in float32 throughout, whose rounding adds up over the rows.
    np.testing.assert_allclose(ours("binary", stream, l1, l2), theirs, rtol=2e-5)


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_regression_predictions_are_vowpal_wabbits_row_by_row(l1: float, l2: float) -> None:
    features, labels = mixed_rows("regression", 1500)
    # VW holds predictions within the labels seen so far. Two rows without features, which come first, open that range.
    nothing = Features(np.zeros((2, DENSE), np.float32), features.indices[:2])
    stream = (
        Features(np.concatenate([nothing.dense, features.dense]), np.concatenate([nothing.indices, features.indices])),
        np.concatenate([np.array([-20.0, 20.0], np.float32), ((labels - 50.0) / 10.0).astype(np.float32)]),
    )
    theirs = vowpal_wabbit(stream, stream[1].tolist(), l1, l2, "squared")
    np.testing.assert_allclose(ours("regression", stream, l1, l2)[2:], theirs[2:], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("l2", [0.0, 1.0])
def test_binary_predictions_are_rivers_row_by_row(l2: float) -> None:
    # With an l1, River leaves the old weight where |z| falls to l1 or below; Algorithm 1 makes it 0.
    stream = mixed_rows("binary", 1500)
    np.testing.assert_allclose(ours("binary", stream, 0.0, l2), river_logistic(stream, 0.0, l2), rtol=1e-6)


def test_l1_leaves_rare_coordinates_at_exactly_zero() -> None:
    model = build("ftrl", {"l1": 3.0}, shape("binary"))
    prequential(model, mixed_rows("binary", 2000), 1)
    weights, n = model.state()["weights/hashed"], model.state()["optimizer/n/hashed"]
    assert ((n > 0.0) & (weights == 0.0)).sum() > (weights != 0.0).sum() > 0


def test_slices_of_64_score_within_2_thousandths_of_row_by_row() -> None:
    stream = click_rows(30_000, seed=1)
    losses = {}
    for size in (1, 64):
        model = build("ftrl", {}, shape("binary", dense=13, indices=26, hash_bits=18))
        losses[size] = log_loss(prequential(model, stream, size), stream[1])
    assert abs(losses[64] - losses[1]) < 0.002
    assert losses[64] < log_loss(np.full((len(stream[1]), 1), stream[1].mean(), np.float32), stream[1]) - 0.05
