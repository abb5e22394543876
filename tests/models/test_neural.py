from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from streamtrain.features.encoder import Features
from streamtrain.models.adam import Adam
from streamtrain.models.embedding import HashedEmbedding
from streamtrain.models.registry import build
from tests.models.streams import mixed_rows, prequential, shape

WIDE = "tests.models.own_models:wide"


def bits(state: dict[str, np.ndarray[Any, Any]]) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state.items()}


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def stepped(adam: Adam, weights: nn.Parameter, *gradient: float, retract: bool = False) -> list[float]:
    weights.grad = torch.tensor(gradient)
    (adam.retract if retract else adam.learn)()
    return weights.detach().tolist()


def test_adam_is_torchs_without_momentum() -> None:
    ours, theirs = parameter(1.0, -2.0), parameter(1.0, -2.0)
    adam, torchs = Adam({"w": ours}, 0.1), torch.optim.Adam([theirs], lr=0.1, betas=(0.0, 0.999))
    for step in range(20):
        gradient = torch.tensor([float(step % 3) - 1.0, 0.5])
        theirs.grad = gradient.clone()
        torchs.step()
        found = stepped(adam, ours, *gradient.tolist())
        assert found == pytest.approx(theirs.detach().tolist(), rel=1e-6)
    assert adam.steps == 20


def test_a_retracted_gradient_goes_back_the_way_it_came() -> None:
    weights = parameter(1.0, 1.0)
    adam = Adam({"w": weights}, 0.1)
    learned = stepped(adam, weights, 3.0, -0.01)
    assert learned == pytest.approx([0.9, 1.1], rel=1e-5)
    moments = adam.state()
    assert stepped(adam, weights, 3.0, -0.01, retract=True) == pytest.approx([1.0, 1.0], rel=1e-5)
    assert bits(adam.state()) == bits(moments)


@pytest.mark.parametrize("retract", [False, True])
def test_no_step_is_further_than_three_learning_rates(retract: bool) -> None:
    weights = parameter(0.0, 0.0)
    adam = Adam({"w": weights}, 0.1)
    for _ in range(50):
        before = stepped(adam, weights, 1e-6, 0.0)
    after = stepped(adam, weights, 1e6, -1e6, retract=retract)
    sign = 1.0 if retract else -1.0
    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([0.3 * sign, -0.3 * sign])


def test_before_the_first_step_there_is_nothing_to_retract() -> None:
    weights = parameter(1.0)
    assert stepped(Adam({"w": weights}, 0.1), weights, 5.0, retract=True) == [1.0]


def embedding(rows: int = 8) -> HashedEmbedding:
    return HashedEmbedding(rows, 2, 0.1, torch.Generator().manual_seed(3))


def test_an_index_that_stands_twice_takes_one_step_on_the_sum() -> None:
    table = embedding()
    before = table.weights()["vectors"]
    table.learn(np.array([[1, 4], [1, 6]]), np.array([[[1, 0], [0, 3]], [[3, 0], [0, 0]]], np.float32))
    # 0.1 * g / sqrt(mean(g**2)), g = (4, 0) and (0, 3)
    moved = before - table.weights()["vectors"]
    root = np.sqrt(2.0) / 10
    np.testing.assert_allclose(moved[[1, 4]], [[root, 0], [0, root]], rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(np.delete(moved, [1, 4], axis=0), 0.0)
    assert table.optimizer()["squares"][[1, 4, 6]].tolist() == [8.0, 4.5, 0.0]


def test_an_embedding_retracts_only_what_was_learned_and_keeps_its_squares() -> None:
    table = embedding()
    indices, gradient = np.array([[1]]), np.array([[[2.0, -1.0]]], np.float32)
    before = table.weights()["vectors"]
    table.learn(indices, gradient)
    squares = table.optimizer()["squares"]
    table.retract(np.array([[1], [5]]), np.concatenate([gradient, gradient]))
    np.testing.assert_allclose(table.weights()["vectors"], before, atol=1e-6)
    np.testing.assert_array_equal(table.weights()["vectors"][5], before[5])
    np.testing.assert_array_equal(table.optimizer()["squares"], squares)


def test_dropout_and_batch_statistics_go_on_alike_after_a_restart() -> None:
    stream = mixed_rows("binary", 400)
    halves = [
        (Features(stream[0].dense[part], stream[0].indices[part]), stream[1][part])
        for part in (slice(0, 200), slice(200, 400))
    ]
    model = build(WIDE, {}, shape("binary"))
    prequential(model, halves[0], 16)
    resumed = build(WIDE, {}, shape("binary", seed=5))
    resumed.load(model.state())
    torch.manual_seed(123)  # another process has another global generator
    expected = prequential(model, halves[1], 16)
    torch.manual_seed(456)
    np.testing.assert_array_equal(prequential(resumed, halves[1], 16), expected)
    assert bits(resumed.state()) == bits(model.state())
    assert "weights/module/dense.1.running_mean" in model.state()


def test_dropout_is_off_in_predictions_and_on_in_learning() -> None:
    features, labels = mixed_rows("binary", 64)
    model = build(WIDE, {}, shape("binary"))
    np.testing.assert_array_equal(model.predict(features), model.predict(features))
    first, second = copy.deepcopy(model), build(WIDE, {}, shape("binary", seed=6))
    second.load(model.state())
    for other in (first, second):  # equal weights, another seed, so other units are dropped
        other.learn(features, labels, np.ones(64, np.float32))
    assert bits(first.state()) != bits(second.state())


def test_an_mlp_without_hashed_features_has_an_empty_table() -> None:
    model = build("mlp", {}, shape("regression", indices=0, hash_bits=28))
    assert model.state()["weights/embedding/vectors"].shape == (0, 8)
    features = Features(np.ones((3, 6), np.float32), np.empty((3, 0), np.int64))
    model.learn(features, np.arange(3, dtype=np.float32), np.ones(3, np.float32))
    assert model.predict(features).shape == (3, 1)


def test_the_seed_decides_the_first_weights() -> None:
    same, equal, other = (build("mlp", {}, shape("binary", seed=seed)) for seed in (1, 1, 2))
    assert bits(same.state()) == bits(equal.state()) != bits(other.state())


def test_an_mlp_learns_what_no_linear_model_can() -> None:
    generator = np.random.default_rng(4)
    dense = generator.normal(size=(6000, 6)).astype(np.float32)
    labels = (dense[:, 0] * dense[:, 1] > 0.0).astype(np.float32)
    stream = Features(dense, generator.integers(0, 50, (6000, 4))), labels
    hits = {
        kind: (
            (prequential(build(kind, {}, shape("binary")), stream, 64)[3000:, 0] >= 0.5) == (labels[3000:] > 0.5)
        ).mean()
        for kind in ("mlp", "logistic")
    }
    assert hits["mlp"] > 0.85
    assert hits["logistic"] < 0.6
