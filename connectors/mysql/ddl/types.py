"""Column types as DDL spells them -> as ``information_schema`` shows them.

https://dev.mysql.com/doc/refman/9.4/en/data-types.html and https://mariadb.com/kb/en/data-types/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.mysql.charset_names import bytes_per_character
from connectors.mysql.ddl.charsets import DEFAULT, accept_charset
from connectors.mysql.ddl.tokens import Cursor, Dialect, NotUnderstood

REAL_AS_FLOAT = 1
"""The bit of ``sql_mode``: REAL is then a FLOAT."""
_VARCHAR_BYTES = 65_535
_FLOAT_BITS = 24
_TEXT_SIZES = (("tiny", 1 << 8), ("", 1 << 16), ("medium", 1 << 24), ("long", 1 << 32))


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type as it was spelled; what it becomes may depend on the character set that it is given in the end."""

    name: str
    suffix: str = ""
    """What follows the name: ``(10,2) unsigned``."""
    size: int | None = None
    """The length in characters, of CHAR, VARCHAR, TEXT and the like, where one was given."""
    charset: str | None = None
    """Where one was given."""
    automatic: bool = False
    """SERIAL: NOT NULL AUTO_INCREMENT UNIQUE."""
    compressed: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it has a character set."""
        return self.name in _TEXTS

    def resolve(self, charset: str | None) -> tuple[str, str | None]:
        """As ``information_schema`` shows it, with its character set, where text without one has ``charset``."""
        name, suffix, size = self.name, self.suffix, self.size
        if self.is_text:
            charset = self.charset or charset
            if charset is None:
                raise NotUnderstood("the default character set is not known")
            if charset == "binary" and name in _AS_BINARY:
                name, charset = _AS_BINARY[name], None
        else:
            charset = None
        if size is not None and name in {"text", "blob"}:
            name = text_type(size * (bytes_per_character(charset) if charset else 1), name)
        elif size is not None:
            if name == "varchar" and size * bytes_per_character(charset or "binary") > _VARCHAR_BYTES:
                raise NotUnderstood("a VARCHAR that is too long, which the server makes another type")
            suffix = f"({size})"
        return f"{name}{suffix}{' compressed' if self.compressed else ''}", charset


def text_type(length: int, family: str) -> str:
    """The smallest type of ``family``, text or blob, that holds ``length`` bytes."""
    for prefix, limit in _TEXT_SIZES:
        if length < limit:
            return prefix + family
    raise NotUnderstood(f"a {family} of {length} bytes")


def read_type(cursor: Cursor, dialect: Dialect, sql_mode: int) -> ColumnType:
    """Read a type with what belongs to it, its character set too."""
    word = cursor.next().word
    read = _READERS.get(word)
    if read is None and dialect.mariadb and word in _MARIADB_TYPES:
        return ColumnType(word.lower())
    if read is None:
        raise NotUnderstood(f"type {word or 'in quotes'} is not known")
    return read(cursor, word, _Context(dialect, sql_mode))


@dataclass(frozen=True, slots=True)
class _Context:
    dialect: Dialect
    sql_mode: int


_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
_AS_BINARY = {
    "char": "binary", "varchar": "varbinary", "tinytext": "tinyblob", "text": "blob", "mediumtext": "mediumblob",
    "longtext": "longblob",
}  # fmt: skip
_MARIADB_TYPES = {"UUID", "INET6", "INET4"}
_INTEGERS = {
    "TINYINT": "tinyint", "INT1": "tinyint", "SMALLINT": "smallint", "INT2": "smallint", "MEDIUMINT": "mediumint",
    "INT3": "mediumint", "MIDDLEINT": "mediumint", "INT": "int", "INTEGER": "int", "INT4": "int", "BIGINT": "bigint",
    "INT8": "bigint",
}  # fmt: skip
_WIDTHS = {"tinyint": (4, 3), "smallint": (6, 5), "mediumint": (9, 8), "int": (11, 10), "bigint": (20, 20)}
"""Of numbers with a sign, and without."""


def _arguments(cursor: Cursor) -> list[int]:
    if not cursor.accept_symbol("("):
        return []
    numbers = [cursor.number()]
    while cursor.accept_symbol(","):
        numbers.append(cursor.number())
    cursor.expect_symbol(")")
    return numbers


def _size(cursor: Cursor) -> int | None:
    return next(iter(_arguments(cursor)), None)


def _signs(cursor: Cursor) -> tuple[bool, bool]:
    """Whether UNSIGNED, and whether ZEROFILL, is said."""
    found = set()
    while word := cursor.accept_any("SIGNED", "UNSIGNED", "ZEROFILL"):
        found.add(word)
    return bool(found & {"UNSIGNED", "ZEROFILL"}), "ZEROFILL" in found


def _sign_text(*, unsigned: bool, zerofill: bool) -> str:
    return (" unsigned" if unsigned else "") + (" zerofill" if zerofill else "")


def _integer(cursor: Cursor, word: str, context: _Context) -> ColumnType:
    name, width = _INTEGERS[word], _size(cursor)
    unsigned, zerofill = _signs(cursor)
    shown = width or _WIDTHS[name][unsigned]
    boolean = name == "tinyint" and width == 1 and not unsigned
    text = f"({shown})" if context.dialect.shows_widths or zerofill or boolean else ""
    return ColumnType(name, text + _sign_text(unsigned=unsigned, zerofill=zerofill))


def _boolean(_cursor: Cursor, _word: str, _context: _Context) -> ColumnType:
    return ColumnType("tinyint", "(1)")


def _serial(_cursor: Cursor, _word: str, context: _Context) -> ColumnType:
    return ColumnType("bigint", "(20) unsigned" if context.dialect.shows_widths else " unsigned", automatic=True)


def _decimal(cursor: Cursor, _word: str, _context: _Context) -> ColumnType:
    digits, scale = ([*_arguments(cursor), 0, 0])[:2]
    unsigned, zerofill = _signs(cursor)
    return ColumnType("decimal", f"({digits or 10},{scale})" + _sign_text(unsigned=unsigned, zerofill=zerofill))


def _float(cursor: Cursor, word: str, context: _Context) -> ColumnType:
    if word == "DOUBLE":
        cursor.accept("PRECISION")
    arguments = _arguments(cursor)
    single = word in {"FLOAT", "FLOAT4"} or (word == "REAL" and context.sql_mode & REAL_AS_FLOAT)
    text = ""
    if len(arguments) > 1:
        text = f"({arguments[0]},{arguments[1]})"
    elif arguments and arguments[0] > _FLOAT_BITS:
        single = False
    unsigned, zerofill = _signs(cursor)
    return ColumnType("float" if single else "double", text + _sign_text(unsigned=unsigned, zerofill=zerofill))


def _bit(cursor: Cursor, _word: str, _context: _Context) -> ColumnType:
    return ColumnType("bit", f"({_size(cursor) or 1})")


def _year(cursor: Cursor, _word: str, context: _Context) -> ColumnType:
    width = _size(cursor) or 4
    _signs(cursor)
    return ColumnType("year", f"({width})" if context.dialect.shows_widths else "")


def _temporal(cursor: Cursor, word: str, _context: _Context) -> ColumnType:
    digits = _size(cursor)
    return ColumnType(word.lower(), f"({digits})" if digits else "")


def _plain(_cursor: Cursor, word: str, _context: _Context) -> ColumnType:
    return ColumnType(word.lower())


def _geometry(_cursor: Cursor, word: str, context: _Context) -> ColumnType:
    if word in {"GEOMETRYCOLLECTION", "GEOMCOLLECTION"}:
        short = not context.dialect.mariadb and context.dialect.version >= (8, 0, 11)
        return ColumnType("geomcollection" if short else "geometrycollection")
    return ColumnType(word.lower())


def _vector(cursor: Cursor, _word: str, context: _Context) -> ColumnType:
    size = _size(cursor)
    if size is None and context.dialect.mariadb:
        raise NotUnderstood("a VECTOR without a length")
    return ColumnType("vector", f"({size or 2048})")


def _json(_cursor: Cursor, _word: str, context: _Context) -> ColumnType:
    return ColumnType("longtext", charset="utf8mb4") if context.dialect.mariadb else ColumnType("json")


def _labels(cursor: Cursor, word: str, context: _Context) -> ColumnType:
    cursor.expect_symbol("(")
    labels = [cursor.string()]
    while cursor.accept_symbol(","):
        labels.append(cursor.string())
    cursor.expect_symbol(")")
    return _text(cursor, word.lower(), context, suffix=f"({','.join(quoted_label(label) for label in labels)})")


def quoted_label(label: str) -> str:
    """A label of an ENUM or SET as ``information_schema`` shows it; the server takes blanks at the end away."""
    text = label.rstrip(" ")
    for character, escaped in (("\\", "\\\\"), ("'", "''"), ("\0", "\\0"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, escaped)
    return f"'{text}'"


def _character(cursor: Cursor, word: str, context: _Context) -> ColumnType:
    """CHAR, VARCHAR, and what both are also called."""
    national = word in {"NATIONAL", "NCHAR", "NVARCHAR"}
    varying = "VAR" in word
    if word in {"NATIONAL", "NCHAR"}:
        varying |= "VAR" in cursor.accept_any(*(_CHARACTERS if word == "NATIONAL" else ("VARCHAR", "VARCHARACTER")))
    varying |= cursor.accept("VARYING")
    size = _size(cursor)
    if size is None:
        if varying:
            raise NotUnderstood("a VARCHAR without a length")
        size = 1
    found = _text(cursor, "varchar" if varying else "char", context, size=size)
    return ColumnType(found.name, size=size, charset="utf8mb3", compressed=found.compressed) if national else found


def _sized_text(cursor: Cursor, word: str, context: _Context) -> ColumnType:
    size = _size(cursor) if word == "TEXT" else None
    return _text(cursor, word.lower(), context, size=size or None)


def _long(cursor: Cursor, _word: str, context: _Context) -> ColumnType:
    if cursor.accept("VARBINARY"):
        return ColumnType("mediumblob")
    if cursor.accept_any(*_CHARACTERS):
        cursor.accept("VARYING")
    return _text(cursor, "mediumtext", context)


def _text(cursor: Cursor, name: str, _context: _Context, *, size: int | None = None, suffix: str = "") -> ColumnType:
    """A type with a character set, and what can follow it."""
    charset: str | None = None
    compressed = False
    while True:
        if cursor.accept("BYTE"):
            charset = "binary"
        elif cursor.accept("ASCII"):
            charset = "latin1"
        elif cursor.accept("UNICODE"):
            charset = "ucs2"
        elif found := accept_charset(cursor):
            charset = None if found == DEFAULT else found
        elif _accept_compressed(cursor):
            compressed = True
        elif not cursor.accept("BINARY"):
            return ColumnType(name, suffix, size, charset, compressed=compressed)


def _binary(cursor: Cursor, word: str, _context: _Context) -> ColumnType:
    size = _size(cursor)
    if word == "BINARY" and size is None:
        size = 1
    if word == "BLOB" and not size:
        size = None
    return ColumnType(word.lower(), size=size, compressed=_accept_compressed(cursor))


def _accept_compressed(cursor: Cursor) -> bool:
    if not cursor.accept("COMPRESSED"):
        return False
    if cursor.accept_symbol("="):
        cursor.name()
    return True


_CHARACTERS = ("CHAR", "CHARACTER", "VARCHAR", "VARCHARACTER")
_Reader = Callable[[Cursor, str, _Context], ColumnType]


def _all(words: Sequence[str], read: _Reader) -> dict[str, _Reader]:
    return dict.fromkeys(words, read)


_READERS: dict[str, _Reader] = {
    **_all(tuple(_INTEGERS), _integer),
    **_all(("BOOL", "BOOLEAN"), _boolean),
    **_all(("DECIMAL", "NUMERIC", "DEC", "FIXED"), _decimal),
    **_all(("FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "REAL"), _float),
    **_all(("TIME", "DATETIME", "TIMESTAMP"), _temporal),
    **_all(("DATE", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB"), _plain),
    **_all(
        (
            "GEOMETRY", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON",
            "GEOMETRYCOLLECTION", "GEOMCOLLECTION",
        ),
        _geometry,
    ),
    **_all((*_CHARACTERS, "NATIONAL", "NCHAR", "NVARCHAR"), _character),
    **_all(("TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"), _sized_text),
    **_all(("BINARY", "VARBINARY", "BLOB"), _binary),
    **_all(("ENUM", "SET"), _labels),
    "SERIAL": _serial,
    "BIT": _bit,
    "YEAR": _year,
    "VECTOR": _vector,
    "JSON": _json,
    "LONG": _long,
}  # fmt: skip
