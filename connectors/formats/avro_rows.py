"""Rows of a table as Avro records."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Sequence
from typing import Any

from connectors.formats.connect import Field, Schema
from connectors.formats.connect_avro import avro_schema
from connectors.source import Row
from streamtrain.avro import AvroWriter
from streamtrain.errors import UnsupportedChange

Convert = Callable[[Any], Any]


class RowWriter:
    """Encodes some columns of a table's rows as a record. Not thread-safe."""

    def __init__(self, table: str, record: Schema, columns: Sequence[int]) -> None:
        self._table = table
        self._fields = record.fields
        self._columns = tuple(columns)
        self._names = tuple(field.name for field in record.fields)
        converts = [(at, _conversion(field.schema)) for at, field in enumerate(record.fields)]
        self._converts = [(at, convert) for at, convert in converts if convert is not None]
        self._writer = AvroWriter(avro_schema(Schema("struct", name=record.name, fields=record.fields)))

    def encode(self, row: Row) -> bytes:
        """The record. Raises UnsupportedChange, naming the column, if a value does not fit its type."""
        values = [row[column] for column in self._columns]
        try:
            for at, convert in self._converts:
                if values[at] is not None:
                    values[at] = convert(values[at])
            return self._writer.encode(dict(zip(self._names, values, strict=True)))
        except (ValueError, TypeError, KeyError):
            raise self._misfit(row) from None

    def _misfit(self, row: Row) -> UnsupportedChange:
        for field, column in zip(self._fields, self._columns, strict=True):
            if not _fits(field, row[column]):
                found = type(row[column]).__name__
                declared = field.schema.type + ("" if field.schema.optional else " NOT NULL")
                return UnsupportedChange(
                    f"column {field.column or field.name!r} of {self._table} holds a value ({found}) that is beyond its "
                    f"declaration in Avro, {declared}",
                    hint="a BIGINT UNSIGNED beyond 2^63 needs source.bigint_unsigned_handling_mode: precise or long",
                )
        return UnsupportedChange(f"a row of {self._table} does not fit its Avro schema")


def _fits(field: Field, value: Any) -> bool:
    convert = _conversion(field.schema)
    try:
        AvroWriter(avro_schema(field.schema)).encode(value if convert is None or value is None else convert(value))
    except (ValueError, TypeError, KeyError):
        return False
    return True


def _conversion(schema: Schema) -> Convert | None:
    """What makes Avro's value of JSON's; None if they are the same."""
    if schema.type == "bytes":
        return a2b_base64
    if schema.type == "struct":
        parts = [(field.name, _conversion(field.schema)) for field in schema.fields]
        needed = [(name, convert) for name, convert in parts if convert is not None]
        return (lambda value: _struct(value, needed)) if needed else None
    return None


def _struct(value: dict[str, Any], converts: Sequence[tuple[str, Convert]]) -> dict[str, Any]:
    made = dict(value)
    for name, convert in converts:
        if made[name] is not None:
            made[name] = convert(made[name])
    return made
