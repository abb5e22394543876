"""Vectors for hashed indices, learned by row-wise AdaGrad: one sum of squares a row, only touched rows are visited.

Row-wise AdaGrad: Mudigere et al., "Software-Hardware Co-design for Fast and Scalable Training of Deep Learning
Recommendation Models" (ISCA 2022), section 4.1.2: G += mean(g**2), w -= lr * g / sqrt(G).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamtrain.features.arrays import State, check
from streamtrain.models.coordinates import Grouping, sum_groups

_INITIAL_DEVIATION = 0.01
_EPSILON = 1e-8


class HashedEmbedding:
    """``rows`` vectors of ``width`` float32, normally distributed from ``generator`` at the start."""

    def __init__(self, rows: int, width: int, learning_rate: float, generator: torch.Generator) -> None:
        self._width = width
        self._learning_rate = learning_rate
        self._vectors = torch.empty(rows, width).normal_(0.0, _INITIAL_DEVIATION, generator=generator).numpy()
        self._squares = np.zeros(rows)
        self._grouping = Grouping(rows)

    def gather(self, indices: NDArray[np.int64]) -> Tensor:
        """Copies of the vectors of ``indices`` int64[rows, C]: float32[rows, C, width]."""
        return torch.from_numpy(self._vectors[indices])

    def learn(self, indices: NDArray[np.int64], gradient: NDArray[np.float32]) -> None:
        """One step down ``gradient`` float32[rows, C, width], summed where an index stands more than once."""
        at, total, square = self._sum(indices, gradient)
        self._squares[at] += square
        self._vectors[at] -= self._step(total, self._squares[at])

    def retract(self, indices: NDArray[np.int64], gradient: NDArray[np.float32]) -> None:
        """Put back what ``gradient`` takes: a step of at most that of ``learn``, without adding to the squares."""
        at, total, square = self._sum(indices, gradient)
        learned = self._squares[at] > 0.0
        at, total, square = at[learned], total[learned], square[learned]
        self._vectors[at] += self._step(total, np.maximum(self._squares[at], square))

    def _sum(
        self, indices: NDArray[np.int64], gradient: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """The distinct indices, the gradient at each, and the mean of its squares."""
        at, groups = self._grouping.group(indices.ravel())
        total = sum_groups(gradient.reshape(-1, self._width).astype(np.float64), groups, len(at))
        return at, total, np.einsum("iw,iw->i", total, total) / self._width

    def _step(self, gradient: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float32]:
        scale = self._learning_rate / (np.sqrt(squares) + _EPSILON)
        return (gradient * scale[:, np.newaxis]).astype(np.float32)

    def weights(self) -> dict[str, NDArray[Any]]:
        """What predicts."""
        return {"vectors": self._vectors.copy()}

    def optimizer(self) -> dict[str, NDArray[Any]]:
        """What else decides the future."""
        return {"squares": self._squares.copy()}

    def load(self, weights: State, optimizer: State) -> None:
        """Continue from ``weights()`` and ``optimizer()``. Raises ConfigChanged if they are of another embedding."""
        check("the embedding", {**self.weights(), **self.optimizer()}, {**weights, **optimizer})
        self._vectors, self._squares = weights["vectors"].copy(), optimizer["squares"].copy()
