"""One feature at a time, read and written the way the encoder does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.column import Column
from streamtrain.features.kinds import KINDS
from streamtrain.features.kinds.base import Kind
from streamtrain.features.spec import parse_features


def feature(kind: str, hash_bits: int = 18, name: str = "x", **options: Any) -> Kind:
    (spec,) = parse_features({name: {"kind": kind, **options}})
    return KINDS[kind](name, spec.options, hash_bits)


def dense(kind: Kind, values: Sequence[Any]) -> NDArray[np.float32]:
    """The dense part of a column that is all good."""
    column = kind.read(values)
    assert not column.rejected
    written = np.full((len(values), kind.dense_width), np.nan, np.float32)
    kind.transform(column, written, np.empty((len(values), 0), np.int64))
    return written


def reasons(column: Column) -> dict[int, str]:
    return {row: rejection.reason for row, rejection in column.rejected.items()}
