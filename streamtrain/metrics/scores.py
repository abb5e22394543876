"""What the scores of every task share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, Stateful, check, integer, number

LabelArray = NDArray[np.float32 | np.int64]


class Scores(Stateful, Protocol):
    """Running scores of one task."""

    def learn(self, predictions: NDArray[np.float32], labels: LabelArray) -> None:
        """Count in at least one row: ``predictions`` float32[n, outputs], ``labels`` as the model's."""
        ...

    def report(self) -> dict[str, float]:
        """The scores that are defined by now. Changes nothing."""
        ...


class Sums:
    """Named running sums in float64, and the number of rows."""

    def __init__(self, names: Iterable[str]) -> None:
        self.count = 0
        self._sums = dict.fromkeys(names, 0.0)

    def add(self, rows: int, **terms: NDArray[Any]) -> None:
        """Count ``rows`` more, and add each array's total to the sum of its name."""
        self.count += rows
        for name, values in terms.items():
            self._sums[name] += float(np.add.reduce(values, dtype=np.float64))

    def __getitem__(self, name: str) -> float:
        return self._sums[name]

    def mean(self, name: str) -> float:
        """The sum over the number of rows, of which there must be some."""
        return self._sums[name] / self.count

    def state(self) -> dict[str, NDArray[Any]]:
        return {"count": integer(self.count)} | {name: number(value) for name, value in self._sums.items()}

    def load(self, state: State) -> None:
        check("the scores", self.state(), state)
        self.count = int(state["count"])
        self._sums = {name: float(state[name]) for name in self._sums}


def log_loss(true_probabilities: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """-log of each row's probability of its label, which is taken within [clip, 1 - clip]."""
    return -np.log(np.clip(true_probabilities, clip, 1.0 - clip))
