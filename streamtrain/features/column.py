"""One column of JSON values, read: numbers or indexes, which of them are NULL, and which cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamtrain.errors import RejectedRecord


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"

    def __deepcopy__(self, memo: object) -> _Missing:
        return self


MISSING: Final = _Missing()
"""Stands for the value of a column that the row does not have. NULL is ``None``."""

Rejections = Mapping[int, RejectedRecord]


@dataclass(frozen=True, slots=True)
class Column:
    """``values`` float64[n] or int64[n], 0 where NULL or rejected; ``null`` bool[n]; ``rejected`` by row."""

    values: NDArray[np.float64 | np.int64]
    null: NDArray[np.bool_]
    rejected: Rejections

    def select(self, rows: NDArray[np.int64 | np.bool_]) -> Column:
        """The given rows: their indexes, or a mask. None of them may be rejected."""
        return Column(self.values[rows], self.null[rows], {})


def extract(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """The column ``name`` of ``rows``, MISSING where a row does not have it."""
    try:
        return [row[name] for row in rows]
    except KeyError:
        return [row.get(name, MISSING) for row in rows]


def read_each(
    name: str,
    values: Sequence[Any],
    read_one: Callable[[Any], float],
    dtype: type[np.float64 | np.int64] = np.float64,
) -> Column:
    """Read value by value. ``read_one`` is given what is neither NULL nor MISSING, and raises RejectedRecord."""
    read = np.zeros(len(values), dtype=dtype)
    null = np.zeros(len(values), dtype=np.bool_)
    rejected: dict[int, RejectedRecord] = {}
    for row, value in enumerate(values):
        if value is None:
            null[row] = True
        elif value is MISSING:
            rejected[row] = RejectedRecord("missing_column", f"the row has no column {name!r}")
        else:
            try:
                read[row] = read_one(value)
            except RejectedRecord as rejection:
                rejected[row] = rejection
    return Column(read, null, rejected)


def wrong_type(name: str, value: object, wanted: str) -> RejectedRecord:
    """The rejection of a value that is not of the column's kind."""
    return RejectedRecord("wrong_type", f"column {name!r}: {shown(value)} is not {wanted}")


def shown(value: object) -> str:
    """``value`` as JSON would name it, cut to a length that fits a message."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
