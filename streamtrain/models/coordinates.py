"""The coordinates of hashed and dense features in one table, and sums of gradients over those that a slice touches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.encoder import Features
from streamtrain.models.base import ModelShape

Table = NDArray[np.float64]
"""float64[coordinates, outputs]. Not float32: a stream has no end, and a float32 sum of squared gradients stops growing
once it is 2**24 times what a slice adds."""


class Grouping:
    """Numbers the distinct among many indexes below ``size``, without sorting them and without visiting ``size`` cells."""

    def __init__(self, size: int) -> None:
        # Every cell that is read has been written in the same call, so what is left here from before decides nothing.
        self._cells = np.zeros(size, dtype=np.int64)

    def group(self, indexes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The distinct indexes, and for each of ``indexes`` the position of its own among them."""
        positions = np.arange(len(indexes))
        self._cells[indexes] = positions
        distinct = indexes[self._cells[indexes] == positions]
        self._cells[distinct] = positions[: len(distinct)]
        return distinct, self._cells[indexes]


def sum_groups(values: NDArray[np.float64], groups: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Sum the rows of ``values`` float64[n, width] by group, in the order of the rows: float64[count, width]."""
    width = values.shape[1]
    cells = groups if width == 1 else (groups[:, np.newaxis] * width + np.arange(width)).ravel()
    sums: NDArray[np.float64] = np.bincount(cells, values.ravel(), count * width).astype(np.float64, copy=False)
    return sums.reshape(count, width)


class Coordinates:
    """Layout of a linear model's tables: the hashed coordinates, the dense features, the intercept."""

    def __init__(self, shape: ModelShape) -> None:
        self._hashed = 2**shape.hash_bits if shape.indices else 0
        self._dense = slice(self._hashed, self._hashed + shape.dense)
        self._always = np.arange(self._hashed, self._hashed + shape.dense + 1)
        self._outputs = shape.outputs
        self._grouping = Grouping(self._hashed)

    def table(self, value: float = 0.0) -> Table:
        """A table filled with ``value``."""
        return np.full((self._hashed + len(self._always), self._outputs), value)

    def split(self, table: Table) -> dict[str, NDArray[np.float64]]:
        """Copies of a table's three parts, by name; no ``hashed`` where there are no indices."""
        parts = {"dense": table[self._dense].copy(), "intercept": table[-1].copy()}
        return {"hashed": table[: self._hashed].copy(), **parts} if self._hashed else parts

    @staticmethod
    def join(parts: Mapping[str, NDArray[Any]]) -> Table:
        """The table of which ``parts`` are the parts."""
        table = [parts[name] for name in ("hashed", "dense") if name in parts]
        return np.concatenate([*table, parts["intercept"][np.newaxis]])

    def sums(self, weights: Table, features: Features) -> NDArray[np.float64]:
        """Weights times features, summed over each row: float64[rows, outputs]."""
        # einsum, not BLAS: a BLAS product's rounding depends on its number of threads.
        total: NDArray[np.float64] = (
            np.einsum("rd,do->ro", features.dense.astype(np.float64), weights[self._dense]) + weights[-1]
        )
        if self._hashed:
            total += weights[features.indices].sum(axis=1)
        return total

    def touched(self, features: Features) -> Touched:
        """The coordinates that a slice touches."""
        if not self._hashed:
            return Touched(self._always, features, np.empty(0, dtype=np.int64), 0)
        distinct, groups = self._grouping.group(features.indices.ravel())
        return Touched(np.concatenate([distinct, self._always]), features, groups, len(distinct))


class Touched:
    """The distinct ``coordinates`` int64[n] that one slice touches, in the order in which it sums gradients."""

    def __init__(
        self, coordinates: NDArray[np.int64], features: Features, groups: NDArray[np.int64], distinct: int
    ) -> None:
        self.coordinates = coordinates
        self._dense = features.dense.astype(np.float64)
        self._columns = features.indices.shape[1]
        self._groups = groups
        self._distinct = distinct

    def gradient(self, errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gradient at each coordinate, float64[n, outputs], given each row's, float64[rows, outputs], at its sum."""
        parts = [np.einsum("rd,ro->do", self._dense, errors), errors.sum(axis=0, keepdims=True)]
        if self._distinct:
            parts.insert(0, sum_groups(np.repeat(errors, self._columns, axis=0), self._groups, self._distinct))
        return np.concatenate(parts)
