"""What a predictor without features gets, which knows nothing but the label before: the mark that a model has to beat.

A stream whose labels come in runs makes it strong. Judging a stream classifier against it is due to Bifet et al.,
"Pitfalls in Benchmarking Data Stream Classification and How to Avoid Them" (ECML PKDD 2013).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, check, integer


class LabelChain:
    """Predicts P(label | label before) = (n(before, label) + 1) / (n(before) + classes), counted over the rows so far."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        # One row more than classes: the first label of the stream follows none.
        self._counts = np.zeros((classes + 1, classes), dtype=np.int64)
        self._previous = classes

    def predict_and_learn(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities of the classes, float64[n, classes], for each row before it is counted in, in order."""
        before = np.concatenate([[self._previous], labels[:-1]])
        counts = self._counts[before] + self._earlier(before, labels)
        np.add.at(self._counts, (before, labels), 1)
        self._previous = int(labels[-1])
        probabilities: NDArray[np.float64] = (counts + 1.0) / (counts.sum(axis=1, keepdims=True) + self._classes)
        return probabilities

    def _earlier(self, before: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often each class came after the same label, earlier among these rows: int64[n, classes]."""
        order = np.argsort(before, kind="stable")
        follows = np.zeros((len(labels), self._classes), dtype=np.int64)
        follows[np.arange(len(labels)), labels[order]] = 1
        running = np.cumsum(follows, axis=0) - follows
        firsts = np.searchsorted(before[order], before[order], side="left")
        earlier = np.empty_like(running)
        earlier[order] = running - running[firsts]
        return earlier

    def auc(self) -> float | None:
        """For two classes: the area of ranking rows by the label before; None while one of the labels is lacking.

        With one threshold there is one point on the curve, and the area is (1 + true - false positive rate) / 2. It is
        taken with the better of both directions. Ranking by the probabilities as they were would add nothing but their
        drift.
        """
        after = self._counts[:2].astype(np.float64)
        negatives, positives = after.sum(axis=0)
        if not negatives or not positives:
            return None
        return 0.5 + 0.5 * abs(float(after[1, 1] / positives - after[1, 0] / negatives))

    def state(self) -> dict[str, NDArray[Any]]:
        return {"counts": self._counts.copy(), "previous": integer(self._previous)}

    def load(self, state: State) -> None:
        check("the baseline", self.state(), state)
        self._counts, self._previous = state["counts"].copy(), int(state["previous"])
