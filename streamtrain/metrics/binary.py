"""Scores of binary predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, Stateful, joined, load_parts
from streamtrain.metrics.auc import CLIP, AucHistogram, exact_auc
from streamtrain.metrics.baseline import LabelChain
from streamtrain.metrics.scores import LabelArray, Sums, log_loss
from streamtrain.metrics.window import Window

_BINS = 2**16


class BinaryScores:
    """Log loss, accuracy at one half, AUC, calibration; over all rows, and over the last ``window``; and the baseline's."""

    def __init__(self, window: int) -> None:
        self._sums = Sums(["loss", "hits", "probability", "label", "baseline_loss", "baseline_hits"])
        self._histogram = AucHistogram(_BINS)
        self._window = Window(window)
        self._chain = LabelChain(2)
        self._parts: dict[str, Stateful] = {
            "sums": self._sums,
            "auc": self._histogram,
            "window": self._window,
            "baseline": self._chain,
        }

    def learn(self, predictions: NDArray[np.float32], labels: LabelArray) -> None:
        positive = labels > 0.5
        probabilities = predictions[:, 0].astype(np.float64)
        baseline = self._chain.predict_and_learn(positive.astype(np.int64))[:, 1]
        self._sums.add(
            len(labels),
            loss=_loss(probabilities, positive),
            hits=(probabilities >= 0.5) == positive,
            probability=probabilities,
            label=positive,
            baseline_loss=_loss(baseline, positive),
            baseline_hits=(baseline >= 0.5) == positive,
        )
        self._histogram.learn(_logits(probabilities), positive)
        self._window.append(predictions[:, 0], positive)

    def report(self) -> dict[str, float]:
        sums = self._sums
        if sums.count == 0:
            return {}
        predictions, positive = self._window.rows()
        scores = {
            "log_loss": sums.mean("loss"),
            "accuracy": sums.mean("hits"),
            "auc": self._histogram.auc(),
            "auc_window": exact_auc(predictions, positive),
            "log_loss_window": float(_loss(predictions.astype(np.float64), positive).mean()),
            "calibration": sums["probability"] / sums["label"] if sums["label"] else None,
            "baseline_log_loss": sums.mean("baseline_loss"),
            "baseline_accuracy": sums.mean("baseline_hits"),
            "baseline_auc": self._chain.auc(),
        }
        return {name: value for name, value in scores.items() if value is not None}

    def state(self) -> dict[str, NDArray[Any]]:
        return joined(self._parts)

    def load(self, state: State) -> None:
        load_parts("binary scores", self._parts, state)


def _loss(probabilities: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    return log_loss(np.where(positive, probabilities, 1.0 - probabilities), CLIP)


def _logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probabilities, CLIP, 1.0 - CLIP)
    return np.log(clipped / (1.0 - clipped))
