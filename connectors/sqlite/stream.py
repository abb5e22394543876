"""The change table of an open file, read from a position on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import groupby

from connectors.source import Change
from connectors.sqlite.capture import Capture
from connectors.sqlite.changelog import ChangeLog, Layout
from connectors.sqlite.connection import Database, StoredRow
from connectors.sqlite.origin import origin
from connectors.sqlite.position import ChangePosition
from connectors.sqlite.settings import SqliteSettings
from connectors.sqlite.values import json_rows
from streamtrain.envelope import Op
from streamtrain.errors import SourceUnavailable, UnsupportedChange

_OPS = {"c": Op.CREATE, "u": Op.UPDATE, "d": Op.DELETE}


class Stream:
    """The change table of an open file, and how far it has been read."""

    def __init__(self, settings: SqliteSettings) -> None:
        self._settings = settings
        self._db = Database(settings.path)
        self._changes = ChangeLog(self._db)
        self._capture = Capture(self._db, self._changes, settings)
        self._layouts: dict[int, Layout] = {}
        self.schema_version = -1
        """The schema's number when capture was last brought in step with it."""
        self.position = ChangePosition("", 0, None)

    def begin(self) -> None:
        with self._db.writing():
            self._changes.create(str(uuid.uuid4()))
            self._capture.begin()
            self._taken_in()
            self.position = self._changes.head()

    def resume(self, position: ChangePosition) -> None:
        self._changes.check(position)
        self._keep_in_step()
        self.position = position
        self.trim(position)

    def head(self) -> ChangePosition:
        return self._changes.head()

    def captured(self) -> list[Layout]:
        """The layouts of the tables that are captured now."""
        active = self._changes.active()
        return [active[name] for name in sorted(active) if self._settings.includes(name)]

    def data_version(self) -> int:
        if self._db.replaced():
            raise SourceUnavailable(f"{self._db.path} was moved, or another file put in its place")
        return self._db.data_version()

    def next(self, limit: int) -> list[Change]:
        """What comes after ``position``, which moves on."""
        if self._db.schema_version() != self.schema_version:
            self._keep_in_step()
        width = max((len(layout.table.columns) for layout in self._layouts.values()), default=0)
        rows = self._changes.rows_after(self.position.sequence, limit, width)
        if not rows:
            return []
        changes = list(self._grouped(rows, width))
        self.position = ChangePosition(self.position.database, rows[-1][0], rows[-1][1])
        return changes

    def trim(self, durable: ChangePosition) -> None:
        self._changes.trim(min(durable.sequence, self.position.sequence))

    def close(self) -> None:
        self._db.close()

    def _keep_in_step(self) -> None:
        with self._db.writing():
            self._capture.keep_in_step()
            self._taken_in()

    def _taken_in(self) -> None:
        self._layouts = self._changes.layouts()
        self.schema_version = self._db.schema_version()

    def _grouped(self, rows: list[StoredRow], width: int) -> Iterator[Change]:
        for number, same_layout in groupby(rows, key=lambda row: row[2]):
            layout = self._layouts.get(number)
            if layout is None:
                raise UnsupportedChange(
                    f"a change after {self.position.sequence} has layout {number}, which is not known"
                )
            if self._settings.includes(layout.table.name):
                yield from self._changes_of(layout, list(same_layout), width)

    def _changes_of(self, layout: Layout, rows: list[StoredRow], width: int) -> Iterator[Change]:
        columns = len(layout.table.columns)
        before = json_rows([row[4 : 4 + columns] for row in rows], layout.booleans)
        after = json_rows([row[4 + width : 4 + width + columns] for row in rows], layout.booleans)
        start = 0
        for end in _ends(rows):
            sequence, committed_ms, _, letter, *_ = rows[start]
            op = _OPS.get(letter)
            if op is None:
                raise UnsupportedChange(f"change {sequence} of {layout.table.full_name} has operation {letter!r}")
            yield Change(
                layout.table,
                op,
                None if op is Op.CREATE else before[start:end],
                None if op is Op.DELETE else after[start:end],
                origin(self._settings.prefix, layout.table.name, committed_ms, sequence),
            )
            start = end


def _ends(rows: list[StoredRow]) -> Iterator[int]:
    """Where each run of rows ends that share operation and time and are numbered without a gap."""
    for index in range(1, len(rows)):
        (sequence, committed_ms, _, op, *_), (previous, at_ms, _, before, *_) = rows[index], rows[index - 1]
        if op != before or committed_ms != at_ms or sequence != previous + 1:
            yield index
    yield len(rows)
