"""Column values as JSON values: the rules that the binlog and SELECT share, so that a row looks the same from both.

Dates are days since 1970, DATETIMEs milliseconds (at most 3 fraction digits) or microseconds (4 to 6) since 1970, TIMEs
microseconds, TIMESTAMPs ISO 8601 in UTC: Debezium's defaults. What is not in the calendar (0000-00-00, 2015-00-21, or
2015-02-31 under ALLOW_INVALID_DATES) is None here; a column that is NOT NULL shows it as ``ZERO`` or ``ZERO_TIMESTAMP``.
https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-temporal-types
"""

from __future__ import annotations

import re
import struct
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import date

ZERO = 0
"""A zero DATE or DATETIME in a NOT NULL column."""
ZERO_TIMESTAMP = "1970-01-01T00:00:00Z"
"""A zero TIMESTAMP in a NOT NULL column."""

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000
_SMALLEST_NORMAL_FLOAT32 = 2.0**-126
_FLOAT32 = struct.Struct("<f")
_POINT = struct.Struct("<BIdd")
WKB_POINT = 1
_DOUBLE_QUOTED_OR_BLANK = re.compile(r'"((?:[^"\\]|\\.)*)"(:?)|[ ]+')
_OPAQUE = re.compile(r"base64:type\d{1,3}:")


def epoch_days(year: int, month: int, day: int) -> int | None:
    """Days since 1970-01-01, or None for what is not in the calendar."""
    try:
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None


def timestamp_text(seconds: int, microseconds: int) -> str:
    """ISO 8601 in UTC, with as many fraction digits as it takes and none for whole seconds."""
    days, rest = divmod(seconds, 86_400)
    day = date.fromordinal(days + _EPOCH).isoformat()
    text = f"{day}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{text}{fraction_text(microseconds)}Z"


def fraction_text(microseconds: int) -> str:
    """``.12`` for 120,000 microseconds, nothing for none."""
    return f".{microseconds:06d}".rstrip("0") if microseconds else ""


def float32(value: float) -> float:
    """The double of the fewest significant digits that round to the same float32: 0.1, not 0.10000000149011612.

    Six digits survive the way to a normal float32 and back (FLT_DIG): if six give it, then no fewer have been missed, as
    zeros at the end are no digits. Below the normal range every number of digits has to be tried.
    """
    digits = 6 if abs(value) >= _SMALLEST_NORMAL_FLOAT32 else 1
    while digits < 9:
        short = float(f"{value:.{digits}g}")
        try:
            if _FLOAT32.unpack(_FLOAT32.pack(short))[0] == value:
                return short
        except OverflowError:
            pass  # the text was rounded up, past the largest float32
        digits += 1
    return float(f"{value:.9g}")


def base64_text(data: bytes) -> str:
    """Bytes as base64 text."""
    return b2a_base64(data, newline=False).decode("ascii")


def bit_value(data: bytes, bits: int) -> bool | str:
    """BIT(1) as a boolean, BIT(n) as base64 of its bytes, least significant first. ``data`` is most significant first."""
    return data != b"\0" if bits == 1 else base64_text(data[::-1])


def geometry_value(data: bytes) -> dict[str, str | int | None]:
    """A geometry in the server's form (4 bytes SRID, then WKB) as ``{"wkb": base64, "srid": number}``; SRID 0 is None.

    Raises ValueError if it is shorter than its SRID.
    """
    if len(data) < 4:
        raise ValueError("a geometry is shorter than its SRID")
    return {"wkb": base64_text(data[4:]), "srid": int.from_bytes(data[:4], "little") or None}


def point_value(data: bytes) -> dict[str, str | int | float | None]:
    """A POINT in the server's form as Debezium's ``{"x": …, "y": …, "wkb": …, "srid": …}``.

    Raises ValueError if it is none.
    """
    if len(data) != _POINT.size + 4 or data[4] != 1:
        raise ValueError("a POINT is of another form than the server's")
    _, kind, x, y = _POINT.unpack_from(data, 4)
    if kind != WKB_POINT:
        raise ValueError(f"a POINT holds a geometry of kind {kind}")
    return {"x": x, "y": y, **geometry_value(data)}


