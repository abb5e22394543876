"""Packets of a SELECT -> rows -> cells -> values: in C (``_cells.c``) where that was built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from connectors.mysql import values
from connectors.mysql.surrogates import SURROGATES

Cell = bytes | None
Convert = Callable[[bytes], Any]
Operation = Literal["call", "integer", "double", "text", "date", "datetime_ms", "datetime_us", "timestamp"]


class Step(NamedTuple):
    """How the cells of one column become values; NULL is None."""

    operation: Operation
    """What C does itself; ``call``: nothing, it calls ``convert``."""
    missing: Any
    """Of a date or time: the value of what is not in the calendar."""
    convert: Convert
    """The same in Python, to which C is held. Raises ValueError."""


_HEADER_BYTES = 4
_CONTINUED = 0xFFFFFF
_FIRST_OF_NO_SHORT_ROW = 0xFE
_NULL_CELL = 0xFB
_NO_LENGTH = 0xFF
_LENGTH_BYTES = {0xFC: 2, 0xFD: 3, 0xFE: 8}


def python_cells(row: bytes, columns: int, /) -> list[Cell]:
    """The cells of a text row: each a length and that many bytes, or 0xFB for NULL. Raises ValueError if it is none.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html
    """
    found: list[Cell] = []
    at, end = 0, len(row)
    for _ in range(columns):
        length = row[at] if at < end else _NO_LENGTH
        at += 1
        if length >= _NULL_CELL:
            if length == _NULL_CELL:
                found.append(None)
                continue
            width = _LENGTH_BYTES.get(length, 0)
            length = int.from_bytes(row[at : at + width], "little") if width else end
            at += width
        if at + length > end:
            raise ValueError("a row ends within a cell")
        found.append(row[at : at + length])
        at += length
    if at != end:
        raise ValueError("a row has more cells than columns")
    return found


def python_rows(payloads: list[bytes], steps: tuple[Step, ...], /) -> list[tuple[Any, ...]]:
    """The values of text rows. Raises ValueError, and what the steps raise."""
    columns = len(steps)
    return [
        tuple([None if cell is None else step.convert(cell) for cell, step in zip(row, steps, strict=True)])
        for row in (python_cells(payload, columns) for payload in payloads)
    ]


def python_row_packets(data: bytes, at: int, sequence: int, /) -> tuple[list[bytes], int, int]:
    """Payloads of packets that lie whole in ``data`` from ``at`` on, up to the first that is not surely a row.

    That is an end, an error, a packet that is continued in the next, one out of sequence, or a row whose first cell has
    16 MiB. With the place and the sequence number of that.
    """
    found: list[bytes] = []
    while len(data) - at > _HEADER_BYTES and data[at + 3] == sequence:
        start = at + _HEADER_BYTES
        length = int.from_bytes(data[at : at + 3], "little")
        if length in {0, _CONTINUED} or start + length > len(data) or data[start] >= _FIRST_OF_NO_SHORT_ROW:
            break
        at = start + length
        found.append(data[start:at])
        sequence = (sequence + 1) & 0xFF
    return found, at, sequence


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
rows: Callable[[list[bytes], tuple[Step, ...]], list[tuple[Any, ...]]] = python_rows
row_packets: Callable[[bytes, int, int], tuple[list[bytes], int, int]] = python_row_packets
try:
    from connectors.mysql import _cells

    rows, row_packets = _cells.rows, _cells.row_packets
except (ImportError, AttributeError):  # no compiler was there when this was installed, or what was built then is older
    pass
else:
    cells, text = _cells.cells, _cells.text
    date, datetime, timestamp = _cells.date, _cells.datetime, _cells.timestamp
