"""All rows of the captured tables as they stood at one change number, a chunk at a time."""
# ruff: noqa: S608 -- every name goes through quoted()

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.snapshot_markers import markers
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
            source = origin(prefix, layout.table.name, now_ms, self.position.sequence, "true")
            is_first_table, is_last_table = layout is filled[0], layout is filled[-1]
            for rows, begins, ends in self._rows(layout, size):
                marked = markers(
                    len(rows), begins=begins, ends=ends,
                    first_of_all=begins and is_first_table, last_of_all=ends and is_last_table,
                )  # fmt: skip
                yield Change(layout.table, Op.READ, None, json_rows(rows, layout.booleans), source, marked)

    def close(self) -> None:
        """End the read transaction."""
        self._db.close()

    def _has_rows(self, layout: Layout) -> bool:
        return bool(self._db.value(f"SELECT EXISTS (SELECT 1 FROM {quoted(layout.table.name)})"))

    def _rows(self, layout: Layout, size: int) -> Iterator[tuple[list[StoredRow], bool, bool]]:
        """The table's rows, chunk by chunk, each with whether it is the first and whether it is the last."""
        columns = ", ".join(map(quoted, layout.table.columns))
        chunks = self._db.chunks(f"SELECT {columns} FROM {quoted(layout.table.name)}", size)
        rows: list[StoredRow] | None = next(chunks, None)
        begins = True
        while rows is not None:
            following = next(chunks, None)
            yield rows, begins, following is None
            rows, begins = following, False
