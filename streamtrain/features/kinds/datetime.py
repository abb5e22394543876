"""Points in time: where in the day, the week and the year they lie, and how late in the stream's own span."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from streamtrain.errors import RejectedRecord
from streamtrain.features import arrays
from streamtrain.features.column import Column, read_each, shown, wrong_type
from streamtrain.features.kinds.numeric import standardised
from streamtrain.features.moments import Moments
from streamtrain.features.options import Option, choice

_UNITS = {"days": 86_400.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_AUTO = ((3_000_000, "days"), (100_000_000_000, "s"), (100_000_000_000_000, "ms"), (100_000_000_000_000_000, "us"))
"""Below each magnitude an integer is taken to be in that unit, and in ns beyond.

So days cover all years up to 9999, as DATE columns arrive (io.debezium.time.Date); the others 1973 to 5138. Before 1973
a count of milliseconds looks like seconds: give the unit then.
"""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EARLIEST = (dt.datetime.min.replace(tzinfo=dt.UTC) - _EPOCH).total_seconds()
_END = (dt.datetime(9999, 12, 31, tzinfo=dt.UTC) - _EPOCH).total_seconds() + 86_400.0
_DAY = 86_400
_NAMES = (
    "time of day sin",
    "time of day cos",
    "day of week sin",
    "day of week cos",
    "day of year sin",
    "day of year cos",
    "age",
    "is null",
)


class Datetime:
    """Eight dense columns: the time of day, day of week and of year in UTC as sine and cosine, the age, and is NULL.

    The age is the standardised time. For NULL all are 0 but the last. Reads ISO 8601 text, in UTC where it names no offset, or an integer since 1970 in ``unit``.
    """

    OPTIONS: ClassVar[Mapping[str, Option]] = {"unit": choice("auto", *_UNITS)}

    index_width = 0
    dense_width = len(_NAMES)

    def __init__(self, name: str, options: Mapping[str, Any], hash_bits: int) -> None:  # noqa: ARG002  nothing is hashed
        self._name = name
        self._unit: str = options["unit"]
        self._moments = Moments()

    @property
    def dense_names(self) -> tuple[str, ...]:
        return tuple(f"{self._name} {part}" for part in _NAMES)

    def read(self, values: Sequence[Any]) -> Column:
        """The values as seconds since 1970."""
        return read_each(self._name, values, self._seconds)

    def _seconds(self, value: Any) -> float:
        if isinstance(value, str):
            return self._from_text(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(self._name, value, "ISO 8601 text or an integer")
        unit = self._unit if self._unit != "auto" else _unit_of(abs(value))
        # The bound is checked on the integer first: one too large for a float would raise.
        if abs(value) > 10**21 or not _EARLIEST <= value * _UNITS[unit] < _END:
            raise RejectedRecord("out_of_range", f"column {self._name!r}: {shown(value)} is not in the years 1 to 9999")
        return value * _UNITS[unit]

    def _from_text(self, value: str) -> float:
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            raise wrong_type(self._name, value, "an ISO 8601 date or time") from None
        return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - _EPOCH).total_seconds()

    def learn(self, column: Column) -> None:
        self._moments.learn(column.values[~column.null].astype(np.float64, copy=False))

    def transform(self, column: Column, dense: NDArray[np.float32], indices: NDArray[np.int64]) -> None:  # noqa: ARG002
        angles = 2.0 * np.pi * _cycles(column.values)
        dense[:, 0:6:2] = np.sin(angles)
        dense[:, 1:6:2] = np.cos(angles)
        dense[:, 6] = standardised(column, self._moments)
        dense[column.null] = 0.0
        dense[:, 7] = column.null

    def state(self) -> dict[str, NDArray[Any]]:
        return self._moments.state()

    def load(self, state: arrays.State) -> None:
        arrays.check(f"feature {self._name!r}", self.state(), state)
        self._moments.load(state)


def _unit_of(magnitude: int) -> str:
    return next((unit for limit, unit in _AUTO if magnitude < limit), "ns")


def _cycles(seconds: NDArray[np.float64 | np.int64]) -> NDArray[np.float64]:
    """How far into its day, week (from Monday) and year (of 366 days) each moment lies: float64[n, 3] in [0, 1)."""
    days = np.floor(seconds / _DAY)
    dates = days.astype(np.int64).astype("datetime64[D]")
    day_of_year = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    # 1970-01-01 was a Thursday.
    return np.stack([seconds / _DAY - days, np.mod(days + 3.0, 7.0) / 7.0, day_of_year / 366.0], axis=1)
