"""Surrogates in text: halves of characters beyond U+FFFF, which are no characters of their own.

Both servers keep them, MySQL in ucs2 and MariaDB in all of Unicode's forms but utf16, and send them as three bytes of UTF-8
each. No JSON text can hold one: a pair is the character that it stands for, a half without the other is U+FFFD.
"""

from __future__ import annotations

import codecs

SURROGATES = "mysql-surrogates"
"""The error handler for UTF-8, UTF-16 and UTF-32 that does so; all other bytes that are no text raise."""

_UNKNOWN = "\ufffd"


def _handle(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, start = error.object, error.start
    if error.encoding == "utf-8":
        if _is_half(data[start : start + 3]):
            pair = (
                data[start : start + 6].decode("utf-8", "surrogatepass")
                if _is_half(data[start + 3 : start + 6])
                else ""
            )
            joined = pair.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return (joined, start + 6) if len(joined) == 1 else (_UNKNOWN, start + 3)
    elif error.encoding.startswith("utf-16") and len(data) >= start + 2:
        return _UNKNOWN, start + 2
    elif error.encoding.startswith("utf-32") and 0xD800 <= int.from_bytes(data[start : start + 4], "big") < 0xE000:
        return _UNKNOWN, start + 4
    raise error


def _is_half(code: bytes) -> bool:
    return len(code) == 3 and code[0] == 0xED and 0xA0 <= code[1] <= 0xBF and 0x80 <= code[2] <= 0xBF


codecs.register_error(SURROGATES, _handle)
