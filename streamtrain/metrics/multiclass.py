"""Scores of predictions of one among several classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, Stateful, joined, load_parts
from streamtrain.metrics.auc import CLIP
from streamtrain.metrics.baseline import LabelChain
from streamtrain.metrics.scores import LabelArray, Sums, log_loss


class MulticlassScores:
    """Log loss, accuracy of the most probable class (the first of equals), and the baseline's."""

    def __init__(self, classes: int) -> None:
        self._sums = Sums(["loss", "hits", "baseline_loss", "baseline_hits"])
        self._chain = LabelChain(classes)
        self._parts: dict[str, Stateful] = {"sums": self._sums, "baseline": self._chain}

    def learn(self, predictions: NDArray[np.float32], labels: LabelArray) -> None:
        classes = labels.astype(np.int64, copy=False)
        baseline = self._chain.predict_and_learn(classes)
        rows = np.arange(len(classes))
        self._sums.add(
            len(classes),
            loss=log_loss(predictions[rows, classes].astype(np.float64), CLIP),
            hits=predictions.argmax(axis=1) == classes,
            baseline_loss=log_loss(baseline[rows, classes], CLIP),
            baseline_hits=baseline.argmax(axis=1) == classes,
        )

    def report(self) -> dict[str, float]:
        if self._sums.count == 0:
            return {}
        return {
            "log_loss": self._sums.mean("loss"),
            "accuracy": self._sums.mean("hits"),
            "baseline_log_loss": self._sums.mean("baseline_loss"),
            "baseline_accuracy": self._sums.mean("baseline_hits"),
        }

    def state(self) -> dict[str, NDArray[Any]]:
        return joined(self._parts)

    def load(self, state: State) -> None:
        load_parts("multiclass scores", self._parts, state)
