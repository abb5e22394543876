"""Numbers, standardised online: (value - mean) / standard deviation, both of the rows learned so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from streamtrain.features import arrays
from streamtrain.features.column import Column
from streamtrain.features.kinds.base import CLIP
from streamtrain.features.moments import Moments
from streamtrain.features.numbers import read_numbers
from streamtrain.features.options import Option, switch


class Numeric:
    """Two dense columns: the number, 0 for NULL, and whether it is NULL.

    ``log`` takes sign(x) * log(1 + |x|) first, for prices and counts. Without ``standardize`` the number is used as it is.
    """

    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "standardize": switch(True),
        "log": switch(False),
    }

    index_width = 0
    dense_width = 2

    def __init__(self, name: str, options: Mapping[str, Any], hash_bits: int) -> None:  # noqa: ARG002  nothing is hashed
        self._name = name
        self._log: bool = options["log"]
        self._moments = Moments() if options["standardize"] else None

    @property
    def dense_names(self) -> tuple[str, ...]:
        return (self._name, f"{self._name} is null")

    def read(self, values: Sequence[Any]) -> Column:
        column = read_numbers(self._name, values)
        if not self._log:
            return column
        return Column(np.sign(column.values) * np.log1p(np.abs(column.values)), column.null, column.rejected)

    def learn(self, column: Column) -> None:
        if self._moments is not None:
            self._moments.learn(column.values[~column.null].astype(np.float64, copy=False))

    def transform(self, column: Column, dense: NDArray[np.float32], indices: NDArray[np.int64]) -> None:  # noqa: ARG002
        dense[:, 0] = column.values if self._moments is None else standardised(column, self._moments)
        dense[:, 1] = column.null

    def state(self) -> dict[str, NDArray[Any]]:
        return {} if self._moments is None else self._moments.state()

    def load(self, state: arrays.State) -> None:
        arrays.check(f"feature {self._name!r}", self.state(), state)
        if self._moments is not None:
            self._moments.load(state)


def standardised(column: Column, moments: Moments) -> NDArray[np.float64]:
    """The column in standard deviations from the mean, within CLIP; 0 for NULL, and 0 while the variance is 0."""
    deviation = moments.deviation
    if deviation == 0.0:
        return np.zeros(len(column.values))
    scaled: NDArray[np.float64] = np.clip((column.values - moments.mean) / deviation, -CLIP, CLIP)
    scaled[column.null] = 0.0
    return scaled
