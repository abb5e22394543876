"""The cells of a SELECT are the same from C and from Python, and what no server writes stops."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql import text_cells
from tests.native import native

CELLS = "connectors.mysql._cells"


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Build before the clock of any example runs."""
    native(CELLS)


def packed(cell: bytes | None) -> bytes:
    if cell is None:
        return b"\xfb"
    if len(cell) < 0xFB:
        return bytes([len(cell)]) + cell
    return b"\xfc" + len(cell).to_bytes(2, "little") + cell


@given(st.lists(st.none() | st.binary(max_size=5) | st.binary(min_size=249, max_size=260), max_size=9))
def test_a_row_has_the_same_cells_from_both(row: list[bytes | None]) -> None:
    data = b"".join(map(packed, row))
    assert native(CELLS).cells(data, len(row)) == text_cells.python_cells(data, len(row)) == row


@pytest.mark.parametrize("width", [2, 3, 8])
def test_every_form_of_a_length_is_read(width: int) -> None:
    data = bytes([{2: 0xFC, 3: 0xFD, 8: 0xFE}[width]]) + (3).to_bytes(width, "little") + b"abc\x01d"
    assert native(CELLS).cells(data, 2) == [b"abc", b"d"]


@given(st.binary(max_size=12), st.integers(1, 4))
def test_a_row_that_ends_within_a_cell_stops(data: bytes, columns: int) -> None:
    try:
        found = native(CELLS).cells(data, columns)
    except ValueError:
        return
    assert found == text_cells.python_cells(data, columns)


def test_a_length_beyond_the_packet_stops() -> None:
    for length in (4, (1 << 63) - 1, (1 << 64) - 1):
        with pytest.raises(ValueError, match="ends within a cell"):
            native(CELLS).cells(b"\xfe" + length.to_bytes(8, "little") + b"abc", 1)


def outcome(convert: Callable[[bytes], Any], cell: bytes) -> Any:
    try:
        return convert(cell)
    except ValueError:
        return "stops"


@given(
    st.binary(max_size=9)
    | st.text(st.characters(exclude_categories=()), max_size=5).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_text_is_the_same_from_both(cell: bytes) -> None:
    assert outcome(native(CELLS).text, cell) == outcome(text_cells.python_text, cell)


PAIRS = [
    ("date", text_cells.python_date),
    ("datetime", text_cells.python_datetime),
    ("timestamp", text_cells.python_timestamp),
]


@pytest.mark.parametrize(("name", "in_python"), PAIRS)
@given(moment=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), digits=st.integers(0, 6))  # noqa: DTZ001
def test_a_moment_is_the_same_from_both(
    name: str, in_python: Callable[[bytes], Any], moment: datetime, digits: int
) -> None:
    fraction = f".{moment.microsecond:06d}"[: digits + 1] if digits else ""
    text = f"{moment:%Y-%m-%d}".zfill(10) + ("" if name == "date" else f"{moment: %H:%M:%S}{fraction}")
    assert getattr(native(CELLS), name)(text.encode()) == in_python(text.encode())


@pytest.mark.parametrize(("name", "in_python"), PAIRS)
@pytest.mark.parametrize("day", ["0000-00-00", "2015-00-21", "2015-02-31", "2016-02-29", "1900-02-29", "0000-01-01"])
def test_a_day_outside_the_calendar_is_the_same_from_both(
    day: str, name: str, in_python: Callable[[bytes], Any]
) -> None:
    cell = (day if name == "date" else f"{day} 00:00:00.000000").encode()
    assert getattr(native(CELLS), name)(cell) == in_python(cell)


@pytest.mark.parametrize("name", ["date", "datetime", "timestamp"])
@given(cell=st.binary(max_size=30) | st.text("0123456789-: .", max_size=27).map(str.encode))
def test_what_is_no_moment_stops(name: str, cell: bytes) -> None:
    found = outcome(getattr(native(CELLS), name), cell)
    assert found == "stops" or found == outcome(dict(PAIRS)[name], cell)
