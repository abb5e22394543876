"""Single BSON values -> the text that MongoDB's Java driver gives them in JSON. ``_extended_json.c`` is this in C."""

from __future__ import annotations

import math
import re

from connectors.mongo.escaped_characters import escaped_ranges

_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CLASS = "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in escaped_ranges())
_ESCAPED = re.compile(f'["\\\\\x00-\x1f\x7f{_CLASS}\U00010000-\U0010ffff]')

END_OF_9999_MS = 253_402_300_800_000
"""Milliseconds from 1970 to the year 10000."""
_PLAIN_FROM, _PLAIN_UNTIL = 1e-3, 1e7
"""Where Java writes a double without an exponent: https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Double.html#toString(double)"""
_COEFFICIENT_END = 10**34
"""Of a decimal; what is beyond it is read as zero: https://github.com/mongodb/specifications/tree/master/source/bson-decimal128"""
_EXPONENT_BIAS = 6176


def quoted(text: str) -> str:
    """A JSON string."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def double_text(value: float) -> str:
    """A finite double as Java 19 and later write it: the shortest digits that are read as the same number again."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    size = abs(value)
    if size == 0:
        return f"{sign}0.0"
    digits, exponent = _digits(size)
    if not _PLAIN_FROM <= size < _PLAIN_UNTIL:
        return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{sign}{whole}.{digits[exponent + 1 :] or '0'}"


def decimal_text(data: bytes) -> str:
    """Sixteen bytes of a decimal128, as BSON's specification writes them."""
    bits = int.from_bytes(data, "little")
    sign = "-" if bits >> 127 else ""
    combination = bits >> 122 & 0x1F
    if combination == 0x1F:
        return "NaN"
    if combination == 0x1E:
        return f"{sign}Infinity"
    if combination >> 3 == 3:
        exponent, coefficient = bits >> 111 & 0x3FFF, 0
    else:
        exponent, coefficient = bits >> 113 & 0x3FFF, bits & (1 << 113) - 1
    digits = str(coefficient) if coefficient < _COEFFICIENT_END else "0"
    return sign + _scientific(digits, exponent - _EXPONENT_BIAS)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if (short := _SHORT.get(character)) is not None:
        return short
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


def _digits(size: float) -> tuple[str, int]:
    """The digits of a number above zero, without zeros at their end, and the power of ten of the first."""
    mantissa, _, exponent = f"{size!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + (len(whole) - 1 if whole != "0" else len(digits) - len(fraction) - 1)
    digits = digits.rstrip("0")
    if len(digits) == 1:
        # Java's shortest number has two digits. It makes a difference where doubles have less than that: 4.9E-324.
        mantissa, _, exponent = f"{size:.1e}".partition("e")
        digits, power = mantissa.replace(".", "").rstrip("0"), int(exponent)
    return digits, power


def _scientific(digits: str, exponent: int) -> str:
    power = exponent + len(digits) - 1
    if exponent > 0 or power < -6:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{digits[0]}{fraction}E{power:+d}"
    if exponent == 0:
        return digits
    if power < 0:
        digits = "0" * -power + digits
    return f"{digits[:exponent]}.{digits[exponent:]}"
