"""Truth values: JSON true and false, or the integers 1 and 0, as which TINYINT(1) arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from streamtrain.features import arrays
from streamtrain.features.column import Column, read_each, wrong_type
from streamtrain.features.options import Option

_TYPES = frozenset({bool, int})


class Boolean:
    """Two dense columns: 1 for true and 0 for false or NULL, and whether it is NULL."""

    OPTIONS: ClassVar[Mapping[str, Option]] = {}

    index_width = 0
    dense_width = 2

    def __init__(self, name: str, options: Mapping[str, Any], hash_bits: int) -> None:  # noqa: ARG002  it has no options
        self._name = name

    @property
    def dense_names(self) -> tuple[str, ...]:
        return (self._name, f"{self._name} is null")

    def read(self, values: Sequence[Any]) -> Column:
        if set(map(type, values)) <= _TYPES and {0, 1}.issuperset(values):
            return Column(np.array(values, dtype=np.float64), np.zeros(len(values), dtype=np.bool_), {})
        return read_each(self._name, values, self._truth)

    def _truth(self, value: Any) -> float:
        if not isinstance(value, int) or value not in {0, 1}:
            raise wrong_type(self._name, value, "true, false, 1 or 0")
        return float(value)

    def learn(self, column: Column) -> None:
        """Nothing: the kind has no statistics."""

    def transform(self, column: Column, dense: NDArray[np.float32], indices: NDArray[np.int64]) -> None:  # noqa: ARG002
        dense[:, 0] = column.values
        dense[:, 1] = column.null

    def state(self) -> dict[str, NDArray[Any]]:
        return {}

    def load(self, state: arrays.State) -> None:
        arrays.check(f"feature {self._name!r}", {}, state)
