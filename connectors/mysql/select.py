"""How each column is asked for in SELECT and made a JSON value, so that it equals what the binlog gives for the same row.

The server's text of a FLOAT has six digits and would lose some: multiplied by 1E0 it is a DOUBLE, whose text is exact.
ZEROFILL shows only in text, and goes when something is added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from connectors.mysql import text_cells, values
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.connection import quote_identifier, quote_table
from connectors.mysql.field_types import field_type
from connectors.mysql.structure import Column, TableSchema
from connectors.mysql.text_cells import Cell
from connectors.mysql.value_modes import CONVERSIONS, ValueModes, conversion
from connectors.mysql.value_types import ValueType, declared_type
from connectors.source import Row
from streamtrain.errors import SourceMisconfigured, UnsupportedChange

Convert = Callable[[bytes], Any]


_VALUE_HINT = "change the value, or leave the table out of source.include"
_PLAIN: dict[str, Convert] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), int),
    **dict.fromkeys(("decimal", "text", "enum", "set", "uuid"), text_cells.text),
    "double": float,
    "bytes": values.base64_text,
    "geometry": values.geometry_value,
    "point": values.point_value,
    "vector": values.vector_value,
}


class TableReader:
    """The statement that reads one table whole, and the conversion of its rows.

    Raises SourceMisconfigured if the table has a column that cannot be captured.
    """

    def __init__(self, schema: TableSchema, modes: ValueModes) -> None:
        types = [_type(schema, column) for column in schema.columns]
        self.table = replace(schema.table, types=tuple(field_type(type_, modes) for type_ in types))
        self.width = len(schema.columns)
        self._conversions = [
            _in_mode(_conversion(column, type_), conversion(type_, modes))
            for column, type_ in zip(schema.columns, types, strict=True)
        ]
        self.quoted_name = quote_table(self.table.database, self.table.name)
        self.columns = ", ".join(_expression(column) for column in schema.columns)
        """The select list."""
        self.statement = f"SELECT {self.columns} FROM {self.quoted_name}"  # noqa: S608 - every name in it is quoted
        if self.table.key:
            key = ", ".join(quote_identifier(self.table.columns[index]) for index in self.table.key)
            self.statement += f" ORDER BY {key}"

    def rows(self, chunk: Sequence[Sequence[Cell]]) -> list[Row]:
        """JSON values of the server's texts, column by column."""
        columns = []
        for name, convert, column in zip(self.table.columns, self._conversions, zip(*chunk, strict=True), strict=True):
            try:
                columns.append([None if cell is None else convert(cell) for cell in column])
            except ValueError as error:
                hint = error.hint if isinstance(error, Malformed) else _VALUE_HINT
                raise UnsupportedChange(f"rows of {self.table.full_name}, column {name}: {error}", hint=hint) from error
        return list(zip(*columns, strict=True))


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


def _in_mode(convert: Convert, name: str) -> Convert:
    """``convert``, and after it what a mode makes of its values."""
    if not name:
        return convert
    change = CONVERSIONS[name]
    return lambda cell: change(convert(cell))


def _conversion(column: Column, type_: ValueType) -> Convert:
    """The conversion of a cell that is not NULL to the default value."""
    make = _FACTORIES.get(column.data_type)
    return _PLAIN[type_.kind] if make is None else make(column)


def _float32(_column: Column) -> Convert:
    return lambda cell: values.float32(float(cell))


def _date(column: Column) -> Convert:
    if column.nullable:
        return text_cells.date
    return lambda cell: text_cells.date(cell) or values.ZERO


def _datetime(column: Column) -> Convert:
    zero = None if column.nullable else values.ZERO
    in_milliseconds = column.fraction_digits <= 3

    def convert(cell: bytes) -> int | None:
        moment = text_cells.datetime(cell)
        if moment is None:
            return zero
        return moment // 1000 if in_milliseconds else moment

    return convert


def _timestamp(column: Column) -> Convert:
    if column.nullable:
        return text_cells.timestamp
    return lambda cell: text_cells.timestamp(cell) or values.ZERO_TIMESTAMP


def _bits(column: Column) -> Convert:
    width = column.width
    return lambda cell: values.bit_value(cell, width)


_FACTORIES: dict[str, Callable[[Column], Convert]] = {
    "float": _float32,
    "date": _date,
    "datetime": _datetime,
    "timestamp": _timestamp,
    "time": lambda _column: lambda cell: values.time_from_text(cell.decode("ascii")),
    "bit": _bits,
    "json": lambda _column: lambda cell: values.json_from_text(cell.decode()),
}
