"""The triggers that feed the change table, as SQL text.

Values go into the change table as they are, one column each, and never through text: SQLite's JSON and its ``%!.17g`` do
not give back every REAL, its JSON refuses BLOBs, and a program that writes to the file may have been built without JSON.

``INSERT OR REPLACE`` and ``UPDATE OR REPLACE`` remove the rows in their way without firing a delete trigger (unless the
writer has set ``PRAGMA recursive_triggers``). So a trigger before the statement notes the rows that stand in its way, and
the one after it records a delete for each that is gone by then. Where the row to be updated is itself removed, by a
cascade from the row in its way, there is no "after", and the row in its way goes unseen.
Source: https://www.sqlite.org/lang_conflict.html.
"""
# ruff: noqa: S608 -- every name goes through quoted(), the rest is fixed text

from __future__ import annotations

from collections.abc import Iterable

from connectors.sqlite.connection import quoted
from connectors.sqlite.schema import OWN_PREFIX, IndexedColumn, TableSchema

CHANGES = f"{OWN_PREFIX}changes"
"""One row a change: ``sequence, committed_ms, layout, op, before_0, after_0, before_1, after_1, ...``."""

REPLACED = f"{OWN_PREFIX}replaced"
"""Rows in the way of the statement that is being carried out: ``layout, row_id, value_0, value_1, ...``."""

NOW_MS = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
"""The statement's time in milliseconds since 1970. Written so for SQLite before 3.42, which has no ``unixepoch('subsec')``."""

_ALWAYS = ("after_insert", "after_update", "after_delete", "before_insert")
_SOMETIMES = ("before_update",)


def trigger_names(table: str) -> tuple[str, ...]:
    """The names that a table's triggers may have."""
    return _names(_ALWAYS, table) + _names(_SOMETIMES, table)


def needed_trigger_names(table: str) -> tuple[str, ...]:
    """The triggers that every captured table has: without one of them, changes went by unseen."""
    return _names(_ALWAYS, table)


def _names(events: tuple[str, ...], table: str) -> tuple[str, ...]:
    return tuple(f"{OWN_PREFIX}{event}_{table}" for event in events)


def triggers(schema: TableSchema, layout: int) -> dict[str, str]:
    """``CREATE TRIGGER`` by trigger name, for a table whose changes are recorded under ``layout``."""
    write = _Writer(schema, layout)
    bodies: dict[str, tuple[str, ...]] = {
        "AFTER INSERT": (write.replaced_by_insert(), write.forget(), write.change("c", None, "NEW")),
        "AFTER UPDATE": (write.change("u", "OLD", "NEW"),),
        "AFTER DELETE": (write.change("d", "OLD", None), write.forget_deleted()),
        "BEFORE INSERT": (write.forget(), write.note_rows_in_the_way("")),
    }
    if write.watched:
        others = f"NOT {write.same_row('t', 'OLD')} AND "
        bodies["AFTER UPDATE"] = (write.replaced_by_update(), write.forget(), write.change("u", "OLD", "NEW"))
        bodies["BEFORE UPDATE"] = (write.forget(), write.note_rows_in_the_way(others))
    made = {}
    for event, body in bodies.items():
        name = f"{OWN_PREFIX}{event.lower().replace(' ', '_')}_{schema.name}"
        made[name] = write.trigger(name, event, body)
    return made


def change_columns(image: str, count: int) -> list[str]:
    """The change table's columns of one image (``before`` or ``after``) of a table of ``count`` columns."""
    return [f"{image}_{index}" for index in range(count)]


