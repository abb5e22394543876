"""Column character sets: from the collation number in a table's metadata to text, exactly as the server converts it.

Where Python's codec of the same name and the server's tables differ, the server's are followed. A code that can be stored
and is no character is ``?``, as SELECT shows it; bytes that cannot be stored raise. All of it was compared, code by code,
with ``CONVERT(… USING utf8mb4)`` of MySQL 9.7 and MariaDB 10.11.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.mysql.binlog import multibyte
from connectors.mysql.binlog.charset_tables import UPPER_HALVES
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.surrogates import SURROGATES


@dataclass(frozen=True, slots=True)
class Charset:
    """How to decode one character set: by one of Python's codecs, by a table of 256 characters, or by a function."""

    name: str
    codec: str = ""
    errors: str = "strict"
    """What the codec does about a code that it does not know."""
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
        return data.decode(self.codec, self.errors)


def charset_of(collation: int, *, mariadb: bool) -> Charset:
    """The character set of a collation. Raises Malformed, with a hint, for one that is not known."""
    name = _mariadb_name(collation) if mariadb else None
    name = name or _NAMES.get(collation)
    if name is None:
        raise Malformed(f"collation {collation} is not known", "convert the table to utf8mb4, or exclude it")
    return _CHARSETS[name]


def charset_named(name: str) -> Charset:
    """The character set of this name. Raises Malformed, with a hint, if there is none."""
    charset = _CHARSETS.get(name)
    if charset is None:
        raise Malformed(f"character set {name} is not known", "convert the column to utf8mb4, or exclude the table")
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


def _single_byte(name: str, codec: str, own: Mapping[int, str] | None = None, unknown: str = "?") -> Charset:
    """A character set of one byte a character; ``own`` is where the server differs from ``codec``."""
    characters = [bytes([byte]).decode(codec, "replace").replace("\ufffd", unknown) for byte in range(256)]
    for byte, character in (own or {}).items():
        characters[byte] = character
    return Charset(name, table="".join(characters))


# National letters in place of some of ASCII's signs; nothing beyond 7 bits.
_SWE7 = dict(zip(b"@[\\]^`{|}~", "ÉÄÖÅÜéäöåü", strict=True)) | {0x7F: "?"}
_C1_CONTROLS = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
_NOT_IN_CP1256 = (0x8A, 0x8F, 0x98, 0x9A, 0x9F, 0xAA, 0xC0, 0xFF)

_CHARSETS = {
    charset.name: charset
    for charset in (
        Charset("binary", "utf-8"),  # for labels; values of columns are bytes
        Charset("ascii", "ascii", multibyte.ONE_BYTE),
        Charset("utf8mb3", "utf-8", SURROGATES),
        Charset("utf8mb4", "utf-8", SURROGATES),
        Charset("ucs2", "utf-16-be", SURROGATES),
        Charset("utf16", "utf-16-be"),
        Charset("utf16le", "utf-16-le"),
        Charset("utf32", "utf-32-be", SURROGATES),
        Charset("gbk", "gbk", multibyte.TWO_BYTES),
        Charset("gb2312", "gb2312", multibyte.TWO_BYTES),
        Charset("cp932", "cp932", multibyte.TWO_BYTES),
        Charset("euckr", "cp949", multibyte.TWO_BYTES),
        Charset("big5", decoder=multibyte.decode_big5),
        Charset("gb18030", decoder=multibyte.decode_gb18030),
        Charset("sjis", decoder=multibyte.decode_sjis),
        Charset("ujis", decoder=multibyte.decode_ujis),
        Charset("eucjpms", decoder=multibyte.decode_eucjpms),
        _single_byte("latin1", "cp1252", {byte: chr(byte) for byte in _C1_CONTROLS}),
        _single_byte("latin2", "iso8859_2"),
        _single_byte("latin5", "iso8859_9"),
        _single_byte("latin7", "iso8859_13"),
        _single_byte("cp1250", "cp1250"),
        _single_byte("cp1251", "cp1251"),
        _single_byte("cp1256", "cp1256", dict.fromkeys(_NOT_IN_CP1256, "?")),
        _single_byte("cp1257", "cp1257"),
        _single_byte("cp850", "cp850"),
        _single_byte("cp852", "cp852"),
        _single_byte("cp866", "cp866", {0xFC: "\u207f", 0xFD: "\u00b2"}),
        _single_byte("koi8r", "koi8_r"),
        _single_byte("koi8u", "koi8_u", {0x95: "\u2022"}),
        _single_byte("greek", "iso8859_7", {0xA1: "\u02bd", 0xA2: "\u02bc", 0xA4: "?", 0xA5: "?", 0xAA: "?"}),
        _single_byte("hebrew", "iso8859_8", {0xAF: "\u203e"}),
        _single_byte("tis620", "tis_620", unknown="\ufffd"),
        _single_byte("swe7", "ascii", _SWE7),
        *(_single_byte(name, "ascii", dict(enumerate(upper, 0x80))) for name, upper in UPPER_HALVES.items()),
        _single_byte("macroman", "mac_roman"),
        _single_byte("macce", "mac_latin2"),
    )
}
