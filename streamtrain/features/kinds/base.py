"""What every kind of feature is: a reader of one column and a writer of its part of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import Stateful
from streamtrain.features.column import Column
from streamtrain.features.options import Option

CLIP = 10.0
"""Standardised values are held within this many standard deviations.

One mistyped value (a price in cents, an overflowed counter) is otherwise its own largest outlier: among n rows it can
lie sqrt(n - 1) deviations out, and a gradient of that size undoes what a linear model has learned. Ten deviations are
beyond anything that a feature's own spread explains, so River's unclipped scaler gives the same on sound data.
"""


class Kind(Stateful, Protocol):
    """One feature. Only ``learn`` and ``load`` change it; ``read`` and ``transform`` are pure."""

    OPTIONS: ClassVar[Mapping[str, Option]]

    def __init__(self, name: str, options: Mapping[str, Any], hash_bits: int) -> None:
        """``options`` are complete: every name of ``OPTIONS``, with a value that keeps its rule."""
        ...

    @property
    def dense_names(self) -> tuple[str, ...]:
        """Names of the dense columns it writes, like ``price`` and ``price is null``."""
        ...

    @property
    def dense_width(self) -> int:
        """How many dense columns it writes."""
        ...

    @property
    def index_width(self) -> int:
        """How many columns of hashed indices it writes."""
        ...

    def read(self, values: Sequence[Any]) -> Column:
        """Read a column of JSON values (NULL is None, or MISSING where a row lacks the column)."""
        ...

    def learn(self, column: Column) -> None:
        """Take a slice's column into the statistics. No row of it may be rejected."""
        ...

    def transform(self, column: Column, dense: NDArray[np.float32], indices: NDArray[np.int64]) -> None:
        """Write into ``dense`` float32[n, dense_width] and ``indices`` int64[n, index_width]."""
        ...
