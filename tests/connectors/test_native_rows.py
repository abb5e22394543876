"""The decoder in C gives what the generated one gives, for any layout and any rows, and stops where that one stops."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, find, given, settings
from hypothesis import strategies as st

from connectors.mysql.binlog import native_rows
from connectors.mysql.binlog.charsets import charset_of
from connectors.mysql.binlog.column_code import Fixed, Sized, column_code
from connectors.mysql.binlog.columns import Column, ColumnType
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.binlog.rows import generate_rows_decoder
from connectors.mysql.binlog.table_map import TableLayout
from connectors.source import Table
from tests.connectors import binlog_writer as writer
from tests.native import native

UTF8MB4, BINARY, LATIN1, UTF16, GBK = (charset_of(number, mariadb=False) for number in (255, 63, 8, 54, 28))
LABELS = ("new", "paid", "größer")
DECODED = frozenset(ColumnType) - {
    ColumnType.OLD_TIMESTAMP, ColumnType.OLD_TIME, ColumnType.OLD_DATETIME, ColumnType.VAR_STRING,
}  # fmt: skip
STOPS = (ValueError, IndexError, KeyError, OverflowError, struct.error)
Decode = Callable[[bytes, int, int], list[Any]]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Build before the clock of any example runs."""
    native("connectors.mysql.binlog._rows")


def layout(*columns: Column) -> TableLayout:
    return TableLayout(Table("shop", "orders", tuple(f"c{n}" for n in range(len(columns)))), columns)


def in_c(table: TableLayout) -> Decode:
    steps = tuple(native_rows.step(column) for column in table.columns)
    decode: Decode = native("connectors.mysql.binlog._rows").Decoder(steps).decode
    return decode


def outcome(decode: Decode, data: bytes) -> str:
    """The rows with their types, or that it stops."""
    try:
        return repr(decode(b"head" + data + b"tail", 4, 4 + len(data)))
    except STOPS:
        return "stops"


COLUMNS = st.one_of(
    st.builds(Column, st.sampled_from([ColumnType.TINY, ColumnType.SHORT, ColumnType.INT24, ColumnType.LONG]),
              unsigned=st.booleans(), nullable=st.booleans()),
    st.builds(Column, st.just(ColumnType.LONGLONG), unsigned=st.booleans(), nullable=st.booleans()),
    st.builds(Column, st.sampled_from([ColumnType.FLOAT, ColumnType.DOUBLE, ColumnType.DATE, ColumnType.YEAR]),
              nullable=st.booleans()),
    st.integers(1, 65).flatmap(lambda digits: st.builds(
        Column, st.just(ColumnType.DECIMAL), st.just(digits), st.integers(0, digits), nullable=st.booleans())),
    st.builds(Column, st.sampled_from([ColumnType.TIME, ColumnType.DATETIME, ColumnType.TIMESTAMP]), st.integers(0, 6),
              nullable=st.booleans()),
    st.builds(Column, st.just(ColumnType.BIT), st.integers(1, 64), nullable=st.booleans()),
    st.builds(Column, st.sampled_from([ColumnType.ENUM, ColumnType.SET]), st.sampled_from([1, 2, 3, 4, 8]),
              nullable=st.booleans(), labels=st.just(LABELS)),
    st.builds(Column, st.sampled_from([ColumnType.VARCHAR, ColumnType.STRING]), st.integers(0, 1000),
              nullable=st.booleans(), charset=st.sampled_from([UTF8MB4, BINARY, LATIN1, UTF16, GBK])),
    st.builds(Column, st.sampled_from([ColumnType.UUID, ColumnType.INET4, ColumnType.INET6]),
              st.sampled_from([4, 16]), nullable=st.booleans(), charset=st.just(BINARY)),
    st.builds(Column, st.just(ColumnType.VARCHAR_COMPRESSED), st.integers(0, 1000), nullable=st.booleans(),
              charset=st.sampled_from([UTF8MB4, BINARY])),
    st.builds(Column, st.sampled_from([ColumnType.BLOB, ColumnType.BLOB_COMPRESSED]), st.integers(1, 4), nullable=st.booleans(),
              charset=st.sampled_from([UTF8MB4, BINARY, LATIN1])),
    st.builds(Column, st.sampled_from([ColumnType.JSON, ColumnType.GEOMETRY, ColumnType.VECTOR]), st.just(4),
              nullable=st.booleans()),
)  # fmt: skip


def value(column: Column) -> st.SearchStrategy[bytes]:
    """Bytes of a value as a server could write them; of a text or a date also such as none would."""
    code = column_code(column)
    if column.type is ColumnType.DECIMAL:
        digits = st.text("0123456789", min_size=column.length, max_size=column.length)
        return st.builds(lambda text, sign: decimal(sign + text, column), digits, st.sampled_from(["", "-"]))
    if isinstance(code, Fixed):
        size = struct.calcsize("<" + code.codes)
        small = st.integers(0, len(LABELS)).map(lambda number: number.to_bytes(size, "little"))
        return small if column.labels else st.one_of(st.binary(min_size=size, max_size=size), moment(column, size))
    return st.one_of(st.text(max_size=9).map(str.encode), st.binary(max_size=9)).map(lambda data: prefixed(code, data))


