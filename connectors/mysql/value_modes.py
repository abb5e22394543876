"""Ways to show values that can be chosen, by Debezium's names: what is made of a value after the default way.

Each is a function of the default value, so that the snapshot and the log agree in every mode. A value that the chosen form
cannot hold raises Malformed: Debezium shows it as null, or as another value.
https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-connector-properties
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.value_types import ValueType
from connectors.mysql.values import timestamp_text

DecimalMode = Literal["string", "precise", "double"]
BigintUnsignedMode = Literal["exact", "long", "precise"]
BinaryMode = Literal["bytes", "base64", "base64-url-safe", "hex"]
TimePrecisionMode = Literal["adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"]


@dataclass(frozen=True, slots=True)
class ValueModes:
    """How values are shown where there is a choice."""

    decimal: DecimalMode = "string"
    """``string``: with all its digits; ``precise``: Connect's Decimal, base64 of the digits as one two's complement
    integer; ``double``: the nearest double. Debezium's default is ``precise``."""
    bigint_unsigned: BigintUnsignedMode = "exact"
    """``exact``: the number, though it may be beyond 63 bits; ``long``: what is beyond wraps around below zero;
    ``precise``: Connect's Decimal, whatever ``decimal`` is. Debezium's default is ``long``."""
    binary: BinaryMode = "bytes"
    """Of BINARY, VARBINARY and BLOBs. ``bytes`` are base64 in JSON, and are declared as bytes."""
    time_precision: TimePrecisionMode = "adaptive_time_microseconds"
    """Of DATE, TIME and DATETIME. The default: days, microseconds, and milliseconds or from 4 fraction digits on
    microseconds. ``connect``: Connect's own types, in days and milliseconds; ``isostring``: ISO 8601 text in UTC;
    ``microseconds`` and ``nanoseconds``: of these, whatever the fraction digits."""


DEFAULT_MODES = ValueModes()

_DAY_US = 86_400_000_000
_TWO_63, _TWO_64 = 1 << 63, 1 << 64
_BEYOND_A_DAY_HINT = (
    "set source.time_precision_mode to another than connect and isostring, which have times of a day only"
)
_BEYOND_NANOSECONDS_HINT = "set source.time_precision_mode to microseconds or adaptive_time_microseconds"
_URL_SAFE = str.maketrans("+/", "-_")


def decimal_bytes(text: str) -> str:
    """DECIMAL -> base64 of its digits as the shortest big-endian two's complement (java.math.BigInteger.toByteArray)."""
    return integer_bytes(int(text.replace(".", "")))


def integer_bytes(number: int) -> str:
    """An integer -> base64 of its shortest big-endian two's complement."""
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return b64encode(number.to_bytes(size, "big", signed=True)).decode("ascii")


def double_of_decimal(text: str) -> float:
    """DECIMAL -> the nearest double."""
    return float(Decimal(text))


def wrapped(number: int) -> int:
    """What the 64 bits of an unsigned integer are as a signed one."""
    return number - _TWO_64 if number >= _TWO_63 else number


def url_safe(text: str) -> str:
    """Base64 -> base64 with ``-`` and ``_`` in place of ``+`` and ``/``."""
    return text.translate(_URL_SAFE)


def hex_text(text: str) -> str:
    """Base64 -> hexadecimal, in lower case."""
    return b64decode(text).hex()


def iso_date(days: int | None) -> str | None:
    """Days since 1970 -> ``2024-02-29Z``."""
    return None if days is None else f"{timestamp_text(days * 86_400, 0)[:10]}Z"


def iso_of_milliseconds(moment: int | None) -> str | None:
    """Milliseconds since 1970 -> ``2024-02-29T03:04:05.6Z``."""
    return None if moment is None else iso_of_microseconds(moment * 1000)


def iso_of_microseconds(moment: int | None) -> str | None:
    """Microseconds since 1970 -> ``2024-02-29T03:04:05.678901Z``."""
    if moment is None:
        return None
    seconds, microseconds = divmod(moment, 1_000_000)
    return timestamp_text(seconds, microseconds)


def milliseconds(moment: int | None) -> int | None:
    """Microseconds since 1970 -> whole milliseconds, of which the earlier."""
    return None if moment is None else moment // 1000


def thousandfold(moment: int | None) -> int | None:
    """Milliseconds -> microseconds."""
    return None if moment is None else moment * 1000


def nanoseconds_of_milliseconds(moment: int | None) -> int | None:
    """Milliseconds -> nanoseconds, if 64 bits hold them, which is so from 1677-09-21 to 2262-04-11."""
    return None if moment is None else nanoseconds(moment * 1000)


def nanoseconds(moment: int | None) -> int | None:
    """Microseconds -> nanoseconds, if 64 bits hold them."""
    if moment is None:
        return None
    if not -_TWO_63 <= moment * 1000 < _TWO_63:
        raise Malformed(f"{iso_of_microseconds(moment)} is beyond 64 bits of nanoseconds", _BEYOND_NANOSECONDS_HINT)
    return moment * 1000


def milliseconds_of_day(microseconds: int) -> int:
    """TIME in microseconds -> in whole milliseconds, if it is a time of a day."""
    return _of_day(microseconds) // 1000


def iso_time(microseconds: int) -> str:
    """TIME in microseconds -> ``12:34:56.789Z``, if it is a time of a day."""
    seconds, fraction = divmod(_of_day(microseconds), 1_000_000)
    return timestamp_text(seconds, fraction)[11:]


def _of_day(microseconds: int) -> int:
    if not 0 <= microseconds < _DAY_US:
        raise Malformed(f"a TIME of {microseconds / 1e6:.6f} s is no time of a day", _BEYOND_A_DAY_HINT)
    return microseconds


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    function.__name__: function
    for function in (
        decimal_bytes, integer_bytes, double_of_decimal, wrapped, url_safe, hex_text, iso_date, iso_of_milliseconds,
        iso_of_microseconds, milliseconds, thousandfold, nanoseconds_of_milliseconds, nanoseconds, milliseconds_of_day,
        iso_time,
    )
}  # fmt: skip
"""By their names, as ``conversion`` gives them. None takes a value that is not NULL, but may be the None of a zero date."""

_BY_MODE: Mapping[str, Mapping[str, str]] = {
    "decimal": {"precise": "decimal_bytes", "double": "double_of_decimal"},
    "bigint": {"long": "wrapped", "precise": "integer_bytes"},
    "bytes": {"base64-url-safe": "url_safe", "hex": "hex_text"},
    "date": {"isostring": "iso_date"},
    "time": {"connect": "milliseconds_of_day", "isostring": "iso_time", "nanoseconds": "nanoseconds"},
    "datetime": {
        "isostring": "iso_of_milliseconds",
        "microseconds": "thousandfold",
        "nanoseconds": "nanoseconds_of_milliseconds",
    },
}
_FINE_DATETIME = {"connect": "milliseconds", "isostring": "iso_of_microseconds", "nanoseconds": "nanoseconds"}


def conversion(type_: ValueType, modes: ValueModes) -> str:
    """The name in ``CONVERSIONS`` of what is made of the default value; empty if it stays as it is."""
    if type_.kind == "bigint" and not type_.unsigned:
        return ""
    if type_.kind == "datetime" and type_.digits > 3:
        return _FINE_DATETIME.get(modes.time_precision, "")
    mode = {"decimal": modes.decimal, "bigint": modes.bigint_unsigned, "bytes": modes.binary}.get(type_.kind)
    return _BY_MODE.get(type_.kind, {}).get(mode or modes.time_precision, "")
