"""Values that the binlog and SELECT must show alike: the server's text, converted, is what its bytes are converted to."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql import values
from connectors.mysql.binlog.json_binary import json_text
from tests.connectors.test_binlog_json import DOCUMENTS, document

DAYS = st.dates()
FRACTIONS = st.integers(0, 6)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(DAYS)
def test_a_date_s_text_is_days_since_1970(day: date) -> None:
    assert values.date_from_text(day.isoformat()) == (day - date(1970, 1, 1)).days


@pytest.mark.parametrize("text", ["0000-00-00", "2015-00-21", "2015-01-00", "0000-05-05", "2015-02-31"])
def test_a_date_s_text_outside_the_calendar_is_none(text: str) -> None:
    assert values.date_from_text(text) is None
    assert values.datetime_from_text(f"{text} 10:11:12.5", 1) is None


@given(st.datetimes(timezones=st.just(UTC)), FRACTIONS)
def test_a_datetime_s_text_is_milliseconds_or_microseconds(moment: datetime, digits: int) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))
    fraction = f".{moment.microsecond:06d}"[: digits + 1] if digits else ""
    text = moment.replace(tzinfo=None, microsecond=0).isoformat(sep=" ") + fraction
    exact = (moment - EPOCH) // timedelta(microseconds=1)
    assert values.datetime_from_text(text, digits) == (exact if digits > 3 else exact // 1000)


@given(st.integers(-3_020_399_999_999, 3_020_399_999_999))
def test_a_time_s_text_is_signed_microseconds(microseconds: int) -> None:
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"
    assert values.time_from_text(("-" if microseconds < 0 else "") + text) == microseconds


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2018-06-20 13:37:03", "2018-06-20T13:37:03Z"),
        ("2018-06-20 13:37:03.120", "2018-06-20T13:37:03.12Z"),
        ("2018-06-20 13:37:03.000", "2018-06-20T13:37:03Z"),
        ("2018-06-20 13:37:03.000001", "2018-06-20T13:37:03.000001Z"),
        ("0000-00-00 00:00:00", None),
        ("0000-00-00 00:00:00.000", None),
    ],
)
def test_a_timestamp_s_text_is_iso_in_utc(text: str, shown: str | None) -> None:
    assert values.timestamp_from_text(text) == shown


@given(st.integers(1, 2**32 - 1), st.integers(0, 999_999))
def test_a_timestamp_is_the_same_from_text_and_from_seconds(seconds: int, microseconds: int) -> None:
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S") + f".{microseconds:06d}"
    assert values.timestamp_from_text(text) == values.timestamp_text(seconds, microseconds)


def server_text(compact: str) -> str:
    """Compact JSON with a blank after each comma and colon outside of strings, as the server prints it."""
    out, quoted, escaped = [], False, False
    for character in compact:
        out.append(character)
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in ",:":
            out.append(" ")
    return "".join(out)


@given(DOCUMENTS)
def test_json_is_the_same_from_the_server_s_text_and_from_its_bytes(value: object) -> None:
    compact = json_text(document(value))
    assert values.json_from_text(server_text(compact)) == compact


def test_opaque_json_loses_its_mark_and_its_line_breaks_but_keys_keep_theirs() -> None:
    text = r'{"base64:type15:key": "base64:type15:yv66\nvg==", "b": ["base64:type252:AA==", "x base64:type1:"]}'
    assert values.json_from_text(text) == r'{"base64:type15:key":"yv66vg==","b":["AA==","x base64:type1:"]}'


def test_bits_are_a_boolean_or_bytes_in_little_endian_order() -> None:
    assert values.bit_value(b"\x01", 1) is True
    assert values.bit_value(b"\x00", 1) is False
    assert values.bit_value(b"\x01\x02", 9) == "AgE="


def test_a_geometry_without_srid_has_none() -> None:
    assert values.geometry_value(struct.pack("<I", 0) + b"wkb") == {"wkb": "d2ti", "srid": None}
    assert values.geometry_value(struct.pack("<I", 4326) + b"wkb") == {"wkb": "d2ti", "srid": 4326}
    with pytest.raises(ValueError, match="shorter than its SRID"):
        values.geometry_value(b"\0\0\0")


def test_a_vector_is_its_float32_numbers() -> None:
    assert values.vector_value(struct.pack("<3f", 0.1, -2, 3.5)) == [0.1, -2.0, 3.5]
    with pytest.raises(ValueError, match="multiple of 4"):
        values.vector_value(b"\0\0\0")
