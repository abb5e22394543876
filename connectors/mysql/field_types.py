"""How Debezium declares each column in Kafka Connect's terms, by its type and the chosen modes.

https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-data-types; held to what Debezium 3.5 writes
by a recording of it (``tests/golden/debezium``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from connectors.mysql.binlog.table_map import TableLayout
from connectors.mysql.value_modes import DEFAULT_MODES, ValueModes, conversion
from connectors.mysql.value_types import ValueType, logged_type
from connectors.source import FieldType

Integer = Literal["int16", "int32", "int64"]

_CONNECT = "org.apache.kafka.connect.data"
_TIME = "io.debezium.time"
_BIGINT_DIGITS = 20

_PLAIN: dict[str, FieldType] = {
    "float": FieldType("float32", optional=True),
    "double": FieldType("float64", optional=True),
    "text": FieldType("string", optional=True),
    "year": FieldType("int32", optional=True, name=f"{_TIME}.Year"),
    "timestamp": FieldType("string", optional=True, name=f"{_TIME}.ZonedTimestamp"),
    "json": FieldType("string", optional=True, name="io.debezium.data.Json"),
    "uuid": FieldType("string", optional=True, name="io.debezium.data.Uuid"),
    "geometry": FieldType("struct", optional=True, name="io.debezium.data.geometry.Geometry"),
    "point": FieldType("struct", optional=True, name="io.debezium.data.geometry.Point"),
    "vector": FieldType("array", optional=True, name="io.debezium.data.FloatVector"),
}
_INTEGERS: dict[str, tuple[Integer, Integer]] = {
    "tinyint": ("int16", "int16"),
    "smallint": ("int16", "int32"),
    "mediumint": ("int32", "int32"),
    "int": ("int32", "int64"),
    "bigint": ("int64", "int64"),
}
"""Signed and unsigned."""
_DATES = {
    "connect": FieldType("int32", optional=True, name=f"{_CONNECT}.Date"),
    "isostring": FieldType("string", optional=True, name=f"{_TIME}.IsoDate"),
}
_TIMES = {
    "connect": FieldType("int32", optional=True, name=f"{_CONNECT}.Time"),
    "isostring": FieldType("string", optional=True, name=f"{_TIME}.IsoTime"),
    "nanoseconds": FieldType("int64", optional=True, name=f"{_TIME}.NanoTime"),
}
_DATETIMES = {
    "connect": FieldType("int64", optional=True, name=f"{_CONNECT}.Timestamp"),
    "isostring": FieldType("string", optional=True, name=f"{_TIME}.IsoTimestamp"),
    "microseconds": FieldType("int64", optional=True, name=f"{_TIME}.MicroTimestamp"),
    "nanoseconds": FieldType("int64", optional=True, name=f"{_TIME}.NanoTimestamp"),
}


def field_type(type_: ValueType, modes: ValueModes) -> FieldType:
    """How a column of this type is declared.

    A BIGINT UNSIGNED in mode ``exact`` is declared as int64, which Kafka Connect has no wider integer than: what is beyond
    has to be refused by formats that hold to it.
    """
    found = _PLAIN.get(type_.kind) or _MAKERS[type_.kind](type_, modes)
    return FieldType(found.type, type_.nullable, found.name, found.version, found.parameters)


def shown(layout: TableLayout, modes: ValueModes) -> TableLayout:
    """A table of the log with its columns declared, and their values converted, as the modes say."""
    types = [logged_type(column) for column in layout.columns]
    columns = [
        replace(column, conversion=conversion(type_, modes)) if modes != DEFAULT_MODES else column
        for column, type_ in zip(layout.columns, types, strict=True)
    ]
    table = replace(layout.table, types=tuple(field_type(type_, modes) for type_ in types))
    return TableLayout(table, tuple(columns))


def _integer(type_: ValueType, modes: ValueModes) -> FieldType:
    signed, unsigned = _INTEGERS[type_.kind]
    if type_.unsigned and type_.kind == "bigint" and modes.bigint_unsigned == "precise":
        return _decimal_of(_BIGINT_DIGITS, 0)
    return FieldType(unsigned if type_.unsigned else signed, optional=True)


def _decimal(type_: ValueType, modes: ValueModes) -> FieldType:
    if modes.decimal == "precise":
        return _decimal_of(type_.digits, type_.scale)
    return FieldType("float64" if modes.decimal == "double" else "string", optional=True)


def _decimal_of(digits: int, scale: int) -> FieldType:
    parameters = (("scale", str(scale)), ("connect.decimal.precision", str(digits)))
    return FieldType("bytes", optional=True, name=f"{_CONNECT}.Decimal", parameters=parameters)


def _labelled(type_: ValueType, _: ValueModes) -> FieldType:
    name = "io.debezium.data.Enum" if type_.kind == "enum" else "io.debezium.data.EnumSet"
    allowed = ",".join(label.replace(",", "\\,") for label in type_.labels)
    return FieldType("string", optional=True, name=name, parameters=(("allowed", allowed),))


def _bits(type_: ValueType, _: ValueModes) -> FieldType:
    if type_.digits == 1:
        return FieldType("boolean", optional=True)
    parameters = (("length", str(type_.digits)),)
    return FieldType("bytes", optional=True, name="io.debezium.data.Bits", parameters=parameters)


def _bytes(_: ValueType, modes: ValueModes) -> FieldType:
    return FieldType("bytes" if modes.binary == "bytes" else "string", optional=True)


def _date(_: ValueType, modes: ValueModes) -> FieldType:
    return _DATES.get(modes.time_precision) or FieldType("int32", optional=True, name=f"{_TIME}.Date")


def _time(_: ValueType, modes: ValueModes) -> FieldType:
    return _TIMES.get(modes.time_precision) or FieldType("int64", optional=True, name=f"{_TIME}.MicroTime")


def _datetime(type_: ValueType, modes: ValueModes) -> FieldType:
    name = f"{_TIME}.MicroTimestamp" if type_.digits > 3 else f"{_TIME}.Timestamp"
    return _DATETIMES.get(modes.time_precision) or FieldType("int64", optional=True, name=name)


_MAKERS: dict[str, Callable[[ValueType, ValueModes], FieldType]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    "decimal": _decimal,
    "enum": _labelled,
    "set": _labelled,
    "bit": _bits,
    "bytes": _bytes,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
}
