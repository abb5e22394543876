"""Column character sets: from the collation number in a table's metadata to text, exactly as the server converts it.

Where Python's codec of the same name and the server's tables differ, the server's are followed. All of it was compared,
code by code, with ``CONVERT(… USING utf8mb4)`` of MySQL 9.7 and MariaDB 10.11.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.mysql.binlog.reading import Malformed


@dataclass(frozen=True, slots=True)
class Charset:
    """How to decode one character set: by one of Python's codecs, by a table of 256 characters, or by a function."""

    name: str
    codec: str = ""
    table: str = ""
    decoder: Callable[[bytes], str] | None = None

    @property
    def binary(self) -> bool:
        """Bytes without a character set (BINARY, VARBINARY, BLOB)."""
        return self.name == "binary"

    def decode(self, data: bytes) -> str:
        """Raises UnicodeDecodeError on bytes that are not of this character set."""
        if self.decoder is not None:
            return self.decoder(data)
        if self.table:
            return codecs.charmap_decode(data, "strict", self.table)[0]
        return data.decode(self.codec)


def charset_of(collation: int, *, mariadb: bool) -> Charset:
    """The character set of a collation. Raises Malformed, with a hint, for one that cannot be decoded."""
    name = _mariadb_name(collation) if mariadb else None
    name = name or _NAMES.get(collation)
    if name is None:
        raise Malformed(f"collation {collation} is not known", "convert the table to utf8mb4, or exclude it")
    charset = _CHARSETS.get(name)
    if charset is None:
        raise Malformed(f"character set {name} is not supported", "convert the column to utf8mb4, or exclude the table")
    return charset


# INFORMATION_SCHEMA.COLLATIONS of MySQL 9.7; MariaDB numbers the same ones alike.
_COLLATIONS = {
    "armscii8": "32 64", "ascii": "11 65", "big5": "1 84", "binary": "63", "cp1250": "26 34 44 66 99",
    "cp1251": "14 23 50-52", "cp1256": "57 67", "cp1257": "29 58 59", "cp850": "4 80", "cp852": "40 81",
    "cp866": "36 68", "cp932": "95 96", "dec8": "3 69", "eucjpms": "97 98", "euckr": "19 85", "gb18030": "248-250",
    "gb2312": "24 86", "gbk": "28 87", "geostd8": "92 93", "greek": "25 70", "hebrew": "16 71", "hp8": "6 72",
    "keybcs2": "37 73", "koi8r": "7 74", "koi8u": "22 75", "latin1": "5 8 15 31 47-49 94", "latin2": "2 9 21 27 77",
    "latin5": "30 78", "latin7": "20 41 42 79", "macce": "38 43", "macroman": "39 53", "sjis": "13 88",
    "swe7": "10 82", "tis620": "18 89", "ucs2": "35 90 128-151 159", "ujis": "12 91", "utf16": "54 55 101-124",
    "utf16le": "56 62", "utf32": "60 61 160-183", "utf8mb3": "33 76 83 192-215 223", "utf8mb4": "45 46 224-247 255-323",
}  # fmt: skip

# MariaDB's own: a block of 32 tailored and one of 256 UCA 14.0.0 collations for each Unicode character set.
_MARIADB_BLOCKS = {
    range(576, 608): "utf8mb3", range(608, 640): "utf8mb4", range(640, 672): "ucs2", range(672, 704): "utf16",
    range(736, 768): "utf32", range(2048, 2304): "utf8mb3", range(2304, 2560): "utf8mb4", range(2560, 2816): "ucs2",
    range(2816, 3072): "utf16", range(3072, 3328): "utf32",
}  # fmt: skip
_MARIADB_NOPAD = range(1024, 2048)


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split():
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers


_NAMES = {number: name for name, numbers in _COLLATIONS.items() for number in _numbers(numbers)}


def _mariadb_name(collation: int) -> str | None:
    if collation in _MARIADB_NOPAD:  # the NO PAD twin of a collation
        return _NAMES.get(collation - _MARIADB_NOPAD.start)
    return next((name for block, name in _MARIADB_BLOCKS.items() if collation in block), None)


def _single_byte(name: str, codec: str, own: Mapping[int, str] | None = None) -> Charset:
    """A character set of one byte a character; ``own`` is where the server differs from ``codec``."""
    characters = [bytes([byte]).decode(codec, "replace").replace("\ufffd", "\ufffe") for byte in range(256)]
    for byte, character in (own or {}).items():
        characters[byte] = character
    return Charset(name, table="".join(characters))  # U+FFFE is charmap_decode's sign for "undefined"


def _translated(name: str, codec: str, errors: str, table: Mapping[str, str]) -> Charset:
    """A multi-byte character set that shows some characters otherwise than ``codec``, or knows more of them."""
    changes = str.maketrans(dict(table))
    return Charset(name, decoder=lambda data: data.decode(codec, errors).translate(changes))


def _more_of_big5(error: UnicodeError) -> tuple[str, int]:
    """The seven ETEN characters F9D6 to F9DC, which Python has in cp950 only."""
    code = _undecoded(error, 2)
    if b"\xf9\xd6" <= code <= b"\xf9\xdc":
        return code.decode("cp950"), _start(error) + 2
    raise error


def _more_of_ujis(error: UnicodeError) -> tuple[str, int]:
    """Rows 85 to 94 of both planes are user-defined characters: private use from U+E000 and U+E3AC on."""
    code = _undecoded(error, 3)
    width, base = (3, 0xE3AC) if code[:1] == b"\x8f" else (2, 0xE000)
    row, cell = code[width - 2 : width] if len(code) >= width else (0, 0)
    if not (0xF5 <= row <= 0xFE and 0xA1 <= cell <= 0xFE):
        raise error
    return chr(base + (row - 0xF5) * 94 + cell - 0xA1), _start(error) + width


