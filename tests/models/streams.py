"""Seeded streams of features and labels, and the loop that predicts before it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.encoder import Features
from streamtrain.features.labels import Task
from streamtrain.models.base import Model, ModelShape

Stream = tuple[Features, NDArray[Any]]

DENSE, INDICES, HASH_BITS, CLASSES = 6, 4, 12, 3


def shape(
    task: Task, dense: int = DENSE, indices: int = INDICES, hash_bits: int = HASH_BITS, seed: int = 5
) -> ModelShape:
    return ModelShape(dense, indices, hash_bits, task, CLASSES if task == "multiclass" else 1, seed)


def mixed_rows(task: Task, rows: int, seed: int = 0) -> Stream:
    """Dense and hashed features of which both carry the label. The indices of one row differ."""
    generator = np.random.default_rng(seed)
    dense = generator.normal(size=(rows, DENSE)).astype(np.float32)
    dense[generator.random((rows, DENSE)) < 0.2] = 0.0
    categories = generator.zipf(1.5, size=(rows, INDICES)) % 50
    indices = (categories * INDICES + np.arange(INDICES)).astype(np.int64)
    effects = np.random.default_rng(99).normal(size=2**HASH_BITS)
    score = dense @ np.linspace(-1.5, 1.5, DENSE) + effects[indices].sum(axis=1)
    if task == "binary":
        return Features(dense, indices), (generator.random(rows) < 1.0 / (1.0 + np.exp(-score))).astype(np.float32)
    if task == "multiclass":
        return Features(dense, indices), np.digitize(score, [-1.0, 1.0]).astype(np.int64)
    return Features(dense, indices), (50.0 + 10.0 * score + generator.normal(size=rows)).astype(np.float32)


def click_rows(rows: int, seed: int, hash_bits: int = 18) -> Stream:
    """A click log: 13 numbers and 26 categories of 3 to 50,000 values, Zipf-distributed, about 30 % clicks."""
    generator = np.random.default_rng(seed)
    dense = generator.normal(size=(rows, 13)).astype(np.float32)
    score = dense @ (generator.normal(size=13) * 0.25) - 1.0
    indices = np.empty((rows, 26), np.int64)
    for column, values in enumerate(np.geomspace(3, 50_000, 26).astype(int)):
        chances = 1.0 / np.arange(1, values + 1) ** 1.1
        drawn = generator.choice(values, size=rows, p=chances / chances.sum())
        score += (generator.normal(size=values) * 0.35)[drawn]
        indices[:, column] = generator.permutation(2**hash_bits)[:values][drawn]
    return Features(dense, indices), (generator.random(rows) < 1.0 / (1.0 + np.exp(-score))).astype(np.float32)


def prequential(model: Model, stream: Stream, size: int) -> NDArray[np.float32]:
    """Predictions made before learning, slice by slice: float32[rows, outputs]."""
    features, labels = stream
    predictions = []
    for start in range(0, len(labels), size):
        part = slice(start, start + size)
        rows = Features(features.dense[part], features.indices[part])
        predictions.append(model.predict(rows))
        model.learn(rows, labels[part], np.ones(len(rows), np.float32))
    return np.concatenate(predictions)


def log_loss(predictions: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    chance = np.where(labels > 0.5, predictions[:, 0], 1.0 - predictions[:, 0].astype(np.float64))
    return float(-np.log(np.clip(chance, 1e-7, 1.0)).mean())
