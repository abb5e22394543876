"""TABLE_MAP: a table's columns as they stood when the rows after it were logged.

Names, signedness, character sets, labels and the primary key are in its optional metadata, which the server writes under
``binlog_row_metadata=FULL``. https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from connectors.mysql.binlog.charsets import Charset, charset_named, charset_of
from connectors.mysql.binlog.columns import (
    EXCLUDE_HINT,
    LABELLED,
    Column,
    ColumnType,
    as_declared,
    at_most,
    may_be_fixed_binary,
    read_column,
)
from connectors.mysql.binlog.declared import mismatch
from connectors.mysql.binlog.reading import Malformed, Reader
from connectors.mysql.structure import Gap, TableSchema
from connectors.source import Table

MAX_COLUMNS = 4096
FULL_METADATA_HINT = (
    "SET GLOBAL binlog_row_metadata=FULL (MySQL 8.0.1, MariaDB 10.5 or newer); "
    "what was logged before that has to be read by a new snapshot"
)
GAP_HINT = (
    "the table was altered in a way that the log does not show, or that is not understood: read it anew, under a new "
    "topic.prefix; SET GLOBAL binlog_row_metadata=FULL (MySQL 8.0.1, MariaDB 10.5 or newer) needs no schema log"
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
_GEOMETRIES = {
    "point": 1, "linestring": 2, "polygon": 3, "multipoint": 4, "multilinestring": 5, "multipolygon": 6,
    "geometrycollection": 7, "geomcollection": 7,
}  # fmt: skip
"""As WKB numbers them."""


def read_layout(
    reader: Reader, database: str, name: str, *, mariadb: bool, schema: TableSchema | Gap | None = None
) -> TableLayout:
    """Read a TABLE_MAP from its column count on.

    ``schema`` is the table's structure at this point of the log, as the schema log has it: it adds what the TABLE_MAP leaves
    out, which without ``binlog_row_metadata=FULL`` are names, keys and labels.

    Raises Malformed, with a hint where there is one, on a column type or metadata that is not understood, and where
    ``schema`` is needed and is not there, or is not this table's.
    """
    count = reader.packed()
    if not 0 < count <= MAX_COLUMNS:
        raise Malformed(f"{count} columns")
    types = reader.take(count)
    metadata = Reader(reader.take(reader.packed()))
    plain = [read_column(type_, metadata) for type_ in types]
    metadata.finish()
    nullable = reader.take((count + 7) // 8)
    columns = [
        replace(column, nullable=bool(nullable[index // 8] >> index % 8 & 1)) for index, column in enumerate(plain)
    ]
    fields = _optional_metadata(reader)
    if _Field.COLUMN_NAME not in fields:
        return _by_schema_log(columns, fields, schema, mariadb=mariadb)
    return _by_own_names(Table(database, name, _names(fields, count)), columns, fields, schema, mariadb=mariadb)


def _by_own_names(
    table: Table,
    columns: Sequence[Column],
    fields: dict[_Field, bytes],
    schema: TableSchema | Gap | None,
    *,
    mariadb: bool,
) -> TableLayout:
    """The TABLE_MAP tells nearly all; the schema log how types are declared of which it shows less."""
    unsigned = _unsigned(fields, columns)
    charsets = _charsets(fields, columns, mariadb=mariadb)
    labels = _labels(fields, columns, charsets)
    geometries = _geometries(fields, columns)
    declared = _declared(table.columns, columns, charsets, schema)
    return TableLayout(
        replace(table, key=_primary_key(fields, len(columns))),
        tuple(
            as_declared(
                replace(
                    column,
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


def _declared(
    names: Sequence[str], columns: Sequence[Column], charsets: dict[int, Charset], schema: TableSchema | Gap | None
) -> Sequence[str]:
    """How each column is declared; empty if the schema log is not of this table, and it does not matter."""
    if isinstance(schema, TableSchema):
        problem = mismatch(columns, schema.columns)
        if not problem and schema.table.columns != names:
            problem = f"its columns are {', '.join(names)} in the log, and {', '.join(schema.table.columns)} there"
        if not problem:
            return [column.declared for column in schema.columns]
        schema = Gap(problem)
    if schema is not None:
        for index, column in enumerate(columns):
            if may_be_fixed_binary(column) and index in charsets and charsets[index].binary:
                raise Malformed(
                    f"column {names[index]} may be BINARY or of a type of its own: {schema.reason}", GAP_HINT
                )
    return [""] * len(names)


def _by_schema_log(
    columns: Sequence[Column], fields: dict[_Field, bytes], schema: TableSchema | Gap | None, *, mariadb: bool
) -> TableLayout:
    """Names and labels are the schema log's; all that the TABLE_MAP does tell has to be as it says."""
    if not isinstance(schema, TableSchema):
        reason = "it was never seen" if schema is None else schema.reason
        raise Malformed(f"the log does not name its columns, and the schema log does not know them: {reason}", GAP_HINT)
    problem = mismatch(columns, schema.columns) or _other_sign(columns, fields, schema)
    charsets = _logged_charsets(columns, fields, mariadb=mariadb)
    names = [column.charset or "binary" for column in schema.columns]
    for index, charset in charsets.items():
        if charset.name != names[index] and not problem:
            problem = f"column {index + 1} has character set {charset.name} in the log, and {names[index]} there"
    if problem:
        raise Malformed(f"it is not the table that the schema log knows: {problem}", GAP_HINT)
    texts = set(_indexes(columns, _STRINGS | LABELLED))
    return TableLayout(
        schema.table,
        tuple(
            as_declared(
                replace(
                    column,
                    unsigned=own.unsigned,
                    charset=charset_named(names[index]) if index in texts else None,
                    labels=own.labels,
                    geometry=_GEOMETRIES.get(own.data_type, 0),
                ),
                own.declared,
            )
            for index, (column, own) in enumerate(zip(columns, schema.columns, strict=True))
        ),
    )


