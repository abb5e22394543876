"""What a TABLE_MAP shows of a column that is declared in a certain way. It tells a structure of this table from another.

https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.mysql import structure
from connectors.mysql.binlog.columns import Column, ColumnType
from connectors.mysql.charset_names import bytes_per_character

_Shape = tuple[ColumnType, int, int]
"""Type, length and scale, as ``Column`` has them."""

_FIXED: dict[str, _Shape] = {
    "tinyint": (ColumnType.TINY, 0, 0),
    "smallint": (ColumnType.SHORT, 0, 0),
    "mediumint": (ColumnType.INT24, 0, 0),
    "int": (ColumnType.LONG, 0, 0),
    "bigint": (ColumnType.LONGLONG, 0, 0),
    "float": (ColumnType.FLOAT, 0, 0),
    "double": (ColumnType.DOUBLE, 0, 0),
    "year": (ColumnType.YEAR, 0, 0),
    "date": (ColumnType.DATE, 0, 0),
    "json": (ColumnType.JSON, 4, 0),
    "vector": (ColumnType.VECTOR, 4, 0),
    "uuid": (ColumnType.STRING, 16, 0),
    "inet6": (ColumnType.STRING, 16, 0),
    "inet4": (ColumnType.STRING, 4, 0),
    **{prefix + family: (ColumnType.BLOB, length, 0)
       for length, prefix in enumerate(("tiny", "", "medium", "long"), start=1) for family in ("text", "blob")},
    **dict.fromkeys(
        (
            "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
            "geometrycollection", "geomcollection",
        ),
        (ColumnType.GEOMETRY, 4, 0),
    ),
}  # fmt: skip
_TEMPORAL = {"time": ColumnType.TIME, "datetime": ColumnType.DATETIME, "timestamp": ColumnType.TIMESTAMP}
_OLD_TEMPORAL = {
    "time": ColumnType.OLD_TIME,
    "datetime": ColumnType.OLD_DATETIME,
    "timestamp": ColumnType.OLD_TIMESTAMP,
}
_BEFORE_10_1 = "mariadb-5.3"
"""In the comment by which MariaDB tells such a column from a new one."""
_STRINGS = {
    "char": ColumnType.STRING,
    "binary": ColumnType.STRING,
    "varchar": ColumnType.VARCHAR,
    "varbinary": ColumnType.VARCHAR,
}
_COMPRESSED = {
    ColumnType.VARCHAR: (ColumnType.VARCHAR_COMPRESSED, 1),
    ColumnType.BLOB: (ColumnType.BLOB_COMPRESSED, 0),
}
"""MariaDB's, with the bytes that a value has before it."""
_ONE_BYTE_LABELS = 255
_SMALL_SET = 4


def mismatch(in_log: Sequence[Column], declared: Sequence[structure.Column]) -> str:
    """What shows that rows with the columns ``in_log`` are not of a table with those ``declared``; empty if nothing does."""
    if len(in_log) != len(declared):
        return f"it has {len(in_log)} columns in the log, and {len(declared)} in the schema log"
    for number, (column, own) in enumerate(zip(in_log, declared, strict=True), start=1):
        shape = _shape(own)
        found = (column.type, column.length, column.scale)
        if shape != found:
            return f"column {number} is {_shown(found)} in the log, and {own.name} {own.declared} in the schema log"
        if column.nullable != own.nullable:
            null = "NULL" if column.nullable else "NOT NULL"
            return f"column {number} is {null} in the log, and {own.name} is not so in the schema log"
    return ""


def _shape(column: structure.Column) -> _Shape | None:
    name = column.data_type
    make = _MAKERS.get(name)
    shape = _FIXED.get(name) if make is None else make(column)
    if shape is not None and column.declared.endswith(" compressed"):
        kind, more = _COMPRESSED[shape[0]]
        return kind, shape[1] + more, shape[2]
    return shape


def _decimal(column: structure.Column) -> _Shape:
    return ColumnType.DECIMAL, column.width, column.scale


def _bit(column: structure.Column) -> _Shape:
    return ColumnType.BIT, column.width, 0


def _temporal(column: structure.Column) -> _Shape:
    if _BEFORE_10_1 in column.declared:
        return _OLD_TEMPORAL[column.data_type], 0, 0
    return _TEMPORAL[column.data_type], column.fraction_digits, 0


def _string(column: structure.Column) -> _Shape:
    longest = bytes_per_character(column.charset) if column.charset else 1
    return _STRINGS[column.data_type], column.width * longest, 0


def _enum(column: structure.Column) -> _Shape:
    return ColumnType.ENUM, 1 if len(column.labels) <= _ONE_BYTE_LABELS else 2, 0


def _set(column: structure.Column) -> _Shape:
    length = (len(column.labels) + 7) // 8
    return ColumnType.SET, length if length <= _SMALL_SET else 8, 0


_MAKERS: dict[str, Callable[[structure.Column], _Shape]] = {
    "decimal": _decimal,
    "bit": _bit,
    "enum": _enum,
    "set": _set,
    **dict.fromkeys(_TEMPORAL, _temporal),
    **dict.fromkeys(_STRINGS, _string),
}


def _shown(shape: _Shape) -> str:
    kind, length, scale = shape
    return f"{kind.name} {length},{scale}" if scale else f"{kind.name} {length}" if length else kind.name
