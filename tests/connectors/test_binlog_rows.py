"""Rows: each type's bytes, written here from the server's formats, come back as the value they were made from."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Rows
from connectors.source import Row
from streamtrain.envelope import Op
from streamtrain.errors import UnsupportedChange
from tests.connectors import binlog_writer as writer
from tests.connectors.binlog_writer import Col

INT, BIGINT, VARCHAR, DECIMAL, TIME, DATETIME, TIMESTAMP = 3, 8, 15, 246, 19, 18, 17


@lru_cache
def decoder_of(columns: tuple[Col, ...]) -> EventDecoder:
    """A decoder that has been told of the table."""
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.rotate("binlog.000042"))
    decoder.decode(writer.format_description())
    decoder.decode(writer.table_map(columns))
    return decoder


def decode(columns: list[Col], *images: list[bytes | None], kind: int = 30, **options: Any) -> Rows:
    decoder = decoder_of(tuple(columns))
    data = b"".join(writer.row_image(image) for image in images)
    event = decoder.decode(writer.rows(kind, len(columns), data, **options))
    assert isinstance(event, Rows)
    return event


def value_of(column: Col, data: bytes | None) -> Any:
    """A value, alone in its row, beside others, and after a null: by each of the compiled paths."""
    alone = decode([column], [data]).after
    neighbours = [Col(INT, nullable=False), column, Col(VARCHAR, b"\x40\x00"), column, Col(BIGINT)]
    text, number = b"\x02hi", struct.pack("<q", -5)
    row = [struct.pack("<i", 7), data, text, data, number]
    with_null = [struct.pack("<i", 7), data, None, data, None]
    together = decode(neighbours, row, with_null, row).after
    assert alone is not None
    assert together is not None
    ((value,),) = alone
    assert together == [(7, value, "hi", value, -5), (7, value, None, value, None), (7, value, "hi", value, -5)]
    return value


INTEGERS = [(1, 1), (2, 2), (9, 3), (3, 4), (8, 8)]


@pytest.mark.parametrize(("type_", "size"), INTEGERS)
@given(data=st.data())
def test_an_integer_comes_back_signed_or_unsigned(type_: int, size: int, data: st.DataObject) -> None:
    signed = data.draw(st.integers(-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1))
    assert value_of(Col(type_), signed.to_bytes(size, "little", signed=True)) == signed
    unsigned = data.draw(st.integers(0, (1 << 8 * size) - 1))
    assert value_of(Col(type_, unsigned=True), unsigned.to_bytes(size, "little")) == unsigned


@st.composite
def decimals(draw: st.DrawFn) -> tuple[str, int, int]:
    precision = draw(st.integers(1, 65))
    scale = draw(st.integers(0, min(precision, 30)))
    digits = draw(st.text("0123456789", min_size=precision, max_size=precision))
    whole = digits[: precision - scale].lstrip("0") or "0"
    text = whole + ("." + digits[precision - scale :] if scale else "")
    negative = draw(st.booleans()) and Decimal(text) != 0
    return ("-" if negative else "") + text, precision, scale


@given(decimals())
def test_a_decimal_keeps_its_digits_and_exactly_its_scale(case: tuple[str, int, int]) -> None:
    text, precision, scale = case
    data = writer.decimal_bytes(text, precision, scale)
    assert value_of(Col(DECIMAL, bytes([precision, scale])), data) == text


@pytest.mark.parametrize("digits", range(7))
@given(data=st.data())
def test_a_time_comes_back_with_its_sign_and_fraction(digits: int, data: st.DataObject) -> None:
    unit = 10 ** (6 - digits)
    limit = 3_020_399_000_000 // unit
    microseconds = data.draw(st.integers(-limit, limit)) * unit
    assert value_of(Col(TIME, bytes([digits])), writer.time_bytes(microseconds, digits)) == microseconds


MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - a DATETIME has no zone


@pytest.mark.parametrize("digits", range(7))
@given(moment=MOMENTS)
def test_a_datetime_is_milliseconds_up_to_three_digits_and_microseconds_beyond(digits: int, moment: datetime) -> None:
    microsecond = moment.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits)
    data = writer.datetime_bytes(moment.timetuple()[:6], microsecond, digits)
    exact = (moment.replace(microsecond=microsecond, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    assert value_of(Col(DATETIME, bytes([digits])), data) == (exact if digits > 3 else exact // 1000)


@pytest.mark.parametrize("digits", range(7))
@given(seconds=st.integers(1, 2**32 - 1), microsecond=st.integers(0, 999_999))
def test_a_timestamp_is_iso_text_in_utc_with_no_more_digits_than_it_has(
    digits: int, seconds: int, microsecond: int
) -> None:
    microsecond = microsecond // 10 ** (6 - digits) * 10 ** (6 - digits)
    size = (digits + 1) // 2
    data = struct.pack(">I", seconds) + (microsecond // 10 ** (6 - 2 * size)).to_bytes(size, "big")
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    fraction = f".{microsecond:06d}".rstrip("0") if microsecond else ""
    assert value_of(Col(TIMESTAMP, bytes([digits])), data) == f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


@given(st.dates())
def test_a_date_is_days_since_1970(day: date) -> None:
    packed = day.year << 9 | day.month << 5 | day.day
    assert value_of(Col(10), packed.to_bytes(3, "little")) == (day - date(1970, 1, 1)).days


@pytest.mark.parametrize("day", [(0, 0, 0), (2015, 0, 21), (2015, 1, 0), (0, 5, 5), (2015, 2, 29)])
def test_a_date_outside_the_calendar_is_null_or_zero(day: tuple[int, int, int]) -> None:
    packed = (day[0] << 9 | day[1] << 5 | day[2]).to_bytes(3, "little")
    moment = writer.datetime_bytes((*day, 10, 11, 12), 0, 0)
    for nullable, expected in ((True, None), (False, 0)):
        event = decode([Col(10, nullable=nullable), Col(DATETIME, b"\0", nullable=nullable)], [packed, moment])
        assert event.after == [(expected, expected)]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_the_same_float32_in_at_most_nine_digits(value: float) -> None:
    text = repr(value_of(Col(4, b"\x04"), struct.pack("<f", value)))
    assert struct.unpack("<f", struct.pack("<f", float(text)))[0] == value
    digits = text.partition("e")[0].replace(".", "").lstrip("-0").rstrip("0")
    shortest = next(n for n in range(1, 10) if struct.pack("<f", _rounded(value, n)) == struct.pack("<f", value))
    assert len(digits) <= shortest


def _rounded(value: float, digits: int) -> float:
    rounded = float(f"{value:.{digits}g}")
    return 0.0 if abs(rounded) > 3.4028235e38 else rounded


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_itself(value: float) -> None:
    assert repr(value_of(Col(5, b"\x08"), struct.pack("<d", value))) == repr(value)


@given(st.text(max_size=60))
def test_text_comes_back_with_lengths_of_one_two_and_three_bytes(text: str) -> None:
    data = text.encode()
    assert value_of(Col(VARCHAR, b"\xff\x00"), bytes([len(data)]) + data) == text
    assert value_of(Col(VARCHAR, b"\x00\x01"), struct.pack("<H", len(data)) + data) == text
    assert value_of(Col(252, b"\x03"), len(data).to_bytes(3, "little") + data) == text


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)), min_size=11, max_size=11), max_size=9))
def test_any_pattern_of_nulls_comes_back(table: list[list[int | None]]) -> None:
    images = [[None if value is None else struct.pack("<i", value) for value in row] for row in table]
    assert decode([Col(INT)] * 11, *images).after == [tuple(row) for row in table]


def test_set_bits_beyond_the_last_column_mean_nothing_in_a_null_bitmap() -> None:
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.format_description(mariadb=True))
    decoder.decode(writer.table_map([Col(INT)] * 3))
    image = b"\xf8" + struct.pack("<iii", 1, 2, 3) + b"\xfa" + struct.pack("<ii", 4, 5)
    event = decoder.decode(writer.rows(23, 3, image, present=b"\xff"))
    assert isinstance(event, Rows)
    assert event.after == [(1, 2, 3), (4, None, 5)]


@pytest.mark.parametrize(("kind", "op"), [(23, Op.CREATE), (25, Op.DELETE), (30, Op.CREATE), (32, Op.DELETE)])
def test_inserts_have_rows_after_and_deletes_rows_before(kind: int, op: Op) -> None:
    event = decode([Col(INT)], [struct.pack("<i", 5)], kind=kind)
    rows: list[Row] = [(5,)]
    assert (event.op, event.before, event.after) == (op, *((rows, None) if op is Op.DELETE else (None, rows)))


@pytest.mark.parametrize("kind", [24, 31])
def test_an_update_alternates_between_rows_before_and_after(kind: int) -> None:
    images = [[struct.pack("<i", number)] for number in (1, 2, 3, 4)]
    event = decode([Col(INT)], *images, kind=kind)
    assert (event.op, event.before, event.after) == (Op.UPDATE, [(1,), (3,)], [(2,), (4,)])


def test_extra_data_before_the_columns_is_passed_over_by_its_length() -> None:
    assert decode([Col(INT)], [struct.pack("<i", 5)], extra=b"\x01\x02\x03partition").after == [(5,)]


@pytest.mark.parametrize(
    ("columns", "image", "message"),
    [
        ([Col(INT)], b"\0" + b"\1\0\0", "the last row does not end where the event does|unpack_from requires"),
        ([Col(INT)], b"\0" + b"\1\0\0\0\0", "index out of range|unpack_from requires|does not end"),
        ([Col(VARCHAR, b"\x40\0")], b"\0\x05four", "the last row does not end where the event does"),
        ([Col(INT, nullable=False)], b"\1", "a NOT NULL column is null"),
        ([Col(VARCHAR, b"\x40\0")], b"\0\x01\xff", "can't decode byte 0xff"),
        ([Col(254, b"\xf7\x01")], b"\0\x04", "out of range"),
        ([Col(254, b"\xf8\x01")], b"\0\x08", "a SET of 3 labels has the bits 0x8"),
        ([Col(DATETIME, b"\0")], b"\0" + bytes(5), "a negative DATETIME"),
        ([Col(255, b"\x04")], b"\0\x03\0\0\0abc", "shorter than its SRID"),
        ([Col(DECIMAL, b"\x04\x02")], b"\0\x80\xff", "out of range"),
    ],
)
def test_bytes_that_make_no_sense_stop_with_the_table_and_the_position(
    columns: list[Col], image: bytes, message: str
) -> None:
    decoder = decoder_of(tuple(columns))
    packet = writer.rows(30, len(columns), image)
    with pytest.raises(UnsupportedChange, match=message) as stop:
        decoder.decode(packet)
    assert stop.value.message.startswith(f"binlog.000042:{1000 - len(packet)}, WRITE_ROWS: rows of shop.orders: ")


def test_an_update_without_an_image_after_its_last_row_stops() -> None:
    with pytest.raises(UnsupportedChange, match="no image after it"):
        decode([Col(INT)], [struct.pack("<i", 1)], kind=31)


def test_a_row_image_that_lacks_a_column_stops_and_names_the_setting() -> None:
    with pytest.raises(UnsupportedChange, match="SET GLOBAL binlog_row_image=FULL"):
        decode([Col(INT)] * 9, [struct.pack("<i", 1)] * 9, present=b"\xfe\x01")


def test_columns_are_counted_against_the_table_map() -> None:
    decoder = decoder_of((Col(INT), Col(INT)))
    with pytest.raises(UnsupportedChange, match="1 columns, where its TABLE_MAP has 2"):
        decoder.decode(writer.rows(30, 1, b"\0\0\0\0\0"))


def test_a_row_of_the_most_columns_there_can_be_is_decoded() -> None:
    values = [bytes([index % 128]) for index in range(4096)]
    assert decode([Col(1, nullable=False)] * 4096, values).after == [tuple(index % 128 for index in range(4096))]


def test_the_log_of_many_days_does_not_fill_the_memory_of_dates() -> None:
    from connectors.mysql.binlog.values import Dates

    dates = Dates()
    for packed in range(200_000):
        assert dates[packed] == dates[packed]
    assert len(dates) <= 65_536
