"""Rows of a SELECT -> cells, and cells of dates and times -> values: in C (``_cells.c``) where that was built."""

from __future__ import annotations

from collections.abc import Callable

from connectors.mysql import values
from connectors.mysql.surrogates import SURROGATES

Cell = bytes | None

_NULL_CELL = 0xFB
_LENGTH_BYTES = {0xFC: 2, 0xFD: 3, 0xFE: 8}


def python_cells(row: bytes, columns: int, /) -> list[Cell]:
    """The cells of a text row: each a length and that many bytes, or 0xFB for NULL.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html
    """
    found: list[Cell] = []
    at = 0
    for _ in range(columns):
        length = row[at]
        at += 1
        if length >= _NULL_CELL:
            if length == _NULL_CELL:
                found.append(None)
                continue
            width = _LENGTH_BYTES[length]
            length = int.from_bytes(row[at : at + width], "little")
            at += width
        found.append(row[at : at + length])
        at += length
    return found


def python_text(cell: bytes, /) -> str:
    """UTF-8 as text, halves of characters as ``surrogates`` has them. Raises ValueError, as the three below."""
    return cell.decode("utf-8", SURROGATES)


def python_date(cell: bytes, /) -> int | None:
    """DATE -> days since 1970; None for what is not in the calendar."""
    return values.date_from_text(cell.decode("ascii"))


def python_datetime(cell: bytes, /) -> int | None:
    """DATETIME -> microseconds since 1970; None for what is not in the calendar."""
    return values.datetime_from_text(cell.decode("ascii"), 6)


def python_timestamp(cell: bytes, /) -> str | None:
    """TIMESTAMP -> ISO 8601 in UTC; None for zero."""
    return values.timestamp_from_text(cell.decode("ascii"))


cells: Callable[[bytes, int], list[Cell]] = python_cells
text: Callable[[bytes], str] = python_text
date: Callable[[bytes], int | None] = python_date
datetime: Callable[[bytes], int | None] = python_datetime
timestamp: Callable[[bytes], str | None] = python_timestamp
try:
    from connectors.mysql import _cells
except ImportError:  # no compiler was there when this was installed
    pass
else:
    cells, text = _cells.cells, _cells.text
    date, datetime, timestamp = _cells.date, _cells.datetime, _cells.timestamp
