"""Count, mean and variance of a stream, updated a slice at a time.

Two sets merge by the formula of Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
Variances" (1979), equation 2.1; with slices of one value it is Welford's update (Technometrics 4, 1962).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features import arrays


class Moments:
    """``count``, ``mean`` and ``m2``, the sum of squared deviations from the mean."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation of the population; 0 before the second distinct value."""
        return math.sqrt(self.m2 / self.count) if self.count else 0.0

    def learn(self, values: NDArray[np.float64]) -> None:
        """Merge in a slice of finite values, float64[n]."""
        size = len(values)
        if size == 0:
            return
        # Deviations are taken from a value of the stream itself, so a constant column has a variance of exactly 0.
        # Sums go through add.reduce: a BLAS dot product adds in an order that depends on its number of threads.
        origin = self.mean if self.count else float(values[0])
        deviations = values - origin
        shift = float(np.add.reduce(deviations)) / size
        deviations -= shift
        total = self.count + size
        self.m2 += float(np.add.reduce(deviations * deviations)) + shift * shift * (self.count * size / total)
        self.mean = origin + shift * (size / total if self.count else 1.0)
        self.count = total

    def state(self) -> dict[str, NDArray[Any]]:
        return {"count": arrays.integer(self.count), "mean": arrays.number(self.mean), "m2": arrays.number(self.m2)}

    def load(self, state: arrays.State) -> None:
        arrays.check("running moments", self.state(), state)
        self.count, self.mean, self.m2 = int(state["count"]), float(state["mean"]), float(state["m2"])
