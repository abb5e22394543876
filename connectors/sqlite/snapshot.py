"""All rows of the captured tables as they stood at one change number, a chunk at a time."""
# ruff: noqa: S608 -- every name goes through quoted()

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from connectors.source import Change
from connectors.sqlite.changelog import ChangeLog, Layout
from connectors.sqlite.connection import Database, StoredRow, quoted
from connectors.sqlite.origin import origin
from connectors.sqlite.position import ChangePosition
from connectors.sqlite.values import json_rows
from streamtrain.envelope import Op


class Snapshot:
    """One read transaction on a connection of its own: no change is both before ``position`` and missing in the rows."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path)
        try:
            self._db.begin_reading()
            self.schema_version = self._db.schema_version()
            """Tells whether the layouts are still the tables'."""
            self.position: ChangePosition = ChangeLog(self._db).head()
            """Where the stream goes on after the rows."""
        except BaseException:
            self.close()
            raise

    def chunks(self, layouts: Sequence[Layout], prefix: str, now_ms: int, size: int) -> Iterator[Change]:
        """Every row of every table, ``size`` at most in a Change; marked first and last as Debezium does."""
        filled = [layout for layout in layouts if self._has_rows(layout)]
        for layout in filled:
            ends = _Ends(layout is filled[0], layout is filled[-1])
            source = origin(prefix, layout.table.name, now_ms, self.position.sequence, "true")
            yield from self._table(layout, ends, source, size)

    def close(self) -> None:
        """End the read transaction."""
        self._db.close()

    def _has_rows(self, layout: Layout) -> bool:
        return bool(self._db.value(f"SELECT EXISTS (SELECT 1 FROM {quoted(layout.table.name)})"))

    def _table(self, layout: Layout, ends: _Ends, source: dict[str, Any], size: int) -> Iterator[Change]:
        columns = ", ".join(map(quoted, layout.table.columns))
        chunks = self._db.chunks(f"SELECT {columns} FROM {quoted(layout.table.name)}", size)
        rows: list[StoredRow] | None = next(chunks, None)
        is_first = True
        while rows is not None:
            following = next(chunks, None)
            after = json_rows(rows, layout.booleans)
            markers = ends.markers(len(after), is_first, following is None)
            yield Change(layout.table, Op.READ, None, after, source, markers)
            rows, is_first = following, False


class _Ends:
    """The markers of a table's first and last row; of both, Debezium keeps the rarer. Source: its SnapshotRecord."""

    def __init__(self, is_first_table: bool, is_last_table: bool) -> None:
        self._first = "first" if is_first_table else "first_in_data_collection"
        self._last = "last" if is_last_table else "last_in_data_collection"

    def markers(self, count: int, begins: bool, ends: bool) -> tuple[str, ...]:
        """A marker a row for a chunk that begins or ends the table, else none."""
        if not begins and not ends:
            return ()
        markers = ["true"] * count
        if begins:
            markers[0] = self._first
        if ends and (markers[-1] != "first" or self._last == "last"):
            markers[-1] = self._last
        return tuple(markers)