def _other_sign(columns: Sequence[Column], fields: dict[_Field, bytes], schema: TableSchema) -> str:
    """Signedness is in MINIMAL metadata too, but not in that of servers which write none. YEAR has none of its own."""
    if _Field.SIGNEDNESS not in fields:
        return ""
    unsigned = _unsigned(fields, columns)
    for index, column in enumerate(schema.columns):
        if (index in unsigned) != column.unsigned and columns[index].type is not ColumnType.YEAR:
            return f"column {index + 1} is with another sign than {column.name} {column.declared} in the schema log"
    return ""


def _logged_charsets(columns: Sequence[Column], fields: dict[_Field, bytes], *, mariadb: bool) -> dict[int, Charset]:
    if fields.keys().isdisjoint({_Field.DEFAULT_CHARSET, _Field.COLUMN_CHARSET}):
        return {}
    return _string_charsets(fields, columns, mariadb=mariadb)


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
    collations = _collations(
        fields, _indexes(columns, LABELLED), _Field.LABEL_DEFAULT_CHARSET, _Field.LABEL_COLUMN_CHARSET
    )
    labels = {index: charset_of(collation, mariadb=mariadb) for index, collation in collations.items()}
    return _string_charsets(fields, columns, mariadb=mariadb) | labels


def _string_charsets(fields: dict[_Field, bytes], columns: Sequence[Column], *, mariadb: bool) -> dict[int, Charset]:
    # Each server counts its own blob-like type among the strings: MySQL VECTOR, MariaDB GEOMETRY.
    strings = _STRINGS | {ColumnType.GEOMETRY if mariadb else ColumnType.VECTOR}
    collations = _collations(fields, _indexes(columns, strings), _Field.DEFAULT_CHARSET, _Field.COLUMN_CHARSET)
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
