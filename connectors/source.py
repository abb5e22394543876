"""What a source of changes offers to the relay: open at a position, read, end, close.

``tests/contract/test_sources.py`` holds every source to this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from streamtrain.envelope import Op

Row = tuple[Any, ...]
"""A row's values in column order, each already a JSON value (int, float, str, bool, None)."""

Position = dict[str, Any]
"""Where a source goes on, as a JSON object that only the source itself reads."""


@dataclass(frozen=True, slots=True)
class Table:
    """A captured table as it stood when the rows beside it were written."""

    database: str
    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...] = ()
    """Indexes into ``columns`` of the primary key, in key order; empty if the table has none."""

    @property
    def full_name(self) -> str:
        """``database.table``, as in ``source.include`` and in topic names."""
        return f"{self.database}.{self.name}"


@dataclass(frozen=True, slots=True)
class Change:
    """Committed rows of one table that share an operation and an origin: one row event of a binlog, one chunk of a read.

    ``before`` and ``after`` are columns of rows and of equal length where both are there: an insert or a read has only
    ``after``, a delete only ``before``.
    """

    table: Table
    op: Op
    before: Sequence[Row] | None
    after: Sequence[Row] | None
    origin: Mapping[str, Any]
    """The Debezium ``source`` block without ``row``, shared by all the rows."""
    markers: Sequence[str] = field(default=())
    """For snapshot rows only: the ``snapshot`` marker of each row where it differs from ``origin``'s; else empty."""

    def __len__(self) -> int:
        rows = self.after if self.after is not None else self.before
        return len(rows) if rows is not None else 0


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """What one read gave: changes in commit order, and where to go on after them.

    ``position`` is None while the source cannot be resumed here (in the middle of an initial snapshot): the relay then
    keeps its transaction open.
    """

    changes: Sequence[Change]
    position: Position | None
    lag_ms: int | None = None
    """Age of the newest change when it was read, by the source's commit time; None if nothing was read."""


class Source(Protocol):
    """A database's committed changes, in commit order. Not thread-safe; one process owns one open source."""

    def open(self, position: Position | None) -> None:
        """Go on at ``position``, or begin (with the snapshot that is configured) if it is None.

        Raises SourceUnavailable, AccessDenied, SourceMisconfigured, or PositionLost if the log no longer holds it.
        """

    def read(self, timeout_s: float) -> SourceBatch:
        """What has been committed next, waiting at most ``timeout_s`` for it; an empty batch if nothing came.

        Raises SourceUnavailable if the connection broke, UnsupportedChange on anything that is not understood.
        """

    def confirm(self, position: Position) -> None:
        """Take note that everything up to ``position`` has been published durably: what only serves to get there may go."""

    def end(self) -> Position:
        """The end of the log as it stands now."""

    def reached(self, end: Position) -> bool:
        """Whether all that was committed before ``end`` has been returned by ``read``."""

    def close(self) -> None:
        """Let go of connections. Safe to call twice."""
