"""TABLE_MAP: a table's columns as they stood when the rows after it were logged.

Names, signedness, character sets, labels and the primary key are in its optional metadata, which the server writes under
``binlog_row_metadata=FULL``. https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from connectors.mysql.binlog.charsets import Charset, charset_of
from connectors.mysql.binlog.columns import (
    EXCLUDE_HINT,
    LABELLED,
    Column,
    ColumnType,
    as_declared,
    at_most,
    read_column,
)
from connectors.mysql.binlog.reading import Malformed, Reader
from connectors.mysql.structure import TableSchema
from connectors.source import Table

MAX_COLUMNS = 4096
FULL_METADATA_HINT = (
    "SET GLOBAL binlog_row_metadata=FULL (MySQL 8.0.1, MariaDB 10.5 or newer); "
    "what was logged before that has to be read by a new snapshot"
)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """A table, and how its rows are laid out."""

    table: Table
    columns: tuple[Column, ...]


class _Field(IntEnum):
    """Kinds of optional metadata."""

    SIGNEDNESS = 1
    DEFAULT_CHARSET = 2
    COLUMN_CHARSET = 3
    COLUMN_NAME = 4
    SET_LABELS = 5
    ENUM_LABELS = 6
    GEOMETRY_TYPE = 7
    SIMPLE_PRIMARY_KEY = 8
    PRIMARY_KEY_WITH_PREFIX = 9
    LABEL_DEFAULT_CHARSET = 10
    LABEL_COLUMN_CHARSET = 11
    VISIBILITY = 12  # of no use here, like the one below
    VECTOR_DIMENSION = 13


_NUMERIC = frozenset(
    {
        ColumnType.TINY, ColumnType.SHORT, ColumnType.INT24, ColumnType.LONG, ColumnType.LONGLONG, ColumnType.FLOAT,
        ColumnType.DOUBLE, ColumnType.DECIMAL, ColumnType.YEAR,
    }
)  # fmt: skip
_STRINGS = frozenset(
    {
        ColumnType.VARCHAR, ColumnType.VAR_STRING, ColumnType.STRING, ColumnType.BLOB, ColumnType.VARCHAR_COMPRESSED,
        ColumnType.BLOB_COMPRESSED,
    }
)  # fmt: skip
_KINDS = frozenset(_Field)


def read_layout(
    reader: Reader, database: str, name: str, *, mariadb: bool, schema: TableSchema | None = None
) -> TableLayout:
    """Read a TABLE_MAP from its column count on.

    ``schema`` is the table's structure at this point of the log, if it is known otherwise: it adds what the log leaves out.

    Raises Malformed, with a hint where there is one, on a column type or metadata that is not understood.
    """
    count = reader.packed()
    if not 0 < count <= MAX_COLUMNS:
        raise Malformed(f"{count} columns")
    types = reader.take(count)
    metadata = Reader(reader.take(reader.packed()))
    columns = [read_column(type_, metadata) for type_ in types]
    metadata.finish()
    nullable = reader.take((count + 7) // 8)
    fields = _optional_metadata(reader)
    names = _names(fields, count)
    unsigned = _unsigned(fields, columns)
    charsets = _charsets(fields, columns, mariadb=mariadb)
    labels = _labels(fields, columns, charsets)
    table = Table(database, name, names, _primary_key(fields, count))
    geometries = _geometries(fields, columns)
    declared = _declared(names, schema)
    return TableLayout(
        table,
        tuple(
            as_declared(
                replace(
                    column,
                    nullable=bool(nullable[index // 8] >> index % 8 & 1),
                    unsigned=index in unsigned,
                    charset=charsets.get(index),
                    labels=labels.get(index, ()),
                    geometry=geometries.get(index, 0),
                ),
                declared[index],
            )
            for index, column in enumerate(columns)
        ),
    )


def _declared(names: Sequence[str], schema: TableSchema | None) -> Sequence[str]:
    if schema is None or schema.table.columns != names:
        return [""] * len(names)
    return [column.declared for column in schema.columns]


def _optional_metadata(reader: Reader) -> dict[_Field, bytes]:
    fields: dict[_Field, bytes] = {}
    while reader.left:
        kind = reader.uint(1)
        value = reader.take(reader.packed())
        if kind not in _KINDS:
            # It could change what values mean, as signedness does.
            raise Malformed(f"table metadata of kind {kind} is not known", EXCLUDE_HINT)
        fields[_Field(kind)] = value
    return fields


def _names(fields: dict[_Field, bytes], count: int) -> tuple[str, ...]:
    reader = Reader(_required(fields, _Field.COLUMN_NAME, "column names"))
    names = tuple(reader.text(reader.packed()) for _ in range(count))
    reader.finish()
    return names


def _required(fields: dict[_Field, bytes], field: _Field, what: str) -> bytes:
    value = fields.get(field)
    if value is None:
        raise Malformed(f"the table's metadata is without {what}", FULL_METADATA_HINT)
    return value


def _unsigned(fields: dict[_Field, bytes], columns: Sequence[Column]) -> frozenset[int]:
    numeric = _indexes(columns, _NUMERIC)
    if not numeric:
        return frozenset()
    bits = _required(fields, _Field.SIGNEDNESS, "signedness")
    if len(bits) != (len(numeric) + 7) // 8:
        raise Malformed(f"{len(bits)} bytes of signedness for {len(numeric)} numeric columns")
    return frozenset(index for n, index in enumerate(numeric) if bits[n // 8] & 0x80 >> n % 8)


def _charsets(fields: dict[_Field, bytes], columns: Sequence[Column], *, mariadb: bool) -> dict[int, Charset]:
    # Each server counts its own blob-like type among the strings: MySQL VECTOR, MariaDB GEOMETRY.
    strings = _STRINGS | {ColumnType.GEOMETRY if mariadb else ColumnType.VECTOR}
    collations = _collations(fields, _indexes(columns, strings), _Field.DEFAULT_CHARSET, _Field.COLUMN_CHARSET)
    collations |= _collations(
        fields, _indexes(columns, LABELLED), _Field.LABEL_DEFAULT_CHARSET, _Field.LABEL_COLUMN_CHARSET
    )
    return {index: charset_of(collation, mariadb=mariadb) for index, collation in collations.items()}


def _collations(
    fields: dict[_Field, bytes], indexes: Sequence[int], default_field: _Field, column_field: _Field
) -> dict[int, int]:
    """Column -> collation, from either of two forms: one for each, or a default and the exceptions from it."""
    if not indexes:
        return {}
    if column_field in fields:
        collations = _packed_integers(fields[column_field])
        if len(collations) != len(indexes):
            raise Malformed(f"{len(collations)} collations for {len(indexes)} columns")
        return dict(zip(indexes, collations, strict=True))
    default, *exceptions = _packed_integers(_required(fields, default_field, "character sets")) or [0]
    result = dict.fromkeys(indexes, default)
    for n, collation in _pairs(exceptions):
        if n >= len(indexes):
            raise Malformed(f"a collation for string column {n} of {len(indexes)}")
        result[indexes[n]] = collation
    return result


def _labels(
    fields: dict[_Field, bytes], columns: Sequence[Column], charsets: dict[int, Charset]
) -> dict[int, tuple[str, ...]]:
    labels: dict[int, tuple[str, ...]] = {}
    for kind, field in ((ColumnType.ENUM, _Field.ENUM_LABELS), (ColumnType.SET, _Field.SET_LABELS)):
        indexes = _indexes(columns, {kind})
        if not indexes:
            continue
        reader = Reader(_required(fields, field, "the labels of ENUM and SET columns"))
        for index in indexes:
            count = at_most(min(reader.left, 65_535), reader.packed())
            labels[index] = tuple(charsets[index].decode(reader.take(reader.packed())) for _ in range(count))
        reader.finish()
    return labels


def _geometries(fields: dict[_Field, bytes], columns: Sequence[Column]) -> dict[int, int]:
    indexes = _indexes(columns, {ColumnType.GEOMETRY})
    kinds = _packed_integers(fields.get(_Field.GEOMETRY_TYPE, b""))
    if kinds and len(kinds) != len(indexes):
        raise Malformed(f"{len(kinds)} kinds of geometries for {len(indexes)} columns")
    return dict(zip(indexes, kinds, strict=False))


def _primary_key(fields: dict[_Field, bytes], count: int) -> tuple[int, ...]:
    key = _packed_integers(fields.get(_Field.SIMPLE_PRIMARY_KEY, b""))
    key += [index for index, _ in _pairs(_packed_integers(fields.get(_Field.PRIMARY_KEY_WITH_PREFIX, b"")))]
    if any(index >= count for index in key):
        raise Malformed(f"a primary key over column {max(key)} of {count}")
    return tuple(key)


def _indexes(columns: Sequence[Column], kinds: Iterable[ColumnType]) -> list[int]:
    return [index for index, column in enumerate(columns) if column.type in kinds]


def _packed_integers(data: bytes) -> list[int]:
    reader = Reader(data)
    integers = []
    while reader.left:
        integers.append(reader.packed())
    return integers


def _pairs(integers: Sequence[int]) -> Iterable[tuple[int, int]]:
    if len(integers) % 2:
        raise Malformed("an odd number of integers, where pairs belong")
    return zip(integers[::2], integers[1::2], strict=True)
