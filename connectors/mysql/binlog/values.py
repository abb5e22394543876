"""Values as they lie in a row -> JSON values, where it takes more than one expression.

Packed temporal forms: ``my_time.cc`` of the server, described at
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html. Dates and SETs repeat from
row to row: their conversions are dictionaries that fill themselves, and start anew when they grow large.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, TypeVar

from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.values import epoch_days, timestamp_text

Value = TypeVar("Value")

MINUTES_MS = tuple((clock >> 6) * 3_600_000 + (clock & 63) * 60_000 for clock in range(1 << 11))
"""Hour (5 bits) and minute (6 bits) -> milliseconds since midnight."""
MINUTES_US = tuple(milliseconds * 1000 for milliseconds in MINUTES_MS)
MINUTE_TEXTS = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60))
"""Minute of the day -> ``T13:37:``."""
TWO_DIGITS = tuple(f"{number:02d}" for number in range(100))

_REMEMBERED = 65_536
_DAY_S = 86_400
_DAY_MS = 86_400_000


class _Memory(dict[int, Value]):
    """Packed value -> converted value."""

    def convert(self, packed: int) -> Value:
        raise NotImplementedError

    def __missing__(self, packed: int) -> Value:
        value = self.convert(packed)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[packed] = value
        return value


class Dates(_Memory[int | None]):
    """DATE, packed into 3 bytes (15 bits year, 4 month, 5 day) -> days since 1970, or None if not in the calendar."""

    def convert(self, packed: int) -> int | None:
        return epoch_days(packed >> 9, packed >> 5 & 15, packed & 31)


class DatetimeDays(_Memory[int | None]):
    """The upper 23 bits of a packed DATETIME (sign, 17 bits year times 13 plus month, 5 day) -> where that day begins.

    ``per_ms`` units since 1970 for each millisecond: 1 for milliseconds, 1000 for microseconds.
    """

    def __init__(self, per_ms: int) -> None:
        super().__init__()
        self._day = _DAY_MS * per_ms

    def convert(self, packed: int) -> int | None:
        if not packed >> 22:
            raise Malformed("a negative DATETIME")
        year, month = divmod(packed >> 5 & 0x1FFFF, 13)
        days = epoch_days(year, month, packed & 31)
        return None if days is None else days * self._day


class DayTexts(_Memory[str]):
    """Days since 1970 -> ``2018-06-20``."""

    def convert(self, packed: int) -> str:
        return timestamp_text(packed * _DAY_S, 0)[:10]


class SetLabels(_Memory[str]):
    """A SET's bits -> its labels in the order of their definition, joined by commas."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self._labels = labels

    def convert(self, packed: int) -> str:
        if packed >> len(self._labels):
            raise Malformed(f"a SET of {len(self._labels)} labels has the bits {packed:#x}")
        return ",".join(label for bit, label in enumerate(self._labels) if packed >> bit & 1)


def time_microseconds(packed: int, fraction_bytes: int) -> int:
    """TIME: hours (10 bits), minutes (6), seconds (6), fraction (0 to 3 bytes), already less its offset -> microseconds.

    The sign is that of the whole number, fraction included: 00:00:00.25 before midnight is packed as -25, not as a
    negative second and a positive fraction.
    """
    magnitude = abs(packed)
    fraction_bits = 8 * fraction_bytes
    clock = magnitude >> fraction_bits
    seconds = (clock >> 12) * 3600 + (clock >> 6 & 63) * 60 + (clock & 63)
    fraction = (magnitude & (1 << fraction_bits) - 1) * _FRACTION_UNIT_US[fraction_bytes]
    microseconds = seconds * 1_000_000 + fraction
    return -microseconds if packed < 0 else microseconds


_FRACTION_UNIT_US = (0, 10_000, 100, 1)


def decimal_groups(precision: int, scale: int) -> tuple[list[int], list[int]]:
    """Digits in each group of a packed DECIMAL: of its integer part, and of its fraction."""
    words, lead = divmod(precision - scale, 9)
    fraction_words, tail = divmod(scale, 9)
    return [*([lead] if lead else []), *[9] * words], [*[9] * fraction_words, *([tail] if tail else [])]


DECIMAL_GROUP_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
"""Bytes of a group of so many digits."""


def beyond_its_digits() -> NoReturn:
    """Raises Malformed: a group of a packed DECIMAL holds a number of more digits than it may have."""
    raise Malformed("a group of digits of a DECIMAL is out of range")


def decimal_text(data: bytes, precision: int, scale: int) -> str:
    """A packed DECIMAL with exactly ``scale`` digits after the point.

    Groups of nine digits in 4 bytes, shorter ones at both ends, big endian; the uppermost bit is set, and all bits are
    inverted if negative (``decimal2bin`` in the server's decimal.cc).
    """
    if scale > precision:
        raise Malformed(f"a DECIMAL({precision},{scale})")
    integer, fraction = decimal_groups(precision, scale)
    sizes = [DECIMAL_GROUP_BYTES[digits] for digits in (*integer, *fraction)]
    if not data or len(data) != sum(sizes):
        raise Malformed(f"{len(data)} bytes of DECIMAL({precision},{scale})")
    negative = not data[0] & 0x80
    plain = bytes([data[0] ^ 0x80, *data[1:]])
    if negative:
        plain = bytes(byte ^ 0xFF for byte in plain)
    texts = []
    position = 0
    for digits, size in zip((*integer, *fraction), sizes, strict=True):
        group = int.from_bytes(plain[position : position + size], "big")
        texts.append(f"{group if group < 10**digits else beyond_its_digits():0{digits}d}")
        position += size
    whole = "".join(texts[: len(integer)]).lstrip("0") or "0"
    point = "." if fraction else ""
    return f"{'-' if negative else ''}{whole}{point}{''.join(texts[len(integer) :])}"
