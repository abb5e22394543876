"""The names of character sets, and how many bytes a character of each takes at most."""

from __future__ import annotations

_LONGEST = {
    "utf8mb4": 4, "utf16": 4, "utf16le": 4, "utf32": 4, "gb18030": 4, "utf8mb3": 3, "eucjpms": 3, "ujis": 3, "big5": 2,
    "cp932": 2, "euckr": 2, "gb2312": 2, "gbk": 2, "sjis": 2, "ucs2": 2,
    **dict.fromkeys(
        (
            "armscii8", "ascii", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8",
            "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7",
            "macce", "macroman", "swe7", "tis620",
        ),
        1,
    ),
}  # fmt: skip


def plain_charset(name: str) -> str:
    """A character set's name, by which both servers know it: ``utf8`` is short for one that has a name of its own."""
    return "utf8mb3" if name.lower() == "utf8" else name.lower()


def charset_of_collation(name: str) -> str:
    """A collation's character set, with whose name its own begins."""
    return plain_charset(name.partition("_")[0])


def bytes_per_character(charset: str) -> int:
    """At most. Raises KeyError for a character set that is not known."""
    return _LONGEST[charset]


def is_charset(name: str) -> bool:
    """Whether there is a character set of this name."""
    return name in _LONGEST
