from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest

from streamtrain.features.column import MISSING
from tests.features.columns import dense, feature, reasons

MONDAY_NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
SECONDS = int(MONDAY_NOON.timestamp())


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-01T12:00:00Z",
        "2024-01-01 12:00:00",
        "2024-01-01T14:30:00+02:30",
        "2024-01-01T12:00:00.000000+00:00",
        SECONDS,
        SECONDS * 10**3,
        SECONDS * 10**6,
        SECONDS * 10**9,
    ],
)
def test_a_moment_is_read_from_each_of_its_forms(value: Any) -> None:
    assert feature("datetime").read([value]).values.tolist() == [SECONDS]


def test_a_date_is_its_midnight_and_small_integers_are_days() -> None:
    assert feature("datetime").read(["1970-01-03", 2, -1, 0]).values.tolist() == [172_800, 172_800, -86_400, 0]


@pytest.mark.parametrize(
    ("unit", "seconds"), [("days", 864_000.0), ("s", 10.0), ("ms", 0.01), ("us", 1e-5), ("ns", 1e-8)]
)
def test_a_given_unit_holds_for_every_magnitude(unit: str, seconds: float) -> None:
    assert feature("datetime", unit=unit).read([10]).values.tolist() == [pytest.approx(seconds)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "wrong_type"),
        (1.5, "wrong_type"),
        ("yesterday", "wrong_type"),
        ("0000-00-00", "wrong_type"),
        ("", "wrong_type"),
        ([], "wrong_type"),
        (10**30, "out_of_range"),
        (-(10**400), "out_of_range"),
        (10**21, "out_of_range"),
        (MISSING, "missing_column"),
    ],
)
def test_what_is_no_moment_is_rejected(value: Any, reason: str) -> None:
    assert reasons(feature("datetime").read(["2024-01-01", value])) == {1: reason}


def test_the_year_9999_is_the_last() -> None:
    last = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
    days = (last - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).days
    assert reasons(feature("datetime", unit="days").read([days, days + 1])) == {1: "out_of_range"}


def test_day_week_and_year_are_cycles() -> None:
    kind = feature("datetime")
    noon, wednesday, march = dense(kind, ["2024-01-01T12:00:00", "2024-01-03", "2024-03-01"])
    assert noon[:6].tolist() == pytest.approx([0, -1, 0, 1, 0, 1], abs=1e-6)
    angle = 2 * math.pi * 2 / 7
    assert wednesday[2:4].tolist() == pytest.approx([math.sin(angle), math.cos(angle)], abs=1e-6)
    angle = 2 * math.pi * 60 / 366
    assert march[4:6].tolist() == pytest.approx([math.sin(angle), math.cos(angle)], abs=1e-6)


def test_days_before_1970_keep_their_weekday() -> None:
    kind = feature("datetime")
    (sunday,) = dense(kind, ["1969-12-28T06:00:00"])
    angle = 2 * math.pi * 6 / 7
    assert sunday[:4].tolist() == pytest.approx([1, 0, math.sin(angle), math.cos(angle)], abs=1e-6)


def test_the_age_is_standardised_and_null_says_so() -> None:
    kind = feature("datetime", unit="s")
    kind.learn(kind.read([1_000, 3_000, None]))
    written = dense(kind, [3_000, None])
    assert written[0, 6] == 1.0
    assert written[1].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert len(kind.dense_names) == kind.dense_width == written.shape[1]
    assert np.isfinite(written).all()
