"""PARTIAL_UPDATE_ROWS (``binlog_row_value_options=PARTIAL_JSON``): JSON columns told by how they differ from before.

The image after an update begins with options (a length-encoded integer). If their first bit is set, a bitmap with a bit
for each JSON column of the table follows; where it is set, the column's value is a list of differences.
https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Rows__event.html
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import calcsize

from connectors.mysql.binlog.column_code import Sized, column_code
from connectors.mysql.binlog.columns import ColumnType
from connectors.mysql.binlog.json_diff import with_differences
from connectors.mysql.binlog.reading import Malformed, Reader
from connectors.mysql.binlog.rows import RowsDecoder
from connectors.mysql.binlog.table_map import TableLayout
from connectors.source import Row

_PARTIAL_JSON = 1
_NO_DOCUMENT = bytes(4)
"""A JSON value of no bytes, which stands in for one that is put together from its differences."""

Differences = dict[int, bytes]
"""By column."""


class PartialRowsDecoder:
    """Cuts rows into their images, so that ``decode`` can read them with full images after, then fills in the JSON."""

    def __init__(self, layout: TableLayout, decode: RowsDecoder) -> None:
        codes = [column_code(column) for column in layout.columns]
        self._sizes = [
            (code.prefix, 0) if isinstance(code, Sized) else (0, calcsize("<" + code.codes)) for code in codes
        ]
        self._json = [index for index, column in enumerate(layout.columns) if column.type is ColumnType.JSON]
        self._decode = decode

    def decode(self, data: bytes, start: int, end: int) -> tuple[list[Row], list[Row]]:
        """The rows before and after. Raises Malformed, or what ``decode`` raises, on bytes that make no sense."""
        reader = Reader(data, start, end)
        images: list[bytes] = []
        differences: list[Differences] = []
        while reader.left:
            before, _ = self._image(reader, ())
            after, different = self._image(reader, self._partial_columns(reader))
            images += before, after
            differences.append(different)
        plain = b"".join(images)
        rows = self._decode(plain, 0, len(plain))
        befores, afters = rows[::2], rows[1::2]
        return befores, [
            _filled_in(before, after, different) if different else after
            for before, after, different in zip(befores, afters, differences, strict=True)
        ]

    def _partial_columns(self, reader: Reader) -> Sequence[int]:
        options = reader.packed()
        if options & ~_PARTIAL_JSON:
            raise Malformed(f"row value options {options:#x} are not known")
        if not options:
            return ()
        bits = int.from_bytes(reader.take((len(self._json) + 7) // 8), "little")
        return [index for number, index in enumerate(self._json) if bits >> number & 1]

    def _image(self, reader: Reader, partial: Sequence[int]) -> tuple[bytes, Differences]:
        """One image made full, and the differences that were in it."""
        nulls = reader.take((len(self._sizes) + 7) // 8)
        parts, differences = [nulls], Differences()
        for index, (prefix, size) in enumerate(self._sizes):
            if nulls[index // 8] >> index % 8 & 1:
                continue
            start = reader.position
            value = reader.take(reader.uint(prefix) if prefix else size)
            if index in partial:
                differences[index] = value
                parts.append(_NO_DOCUMENT)
            else:
                parts.append(reader.data[start : reader.position])
        return b"".join(parts), differences


def _filled_in(before: Row, after: Row, differences: Differences) -> Row:
    values = list(after)
    for index, different in differences.items():
        document = before[index]
        if not isinstance(document, str):
            raise Malformed("a JSON value differs from one that was not there")
        values[index] = with_differences(document, Reader(different))
    return tuple(values)
