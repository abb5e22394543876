"""How the rows lie in the source when a connector comes to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Shape:
    """One part of the benchmarks of capture."""

    name: str
    title: str
    lie: str
    """Where the rows lie, to follow "N rows of a table of twelve columns"."""
    rows_per_transaction: int | None = None
    """None: all in one."""
    snapshot: Literal["no_data", "initial"] = "no_data"
    """``initial``: the rows are read from the table, by connectors that have never run before."""


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            "capture",
            "Capture: catching up with the binary log",
            "lie in MySQL's binary log, 1,000 to a transaction",
            rows_per_transaction=1_000,
        ),
        Shape(
            "transactions",
            "Capture: catching up with transactions of one row",
            "lie in MySQL's binary log, each in a transaction of its own",
            rows_per_transaction=1,
        ),
        Shape(
            "giant",
            "Capture: catching up with one large transaction",
            "lie in MySQL's binary log, all in one transaction",
        ),
        Shape(
            "snapshot",
            "Capture: the initial snapshot",
            "lie in MySQL",
            rows_per_transaction=1_000,
            snapshot="initial",
        ),
    )
}
