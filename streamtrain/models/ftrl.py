"""FTRL-Proximal: logistic or linear regression with L1 and L2, the workhorse of click prediction.

McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013, Algorithm 1, with a slice in place of a row:
g_i is the gradient summed over the slice's rows, so a slice of one row is the algorithm as printed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.options import Option, above_zero, at_least_zero, switch
from streamtrain.models.base import ModelShape
from streamtrain.models.linear import LinearModel

OPTIONS: Mapping[str, Option] = {
    "alpha": above_zero(0.1),
    # Above 0, so that a coordinate whose only gradient was retracted has a weight at all.
    "beta": above_zero(1.0),
    "l1": at_least_zero(0.0),
    "l2": at_least_zero(0.0),
    "standardize_label": switch(True),
}


class Ftrl(LinearModel):
    """The paper's names: ``alpha``, ``beta`` (learning rate), ``l1``, ``l2``; state z and n, and the weights they give.

    Regression learns standardised labels unless ``standardize_label`` is false. The intercept is a coordinate like any
    other, penalties included. Predictions are not clipped.
    """

    def __init__(
        self, shape: ModelShape, *, alpha: float, beta: float, l1: float, l2: float, standardize_label: bool
    ) -> None:
        super().__init__(shape, {"z": 0.0, "n": 0.0}, standardize_label=standardize_label)
        self._alpha = alpha
        self._beta = beta
        self._l1 = l1
        self._l2 = l2

    def _step(self, at: NDArray[np.int64], gradient: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        n_before = self._tables["n"][at]
        n = n_before + squares
        root = np.sqrt(n)
        sigma = (root - np.sqrt(n_before)) / self._alpha
        z = self._tables["z"][at] + gradient - sigma * self._weights[at]
        self._tables["z"][at] = z
        self._tables["n"][at] = n
        # sign(z) * l1 - z where |z| > l1, else 0
        shrunk = np.clip(z, -self._l1, self._l1) - z
        self._weights[at] = shrunk / ((self._beta + root) / self._alpha + self._l2)
