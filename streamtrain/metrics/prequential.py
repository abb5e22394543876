"""The scores of a run: predictions made before learning, against labels, in the order of the rows."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.errors import FatalError
from streamtrain.features.arrays import State, check, integer, prefixed
from streamtrain.features.labels import Task
from streamtrain.metrics.binary import BinaryScores
from streamtrain.metrics.multiclass import MulticlassScores
from streamtrain.metrics.regression import RegressionScores
from streamtrain.metrics.scores import LabelArray, Scores

_BLOCK = 1024
"""Rows are scored this many at a time. That costs a small part of scoring every slice, and it makes the sums, to the last
bit, a function of the rows alone and not of how they were cut into slices."""


class Prequential:
    """Scores over all rows and over the last ``window``; constant memory.

    ``outputs`` is the number of classes for multiclass, else 1.
    """

    def __init__(self, task: Task, window: int = 10_000, outputs: int = 1) -> None:
        self._scores = _scores(task, window, outputs)
        self._predictions = np.zeros((_BLOCK, outputs), dtype=np.float32)
        self._labels: LabelArray = (
            np.zeros(_BLOCK, dtype=np.int64) if task == "multiclass" else np.zeros(_BLOCK, dtype=np.float32)
        )
        self._filled = 0
        self._count = 0

    def update(self, predictions: NDArray[np.float32], labels: LabelArray) -> None:
        """Add rows in order: predictions float32[n, outputs], labels float32[n], int64[n] for multiclass.

        Raises FatalError, and adds nothing, if a prediction is not finite.
        """
        if not np.isfinite(predictions).all():
            raise FatalError(
                f"the model has diverged: a prediction is not finite after {self._count} rows",
                hint="lower the learning rate and replay from an earlier checkpoint",
            )
        start, rows = 0, len(labels)
        while start < rows:
            taken = min(rows - start, _BLOCK - self._filled)
            self._predictions[self._filled : self._filled + taken] = predictions[start : start + taken]
            self._labels[self._filled : self._filled + taken] = labels[start : start + taken]
            self._filled += taken
            start += taken
            if self._filled == _BLOCK:
                self._scores.learn(self._predictions, self._labels)
                self._predictions.fill(0)
                self._labels.fill(0)
                self._filled = 0
        self._count += rows

    def report(self) -> dict[str, float]:
        """The scores so far: finite numbers; what is not defined yet is left out. Changes nothing."""
        scores = self._scores
        if self._filled:
            scores = copy.deepcopy(scores)
            scores.learn(self._predictions[: self._filled], self._labels[: self._filled])
        return {"count": float(self._count), **scores.report()}

    def state(self) -> dict[str, NDArray[Any]]:
        rows = {
            "predictions": self._predictions.copy(),
            "labels": self._labels.copy(),
            "filled": integer(self._filled),
            "count": integer(self._count),
        }
        return prefixed({"block": rows, "scores": self._scores.state()})

    def load(self, state: State) -> None:
        check("the metrics", self.state(), state)
        self._scores.load({name: state[f"scores/{name}"] for name in self._scores.state()})
        self._predictions, self._labels = state["block/predictions"].copy(), state["block/labels"].copy()
        self._filled, self._count = int(state["block/filled"]), int(state["block/count"])


def _scores(task: Task, window: int, outputs: int) -> Scores:
    if task == "binary":
        return BinaryScores(window)
    if task == "regression":
        return RegressionScores()
    if outputs < 2:
        raise ValueError("multiclass scores need the number of classes as outputs")
    return MulticlassScores(outputs)
