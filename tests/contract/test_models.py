"""What every model must hold: pure predictions, a state that is all of it, learning, and retraction."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from river import datasets

from streamtrain.errors import ConfigChanged
from streamtrain.features.encoder import Encoder, Features
from streamtrain.features.labels import Task
from streamtrain.features.spec import parse_features
from streamtrain.metrics.prequential import Prequential
from streamtrain.models.base import Model, ModelShape
from streamtrain.models.registry import build

torch.set_num_threads(1)
OWN_MODULE = f"{__name__}:bag_and_line"
CASES: list[tuple[str, Task]] = [
    ("logistic", "binary"),
    ("logistic", "multiclass"),
    ("ftrl", "binary"),
    ("ftrl", "regression"),
    ("mlp", "binary"),
    ("mlp", "multiclass"),
    ("mlp", "regression"),
    (OWN_MODULE, "binary"),
    (OWN_MODULE, "multiclass"),
    (OWN_MODULE, "regression"),
]
DENSE, INDICES, HASH_BITS = 3, 2, 8
Slice = tuple[Features, NDArray[Any]]
every_model = pytest.mark.parametrize(("kind", "task"), CASES)


class BagAndLine(torch.nn.Module):
    """The user's own module: a linear layer and a bag of embeddings, with dropout between."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.bag = torch.nn.EmbeddingBag(2**shape.hash_bits, shape.outputs, mode="sum")
        self.line = torch.nn.Linear(shape.dense, shape.outputs)
        self.dropout = torch.nn.Dropout(0.1)

    def forward(self, dense: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        return self.bag(indices) + self.line(self.dropout(dense))


def bag_and_line(shape: ModelShape) -> torch.nn.Module:
    return BagAndLine(shape)


def made(kind: str, task: Task, **changes: Any) -> Model:
    shape = {"dense": DENSE, "indices": INDICES, "hash_bits": HASH_BITS, "outputs": 3 if task == "multiclass" else 1}
    options = {"learning_rate": 0.05} if kind == OWN_MODULE else {}
    return build(kind, options, ModelShape(**{**shape, "task": task, "seed": 7, **changes}))


def slices(task: Task, rows: int = 640, size: int = 16, seed: int = 0) -> Iterator[Slice]:
    """Rows whose label follows from their features, cut into slices."""
    generator = np.random.default_rng(seed)
    dense = generator.normal(size=(rows, DENSE)).astype(np.float32)
    indices = generator.integers(0, 10, size=(rows, INDICES)) + np.array([0, 10])
    score = dense @ np.array([2.0, -1.0, 0.5]) + np.where(indices[:, 0] < 5, 1.5, -1.5)
    labels = {
        "binary": (score > 0.0).astype(np.float32),
        "multiclass": np.digitize(score, [-1.0, 1.0]).astype(np.int64),
        "regression": (100.0 + 20.0 * score).astype(np.float32),
    }[task]
    for start in range(0, rows, size):
        part = slice(start, start + size)
        yield Features(dense[part], indices[part]), labels[part]


def learn(model: Model, stream: Iterator[Slice], weight: float = 1.0) -> None:
    for features, labels in stream:
        model.learn(features, labels, np.full(len(features), weight, np.float32))


def loss(task: Task, predictions: NDArray[np.float32], labels: NDArray[Any]) -> float:
    if task == "regression":
        return float(np.abs(predictions[:, 0] - labels).mean())
    chance = predictions[np.arange(len(labels)), labels] if task == "multiclass" else predictions[:, 0]
    if task == "binary":
        chance = np.where(labels > 0.5, chance, 1.0 - chance)
    return float(-np.log(np.maximum(chance, 1e-7)).mean())


def bits(model: Model) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.state().items()}


@every_model
def test_predictions_have_the_form_of_the_task_and_change_nothing(kind: str, task: Task) -> None:
    model = made(kind, task)
    learn(model, slices(task))
    before = bits(model)
    features, _ = next(slices(task, seed=1))
    predictions = model.predict(features)
    assert bits(model) == before
    assert predictions.dtype == np.float32
    assert predictions.shape == (len(features), 3 if task == "multiclass" else 1)
    assert np.isfinite(predictions).all()
    if task != "regression":
        assert ((predictions >= 0.0) & (predictions <= 1.0)).all()
    if task == "multiclass":
        np.testing.assert_allclose(predictions.sum(axis=1), 1.0, rtol=1e-5)


@every_model
def test_the_loss_falls_on_what_can_be_learned(kind: str, task: Task) -> None:
    model, losses = made(kind, task), []
    for features, labels in slices(task, rows=4000):
        losses.append(loss(task, model.predict(features), labels))
        model.learn(features, labels, np.ones(len(features), np.float32))
    assert np.mean(losses[-50:]) < 0.5 * np.mean(losses[:5])


@every_model
def test_two_runs_are_equal_bit_for_bit(kind: str, task: Task) -> None:
    first, second = made(kind, task), made(kind, task)
    for model in (first, second):
        learn(model, slices(task))
        np.random.seed(1)  # noqa: NPY002  whatever the global generators hold
        torch.manual_seed(1)
    assert bits(first) == bits(second)
    assert bits(first) != bits(made(kind, task))


@every_model
def test_a_loaded_model_goes_on_bit_for_bit(kind: str, task: Task) -> None:
    model = made(kind, task)
    learn(model, slices(task))
    loaded = made(kind, task)
    loaded.load(
        {
            name: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)
            for name, array in model.state().items()
        }
    )
    assert bits(loaded) == bits(model)
    for continued in (model, loaded):
        learn(continued, slices(task, seed=1))
        learn(continued, slices(task, rows=32, seed=1), weight=-1.0)
    assert bits(loaded) == bits(model)


