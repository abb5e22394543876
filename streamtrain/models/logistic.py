"""Logistic regression, softmax for several classes, by AdaGrad: a learning rate of its own for every coordinate.

AdaGrad: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12
(2011), in its diagonal form.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.options import Option, above_zero
from streamtrain.models.base import ModelShape
from streamtrain.models.linear import LinearModel

OPTIONS: Mapping[str, Option] = {
    "learning_rate": above_zero(0.1),
    "initial_accumulator": above_zero(0.1),
}


class Logistic(LinearModel):
    """w -= learning_rate * g / sqrt(G), where G begins at ``initial_accumulator`` and grows by g**2 a slice.

    Above 0, the initial accumulator keeps the first step at a coordinate in proportion to its gradient.
    """

    def __init__(self, shape: ModelShape, *, learning_rate: float, initial_accumulator: float) -> None:
        super().__init__(shape, {"squares": initial_accumulator})
        self._learning_rate = learning_rate

    def _step(self, at: NDArray[np.int64], gradient: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        total = self._tables["squares"][at] + squares
        self._tables["squares"][at] = total
        self._weights[at] -= self._learning_rate * gradient / np.sqrt(total)