def vector_value(data: bytes) -> list[float]:
    """A VECTOR (float32 numbers, little endian) as a list. Raises ValueError if its length is no multiple of 4."""
    if len(data) % 4:
        raise ValueError("the length of a VECTOR is no multiple of 4")
    return [float32(value) for (value,) in _FLOAT32.iter_unpack(data)]


def uuid_text(data: bytes) -> str:
    """MariaDB's UUID, in 16 bytes: ``123e4567-e89b-12d3-a456-426655440000``."""
    digits = data.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def inet4_text(data: bytes) -> str:
    """MariaDB's INET4, in 4 bytes: ``10.0.0.1``."""
    return ".".join(map(str, data))


def inet6_text(data: bytes) -> str:
    """MariaDB's INET6, in 16 bytes, as SELECT prints it: ``2001:db8::1``, ``::ffff:10.0.0.1``.

    The longest run of zero words, the first of equals and even if it is one word, is written ``::``; what follows six
    zero words, or five and FFFF, is an IPv4 address (RFC 4291, section 2.5.5).
    """
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, 16, 2)]
    start, length = _longest_zeros(words)
    if start == 0 and (length == 6 or (length == 5 and words[5] == 0xFFFF)):
        return ("::ffff:" if length == 5 else "::") + inet4_text(data[12:])
    texts = [f"{word:x}" for word in words]
    if not length:
        return ":".join(texts)
    return f"{':'.join(texts[:start])}::{':'.join(texts[start + length :])}"


def _longest_zeros(words: Sequence[int]) -> tuple[int, int]:
    """Where the first of the longest runs of zeros begins, and its length."""
    best = (0, 0)
    start = 0
    for at, word in enumerate([*words, 1]):
        if word:
            if at - start > best[1]:
                best = (start, at - start)
            start = at + 1
    return best


def date_from_text(text: str) -> int | None:
    """DATE as SELECT prints it ("2015-01-21") -> days since 1970; None for what is not in the calendar."""
    return epoch_days(int(text[:4]), int(text[5:7]), int(text[8:10]))


def datetime_from_text(text: str, fraction_digits: int) -> int | None:
    """DATETIME as SELECT prints it -> milliseconds (up to 3 ``fraction_digits``) or microseconds since 1970, or None."""
    days = date_from_text(text)
    if days is None:
        return None
    microseconds = days * _DAY_US + time_from_text(text[11:])
    return microseconds if fraction_digits > 3 else microseconds // 1000


def time_from_text(text: str) -> int:
    """TIME as SELECT prints it ("-838:59:58.999999") -> microseconds, signed."""
    whole, _, fraction = text.removeprefix("-").partition(".")
    hours, minutes, seconds = whole.split(":")
    microseconds = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000 + int(fraction.ljust(6, "0"))
    return -microseconds if text.startswith("-") else microseconds


def timestamp_from_text(text: str) -> str | None:
    """TIMESTAMP as SELECT prints it in a session at ``time_zone='+00:00'`` -> ISO 8601 in UTC; None for zero."""
    if text.startswith("0000-00-00"):
        return None
    whole, _, fraction = text.partition(".")
    return f"{whole.replace(' ', 'T')}{fraction_text(int(fraction.ljust(6, '0')))}Z"


def json_from_text(text: str) -> str:
    """JSON as MySQL's SELECT prints it -> the text that the binlog's binary form gives: compact, opaque values as base64.

    Not for MariaDB, whose JSON is a LONGTEXT that both ways show as it was written. A string that itself begins with
    ``base64:typeN:`` cannot be told from an opaque value here, and loses that beginning.
    """
    return _DOUBLE_QUOTED_OR_BLANK.sub(_compact, text)


def _compact(match: re.Match[str]) -> str:
    content = match[1]
    if content is None:
        return ""
    opaque = None if match[2] else _OPAQUE.match(content)
    if opaque is None:
        return match[0]
    return '"' + content[opaque.end() :].replace("\\n", "") + '"'
