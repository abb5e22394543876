"""TIME, DATETIME and TIMESTAMP as MariaDB kept them before 10.1, and still does in columns that were never rewritten.

The log tells neither their fraction digits nor their width: they have to be known from how the column is declared. Without
digits they are little-endian: TIME and DATETIME as decimal numbers (-123456, 20240102030405), TIMESTAMP in seconds. With
digits they are big-endian, in units of the last digit: TIME with its range added so that it is positive, DATETIME as months of
13 to the year and days of 32 to the month, TIMESTAMP in seconds and their fraction. (``Field_time_hires`` and its like in
MariaDB's field.cc.)
"""

from __future__ import annotations

from connectors.mysql.binlog.columns import Column, ColumnType
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.values import ZERO, ZERO_TIMESTAMP, epoch_days, timestamp_text

_RANGE_S = 3_020_400  # 839 hours
_DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
# struct's codes of so many bytes, and how they make a number.
_NUMBERS = {
    4: ("I", "$0"), 5: ("BI", "$0 << 32 | $1"), 6: ("HI", "$0 << 32 | $1"), 7: ("BHI", "$0 << 48 | $1 << 32 | $2"),
    8: ("Q", "$0"),
}  # fmt: skip
_TIME_BYTES = (3, 4, 4, 5, 5, 5, 6)
_DATETIME_BYTES = (8, 6, 6, 7, 7, 7, 8)
_FRACTIONS = ("", "B", "B", "H", "H", "BH", "BH")


def old_code(column: Column) -> tuple[str, str, bool]:
    """``struct`` codes, expression, and whether they are big-endian, of one of the old types.

    Raises Malformed, with a hint, if it is not known how the column is declared.
    """
    if not column.declared:
        raise Malformed(
            "a TIME, DATETIME or TIMESTAMP of MariaDB before 10.1, of which the log does not tell the width",
            "ALTER TABLE … FORCE (on MariaDB under mysql56_temporal_format=ON), and read the table anew",
        )
    return _MAKERS[column.type](column)


def _time(column: Column) -> tuple[str, str, bool]:
    if not column.length:
        return "Hb", "old_time($0 | $1 << 16)", False
    codes, number = _NUMBERS[_TIME_BYTES[column.length]]
    return codes, f"({number}) * {_unit_us(column)} - {_RANGE_S * _SECOND_US}", True


def _datetime(column: Column) -> tuple[str, str, bool]:
    zero = None if column.nullable else ZERO
    codes, number = _NUMBERS[_DATETIME_BYTES[column.length]]
    if not column.length:
        return codes, f"old_datetime({number}, {zero})", False
    per = _SECOND_US if column.length > 3 else 1000
    return codes, f"old_fine_datetime(({number}) * {_unit_us(column)}, {per}, {zero})", True


def _timestamp(column: Column) -> tuple[str, str, bool]:
    zero = None if column.nullable else ZERO_TIMESTAMP
    fraction = {"": "0", "B": "$1", "H": "$1", "BH": "($1 << 16 | $2)"}[_FRACTIONS[column.length]]
    expression = f"old_timestamp($0, {fraction} * {_unit_us(column)}, {zero!r})"
    return "I" + _FRACTIONS[column.length], expression, column.length > 0


def _unit_us(column: Column) -> int:
    """Microseconds in a unit of the last digit."""
    return int(10 ** (6 - column.length))


_MAKERS = {
    ColumnType.OLD_TIME: _time,
    ColumnType.OLD_DATETIME: _datetime,
    ColumnType.OLD_TIMESTAMP: _timestamp,
}


def old_time(number: int) -> int:
    """-123456 -> minus 12 hours, 34 minutes and 56 seconds, in microseconds."""
    minutes, seconds = divmod(abs(number), 100)
    hours, minutes = divmod(minutes, 100)
    microseconds = ((hours * 60 + minutes) * 60 + seconds) * _SECOND_US
    return -microseconds if number < 0 else microseconds


def old_datetime(number: int, zero: int | None) -> int | None:
    """20240102030405 -> milliseconds since 1970; ``zero`` for what is not in the calendar."""
    day, clock = divmod(number, 1_000_000)
    days = epoch_days(day // 10_000, day // 100 % 100, day % 100)
    return zero if days is None else days * 86_400_000 + old_time(clock) // 1000


def old_fine_datetime(packed: int, units_a_second: int, zero: int | None) -> int | None:
    """Microseconds since the year 0, in months and days of one length, -> since 1970 in units of ``units_a_second``."""
    days, clock = divmod(packed, _DAY_US)
    months, day = divmod(days, 32)
    year, month = divmod(months, 13)
    found = epoch_days(year, month, day)
    return zero if found is None else (found * _DAY_US + clock) // (_SECOND_US // units_a_second)


def old_timestamp(seconds: int, microseconds: int, zero: str | None) -> str | None:
    """Seconds since 1970, and their fraction, as ISO 8601; ``zero`` for none."""
    return timestamp_text(seconds, microseconds) if seconds or microseconds else zero