def _more_of_eucjpms(error: UnicodeError) -> tuple[str, int]:
    """As ujis, and NEC's row 13 (as in cp932) and IBM's extensions at 8FF3F3 to 8FF4FE."""
    code = _undecoded(error, 3)
    if code[:1] == b"\xad" and len(code) >= 2 and 0xA1 <= code[1] <= 0xFE:
        cell = code[1] - 0xA1
        return bytes([0x87, cell + 0x40 + (cell >= 0x3F)]).decode("cp932"), _start(error) + 2
    if len(code) == 3 and b"\x8f\xf3\xf3" <= code <= b"\x8f\xf4\xfe" and code[2] >= 0xA1:
        return _IBM_EXTENSIONS[(code[1] - 0xF3) * 94 + code[2] - 0xF3], _start(error) + 3
    return _more_of_ujis(error)


def _start(error: UnicodeError) -> int:
    return error.start if isinstance(error, UnicodeDecodeError) else 0


def _undecoded(error: UnicodeError, length: int) -> bytes:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.start + length]


# The characters of IBM's extensions in the order of eucjpms, by their codes in cp932.
_IBM_EXTENSIONS = bytes.fromhex(
    "fa40fa41fa42fa43fa44fa45fa46fa47fa48fa49fa4afa4bfa4cfa4dfa4efa4ffa50fa51fa52fa53fa56fa57fa58fa59fa5a"
    "fa62fa6afa7cfa83fa8afa8bfa90fa92fa96fa9bfa9cfa9dfaaafaaefab0fab1fabafabdfac1facdfad0fad5fad8fae0fae5"
    "fae8faeafaeefaf2fb43fb44fb50fb58fb5efb6efb70fb72fb75fb7cfb7dfb7efb80fb82fb85fb86fb89fb8dfb8efb92fb94"
    "fb9dfb9efb9ffba0fba1fba9fbacfbaefbb0fbb1fbb3fbb4fbb6fbb7fbb8fbd3fbdafbe8fbe9fbeafbeefbf0fbf2fbf6fbf7"
    "fbf9fbfafbfcfc42fc49fc4b"
).decode("cp932")

codecs.register_error("mysql-big5", _more_of_big5)
codecs.register_error("mysql-ujis", _more_of_ujis)
codecs.register_error("mysql-eucjpms", _more_of_eucjpms)

_EUCJPMS_CHANGES = {
    "\u301c": "\uff5e", "\u2016": "\u2225", "\u2212": "\uff0d", "\u00a2": "\uffe0", "\u00a3": "\uffe1",
    "\u00ac": "\uffe2", "\u00a6": "\uffe4",
}  # fmt: skip
_eucjpms = _translated("eucjpms", "euc_jp", "mysql-eucjpms", _EUCJPMS_CHANGES)


def _decode_eucjpms(data: bytes) -> str:
    # Python shows 8FA2B7 as "~", the server as the wide tilde that A1C1 is; 8F only ever leads a character.
    return _eucjpms.decode(data.replace(b"\x8f\xa2\xb7", b"\xa1\xc1"))


_CHARSETS = {
    charset.name: charset
    for charset in (
        Charset("binary", "utf-8"),  # for labels; values of columns are bytes
        Charset("ascii", "ascii"),
        Charset("utf8mb3", "utf-8"),
        Charset("utf8mb4", "utf-8"),
        Charset("ucs2", "utf-16-be"),
        Charset("utf16", "utf-16-be"),
        Charset("utf16le", "utf-16-le"),
        Charset("utf32", "utf-32-be"),
        Charset("gbk", "gbk"),
        Charset("gb2312", "gb2312"),
        Charset("cp932", "cp932"),
        Charset("euckr", "cp949"),
        _translated("gb18030", "gb18030", "strict", {"\ue7c7": "\u1e3f", "\u1e3f": "\ue7c7"}),
        _translated("sjis", "shift_jis", "strict", {"\uff3c": "\\"}),
        _translated("big5", "big5", "mysql-big5", {}),
        _translated("ujis", "euc_jp", "mysql-ujis", {"\uff3c": "\\"}),
        Charset("eucjpms", decoder=_decode_eucjpms),
        _single_byte("latin1", "cp1252", {byte: chr(byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}),
        _single_byte("latin2", "iso8859_2"),
        _single_byte("latin5", "iso8859_9"),
        _single_byte("latin7", "iso8859_13"),
        _single_byte("cp1250", "cp1250"),
        _single_byte("cp1251", "cp1251"),
        _single_byte("cp1256", "cp1256"),
        _single_byte("cp1257", "cp1257"),
        _single_byte("cp850", "cp850"),
        _single_byte("cp852", "cp852"),
        _single_byte("cp866", "cp866", {0xFC: "\u207f", 0xFD: "\u00b2"}),
        _single_byte("koi8r", "koi8_r"),
        _single_byte("koi8u", "koi8_u", {0x95: "\u2022"}),
        _single_byte("greek", "iso8859_7", {0xA1: "\u02bd", 0xA2: "\u02bc"}),
        _single_byte("hebrew", "iso8859_8", {0xAF: "\u203e"}),
        _single_byte("tis620", "tis_620"),
        _single_byte("macroman", "mac_roman"),
        _single_byte("macce", "mac_latin2"),
    )
}
