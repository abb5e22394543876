"""Column definitions: ``price DECIMAL(10,2) NOT NULL DEFAULT 0 AFTER name``.

https://dev.mysql.com/doc/refman/9.4/en/create-table.html and https://mariadb.com/kb/en/create-table/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.mysql.ddl.charsets import read_collation
from connectors.mysql.ddl.tokens import Cursor, Dialect, NotUnderstood
from connectors.mysql.ddl.types import ColumnType, read_type
from connectors.mysql.structure import Column


@dataclass(frozen=True, slots=True)
class Session:
    """What the server has logged of the session in which a statement was run."""

    dialect: Dialect
    sql_mode: int = 0
    explicit_timestamps: bool = True
    """Without it a TIMESTAMP is NOT NULL if it is not said to be NULL."""
    server_charset: str | None = None
    """Of databases that are created without one; None if it is not known."""


@dataclass(slots=True)
class ColumnDefinition:
    """A column as a statement defines it."""

    name: str
    type: ColumnType
    collation_charset: str = ""
    """The character set of the collation that was given."""
    nullable: bool | None = None
    """None if nothing was said."""
    generated: bool = False
    invisible: bool = False
    auto_increment: bool = False
    primary: bool = False
    unique: bool = False

    def column(self, charset: str | None, session: Session) -> Column:
        """As it is in a table whose default character set is ``charset``."""
        declared, charset = self.type.resolve(self.collation_charset or charset)
        nullable = self.nullable
        if nullable is None:
            timestamp = self.type.name == "timestamp" and not session.explicit_timestamps and not self.generated
            nullable = not (self.auto_increment or timestamp)
        return Column(
            self.name,
            declared,
            charset,
            nullable=nullable and not self.primary,
            generated=self.generated,
            invisible=self.invisible,
            auto_increment=self.auto_increment,
        )


def read_column(cursor: Cursor, session: Session) -> ColumnDefinition:
    """Read a name and its definition."""
    return read_definition(cursor, cursor.name(), session)


def read_definition(cursor: Cursor, name: str, session: Session) -> ColumnDefinition:
    """Read the definition of column ``name`` up to what is no attribute of a column."""
    type_ = read_type(cursor, session.dialect, session.sql_mode)
    definition = ColumnDefinition(name, type_)
    if type_.automatic:
        definition.nullable, definition.auto_increment, definition.unique = False, True, True
    while not cursor.at_end and not cursor.is_symbol(",") and not cursor.is_symbol(")"):
        word = cursor.word()
        if word in {"FIRST", "AFTER"}:
            break
        if not word:
            raise NotUnderstood(f"{cursor.near()} in the definition of column {name}")
        read = _ATTRIBUTES.get(word)
        if read is None:
            raise NotUnderstood(f"{cursor.near()} in the definition of column {name}")
        cursor.next()
        read(cursor, definition)
    return definition


def read_place(cursor: Cursor) -> str | None:
    """Read ``FIRST`` (the empty string), ``AFTER column`` (its name), or nothing (None)."""
    if cursor.accept("FIRST"):
        return ""
    return cursor.name() if cursor.accept("AFTER") else None


def skip_reference(cursor: Cursor) -> None:
    """Pass what follows REFERENCES."""
    cursor.table("")
    cursor.skip_parentheses()
    while True:
        if cursor.accept("MATCH"):
            cursor.name()
        elif cursor.accept("ON", "DELETE") or cursor.accept("ON", "UPDATE"):
            if not (cursor.accept("SET", "NULL") or cursor.accept("SET", "DEFAULT") or cursor.accept("NO", "ACTION")):
                cursor.name()
        else:
            return


def skip_enforcement(cursor: Cursor) -> None:
    """Pass what may follow CHECK (…)."""
    if not cursor.accept("NOT", "ENFORCED"):
        cursor.accept("ENFORCED")


def _not(cursor: Cursor, definition: ColumnDefinition) -> None:
    if not cursor.accept("SECONDARY"):
        cursor.expect("NULL")
        definition.nullable = False


def _null(_cursor: Cursor, definition: ColumnDefinition) -> None:
    definition.nullable = True


def _default(cursor: Cursor, _definition: ColumnDefinition) -> None:
    """A value, a function of no row, or an expression in parentheses."""
    if cursor.skip_parentheses():
        return
    if cursor.accept("NEXT", "VALUE", "FOR"):
        cursor.table("")
        return
    if not cursor.accept_symbol("-"):
        cursor.accept_symbol("+")
    _skip_value(cursor)


def _skip_value(cursor: Cursor) -> None:
    if cursor.at_string():
        cursor.string()
        return
    if cursor.is_symbol("."):
        cursor.next()
    cursor.name()  # a number's digits, a keyword, a function, an introducer or a prefix of a string
    if cursor.at_string():
        cursor.string()
        return
    while cursor.accept_symbol("."):
        if cursor.word():
            cursor.next()
    if (cursor.is_symbol("-") or cursor.is_symbol("+")) and cursor.word(1).isdecimal():  # 1.5E-3
        cursor.next()
        cursor.next()
    cursor.skip_parentheses()


def _on(cursor: Cursor, _definition: ColumnDefinition) -> None:
    cursor.expect("UPDATE")
    cursor.name()
    cursor.skip_parentheses()


def _generated(cursor: Cursor, definition: ColumnDefinition) -> None:
    cursor.expect("ALWAYS", "AS")
    _computed(cursor, definition)


def _computed(cursor: Cursor, definition: ColumnDefinition) -> None:
    if not cursor.skip_parentheses():
        raise NotUnderstood(f"{cursor.near()}: a column of system versioning")
    cursor.accept_any("VIRTUAL", "STORED", "PERSISTENT")
    definition.generated = True


def _unique(cursor: Cursor, definition: ColumnDefinition) -> None:
    cursor.accept("KEY")
    definition.unique = True


def _primary(cursor: Cursor, definition: ColumnDefinition) -> None:
    cursor.accept("KEY")
    definition.primary = True


def _auto_increment(_cursor: Cursor, definition: ColumnDefinition) -> None:
    definition.auto_increment = True


def _invisible(_cursor: Cursor, definition: ColumnDefinition) -> None:
    definition.invisible = True


def _collate(cursor: Cursor, definition: ColumnDefinition) -> None:
    definition.collation_charset = read_collation(cursor)


def _serial(cursor: Cursor, definition: ColumnDefinition) -> None:
    cursor.expect("DEFAULT", "VALUE")
    definition.nullable, definition.auto_increment, definition.unique = False, True, True


def _check(cursor: Cursor, _definition: ColumnDefinition) -> None:
    cursor.skip_parentheses()
    skip_enforcement(cursor)


def _constraint(cursor: Cursor, definition: ColumnDefinition) -> None:
    if cursor.word() != "CHECK":
        cursor.name()
    cursor.expect("CHECK")
    _check(cursor, definition)


def _with(cursor: Cursor, _definition: ColumnDefinition) -> None:
    cursor.expect("SYSTEM", "VERSIONING")


def _value(cursor: Cursor, _definition: ColumnDefinition) -> None:
    """An attribute with one value that changes nothing of the structure."""
    cursor.accept_symbol("=")
    cursor.next()


def _compressed(cursor: Cursor, definition: ColumnDefinition) -> None:
    if cursor.accept_symbol("="):
        cursor.name()
    definition.type = replace(definition.type, compressed=True)


def _nothing(_cursor: Cursor, _definition: ColumnDefinition) -> None:
    """An attribute that changes nothing of the structure."""


_ATTRIBUTES: dict[str, Callable[[Cursor, ColumnDefinition], None]] = {
    "NOT": _not,
    "NULL": _null,
    "DEFAULT": _default,
    "ON": _on,
    "AUTO_INCREMENT": _auto_increment,
    "UNIQUE": _unique,
    "PRIMARY": _primary,
    "KEY": _primary,
    "COMMENT": _value,
    "COLUMN_FORMAT": _value,
    "STORAGE": _value,
    "ENGINE_ATTRIBUTE": _value,
    "SECONDARY_ENGINE_ATTRIBUTE": _value,
    "SRID": _value,
    "REF_SYSTEM_ID": _value,
    "COLLATE": _collate,
    "GENERATED": _generated,
    "AS": _computed,
    "CHECK": _check,
    "CONSTRAINT": _constraint,
    "REFERENCES": lambda cursor, _definition: skip_reference(cursor),
    "INVISIBLE": _invisible,
    "VISIBLE": _nothing,
    "SERIAL": _serial,
    "WITH": _with,
    "WITHOUT": _with,
    "COMPRESSED": _compressed,
}
