"""Regression on standardised labels: steps of a fixed size suit labels of any unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, check
from streamtrain.features.moments import Moments


class LabelScaler:
    """Online mean and deviation of the labels learned so far; does nothing unless ``active``."""

    def __init__(self, active: bool) -> None:
        self._moments = Moments() if active else None

    def learn(self, labels: NDArray[np.float64]) -> None:
        """Take labels into the statistics, float64[n]."""
        if self._moments is not None:
            self._moments.learn(labels)

    def scale(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels -> what the model is trained on."""
        return labels if self._moments is None else (labels - self._moments.mean) / self._deviation(self._moments)

    def unscale(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The model's outputs -> predictions in the labels' unit."""
        return outputs if self._moments is None else self._moments.mean + outputs * self._deviation(self._moments)

    @staticmethod
    def _deviation(moments: Moments) -> float:
        return moments.deviation or 1.0

    def state(self) -> dict[str, NDArray[Any]]:
        return {} if self._moments is None else self._moments.state()

    def load(self, state: State) -> None:
        check("the label's scale", self.state(), state)
        if self._moments is not None:
            self._moments.load(state)
