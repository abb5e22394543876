"""Rows -> columns -> features: read, learn the statistics, transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.errors import ConfigError, RejectedRecord
from streamtrain.features import arrays
from streamtrain.features.column import Column, Rejections, extract
from streamtrain.features.kinds import KINDS
from streamtrain.features.kinds.base import Kind
from streamtrain.features.spec import FeatureSpec


@dataclass(frozen=True, slots=True)
class Features:
    """What a model takes: ``dense`` float32[rows, D] and ``indices`` int64[rows, C], each below 2**hash_bits."""

    dense: NDArray[np.float32]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.dense)

    def select(self, rows: NDArray[np.int64 | np.bool_]) -> Features:
        """The given rows: their indexes, or a mask."""
        return Features(self.dense[rows], self.indices[rows])


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows as columns, one a feature, and the rows that cannot be used with the first reason why."""

    columns: tuple[Column, ...]
    rows: int
    rejected: Rejections

    def __len__(self) -> int:
        return self.rows

    def select(self, rows: NDArray[np.int64 | np.bool_]) -> Columns:
        """The given rows: their indexes, or a mask. Raises ValueError if one of them is rejected."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        if self.rejected and not self.rejected.keys().isdisjoint(chosen.tolist()):
            raise ValueError("rejected rows cannot be selected")
        return Columns(tuple(column.select(chosen) for column in self.columns), len(chosen), {})


class Encoder:
    """All features of a model. ``read`` and ``transform`` are pure: a prediction leaves no trace.

    For training, ``learn`` a slice before ``transform``: a row is standardised with statistics that include it.
    """

    def __init__(self, specs: Sequence[FeatureSpec], hash_bits: int) -> None:
        if len({spec.name for spec in specs}) != len(specs):
            raise ConfigError("examples.features: a column is given twice", hint="name each column once")
        self._kinds: dict[str, Kind] = {
            spec.name: KINDS[spec.kind](spec.name, spec.options, hash_bits) for spec in specs
        }
        self._dense = _parts([kind.dense_width for kind in self._kinds.values()])
        self._indices = _parts([kind.index_width for kind in self._kinds.values()])

    @property
    def dense_width(self) -> int:
        """Number of dense columns, D."""
        return sum(kind.dense_width for kind in self._kinds.values())

    @property
    def index_width(self) -> int:
        """Number of columns of hashed indices, C."""
        return sum(kind.index_width for kind in self._kinds.values())

    @property
    def dense_names(self) -> tuple[str, ...]:
        """A name for each dense column."""
        return tuple(name for kind in self._kinds.values() for name in kind.dense_names)

    def read(self, rows: Sequence[Mapping[str, Any]]) -> Columns:
        """Read rows of JSON values. A row that cannot be used is in ``rejected`` and must not be selected."""
        columns = tuple(kind.read(extract(rows, name)) for name, kind in self._kinds.items())
        rejected: dict[int, RejectedRecord] = {}
        for column in columns:
            for row, rejection in column.rejected.items():
                rejected.setdefault(row, rejection)
        return Columns(columns, len(rows), rejected)

    def learn(self, columns: Columns) -> None:
        """Take a slice into the statistics. Raises ValueError if rejected rows are still among it."""
        _refuse_rejected(columns)
        for kind, column in zip(self._kinds.values(), columns.columns, strict=True):
            kind.learn(column)

    def transform(self, columns: Columns) -> Features:
        """The features of a slice. Raises ValueError if rejected rows are still among it."""
        _refuse_rejected(columns)
        dense = np.empty((columns.rows, self.dense_width), dtype=np.float32)
        indices = np.empty((columns.rows, self.index_width), dtype=np.int64)
        parts = zip(self._kinds.values(), columns.columns, self._dense, self._indices, strict=True)
        for kind, column, dense_part, indices_part in parts:
            kind.transform(column, dense[:, dense_part], indices[:, indices_part])
        return Features(dense, indices)

    def state(self) -> dict[str, NDArray[Any]]:
        """The statistics, as ``FEATURE/NAME``."""
        return arrays.joined(self._kinds)

    def load(self, state: arrays.State) -> None:
        arrays.load_parts("the features", self._kinds, state)


def _refuse_rejected(columns: Columns) -> None:
    if columns.rejected:
        raise ValueError("drop the rejected rows first: columns.select(rows)")


def _parts(widths: Sequence[int]) -> list[slice]:
    """Where each of several neighbours of these widths lies."""
    ends = np.cumsum(widths, dtype=np.int64).tolist()
    return [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
