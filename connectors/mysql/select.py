"""How each column is asked for in SELECT and made a JSON value, so that it equals what the binlog gives for the same row.

The server's text of a FLOAT has six digits and would lose some: multiplied by 1E0 it is a DOUBLE, whose text is exact.
ZEROFILL shows only in text, and goes when something is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from connectors.mysql import text_cells, values
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.connection import quote_identifier, quote_table
from connectors.mysql.field_types import field_type
from connectors.mysql.structure import Column, TableSchema
from connectors.mysql.text_cells import Cell, Convert, Step
from connectors.mysql.value_modes import CONVERSIONS, ValueModes, conversion
from connectors.mysql.value_types import ValueType, declared_type
from connectors.source import Row
from streamtrain.errors import SourceMisconfigured, UnsupportedChange

_VALUE_HINT = "change the value, or leave the table out of source.include"
_INTEGER = Step("integer", None, int)
_TEXT = Step("text", None, text_cells.text)


def _called(convert: Convert) -> Step:
    return Step("call", None, convert)


_PLAIN: dict[str, Step] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), _INTEGER),
    **dict.fromkeys(("decimal", "text", "enum", "set", "uuid"), _TEXT),
    "double": Step("double", None, float),
    "bytes": _called(values.base64_text),
    "geometry": _called(values.geometry_value),
    "point": _called(values.point_value),
    "vector": _called(values.vector_value),
}


class TableReader:
    """The statement that reads one table whole, and the conversion of its rows.

    Raises SourceMisconfigured if the table has a column that cannot be captured.
    """

    def __init__(self, schema: TableSchema, modes: ValueModes) -> None:
        types = [_type(schema, column) for column in schema.columns]
        self.table = replace(schema.table, types=tuple(field_type(type_, modes) for type_ in types))
        self.width = len(schema.columns)
        self.steps = tuple(
            _in_mode(_step(column, type_), conversion(type_, modes))
            for column, type_ in zip(schema.columns, types, strict=True)
        )
        """How each column's cells become values."""
        self.quoted_name = quote_table(self.table.database, self.table.name)
        self.columns = ", ".join(_expression(column) for column in schema.columns)
        """The select list."""
        self.statement = f"SELECT {self.columns} FROM {self.quoted_name}"  # noqa: S608 - every name in it is quoted
        if self.table.key:
            key = ", ".join(quote_identifier(self.table.columns[index]) for index in self.table.key)
            self.statement += f" ORDER BY {key}"

    def rows(self, payloads: list[bytes]) -> list[Row]:
        """JSON values of rows as the server sent them. Raises UnsupportedChange on what is none."""
        try:
            return text_cells.rows(payloads, self.steps)
        except ValueError as error:
            for payload in payloads:
                self._check(payload)
            raise self._refused("", error) from error

    def cells(self, payload: bytes) -> list[Cell]:
        """The server's texts of a row. Raises UnsupportedChange if it is none."""
        try:
            return text_cells.cells(payload, self.width)
        except ValueError as error:
            raise self._refused("", error) from error

    def _check(self, payload: bytes) -> None:
        """Raise the error of the row's first cell that cannot be read, which says the column."""
        for name, step, cell in zip(self.table.columns, self.steps, self.cells(payload), strict=True):
            try:
                _ = None if cell is None else step.convert(cell)
            except ValueError as error:
                raise self._refused(f", column {name}", error) from error

    def _refused(self, place: str, error: ValueError) -> UnsupportedChange:
        hint = error.hint if isinstance(error, Malformed) else _VALUE_HINT
        return UnsupportedChange(f"rows of {self.table.full_name}{place}: {error}", hint=hint)


def _expression(column: Column) -> str:
    name = quote_identifier(column.name)
    if column.data_type in {"float", "double"}:
        return f"{name} * 1E0"
    if column.data_type == "decimal" and "zerofill" in column.declared:
        return f"{name} + 0"
    return name


def _type(schema: TableSchema, column: Column) -> ValueType:
    found = declared_type(column)
    if found is None:
        raise SourceMisconfigured(
            f"{schema.table.full_name}.{column.name} has type {column.declared}, which cannot be captured",
            hint="leave the table out of source.include, or keep the value in a column of another type",
        )
    return found


def _in_mode(step: Step, name: str) -> Step:
    """``step``, and after it what a mode makes of its values."""
    if not name:
        return step
    convert, change = step.convert, CONVERSIONS[name]
    return _called(lambda cell: change(convert(cell)))


def _step(column: Column, type_: ValueType) -> Step:
    """How a cell becomes the default value."""
    make = _FACTORIES.get(column.data_type)
    return _PLAIN[type_.kind] if make is None else make(column)


def _float32(_column: Column) -> Step:
    return _called(lambda cell: values.float32(float(cell)))


def _date(column: Column) -> Step:
    missing = None if column.nullable else values.ZERO

    def convert(cell: bytes) -> int | None:
        days = text_cells.date(cell)
        return missing if days is None else days

    return Step("date", missing, convert)


def _datetime(column: Column) -> Step:
    missing = None if column.nullable else values.ZERO
    in_milliseconds = column.fraction_digits <= 3

    def convert(cell: bytes) -> int | None:
        moment = text_cells.datetime(cell)
        if moment is None:
            return missing
        return moment // 1000 if in_milliseconds else moment

    return Step("datetime_ms" if in_milliseconds else "datetime_us", missing, convert)


def _timestamp(column: Column) -> Step:
    missing = None if column.nullable else values.ZERO_TIMESTAMP
    return Step("timestamp", missing, lambda cell: text_cells.timestamp(cell) or missing)


def _bits(column: Column) -> Step:
    width = column.width
    return _called(lambda cell: values.bit_value(cell, width))


_FACTORIES: dict[str, Callable[[Column], Step]] = {
    "float": _float32,
    "date": _date,
    "datetime": _datetime,
    "timestamp": _timestamp,
    "time": lambda _column: _called(lambda cell: values.time_from_text(cell.decode("ascii"))),
    "bit": _bits,
    "json": lambda _column: _called(lambda cell: values.json_from_text(cell.decode())),
}