@every_model
def test_a_copy_is_independent(kind: str, task: Task) -> None:
    model = made(kind, task)
    learn(model, slices(task))
    before, copied = bits(model), copy.deepcopy(model)
    learn(copied, slices(task, seed=1))
    assert bits(model) == before
    learn(model, slices(task, seed=1))
    assert bits(model) == bits(copied) != before


@every_model
def test_the_state_is_a_copy_and_tells_weights_from_the_rest(kind: str, task: Task) -> None:
    model = made(kind, task)
    learn(model, slices(task))
    before, state = bits(model), model.state()
    for array in state.values():
        array[...] = 0
    assert bits(model) == before
    assert {name.partition("/")[0] for name in state} == {"weights", "optimizer"}


@every_model
def test_the_weights_alone_decide_the_predictions(kind: str, task: Task) -> None:
    model, fresh = made(kind, task), made(kind, task)
    learn(model, slices(task))
    fresh.load({name: (model if name.startswith("weights/") else fresh).state()[name] for name in fresh.state()})
    features, _ = next(slices(task, seed=1))
    np.testing.assert_array_equal(fresh.predict(features), model.predict(features))


@every_model
def test_a_foreign_state_is_refused_and_changes_nothing(kind: str, task: Task) -> None:
    model = made(kind, task)
    learn(model, slices(task))
    before, state = bits(model), model.state()
    first = min(state)
    for foreign in (
        made(kind, task, hash_bits=HASH_BITS + 1).state(),
        made(kind, task, dense=DENSE + 1).state(),
        {name: array for name, array in state.items() if name != first},
        {**state, "weights/stranger": np.zeros(1)},
        {**state, first: state[first].astype(np.float16)},
        {},
    ):
        with pytest.raises(ConfigChanged, match="the state is not that of"):
            model.load(foreign)
    assert bits(model) == before


def mistaken(task: Task, labels: NDArray[Any]) -> NDArray[Any]:
    return {"binary": 1 - labels, "multiclass": (labels + 1) % 3, "regression": labels + 20}[task].astype(labels.dtype)


@every_model
def test_a_retracted_example_lets_the_predictions_go_back(kind: str, task: Task) -> None:
    trained = made(kind, task)
    learn(trained, slices(task))
    learned, retracted = 0.0, 0.0
    for features, labels in slices(task, rows=12, size=1, seed=2):
        model, before = copy.deepcopy(trained), trained.predict(features)
        model.learn(features, mistaken(task, labels), np.ones(1, np.float32))
        learned += np.abs(model.predict(features) - before).max()
        model.learn(features, mistaken(task, labels), -np.ones(1, np.float32))
        retracted += np.abs(model.predict(features) - before).max()
    assert retracted < 0.75 * learned


@every_model
def test_a_weight_of_0_leaves_a_row_out(kind: str, task: Task) -> None:
    masked, without = made(kind, task), made(kind, task)
    for features, labels in slices(task):
        kept = np.arange(len(labels)) % 3 != 0
        masked.learn(features, labels, kept.astype(np.float32))
        without.learn(features.select(kept), labels[kept], np.ones(int(kept.sum()), np.float32))
    assert bits(masked) == bits(without)


@every_model
def test_a_slice_without_rows_teaches_nothing(kind: str, task: Task) -> None:
    model = made(kind, task)
    learn(model, slices(task))
    before = bits(model)
    features, labels = next(slices(task))
    nobody = np.zeros(len(labels), np.float32)
    model.learn(features, labels, nobody)
    model.learn(features.select(nobody > 0), labels[:0], nobody[:0])
    assert bits(model) == before
    assert model.predict(features.select(nobody > 0)).shape == (0, 3 if task == "multiclass" else 1)


@every_model
def test_a_label_is_corrected_in_one_slice(kind: str, task: Task) -> None:
    trained, once = made(kind, task), np.ones(1, np.float32)
    learn(trained, slices(task))
    wrong, corrected = 0.0, 0.0
    for features, labels in slices(task, rows=12, size=1, seed=2):
        right, model = copy.deepcopy(trained), copy.deepcopy(trained)
        right.learn(features, labels, once)
        model.learn(features, mistaken(task, labels), once)
        wrong += np.abs(model.predict(features) - right.predict(features)).max()
        both = np.concatenate([mistaken(task, labels), labels])
        model.learn(features.select(np.array([0, 0])), both, np.array([-1.0, 1.0], np.float32))
        corrected += np.abs(model.predict(features) - right.predict(features)).max()
    assert corrected < 0.75 * wrong


def phishing_accuracy(make: Callable[[ModelShape], Model], size: int) -> float:
    """River's Phishing, 1,250 rows of 9 numbers, from raw rows to score."""
    rows = list(datasets.Phishing())
    encoder = Encoder(parse_features(dict.fromkeys(rows[0][0], "numeric")), 1)
    model, metrics = make(ModelShape(encoder.dense_width, 0, 1, "binary", 1, 0)), Prequential("binary")
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        labels = np.array([label for _, label in part], np.float32)
        columns = encoder.read([row for row, _ in part])
        encoder.learn(columns)
        features = encoder.transform(columns)
        metrics.update(model.predict(features), labels)
        model.learn(features, labels, np.ones(len(part), np.float32))
    return metrics.report()["accuracy"]


@pytest.mark.parametrize(
    ("kind", "size"),
    [("logistic", 1), ("logistic", 4), ("logistic", 16), ("ftrl", 1), ("ftrl", 4), ("ftrl", 16), ("mlp", 16)],
)
def test_prequential_accuracy_on_phishing_is_at_least_88_percent(kind: str, size: int) -> None:
    assert phishing_accuracy(lambda shape: build(kind, {}, shape), size) >= 0.88
