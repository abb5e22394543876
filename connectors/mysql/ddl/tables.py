"""Definitions of tables: what stands between a CREATE TABLE's parentheses, and the options after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.mysql.ddl.charsets import DEFAULT, accept_charset, read_collation
from connectors.mysql.ddl.columns import ColumnDefinition, Session, read_column
from connectors.mysql.ddl.keys import IndexDefinition, added, begins_constraint, read_constraint, with_key_not_null
from connectors.mysql.ddl.tokens import Cursor, NotUnderstood
from connectors.mysql.structure import PRIMARY, Column, Index, TableSchema, in_order, key_of
from connectors.source import Table

_OPTIONS = {
    "ALGORITHM", "AUTOEXTEND_SIZE", "AUTO_INCREMENT", "AVG_ROW_LENGTH", "CHECKSUM", "COMMENT", "COMPRESSION",
    "CONNECTION", "DELAY_KEY_WRITE", "ENCRYPTED", "ENCRYPTION", "ENCRYPTION_KEY_ID", "ENGINE_ATTRIBUTE", "IETF_QUOTES",
    "INSERT_METHOD", "KEY_BLOCK_SIZE", "LOCK", "MAX_ROWS", "MIN_ROWS", "PACK_KEYS", "PAGE_CHECKSUM", "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL", "PASSWORD", "ROW_FORMAT", "SECONDARY_ENGINE", "SECONDARY_ENGINE_ATTRIBUTE",
    "STATS_AUTO_RECALC", "STATS_PERSISTENT", "STATS_SAMPLE_PAGES", "STORAGE", "TABLESPACE", "TABLE_CHECKSUM",
    "TRANSACTIONAL", "UNION",
}  # fmt: skip
"""Those that change nothing of the structure."""
_ON = {"1", "YES"}


@dataclass(slots=True)
class TableOptions:
    """What the options of a statement say of the structure."""

    charset: str | None = None
    """``DEFAULT``: that of the database; None: nothing was said."""
    collation_charset: str | None = None
    engine: str | None = None
    sequence: bool | None = None
    """Whether it becomes a sequence, or is none any more; None: nothing was said."""

    def default_charset(self, otherwise: str | None, database: str | None) -> str | None:
        """The character set of text columns without one, where nothing was said ``otherwise``."""
        if self.charset == DEFAULT:
            return self.collation_charset or database
        return self.charset or self.collation_charset or otherwise


@dataclass(frozen=True, slots=True)
class Elements:
    """What a table is defined by, in the order of the statement."""

    columns: list[ColumnDefinition]
    indexes: list[IndexDefinition]

    def add(self, element: ColumnDefinition | IndexDefinition | None) -> None:
        """Add a column with the indexes that its definition asks for, or an index."""
        if isinstance(element, IndexDefinition):
            self.indexes.append(element)
        elif element is not None:
            self.columns.append(element)
            self.indexes.extend(own_indexes(element))


def own_indexes(column: ColumnDefinition) -> list[IndexDefinition]:
    """The indexes that a column's definition asks for."""
    indexes = []
    if column.primary:
        indexes.append(IndexDefinition((column.name,), unique=True, name=PRIMARY))
    if column.unique:
        indexes.append(IndexDefinition((column.name,), unique=True))
    return indexes


def read_elements(cursor: Cursor, session: Session) -> Elements:
    """Read ``(id INT, PRIMARY KEY (id))``."""
    elements = Elements([], [])
    cursor.expect_symbol("(")
    while True:
        elements.add(read_constraint(cursor) if begins_constraint(cursor) else read_column(cursor, session))
        if not cursor.accept_symbol(","):
            break
    cursor.expect_symbol(")")
    return elements


def read_option(cursor: Cursor, options: TableOptions) -> bool:
    """Read one option of a table; whether there was one."""
    if cursor.word() == "DEFAULT":
        cursor.next()
    if (charset := accept_charset(cursor)) is not None:
        options.charset = charset
    elif cursor.accept("COLLATE"):
        options.collation_charset = read_collation(cursor) or None
    elif cursor.accept_any("ENGINE", "TYPE"):
        cursor.accept_symbol("=")
        options.engine = _text(cursor)
    elif cursor.accept("DATA", "DIRECTORY") or cursor.accept("INDEX", "DIRECTORY"):
        _skip_value(cursor)
    elif cursor.accept("SEQUENCE"):
        cursor.accept_symbol("=")
        options.sequence = _text(cursor).upper() in _ON
    elif cursor.word() in _OPTIONS or cursor.is_symbol("=", 1):
        cursor.next()
        _skip_value(cursor)
    else:
        return False
    return True


def _skip_value(cursor: Cursor) -> None:
    cursor.accept_symbol("=")
    if not cursor.skip_parentheses():
        cursor.next()


def _text(cursor: Cursor) -> str:
    return cursor.string() if cursor.at_string() else cursor.name()


def read_table(cursor: Cursor, name: tuple[str, str], database_charset: str | None, session: Session) -> TableSchema:
    """Read a table's definition, from the parenthesis after its name on."""
    elements = read_elements(cursor, session)
    options = TableOptions()
    while not cursor.at_end:
        if cursor.accept("PARTITION", "BY"):
            cursor.skip_rest()  # a SELECT after it is logged as the rows that it gave
        elif not (cursor.accept_symbol(",") or cursor.accept("START", "TRANSACTION") or read_option(cursor, options)):
            raise NotUnderstood(f"{cursor.near()} among the table's options")
    charset = options.default_charset(database_charset, database_charset)
    columns = [definition.column(charset, session) for definition in elements.columns]
    indexes = added((), elements.indexes, columns)
    table = made(name, columns, indexes, charset=charset, engine=options.engine or "")
    return replace(table, sequence=bool(options.sequence))


def made(
    name: tuple[str, str], columns: Sequence[Column], indexes: Sequence[Index], *, charset: str | None, engine: str
) -> TableSchema:
    """A table of these parts, with what follows from them."""
    if not columns:
        raise NotUnderstood("a table without columns")
    own = with_key_not_null(columns, indexes)
    ordered = tuple(in_order(own, indexes))
    table = Table(*name, columns=tuple(column.name for column in own), key=key_of(own, ordered))
    return TableSchema(table, own, engine, charset=charset, indexes=ordered)