class _Writer:
    """SQL about one table. Rows are named ``NEW``, ``OLD``, ``t`` (of the table) and ``REPLACED`` (noted ones)."""

    def __init__(self, schema: TableSchema, layout: int) -> None:
        self._schema = schema
        self._table = quoted(schema.name)
        self._columns = [quoted(column.name) for column in schema.columns]
        self._noted = [f"value_{index}" for index in range(len(self._columns))]
        self._layout = str(int(layout))
        self.watched = self._watched()
        """The columns whose update may put a row in another's way, quoted; in an order that is always the same."""

    def trigger(self, name: str, event: str, body: Iterable[str]) -> str:
        columns = f" OF {', '.join(self.watched)}" if event == "BEFORE UPDATE" else ""
        return f"CREATE TRIGGER {quoted(name)} {event}{columns} ON {self._table} BEGIN {'; '.join(body)}; END"

    def change(self, op: str, before: str | None, after: str | None) -> str:
        columns, values = ["committed_ms", "layout", "op"], [NOW_MS, self._layout, f"'{op}'"]
        for image, row in (("before", before), ("after", after)):
            if row is not None:
                columns += change_columns(image, len(self._columns))
                values += [f"{row}.{column}" for column in self._columns]
        return f"INSERT INTO {CHANGES}({', '.join(columns)}) VALUES ({', '.join(values)})"

    def note_rows_in_the_way(self, condition: str) -> str:
        """Copy the rows that share a unique value with NEW. Some may stay: which are gone is asked afterwards."""
        clashes = [self._same_values(index) for index in self._schema.unique]
        rowid = "NULL"
        if self._schema.rowid is not None:
            rowid = self._rowid("t")
            clashes.append(f"{rowid} = {self._rowid('NEW')}")
        values = ", ".join(f"t.{column}" for column in self._columns)
        return (
            f"INSERT INTO {REPLACED}({', '.join(['layout', 'row_id', *self._noted])}) "
            f"SELECT {self._layout}, {rowid}, {values} FROM {self._table} AS t WHERE {condition}({' OR '.join(clashes)})"
        )

    def replaced_by_insert(self) -> str:
        return self._record_deletes(f"({self.same_row('NEW', REPLACED)} OR {self._is_gone()})")

    def replaced_by_update(self) -> str:
        """An upsert leaves the very row that it then updates among those noted: that one was not replaced."""
        gone = f"({self.same_row('NEW', REPLACED)} OR {self._is_gone()})"
        return self._record_deletes(f"NOT {self.same_row('OLD', REPLACED)} AND {gone}")

    def forget(self) -> str:
        return f"DELETE FROM {REPLACED} WHERE layout = {self._layout}"

    def forget_deleted(self) -> str:
        """One row only: a replaced row's children may be deleted by cascade, from this very table, before its turn."""
        return f"{self.forget()} AND {self.same_row('OLD', REPLACED)}"

    def same_row(self, one: str, other: str) -> str:
        """Whether two rows have the same identity. The left one's collations decide, so a noted row stands right."""
        return f"{self._identity(one)} IS {self._identity(other)}"

    def _watched(self) -> list[str]:
        unique = {quoted(column.name) for index in self._schema.unique for column in index}
        return sorted(unique | {self._columns[index] for index in self._schema.key})

    def _same_values(self, index: tuple[IndexedColumn, ...]) -> str:
        pairs = (f"{_collated('t', column)} = NEW.{quoted(column.name)}" for column in index)
        return f"({' AND '.join(pairs)})"

    def _record_deletes(self, condition: str) -> str:
        columns = ["committed_ms", "layout", "op", *change_columns("before", len(self._columns))]
        return (
            f"INSERT INTO {CHANGES}({', '.join(columns)}) SELECT {NOW_MS}, {self._layout}, 'd', {', '.join(self._noted)} "
            f"FROM {REPLACED} WHERE layout = {self._layout} AND {condition}"
        )

    def _is_gone(self) -> str:
        return f"NOT EXISTS (SELECT 1 FROM {self._table} AS t WHERE {self.same_row('t', REPLACED)})"

    def _identity(self, row: str) -> str:
        if self._schema.rowid is not None:
            return f"{REPLACED}.row_id" if row == REPLACED else self._rowid(row)
        if row != REPLACED:
            return f"({', '.join(_collated(row, column) for column in self._schema.identity)})"
        return f"({', '.join(f'{REPLACED}.{self._noted[index]}' for index in self._schema.key)})"

    def _rowid(self, row: str) -> str:
        return f"{row}.{self._schema.rowid}"


def _collated(row: str, column: IndexedColumn) -> str:
    return f"{row}.{quoted(column.name)} COLLATE {quoted(column.collation)}"
