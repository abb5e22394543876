"""One table between what is published of it and what is not: which of its changes pass, and which go into its chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.mysql.position import LogPosition
from connectors.mysql.snapshots.bounds import Bound
from connectors.mysql.snapshots.chunk import Chunk
from connectors.mysql.snapshots.plan import Plan
from connectors.mysql.snapshots.reader import ChunkLimits
from connectors.mysql.snapshots.splitting import passing
from connectors.source import Change, Row, Table
from streamtrain.envelope import Op
from streamtrain.errors import UnsupportedChange


class Window:
    """The table that is being read. At most two chunks are open: one that waits for the log, and one being read.

    In an initial snapshot changes pass of rows that are published, and others do not: a chunk shows what they led to. In
    an incremental one all changes pass, and rows that were changed while their chunk was open are left out of it.
    """

    def __init__(self, plan: Plan, after: Bound | None, *, incremental: bool) -> None:
        self.after = after
        self.waiting: Chunk | None = None
        self.reading: Chunk | None = None
        self.altered = False
        """A row came with other columns than those that are read: the table is to be looked at again."""
        self._plan = plan
        self._ordering = plan.ordering
        self._identity = plan.schema.table.key
        self._incremental = incremental
        self._places: dict[Table, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    @property
    def asked_until(self) -> Bound | None:
        """Up to here has been published or waits to be."""
        return self.after if self.waiting is None else self.waiting.upper

    def begin(self) -> None:
        """SELECT has been asked for the rows behind all that was read."""
        self.reading = Chunk()

    def arrived(self, upper: Bound | None, high: LogPosition) -> Chunk:
        """SELECT has ended at ``upper``; the chunk's rows are to be put in."""
        chunk = self.reading or Chunk()
        chunk.arrived(upper, high, None if self._incremental else self._ordering)
        self.waiting, self.reading = chunk, None
        return chunk

    def overfull(self, limits: ChunkLimits) -> bool:
        """Whether the chunk that waits holds more of the log than may be held, and nothing of it can be spared."""
        chunk = self.waiting
        if chunk is None or not chunk.exceeds(limits):
            return False
        chunk.settle(self._identity)
        if not self._incremental and chunk.upper is None and chunk.last is not None and chunk.exceeds(limits):
            chunk.cut(self._ordering)
        return chunk.exceeds(limits)

    def publish(self) -> list[Row]:
        """The rows of the chunk that waits, which are published from now on."""
        chunk, self.waiting = self.waiting, None
        if chunk is None:
            return []
        self.after = chunk.upper
        return chunk.untouched(self._identity) if self._incremental else chunk.merged(self._identity)

    def route(self, change: Change) -> list[Change]:
        """What passes of a change of this table, in order."""
        if change.op is Op.TRUNCATE:
            for chunk in self._open():
                chunk.truncate()
            return [change] if self._incremental or self.after is not None else []
        self.altered |= change.table.columns != self._plan.schema.table.columns
        if self._incremental:
            if not self.altered:  # else its chunks are not published
                self._touch(change)
            return [change]
        if change.before is None or change.after is None:
            gone = change.after is None
            rows = change.before if gone else change.after
            flags = self._sort(change.table, rows or (), [gone] * len(change))
            return passing(change, flags if gone else None, None if gone else flags)
        images = [row for pair in zip(change.before, change.after, strict=True) for row in pair]
        flags = self._sort(change.table, images, [True, False] * len(change))
        return passing(change, flags[::2], flags[1::2])

    def _sort(self, table: Table, rows: Sequence[Row], gone: Sequence[bool]) -> list[bool]:
        """For each image of a row, in the log's order, whether it passes; those that do not go to their chunks."""
        order, identity = self._where(table)
        places = [tuple([row[index] for index in order]) for row in rows]
        beyond = [True] * len(rows) if self.after is None else self._ordering.beyond(places, self.after)
        unread = [index for index, outside in enumerate(beyond) if outside]
        if unread:
            identities = [tuple([rows[index][part] for part in identity]) for index in unread]
            images = [None if gone[index] else rows[index] for index in unread]
            self._keep([places[index] for index in unread], identities, images)
        return [not outside for outside in beyond]

    def _keep(self, places: list[tuple[Any, ...]], identities: list[tuple[Any, ...]], images: list[Row | None]) -> None:
        """Put images over the chunks that they belong to; what is in no chunk yet will be seen by a later SELECT."""
        waiting, reading = self.waiting, self.reading
        if waiting is not None and waiting.upper is not None:
            behind = self._ordering.beyond(places, waiting.upper)
        else:
            behind = [waiting is None] * len(places)
        for place, identity, image, later in zip(places, identities, images, behind, strict=True):
            chunk = reading if later else waiting
            if chunk is not None:
                chunk.put(identity, place, image)

    def _touch(self, change: Change) -> None:
        chunks = self._open()
        if not chunks:
            return
        _, identity = self._where(change.table)
        for row in (*(change.before or ()), *(change.after or ())):
            identified = tuple([row[index] for index in identity])
            for chunk in chunks:
                chunk.put(identified, identified, None)

    def _open(self) -> list[Chunk]:
        return [chunk for chunk in (self.waiting, self.reading) if chunk is not None]

    def _where(self, table: Table) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where in a changed row the ordering columns and the key's are: the log may show the table as it was."""
        found = self._places.get(table)
        if found is None:
            ours = self._plan.schema.table
            order = tuple(_index(table, column.column.name) for column in self._plan.columns)
            found = self._places[table] = (order, tuple(_index(table, ours.columns[index]) for index in self._identity))
        return found


def _index(table: Table, column: str) -> int:
    try:
        return table.columns.index(column)
    except ValueError:
        raise UnsupportedChange(
            f"a row of {table.full_name} was changed that has no column {column}, by which the table is being read",
            hint="the log does not tell how the table was altered: give the column its name back, or begin again under a new "
            "topic.prefix",
        ) from None
