"""Scores of predictions of a number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, Stateful, check, joined, load_parts, number
from streamtrain.features.moments import Moments
from streamtrain.metrics.scores import LabelArray, Sums


class LastValue:
    """The no-change baseline: predicts the label before. The stream's first row has none, and is left out."""

    def __init__(self) -> None:
        self._last = math.nan

    def predict_and_learn(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """The label before each, NaN for the first."""
        before = np.concatenate([[self._last], labels[:-1]])
        self._last = float(labels[-1])
        return before

    def state(self) -> dict[str, NDArray[Any]]:
        return {"last": number(self._last)}

    def load(self, state: State) -> None:
        check("the baseline", self.state(), state)
        self._last = float(state["last"])


class RegressionScores:
    """Mean absolute and root mean squared error, R squared (against the labels' mean over all rows), and the baseline's."""

    def __init__(self) -> None:
        self._sums = Sums(["absolute", "squared"])
        self._baseline_sums = Sums(["absolute", "squared"])
        self._labels = Moments()
        self._last = LastValue()
        self._parts: dict[str, Stateful] = {
            "sums": self._sums,
            "baseline_sums": self._baseline_sums,
            "labels": self._labels,
            "baseline": self._last,
        }

    def learn(self, predictions: NDArray[np.float32], labels: LabelArray) -> None:
        values = labels.astype(np.float64)
        self._labels.learn(values)
        _add(self._sums, predictions[:, 0].astype(np.float64) - values)
        errors = self._last.predict_and_learn(values) - values
        _add(self._baseline_sums, errors[~np.isnan(errors)])

    def report(self) -> dict[str, float]:
        if self._sums.count == 0:
            return {}
        scores = {"mae": self._sums.mean("absolute"), "rmse": math.sqrt(self._sums.mean("squared"))}
        if self._labels.m2 > 0.0:
            scores["r2"] = 1.0 - self._sums["squared"] / self._labels.m2
        if self._baseline_sums.count:
            scores["baseline_mae"] = self._baseline_sums.mean("absolute")
            scores["baseline_rmse"] = math.sqrt(self._baseline_sums.mean("squared"))
        return scores

    def state(self) -> dict[str, NDArray[Any]]:
        return joined(self._parts)

    def load(self, state: State) -> None:
        load_parts("regression scores", self._parts, state)


def _add(sums: Sums, errors: NDArray[np.float64]) -> None:
    sums.add(len(errors), absolute=np.abs(errors), squared=errors * errors)
