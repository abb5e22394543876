"""A piece of a table that has been asked for: what SELECT gave, and what the log said meanwhile of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.mysql.position import LogPosition
from connectors.mysql.snapshots.bounds import Bound, Ordering
from connectors.mysql.snapshots.reader import ChunkLimits
from connectors.mysql.snapshots.state import TableTask
from connectors.source import Row

Identity = tuple[Any, ...]


@dataclass(slots=True)
class Chunk:
    """The rows between two bounds. What the log said is kept as the last image of each row, None for one that is gone.

    SELECT saw all that the log had given before it was asked, and nothing that lies behind ``high``. So the rows with the
    images of all that lies between put over them are the table as it stood at any place of the log from ``high`` on, as
    far as the log has been read.
    """

    upper: Bound | None = None
    """None while SELECT is still at work, and for the last chunk of a table."""
    high: LogPosition | None = None
    """All that SELECT saw lies before it; None while SELECT is still at work."""
    empty: Sequence[TableTask] = ()
    """After the last chunk of a table: those of the other tables that had no row when it was read."""
    touched: set[str] = field(default_factory=set)
    """Other tables of which not all is read, and of which the log told something meanwhile."""
    rows: Sequence[Row] = ()
    size: int = 0
    """Bytes of the rows as the server sent them."""
    last: Bound | None = None
    """The place of the last of the rows."""
    images: dict[Identity, tuple[Identity, Row | None]] = field(default_factory=dict)
    """By identity: place in the order, and the row."""
    emptied: bool = False
    """By a TRUNCATE; what SELECT gave does not count."""
    _images_size: int = 0
    """Bytes of their texts."""
    _own: set[Identity] | None = None
    """Identities of the rows; None before ``settle``."""

    def put(self, identity: Identity, place: Identity, row: Row | None) -> None:
        """Take note of a row as the log shows it."""
        before = self.images.get(identity)
        if before is not None:
            self._images_size -= _size(before[1])
        if row is None and self._own is not None and identity not in self._own:
            self.images.pop(identity, None)  # SELECT did not give it: there is nothing to be taken back
            return
        self.images[identity] = (place, row)
        self._images_size += _size(row)

    def truncate(self) -> None:
        """Take note that all rows are gone."""
        self.images.clear()
        self._images_size = 0
        self.emptied = True
        if self._own is not None:
            self._own = set()

    def exceeds(self, limits: ChunkLimits) -> bool:
        """Whether more is held of the log than may be. Images of all of the chunk's own rows may be, and as many others."""
        if len(self.images) > limits.rows + len(self.rows):
            return True
        return self._images_size > limits.bytes + 2 * self.size

    def settle(self, identity: Sequence[int]) -> None:
        """Hold no longer, now that the rows are there, that others are gone; ``identity`` are the key's columns."""
        if self._own is None:
            rows = () if self.emptied else self.rows
            self._own = {tuple([row[index] for index in identity]) for row in rows}
        for own, (place, row) in list(self.images.items()):
            if row is None:
                self.put(own, place, None)

    def cut(self, ordering: Ordering) -> None:
        """End at the last row that SELECT gave: what lies behind is for the next chunk."""
        self.upper, self.empty = self.last, ()
        self._leave_out_beyond(ordering)

    def arrived(self, upper: Bound | None, high: LogPosition, ordering: Ordering | None) -> None:
        """SELECT has ended.

        With an ``ordering`` rows that the log shows beyond ``upper`` are none of this chunk: the next one will see them.
        """
        self.upper, self.high = upper, high
        if ordering is not None:
            self._leave_out_beyond(ordering)

    def _leave_out_beyond(self, ordering: Ordering) -> None:
        if self.upper is None or not self.images:
            return
        beyond = ordering.beyond([place for place, _ in self.images.values()], self.upper)
        for (identity, (place, _)), outside in zip(list(self.images.items()), beyond, strict=True):
            if outside:
                self.put(identity, place, None)

    def merged(self, identity: Sequence[int]) -> list[Row]:
        """The rows as the log has them by now; ``identity`` are the key's columns."""
        images = self.images
        rows = [] if self.emptied else list(self.rows)
        if images:
            rows = [row for row in rows if tuple([row[index] for index in identity]) not in images]
            rows += [row for _, row in images.values() if row is not None]
        return rows

    def untouched(self, identity: Sequence[int]) -> list[Row]:
        """The rows of which the log said nothing meanwhile."""
        if self.emptied:
            return []
        if not self.images:
            return list(self.rows)
        return [row for row in self.rows if tuple([row[index] for index in identity]) not in self.images]


def _size(row: Row | None) -> int:
    return 0 if row is None else sum([len(value) for value in row if isinstance(value, (str, bytes))])
