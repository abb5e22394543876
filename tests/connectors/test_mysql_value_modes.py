"""What the modes make of default values, without a server."""

from __future__ import annotations

from base64 import b64decode
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.value_modes import CONVERSIONS, ValueModes, conversion, decimal_bytes, integer_bytes, wrapped
from connectors.mysql.value_types import ValueType


@given(number=st.integers(-(10**65), 10**65))
@example(number=0)
@example(number=-128)
@example(number=128)
@example(number=-32768)
@example(number=255)
def test_an_integer_is_the_shortest_two_s_complement(number: int) -> None:
    data = b64decode(integer_bytes(number))
    assert int.from_bytes(data, "big", signed=True) == number
    assert len(data) == 1 or int.from_bytes(data[1:], "big", signed=True) != number


@given(digits=st.integers(-(10**65) + 1, 10**65 - 1), scale=st.integers(0, 30))
def test_a_decimal_is_its_digits_without_the_point(digits: int, scale: int) -> None:
    text = f"{Decimal(digits).scaleb(-scale):.{scale}f}" if abs(digits) < 10**27 else str(digits) + "." + "0" * scale
    unscaled = digits if abs(digits) < 10**27 else digits * 10**scale
    assert int.from_bytes(b64decode(decimal_bytes(text)), "big", signed=True) == unscaled


@given(number=st.integers(0, (1 << 64) - 1))
def test_what_is_beyond_63_bits_wraps_around(number: int) -> None:
    assert wrapped(number) & (1 << 64) - 1 == number
    assert -(1 << 63) <= wrapped(number) < 1 << 63


@pytest.mark.parametrize(
    "name", [name for name in CONVERSIONS if name.startswith(("iso_", "nano", "milli", "thousand"))]
)
def test_a_date_that_is_none_stays_so(name: str) -> None:
    if name in {"iso_time", "milliseconds_of_day"}:
        with pytest.raises(Malformed, match="no time of a day"):
            CONVERSIONS[name](-1)
    else:
        assert CONVERSIONS[name](None) is None


@pytest.mark.parametrize(
    ("moment", "held"),
    [(-9223372036854775, True), (-9223372036854776, False), (9223372036854775, True), (9223372036854776, False)],
)
def test_nanoseconds_are_held_as_far_as_64_bits_go(moment: int, *, held: bool) -> None:
    nanoseconds = CONVERSIONS["nanoseconds"]
    if held:
        assert nanoseconds(moment) == moment * 1000
    else:
        with pytest.raises(Malformed, match="beyond 64 bits") as stop:
            nanoseconds(moment)
        assert "microseconds" in stop.value.hint


def test_nothing_is_converted_by_default() -> None:
    kinds = ("decimal", "bigint", "bytes", "date", "time", "datetime", "text")
    assert {conversion(ValueType(kind, unsigned=True, digits=6), ValueModes()) for kind in kinds} == {""}
