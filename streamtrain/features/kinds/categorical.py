"""Texts and whole numbers as categories, hashed into the model's 2**hash_bits weights: the vocabulary may grow for ever.

The hashing trick: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (ICML 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import xxhash
from numpy.typing import NDArray

from streamtrain.errors import RejectedRecord
from streamtrain.features import arrays
from streamtrain.features.column import Column, read_each, shown, wrong_type
from streamtrain.features.options import Option

_REMEMBERED = 1 << 16
_NULL = b"\xff"  # no text has these bytes: they are not UTF-8


class Categorical:
    """One column of indices: XXH3-64 of the value's UTF-8 text, seeded with that of the feature's name, low bits.

    An integer, its decimal text and its integral float (1, "1", 1.0) are one category, and so are true and 1. Other
    floats are the wrong type. NULL is a category of its own. With ``values``, any other value is rejected.
    """

    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "values": Option(
            None,
            lambda values: isinstance(values, list) and bool(values) and all(isinstance(v, str | int) for v in values),
            "a list of texts or whole numbers",
        )
    }

    index_width = 1
    dense_width = 0
    dense_names: tuple[str, ...] = ()

    def __init__(self, name: str, options: Mapping[str, Any], hash_bits: int) -> None:
        self._name = name
        self._seed = xxhash.xxh3_64_intdigest(name.encode())
        self._mask = (1 << hash_bits) - 1
        allowed: list[str | int] | None = options["values"]
        self._allowed = None if allowed is None else frozenset(_text(value) for value in allowed)
        self._buckets = _Buckets(self._bucket)

    def read(self, values: Sequence[Any]) -> Column:
        try:
            indices = np.array(list(map(self._buckets.__getitem__, values)), dtype=np.int64)
        except (RejectedRecord, TypeError):
            return self._read_each(values)
        return Column(indices, np.zeros(len(values), dtype=np.bool_), {})

    def _read_each(self, values: Sequence[Any]) -> Column:
        column = read_each(self._name, values, self._bucket, np.int64)
        column.values[column.null] = self._buckets[None]
        return Column(column.values, np.zeros_like(column.null), column.rejected)

    def _bucket(self, value: Any) -> int:
        """The index of a value. Raises RejectedRecord (``wrong_type``, ``unknown_value``)."""
        if value is None:
            return self._index(_NULL)
        text = _text(value)
        if text is None:
            raise wrong_type(self._name, value, "text, a whole number, true or false")
        if self._allowed is not None and text not in self._allowed:
            raise RejectedRecord("unknown_value", f"column {self._name!r}: {shown(value)} is not one of its values")
        try:
            return self._index(text.encode())
        except UnicodeEncodeError:
            raise wrong_type(self._name, value, "valid Unicode") from None

    def _index(self, data: bytes) -> int:
        return xxhash.xxh3_64_intdigest(data, self._seed) & self._mask

    def learn(self, column: Column) -> None:
        """Nothing: the kind has no statistics."""

    def transform(self, column: Column, dense: NDArray[np.float32], indices: NDArray[np.int64]) -> None:  # noqa: ARG002
        indices[:, 0] = column.values

    def state(self) -> dict[str, NDArray[Any]]:
        return {}

    def load(self, state: arrays.State) -> None:
        arrays.check(f"feature {self._name!r}", {}, state)


class _Buckets(dict[Any, int]):
    """Value -> index, computed once. A cache, not state: when full it forgets all, and a copy begins empty.

    Values that Python holds equal (1, 1.0, True) share an entry, which is why they have to be one category.
    """

    def __init__(self, bucket: Callable[[Any], int]) -> None:
        super().__init__()
        self._bucket = bucket

    def __missing__(self, value: Any) -> int:
        index = self._bucket(value)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[value] = index
        return index

    def __deepcopy__(self, memo: dict[int, Any]) -> _Buckets:
        return _Buckets(self._bucket)


def _text(value: Any) -> str | None:
    """The text that stands for a value's category; None if the value cannot be one."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value) and value.is_integer()):
        return str(int(value))
    return None