def decimal(text: str, column: Column) -> bytes:
    whole = text[: len(text) - column.scale] if column.scale else text
    fraction = text[len(text) - column.scale :] if column.scale else ""
    return writer.decimal_bytes(f"{whole}.{fraction}" if fraction else whole, column.length, column.scale)


def moment(column: Column, size: int) -> st.SearchStrategy[bytes]:
    """A date that is in the calendar, or nearly."""
    parts = st.tuples(st.integers(0, 9999), st.integers(0, 12), st.integers(0, 31), *[st.integers(0, 59)] * 3)
    if column.type is ColumnType.DATETIME:
        return st.builds(lambda at, us: writer.datetime_bytes(at, us, column.length), parts, st.integers(0, 999_999))
    if column.type is ColumnType.DATE:
        return parts.map(lambda at: (at[0] << 9 | at[1] << 5 | at[2]).to_bytes(3, "little"))
    return st.binary(min_size=size, max_size=size)


def prefixed(code: Sized, data: bytes) -> bytes:
    return len(data).to_bytes(code.prefix, "little") + data


@st.composite
def tables(draw: st.DrawFn) -> tuple[TableLayout, bytes]:
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=17))
    images = draw(st.lists(st.tuples(*[st.none() | value(c) if c.nullable else value(c) for c in columns]), max_size=3))
    return layout(*columns), b"".join(writer.row_image(image) for image in images)


def test_every_column_type_that_can_be_decoded_is_tried() -> None:
    tried = {find(COLUMNS, lambda column, type_=type_: column.type is type_).type for type_ in DECODED}
    assert tried == DECODED


@settings(max_examples=300)
@given(tables())
def test_rows_are_the_same_from_both_decoders(case: tuple[TableLayout, bytes]) -> None:
    table, data = case
    assert outcome(in_c(table), data) == outcome(generate_rows_decoder(table), data)


@settings(max_examples=300)
@given(tables(), st.data())
def test_damaged_rows_stop_in_c_or_are_the_same(case: tuple[TableLayout, bytes], data: st.DataObject) -> None:
    table, image = case
    damaged = bytearray(image)
    for _ in range(data.draw(st.integers(1, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    found = outcome(in_c(table), cut)
    assert found in {"stops", outcome(generate_rows_decoder(table), cut)}  # C also holds a DECIMAL's groups to 9 digits


@given(st.floats(width=32))
@example(3.4028234663852886e38)
@example(1.401298464324817e-45)
@example(1.1754943508222875e-38)
def test_every_float_has_the_same_digits_from_both(value: float) -> None:
    table, data = layout(Column(ColumnType.FLOAT)), b"\0" + struct.pack("<f", value)
    assert outcome(in_c(table), data) == outcome(generate_rows_decoder(table), data)


def test_no_text_escapes_the_bounds_of_the_event() -> None:
    table = layout(Column(ColumnType.BLOB, 4, charset=UTF8MB4))
    for length in (5, 1 << 31, (1 << 32) - 1):
        with pytest.raises(Malformed, match="does not end where the event does"):
            in_c(table)(b"\0" + struct.pack("<I", length) + b"four" + b"beyond", 0, 9)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 1), (0, 99)])
def test_offsets_outside_the_event_are_refused(start: int, end: int) -> None:
    with pytest.raises(Malformed, match="outside the event"):
        in_c(layout(Column(ColumnType.TINY)))(b"\0\1", start, end)


@pytest.mark.parametrize(
    "step",
    [
        ("nothing", True, 0, 1, 0, 0, None),
        ("signed", True, 0, 9, 0, 0, None),
        ("signed", True, 1, 0, 0, 0, None),
        ("utf8", True, 0, 4, 0, 0, None),
        ("utf8", True, 5, 0, 0, 0, None),
        ("decimal", True, 0, 5, 10, 11, None),
        ("decimal", True, 0, 4, 10, 2, None),
        ("datetime", True, 0, 9, 6, 0, None),
        ("label", True, 0, 1, 0, 0, ["a list"]),
    ],
)
def test_a_step_that_an_operation_cannot_take_is_refused(step: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"operation|place"):
        native("connectors.mysql.binlog._rows").Decoder((step,))


def test_a_column_without_an_operation_of_its_own_is_read_by_its_expression() -> None:
    for code, data in ((Fixed("HB", "($1, $0, $c)", constant=7), b"\1\2\3"), (Sized(2, "($v, $c)", 7), b"abc")):
        convert = native_rows.value_function(code)
        assert convert(data) == ((3, 513, 7) if isinstance(code, Fixed) else (b"abc", 7))
