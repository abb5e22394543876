"""The label: its column, what is predicted from it, and how its JSON values become numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamtrain.errors import ConfigError, RejectedRecord
from streamtrain.features.column import Column, Rejections, read_each, shown
from streamtrain.features.numbers import read_numbers

Task = Literal["binary", "multiclass", "regression"]
Class = str | int


class Labels(NamedTuple):
    """A column of labels. Where ``pending`` or rejected, ``values`` is 0 and means nothing."""

    values: NDArray[np.float32 | np.int64]
    """binary: float32 0 or 1; regression: float32; multiclass: int64 index into the classes."""
    pending: NDArray[np.bool_]
    """True where the label is NULL: an update may still bring it."""
    rejected: Rejections


@dataclass(frozen=True)
class LabelSpec:
    """``classes`` are the values of a multiclass label, in the order of the model's outputs; a binary label is 0 or 1.

    An integer, its decimal text and its integral float are the same class; true is 1, false is 0.
    """

    column: str
    task: Task
    classes: tuple[Class, ...] = ()
    _index: Mapping[Any, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.task == "multiclass" and len(self.classes) < 2:
            raise ConfigError("examples.classes: multiclass needs at least two", hint="list the label's values")
        if self.task != "multiclass" and self.classes:
            raise ConfigError(f"examples.classes: {self.task} takes none", hint="remove them, or change the task")
        object.__setattr__(self, "_index", _class_index(self.classes or (0, 1)))

    @property
    def outputs(self) -> int:
        """How many numbers a model predicts for a row: one, or one probability a class for multiclass."""
        return len(self.classes) if self.task == "multiclass" else 1

    def read(self, values: Sequence[Any]) -> Labels:
        """Read a column. Rejects ``unknown_label``; regression: as a numeric feature; MISSING: ``missing_column``."""
        if self.task == "regression":
            return _labels(read_numbers(self.column, values), np.float32)
        column = self._read_at_once(values) or read_each(self.column, values, self._class, np.int64)
        return _labels(column, np.int64 if self.task == "multiclass" else np.float32)

    def _read_at_once(self, values: Sequence[Any]) -> Column | None:
        try:
            read = np.array([self._index[value] for value in values], dtype=np.int64)
        except (KeyError, TypeError):
            return None
        return Column(read, np.zeros(len(values), dtype=np.bool_), {})

    def _class(self, value: Any) -> int:
        index = self._index.get(value) if isinstance(value, str | int | float) else None
        if index is None:
            raise RejectedRecord("unknown_label", f"label {self.column!r}: {shown(value)} is not one of the classes")
        return index


def _labels(column: Column, dtype: type[np.float32 | np.int64]) -> Labels:
    return Labels(column.values.astype(dtype), column.null, column.rejected)


def _class_index(classes: Sequence[Class]) -> dict[Any, int]:
    """Class, as number and as text, -> its index. Python's own equality makes 1, 1.0 and True one key."""
    index: dict[Any, int] = {}
    for position, value in enumerate(classes):
        text = str(int(value)) if isinstance(value, int) else value
        if text in index:
            raise ConfigError(f"examples.classes: {value!r} is given twice", hint="1, '1' and true are the same class")
        index[text] = position
        if _is_integer(text):
            index[int(text)] = position
    return index


def _is_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and str(int(text)) == text
