"""The change table and its companions inside the captured file: made, numbered, read, trimmed."""
# ruff: noqa: S608 -- every name here is a constant of ours or a number; values are bound

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from connectors.source import Table
from connectors.sqlite.connection import Database, StoredRow
from connectors.sqlite.position import ChangePosition
from connectors.sqlite.schema import OWN_PREFIX, Column, TableSchema
from connectors.sqlite.settings import DATABASE
from connectors.sqlite.triggers import CHANGES, REPLACED, change_columns
from streamtrain.errors import PositionLost, SourceMisconfigured

KEPT_ROWS = 10_000
"""Changes before the durable position that stay: for a second reader of the file that lags, and to look back."""

_TRIM_ROWS = 5_000
"""At least so many are deleted at once, as each time takes the write lock; at most four times so many, to be short."""

_META = f"{OWN_PREFIX}meta"
_LAYOUTS = f"{OWN_PREFIX}layouts"
_FORMAT = "1"

_TABLES = (
    f"CREATE TABLE IF NOT EXISTS {_META}(name TEXT PRIMARY KEY, value TEXT)",
    f"CREATE TABLE IF NOT EXISTS {_LAYOUTS}(layout INTEGER PRIMARY KEY, table_name TEXT, columns TEXT, key TEXT, active INTEGER)",
    f"CREATE TABLE IF NOT EXISTS {CHANGES}(sequence INTEGER PRIMARY KEY AUTOINCREMENT, committed_ms INTEGER, layout INTEGER, op TEXT)",
    f"CREATE TABLE IF NOT EXISTS {REPLACED}(layout INTEGER, row_id INTEGER)",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's columns as the changes recorded under ``number`` have them. Never altered: another shape, another number."""

    number: int
    table: Table
    declared: tuple[str, ...]
    booleans: tuple[int, ...]

    def fits(self, schema: TableSchema) -> bool:
        """Whether the table still has these columns, of these types, and this key."""
        return self.table == schema.table and self.declared == tuple(column.declared for column in schema.columns)


class ChangeLog:
    """The tables that capture keeps in a file. Writes happen inside of the caller's ``Database.writing()``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def exists(self) -> bool:
        """Whether capture has ever been set up in this file."""
        return bool(self._db.rows("SELECT 1 FROM sqlite_schema WHERE name = ?", (_META,)))

    def create(self, new_identity: str) -> None:
        """Make what is missing; a file that has no identity yet is given this one."""
        for statement in _TABLES:
            self._db.rows(statement)
        self._db.rows(f"INSERT OR IGNORE INTO {_META} VALUES ('format', ?), ('database', ?)", (_FORMAT, new_identity))
        self.check_format()

    def check_format(self) -> None:
        """Raises SourceMisconfigured if a version of streamtrain with other tables has set the file up."""
        found = self._db.value(f"SELECT value FROM {_META} WHERE name = 'format'")
        if found != _FORMAT:
            raise SourceMisconfigured(
                f"the change table in {self._db.path} has format {found!r}, this version reads {_FORMAT!r}",
                hint="use the version of streamtrain that wrote it",
            )

    def head(self) -> ChangePosition:
        """The end of the changes as it stands now."""
        identity, sequence, committed_ms = self._db.rows(
            f"SELECT (SELECT value FROM {_META} WHERE name = 'database'), sequence, committed_ms "
            f"FROM (SELECT 1) LEFT JOIN (SELECT sequence, committed_ms FROM {CHANGES} ORDER BY sequence DESC LIMIT 1)"
        )[0]
        return ChangePosition(identity, sequence or 0, committed_ms)

    def check(self, position: ChangePosition) -> None:
        """Raises PositionLost unless the file still holds every change after ``position``."""
        hint = "set snapshot: when_needed to read all rows again, or capture under a new name"
        if not self.exists():
            raise PositionLost(f"{self._db.path} has never been captured: it is not the file it was", hint=hint)
        self.check_format()
        head = self.head()
        if head.database != position.database:
            raise PositionLost(f"{self._db.path} is another database than the one captured so far", hint=hint)
        if position.sequence == 0:
            first = self._db.value(f"SELECT min(sequence) FROM {CHANGES}")
            lost = first is not None and first > 1
        else:
            stamps = self._db.rows(f"SELECT committed_ms FROM {CHANGES} WHERE sequence = ?", (position.sequence,))
            lost = stamps != [(position.committed_ms,)]
        if lost:
            raise PositionLost(
                f"change {position.sequence} is no longer in the change table of {self._db.path}, whose last is "
                f"{head.sequence}: it was trimmed, or the file was restored from an older copy",
                hint=hint,
            )

    def rows_after(self, sequence: int, limit: int, width: int) -> list[StoredRow]:
        """Up to ``limit`` changes: sequence, committed_ms, layout, op, ``width`` values before, ``width`` after."""
        columns = ["sequence", "committed_ms", "layout", "op"]
        columns += change_columns("before", width) + change_columns("after", width)
        return self._db.rows(
            f"SELECT {', '.join(columns)} FROM {CHANGES} WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (sequence, limit),
        )

    def layouts(self) -> dict[int, Layout]:
        """Every layout that was ever in use, by number."""
        listed = self._db.rows(f"SELECT layout, table_name, columns, key FROM {_LAYOUTS}")
        return {number: _layout(number, name, columns, key) for number, name, columns, key in listed}

    def active(self) -> dict[str, Layout]:
        """The layout under which each table's changes are recorded now, by table."""
        listed = self._db.rows(f"SELECT layout, table_name, columns, key FROM {_LAYOUTS} WHERE active")
        return {name: _layout(number, name, columns, key) for number, name, columns, key in listed}

    def add_layout(self, schema: TableSchema) -> Layout:
        """Begin a layout for the table as it is now, in the place of the one before."""
        self.retire(schema.name)
        self._widen(len(schema.columns))
        columns = orjson.dumps([[column.name, column.declared] for column in schema.columns]).decode()
        key = orjson.dumps(schema.key).decode()
        number = self._db.value(
            f"INSERT INTO {_LAYOUTS}(table_name, columns, key, active) VALUES (?, ?, ?, 1) RETURNING layout",
            (schema.name, columns, key),
        )
        return _layout(number, schema.name, columns, key)

    def retire(self, table: str) -> None:
        """Say that a table's changes are no longer recorded under the layout that was active."""
        self._db.rows(f"UPDATE {_LAYOUTS} SET active = 0 WHERE table_name = ?", (table,))

    def trim(self, durable: int) -> None:
        """Delete changes that lie ``KEPT_ROWS`` or more before ``durable``, if there are enough of them by now."""
        first = self._db.value(f"SELECT min(sequence) FROM {CHANGES}")
        last = durable - KEPT_ROWS
        if first is None or last - first < _TRIM_ROWS:
            return
        with self._db.writing():
            self._db.rows(f"DELETE FROM {CHANGES} WHERE sequence <= ?", (min(last, first + 4 * _TRIM_ROWS),))

    def _widen(self, count: int) -> None:
        """Make room for tables of ``count`` columns. SQLite adds a column without touching the rows."""
        have = self._db.value("SELECT count(*) FROM pragma_table_info(?) WHERE name LIKE 'after%'", (CHANGES,))
        for index in range(have, count):
            self._db.rows(f"ALTER TABLE {CHANGES} ADD COLUMN before_{index}")
            self._db.rows(f"ALTER TABLE {CHANGES} ADD COLUMN after_{index}")
            self._db.rows(f"ALTER TABLE {REPLACED} ADD COLUMN value_{index}")


def _layout(number: int, name: str, columns_json: str, key_json: str) -> Layout:
    columns: list[list[Any]] = orjson.loads(columns_json)
    table = Table(DATABASE, name, tuple(column for column, _ in columns), tuple(orjson.loads(key_json)))
    declared = tuple(text for _, text in columns)
    booleans = tuple(index for index, text in enumerate(declared) if Column("", text).is_boolean)
    return Layout(number, table, declared, booleans)
