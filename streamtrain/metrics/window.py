"""The last rows of a stream, for scores over them alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, check, integer


class Window:
    """A ring of the last ``size`` predictions and labels of a binary task."""

    def __init__(self, size: int) -> None:
        self._predictions = np.zeros(size, dtype=np.float32)
        self._positive = np.zeros(size, dtype=np.bool_)
        self._seen = 0

    def append(self, predictions: NDArray[np.float32], positive: NDArray[np.bool_]) -> None:
        """Add rows; the oldest give way."""
        size, rows = len(self._positive), len(positive)
        kept = min(rows, size)
        places = np.arange(self._seen + rows - kept, self._seen + rows) % size
        self._predictions[places] = predictions[rows - kept :]
        self._positive[places] = positive[rows - kept :]
        self._seen += rows

    def rows(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Predictions and labels of the rows held, in no particular order."""
        held = min(self._seen, len(self._positive))
        return self._predictions[:held], self._positive[:held]

    def state(self) -> dict[str, NDArray[Any]]:
        return {"predictions": self._predictions.copy(), "positive": self._positive.copy(), "seen": integer(self._seen)}

    def load(self, state: State) -> None:
        check("the window", self.state(), state)
        self._predictions, self._positive = state["predictions"].copy(), state["positive"].copy()
        self._seen = int(state["seen"])
