"""What every model is. ``tests/contract/test_models.py`` holds each of them to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import Stateful
from streamtrain.features.encoder import Features
from streamtrain.features.labels import Task

LabelArray = NDArray[np.float32 | np.int64]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What a model is made for: the features it takes, the task, the number of outputs, and the seed of its randomness."""

    dense: int
    """Dense columns, D."""
    indices: int
    """Columns of hashed indices, C."""
    hash_bits: int
    """Every index is below ``2**hash_bits``."""
    task: Task
    outputs: int
    """1, or the number of classes for multiclass."""
    seed: int


@runtime_checkable
class Model(Stateful, Protocol):
    """Predicts and learns a slice at a time. Only ``learn`` and ``load`` change it; neither uses global randomness.

    In the state, ``weights/...`` is all that decides predictions, ``optimizer/...`` what else decides the future.
    """

    def predict(self, features: Features) -> NDArray[np.float32]:
        """Probability of 1 (binary), probabilities of the classes (multiclass) or value: float32[rows, outputs]."""
        ...

    def learn(self, features: Features, labels: LabelArray, weights: NDArray[np.float32]) -> None:
        """Learn one slice.

        ``labels`` is float32[rows], int64[rows] for multiclass; ``weights`` float32[rows] multiplies a row's gradient: +1
        learns it, -1 retracts it, 0 leaves it out as if it were not there. To retract is to take the row's gradient, as
        it is at the current weights, back out. What has been counted stays counted: sums of squared gradients, step
        numbers and label statistics neither shrink nor grow.
        """
        ...
