"""How one table is to be read: in chunks beside the log, in ranges each as of a moment, or whole as of one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from connectors.mysql.connection import Connection
from connectors.mysql.select import TableReader
from connectors.mysql.server_errors import CHANGED_HINT, TableChanged
from connectors.mysql.snapshots.bounds import Bound, OrderColumn, Ordering, can_be_ordered
from connectors.mysql.snapshots.state import TableTask
from connectors.mysql.structure import TableSchema
from connectors.mysql.value_modes import ValueModes
from streamtrain.errors import SourceMisconfigured


@dataclass(frozen=True, slots=True)
class Plan:
    """A table, the columns that it is read by, and what tells its rows from each other.

    Rows of a table without a key cannot be told from each other, so that a chunk of it cannot be merged with the log: it is
    read as of one moment, in ranges of a column if one is named. A key whose order cannot be kept is no help either.
    """

    task: TableTask
    schema: TableSchema
    reader: TableReader
    ordering: Ordering
    columns: tuple[OrderColumn, ...]
    estimate: int
    """Rows that the server believes to be there."""
    row_bytes: int
    """Of a row on average, as the server believes."""

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def merged(self) -> bool:
        """Whether it is read in chunks that are merged with the log."""
        return bool(self.columns) and bool(self.schema.table.key)

    @property
    def one_row_a_place(self) -> bool:
        """Whether no two rows have the same place in the order."""
        places = {column.index for column in self.columns}
        return bool(self.schema.table.key) and places >= set(self.schema.table.key)

    def statement(self, after: Bound | None, limit: int, lock: str) -> str:
        """The SELECT of the next rows behind ``after``, in order."""
        conditions = [] if after is None else [self.ordering.after(after)]
        return f"{self._select(conditions)} ORDER BY {self.ordering.names} LIMIT {limit}{lock}"

    def edge(self, after: Bound | None, rows: int) -> str:
        """The SELECT of the ordering columns of the last of so many rows behind ``after``."""
        where = "" if after is None else f" WHERE {self.ordering.after(after)}"
        names = self.ordering.names
        return f"SELECT {names} FROM {self.reader.quoted_name}{where} ORDER BY {names} LIMIT 1 OFFSET {rows - 1}"  # noqa: S608 - quoted

    def whole(self, after: Bound | None, until: Bound | None) -> str:
        """The SELECT of all rows behind ``after`` that do not lie beyond ``until``."""
        conditions = [] if after is None else [self.ordering.after(after)]
        conditions += [] if until is None else [self.ordering.until(until)]
        key = self.ordering.names
        return self._select(conditions) + (f" ORDER BY {key}" if key else "")

    def _select(self, conditions: list[str]) -> str:
        if self.task.where is not None:
            conditions = [*conditions, f"({self.task.where}\n)"]  # the line's end closes a comment, if it ends in one
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {self.reader.columns} FROM {self.reader.quoted_name}{where}"  # noqa: S608 - see above; ``where`` is the operator's own


def planned(connection: Connection, schema: TableSchema, task: TableTask, modes: ValueModes) -> Plan:
    """How to read the table. Texts of its key will be compared on ``connection``.

    Raises SourceMisconfigured if the column that is named for it does not do, TableChanged if the table is gone.
    """
    collations: dict[str, str | None] = dict(
        connection.query(
            "SELECT COLUMN_NAME, COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
            (schema.table.database, schema.table.name),
        )
    )
    told = connection.query(
        "SELECT COALESCE(TABLE_ROWS, 0), COALESCE(AVG_ROW_LENGTH, 0) FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
        (schema.table.database, schema.table.name),
    )
    if not told:
        raise TableChanged(f"{schema.table.full_name} has lost its name while it was looked at", hint=CHANGED_HINT)
    estimate, row_bytes = told[0]
    columns = _order_columns(schema, task.by, modes, collations)
    reader, ordering = TableReader(schema, modes), Ordering(columns, connection, modes)
    return Plan(task, schema, reader, ordering, columns, int(estimate), int(row_bytes))


def planned_for_changes(connection: Connection, schema: TableSchema, task: TableTask, modes: ValueModes) -> Plan:
    """By what order changes pass of a table that the server has not, or not as the log knows it: no row of it is read.

    Raises SourceMisconfigured if the column that is named for it does not do.
    """
    order = () if task.after is None else task.after.order
    columns = _order_columns(schema, task.by, modes, {each.column: each.collation for each in order})
    return Plan(task, schema, TableReader(schema, modes), Ordering(columns, connection, modes), columns, 0, 0)


def _order_columns(
    schema: TableSchema, by: str | None, modes: ValueModes, collations: Mapping[str, str | None]
) -> tuple[OrderColumn, ...]:
    indexes = [column_to_read_by(schema, by, modes)] if by is not None else list(schema.table.key)
    columns = [schema.columns[index] for index in indexes]
    # Those before one that has no order are an order too, in which several rows may have one place.
    ordered = takewhile(lambda found: can_be_ordered(found[1], modes), zip(indexes, columns, strict=True))
    return tuple(OrderColumn(index, column, collations.get(column.name)) for index, column in ordered)


def read_as_of_a_moment(schema: TableSchema, by: str | None, modes: ValueModes) -> bool:
    """Whether the table cannot be read in chunks, so that on MySQL a lock is taken for a moment."""
    key = schema.table.key
    return not key or (by is None and not can_be_ordered(schema.columns[key[0]], modes))


def column_to_read_by(schema: TableSchema, name: str, modes: ValueModes) -> int:
    """The index of the column of this name. Raises SourceMisconfigured if there is none, or it has no order that can be kept."""
    for index, column in enumerate(schema.columns):
        if column.name.lower() == name.lower():
            if can_be_ordered(column, modes):
                return index
            raise SourceMisconfigured(
                f"{schema.table.full_name} cannot be read by its column {name}, of type {column.declared}",
                hint="take a column of numbers, moments, bytes or Unicode text",
            )
    raise SourceMisconfigured(
        f"{schema.table.full_name} has no column {name} to be read by",
        hint=f"its columns are {', '.join(schema.table.columns)}",
    )
