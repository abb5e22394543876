"""East Asian character sets, where Python's codec and the server's tables differ.

Codes that a codec does not know come to error handlers, registered here, which either know them or give ``?``, as the
server does for a code that is no character. A code that is cut short raises.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

ONE_BYTE, TWO_BYTES = "mysql-one-byte", "mysql-two-bytes"
"""Error handlers for codes of one and of two bytes that are no characters."""
_BIG5, _GB18030, _UJIS, _EUCJPMS = "mysql-big5", "mysql-gb18030", "mysql-ujis", "mysql-eucjpms"

_TWO_BYTE_CODES = re.compile(rb"[\x80-\xff].|.", re.DOTALL)
_BIG5_UNKNOWN = frozenset(map(bytes.fromhex, ("a15a", "a1c3", "a1c5", "a1fe", "a240", "a2cc", "a2ce")))
_ANY_BIG5_UNKNOWN = re.compile(b"|".join(map(re.escape, sorted(_BIG5_UNKNOWN))))
_GB18030_CHANGES = str.maketrans("\ue7c7\u1e3f", "\u1e3f\ue7c7")
_BACKSLASH = str.maketrans("\uff3c", "\\")
_EUCJPMS_CHANGES = str.maketrans(
    "\u301c\u2016\u2212\u00a2\u00a3\u00ac\u00a6", "\uff5e\u2225\uff0d\uffe0\uffe1\uffe2\uffe4"
)
# The characters of IBM's extensions in the order of eucjpms, by their codes in cp932.
_IBM_EXTENSIONS = bytes.fromhex(
    "fa40fa41fa42fa43fa44fa45fa46fa47fa48fa49fa4afa4bfa4cfa4dfa4efa4ffa50fa51fa52fa53fa56fa57fa58fa59fa5a"
    "fa62fa6afa7cfa83fa8afa8bfa90fa92fa96fa9bfa9cfa9dfaaafaaefab0fab1fabafabdfac1facdfad0fad5fad8fae0fae5"
    "fae8faeafaeefaf2fb43fb44fb50fb58fb5efb6efb70fb72fb75fb7cfb7dfb7efb80fb82fb85fb86fb89fb8dfb8efb92fb94"
    "fb9dfb9efb9ffba0fba1fba9fbacfbaefbb0fbb1fbb3fbb4fbb6fbb7fbb8fbd3fbdafbe8fbe9fbeafbeefbf0fbf2fbf6fbf7"
    "fbf9fbfafbfcfc42fc49fc4b"
).decode("cp932")


def decode_big5(data: bytes) -> str:
    """Python knows seven codes that the server has as U+FFFD."""
    if not _ANY_BIG5_UNKNOWN.search(data):
        return data.decode("big5", _BIG5)
    codes: list[bytes] = _TWO_BYTE_CODES.findall(data)
    return "".join("\ufffd" if code in _BIG5_UNKNOWN else code.decode("big5", _BIG5) for code in codes)


def decode_gb18030(data: bytes) -> str:
    """The server has the character of A8BC and that of 8135F437 the other way round."""
    return data.decode("gb18030", _GB18030).translate(_GB18030_CHANGES)


def decode_sjis(data: bytes) -> str:
    """The server's 815F is the backslash."""
    return data.decode("shift_jis", TWO_BYTES).translate(_BACKSLASH)


def decode_ujis(data: bytes) -> str:
    """The server's A1C0 is the backslash."""
    return data.decode("euc_jp", _UJIS).translate(_BACKSLASH)


def decode_eucjpms(data: bytes) -> str:
    """Microsoft's characters where several look alike."""
    # Python shows 8FA2B7 as "~", the server as the wide tilde that A1C1 is; 8F only ever leads a character.
    return data.replace(b"\x8f\xa2\xb7", b"\xa1\xc1").decode("euc_jp", _EUCJPMS).translate(_EUCJPMS_CHANGES)


def _big5_character(code: bytes) -> str:
    """The seven ETEN characters F9D6 to F9DC, which Python has in cp950 only."""
    return code.decode("cp950") if b"\xf9\xd6" <= code <= b"\xf9\xdc" else ""


def _ujis_character(code: bytes) -> str:
    """Rows 85 to 94 of both planes are user-defined characters: private use from U+E000 and U+E3AC on."""
    row, cell = code[-2:]
    if not (0xF5 <= row <= 0xFE and 0xA1 <= cell <= 0xFE):
        return ""
    return chr((0xE3AC if len(code) == 3 else 0xE000) + (row - 0xF5) * 94 + cell - 0xA1)


def _eucjpms_character(code: bytes) -> str:
    """As ujis, and NEC's row 13 (as in cp932) and IBM's extensions at 8FF3F3 to 8FF4FE."""
    if code[0] == 0xAD and 0xA1 <= code[1] <= 0xFE:
        cell = code[1] - 0xA1
        return bytes([0x87, cell + 0x40 + (cell >= 0x3F)]).decode("cp932", TWO_BYTES)
    if b"\x8f\xf3\xf3" <= code <= b"\x8f\xf4\xfe" and code[2] >= 0xA1:
        return _IBM_EXTENSIONS[(code[1] - 0xF3) * 94 + code[2] - 0xF3]
    return _ujis_character(code)


def _euc_width(data: bytes, at: int) -> int:
    return 3 if data[at] == 0x8F else 2


def _gb18030_width(data: bytes, at: int) -> int:
    return 4 if data[at + 1 : at + 2].isdigit() else 2


def _register(name: str, width: Callable[[bytes, int], int], character: Callable[[bytes], str]) -> None:
    def handle(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        size = width(error.object, error.start)
        code = error.object[error.start : error.start + size]
        if len(code) < size:
            raise error
        return character(code) or "?", error.start + size

    codecs.register_error(name, handle)


_register(ONE_BYTE, lambda _data, _at: 1, lambda _code: "")
_register(TWO_BYTES, lambda _data, _at: 2, lambda _code: "")
_register(_BIG5, lambda _data, _at: 2, _big5_character)
_register(_GB18030, _gb18030_width, lambda _code: "")
_register(_UJIS, _euc_width, _ujis_character)
_register(_EUCJPMS, _euc_width, _eucjpms_character)
