"""Area under the ROC curve: exact over rows at hand, and over a whole stream from histograms of fixed size.

Both are the share of (positive, negative) pairs in which the positive row has the higher score, ties counting half
(Hanley and McNeil, Radiology 143, 1982).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, check

CLIP = 1e-7
"""Probabilities are taken within [CLIP, 1 - CLIP]. A float32 next to 1 lies 6e-8 below it, so a wrong prediction of
"certain" costs 16.1 nats, and not infinity."""
LIMIT = float(np.log((1.0 - CLIP) / CLIP))


def exact_auc(probabilities: NDArray[np.float32], positive: NDArray[np.bool_]) -> float | None:
    """The area; None while there are only positive or only negative rows."""
    positives, negatives = np.sort(probabilities[positive]), np.sort(probabilities[~positive])
    if not len(positives) or not len(negatives):
        return None
    below = np.searchsorted(negatives, positives, side="left").sum(dtype=np.int64)
    not_above = np.searchsorted(negatives, positives, side="right").sum(dtype=np.int64)
    return float(below + not_above) / (2.0 * len(positives) * len(negatives))


class AucHistogram:
    """Counts of both labels over ``bins`` equal intervals of the logit, within that of CLIP and its negative.

    Pairs in one bin count as ties, so the area is off by at most ``error_bound``: half the share of such pairs. With 2**16
    bins, each 0.0005 logits wide, that is near 1e-5 for scores that spread over a few logits.
    """

    def __init__(self, bins: int) -> None:
        self._bins = bins
        self._counts = np.zeros((2, bins), dtype=np.int64)

    def learn(self, logits: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
        """Count rows, whose ``logits`` lie within LIMIT."""
        bins = ((logits + LIMIT) * (self._bins / (2.0 * LIMIT))).astype(np.int64)
        cells = np.minimum(bins, self._bins - 1) + positive * self._bins
        np.add.at(self._counts.reshape(-1), cells, 1)

    def auc(self) -> float | None:
        """The area; None while there are only positive or only negative rows."""
        pairs = self._pairs()
        if pairs == 0:
            return None
        negatives, positives = self._float_counts()
        not_above = np.cumsum(negatives)
        return float(positives @ (2.0 * not_above - negatives)) / (2.0 * pairs)

    def error_bound(self) -> float:
        """How far ``auc`` can be from the exact area."""
        pairs = self._pairs()
        negatives, positives = self._float_counts()
        return float(positives @ negatives) / (2.0 * pairs) if pairs else 0.0

    def _float_counts(self) -> NDArray[np.float64]:
        """The counts as float64: the number of pairs passes 2**63 after some billions of rows."""
        return self._counts.astype(np.float64)

    def _pairs(self) -> int:
        negatives, positives = self._counts.sum(axis=1).tolist()
        return int(negatives * positives)

    def state(self) -> dict[str, NDArray[Any]]:
        return {"counts": self._counts.copy()}

    def load(self, state: State) -> None:
        check("the AUC histogram", self.state(), state)
        self._counts = state["counts"].copy()
