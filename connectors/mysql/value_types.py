"""What decides how a column's values are shown and declared, whether the log or ``information_schema`` tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connectors.mysql import structure
from connectors.mysql.binlog.columns import Column, ColumnType
from connectors.mysql.values import WKB_POINT

Kind = Literal[
    "tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "decimal", "bit", "year", "date", "time",
    "datetime", "timestamp", "text", "bytes", "enum", "set", "json", "geometry", "point", "vector", "uuid",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValueType:
    """A column's type."""

    kind: Kind
    nullable: bool = True
    unsigned: bool = False
    digits: int = 0
    """DECIMAL: all digits. BIT: bits. TIME, DATETIME, TIMESTAMP: fraction digits."""
    scale: int = 0
    """DECIMAL: digits after the point."""
    labels: tuple[str, ...] = ()
    """ENUM, SET: in the order of their definition."""


_DECLARED: dict[str, Kind] = {
    "tinyint": "tinyint", "smallint": "smallint", "mediumint": "mediumint", "int": "int", "bigint": "bigint",
    "float": "float", "double": "double", "decimal": "decimal", "bit": "bit", "year": "year", "date": "date",
    "time": "time", "datetime": "datetime", "timestamp": "timestamp", "enum": "enum", "set": "set", "json": "json",
    "point": "point", "vector": "vector", "uuid": "uuid",
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "inet4", "inet6"), "text"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "bytes"),
    **dict.fromkeys(
        (
            "geometry", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection",
            "geomcollection",
        ),
        "geometry",
    ),
}  # fmt: skip

_LOGGED: dict[ColumnType, Kind] = {
    ColumnType.TINY: "tinyint", ColumnType.SHORT: "smallint", ColumnType.INT24: "mediumint", ColumnType.LONG: "int",
    ColumnType.LONGLONG: "bigint", ColumnType.FLOAT: "float", ColumnType.DOUBLE: "double",
    ColumnType.DECIMAL: "decimal", ColumnType.BIT: "bit", ColumnType.YEAR: "year", ColumnType.DATE: "date",
    ColumnType.TIME: "time", ColumnType.DATETIME: "datetime", ColumnType.TIMESTAMP: "timestamp",
    ColumnType.ENUM: "enum", ColumnType.SET: "set", ColumnType.JSON: "json", ColumnType.VECTOR: "vector",
    ColumnType.OLD_TIME: "time", ColumnType.OLD_DATETIME: "datetime", ColumnType.OLD_TIMESTAMP: "timestamp",
    ColumnType.UUID: "uuid", ColumnType.INET4: "text", ColumnType.INET6: "text",
}  # fmt: skip
_WITH_DIGITS = {"decimal", "bit", "time", "datetime", "timestamp"}


def declared_type(column: structure.Column) -> ValueType | None:
    """The type of a column as it is declared; None if it is not known."""
    kind = _DECLARED.get(column.data_type)
    if kind is None:
        return None
    digits = 0
    if kind in {"decimal", "bit"}:
        digits = column.width
    elif kind in _WITH_DIGITS:
        digits = column.fraction_digits
    elif kind == "float":
        kind = _float(column.declared)
    scale = column.scale if kind == "decimal" else 0
    unsigned = column.unsigned and kind != "year"
    return ValueType(kind, column.nullable, unsigned, digits, scale, column.labels)


def logged_type(column: Column) -> ValueType:
    """The type of a column as the log shows it."""
    kind = _LOGGED.get(column.type)
    if kind is None:
        if column.type is ColumnType.GEOMETRY:
            kind = "point" if column.geometry == WKB_POINT or column.declared == "point" else "geometry"
        else:
            kind = "bytes" if column.charset is None or column.charset.binary else "text"
    elif kind == "float":
        kind = _float(column.declared)
    digits = column.length if kind in _WITH_DIGITS else 0
    unsigned = column.unsigned and kind != "year"
    return ValueType(kind, column.nullable, unsigned, digits, column.scale, column.labels)


def _float(declared: str) -> Kind:
    """Debezium takes FLOAT(M,D) for a DOUBLE, though it is kept as a FLOAT."""
    return "double" if "," in declared else "float"
