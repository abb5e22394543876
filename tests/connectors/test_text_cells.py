"""The cells of a SELECT are the same from C and from Python, and what no server writes stops."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql import text_cells
from tests.fuzz import answers
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
def test_what_is_no_row_stops_in_both(data: bytes, columns: int) -> None:
    in_c = outcome(lambda data: native(CELLS).cells(data, columns), data)
    assert in_c == outcome(lambda data: text_cells.python_cells(data, columns), data)


@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_rows_have_the_same_values_from_both(rng: Random, count: int) -> None:
    payloads, steps = [answers.row(rng) for _ in range(count)], answers.reader().steps
    found = native(CELLS).rows(payloads, steps)
    assert repr(found) == repr(text_cells.python_rows(payloads, steps))
    assert [len(row) for row in found] == [len(steps)] * count


def test_the_collector_is_not_given_rows_without_containers() -> None:
    steps = (text_cells.Step("integer", None, int), text_cells.Step("call", None, lambda cell: [cell]))
    ((atoms,), (holding,)) = (native(CELLS).rows([data], steps) for data in (b"\x017\xfb", b"\x017\x01x"))
    assert (gc.is_tracked(atoms), gc.is_tracked(holding)) == (False, True)


@pytest.mark.parametrize(("name", "told"), [("nothing", "no operation"), (7, "str")])
def test_a_step_that_is_not_known_is_refused(name: Any, told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        native(CELLS).rows([], ((name, None, int),))


@given(
    payloads=st.lists(st.binary(max_size=9), max_size=9),
    first=st.integers(0, 255),
    end=st.integers(0, 9),
    cut=st.integers(0, 40),
)
def test_packets_of_rows_are_the_same_from_both(payloads: list[bytes], first: int, end: int, cut: int) -> None:
    data = b"".join(
        len(payload).to_bytes(3, "little") + bytes([first + n + (n == end) & 0xFF]) + payload
        for n, payload in enumerate(payloads)
    )[: 80 - cut]
    found = native(CELLS).row_packets(data, 0, first)
    assert found == text_cells.python_row_packets(data, 0, first)
    assert found[0] == payloads[: len(found[0])]


def test_a_build_from_before_is_not_used() -> None:
    program = (
        "import sys, types; sys.modules['connectors.mysql._cells'] = types.ModuleType('connectors.mysql._cells');"
        "from connectors.mysql import text_cells; print(text_cells.rows is text_cells.python_rows)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("first", [0xFE, 0xFF])
def test_an_end_or_an_error_among_rows_is_left_to_the_caller(first: int) -> None:
    data = b"\x02\0\0\x05\x01a" + b"\x01\0\0\x06" + bytes([first])
    assert native(CELLS).row_packets(data, 0, 5) == ([b"\x01a"], 6, 6)
    assert text_cells.python_row_packets(data, 0, 5) == ([b"\x01a"], 6, 6)


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
