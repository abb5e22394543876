"""Columns of numbers: JSON numbers, or decimal texts, as which DECIMAL columns arrive so that no digit is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.errors import RejectedRecord
from streamtrain.features.column import Column, read_each, shown, wrong_type

LARGEST = float(np.finfo(np.float32).max)
"""Beyond this a value does not fit the float32 that models take, and its square could overflow the statistics."""

_DECIMAL_TEXT = frozenset("0123456789+-.eE")
_NUMBERS = frozenset({int, float})
_NUMBERS_OR_NULL = _NUMBERS | {type(None)}
_TEXTS = frozenset({str})


def read_numbers(name: str, values: Sequence[Any]) -> Column:
    """``values`` as float64. Rejects booleans and other types (``wrong_type``), NaN and beyond float32 (``not_finite``)."""
    read = _read_at_once(values)
    return read if read is not None else read_each(name, values, lambda value: _number(name, value))


def _read_at_once(values: Sequence[Any]) -> Column | None:
    """The column if its values are alike and all fine, which is the usual case; else None."""
    types = set(map(type, values))
    null: NDArray[np.bool_] = np.zeros(len(values), dtype=np.bool_)
    try:
        if types <= _NUMBERS:
            read = np.array(values, dtype=np.float64)
        elif types <= _NUMBERS_OR_NULL:
            null = np.array([value is None for value in values])
            read = np.array([0.0 if value is None else value for value in values], dtype=np.float64)
        elif types == _TEXTS and _DECIMAL_TEXT.issuperset("".join(values)):
            read = np.array(list(map(float, values)))
        else:
            return None
    except (OverflowError, ValueError):
        return None
    return Column(read, null, {}) if (np.abs(read) <= LARGEST).all() else None


def _number(name: str, value: Any) -> float:
    """One number. Raises RejectedRecord."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong_type(name, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    except ValueError:
        raise wrong_type(name, value, "a decimal number") from None
    if not abs(number) <= LARGEST:
        raise RejectedRecord("not_finite", f"column {name!r}: {shown(value)} is not a finite number within float32")
    if isinstance(value, str) and not _DECIMAL_TEXT.issuperset(value):
        raise wrong_type(name, value, "a decimal number")
    return number
