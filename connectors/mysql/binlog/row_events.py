"""The bodies of row events behind their table's id: which columns, and the rows.

https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Rows__event.html
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.mysql.binlog.compressed_events import unpacked
from connectors.mysql.binlog.event_types import EventType
from connectors.mysql.binlog.partial_rows import PartialRowsDecoder
from connectors.mysql.binlog.reading import Malformed, Reader
from connectors.mysql.binlog.rows import RowsDecoder
from connectors.mysql.binlog.table_map import TableLayout
from connectors.source import Row, Table
from streamtrain.envelope import Op

_NOT_FULL_HINT = "SET GLOBAL binlog_row_image=FULL; what was logged before has to be read by a new snapshot"


class Form(NamedTuple):
    """How the rows lie in one kind of event."""

    op: Op
    extra: bool = True
    """Data with its length stands before the columns."""
    compressed: bool = False
    partial: bool = False
    """JSON values may be told by how they differ from those before."""


FORMS: dict[int, Form] = {
    EventType.WRITE_ROWS_V1: Form(Op.CREATE, extra=False),
    EventType.UPDATE_ROWS_V1: Form(Op.UPDATE, extra=False),
    EventType.DELETE_ROWS_V1: Form(Op.DELETE, extra=False),
    EventType.WRITE_ROWS: Form(Op.CREATE),
    EventType.UPDATE_ROWS: Form(Op.UPDATE),
    EventType.DELETE_ROWS: Form(Op.DELETE),
    EventType.PARTIAL_UPDATE_ROWS: Form(Op.UPDATE, partial=True),
    EventType.MARIADB_WRITE_ROWS_COMPRESSED_V1: Form(Op.CREATE, extra=False, compressed=True),
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED_V1: Form(Op.UPDATE, extra=False, compressed=True),
    EventType.MARIADB_DELETE_ROWS_COMPRESSED_V1: Form(Op.DELETE, extra=False, compressed=True),
    EventType.MARIADB_WRITE_ROWS_COMPRESSED: Form(Op.CREATE, compressed=True),
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED: Form(Op.UPDATE, compressed=True),
    EventType.MARIADB_DELETE_ROWS_COMPRESSED: Form(Op.DELETE, compressed=True),
}
"""By kind of event."""


class CompiledTable(NamedTuple):
    """A wanted table as one TABLE_MAP describes it."""

    table: Table
    layout: TableLayout
    all_columns: int
    """A bitmap with all its columns present."""
    decode: RowsDecoder
    prefixes: dict[Form, bytes]
    """What stood before the rows of the last event of each form, whose columns were all there: it is the same in the next."""


class Images(NamedTuple):
    """The rows of an event, of equal number where both are there, and the bytes they took."""

    before: list[Row] | None
    after: list[Row] | None
    size: int


def read_images(form: Form, compiled: CompiledTable, reader: Reader) -> Images:
    """Read from the extra data on. Raises Malformed, or what the rows' decoder raises, on bytes that make no sense."""
    data, start, end = reader.data, reader.position, reader.end
    prefix = compiled.prefixes.get(form)
    if prefix is None or data[start : start + len(prefix)] != prefix:
        _require_full(form, compiled, reader)
        prefix = compiled.prefixes[form] = data[start : reader.position]
    start = reader.position = start + len(prefix)
    if form.compressed or not isinstance(data, bytes):
        data = unpacked(reader) if form.compressed else reader.rest()
        start, end = 0, len(data)
    if form.partial:
        return Images(*PartialRowsDecoder(compiled.layout, compiled.decode).decode(data, start, end), end - start)
    rows = compiled.decode(data, start, end)
    if form.op is not Op.UPDATE:
        return Images(rows, None, end - start) if form.op is Op.DELETE else Images(None, rows, end - start)
    if len(rows) % 2:
        raise Malformed("an update whose last row has no image after it")
    return Images(rows[::2], rows[1::2], end - start)


def _require_full(form: Form, compiled: CompiledTable, reader: Reader) -> None:
    """Read what stands before the rows: they have to have all columns."""
    if form.extra:
        reader.take(max(reader.uint(2), 2) - 2)
    count = reader.packed()
    if count != len(compiled.table.columns):
        raise Malformed(f"{count} columns, where its TABLE_MAP has {len(compiled.table.columns)}")
    for _ in range(2 if form.op is Op.UPDATE else 1):
        present = int.from_bytes(reader.take((count + 7) // 8), "little")
        if present & compiled.all_columns != compiled.all_columns:
            raise Malformed("the row image is not full", _NOT_FULL_HINT)
