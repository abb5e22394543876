"""Clauses of DDL about character sets."""

from __future__ import annotations

from connectors.mysql.charset_names import charset_of_collation, is_charset, plain_charset
from connectors.mysql.ddl.tokens import Cursor, NotUnderstood

DEFAULT = "default"
"""Stands where a character set may: the one of what is around."""


def accept_charset(cursor: Cursor) -> str | None:
    """Pass ``CHARACTER SET [=] name``, in any of its forms: the name, ``default`` among them; None if none stands here."""
    if not (cursor.accept("CHARACTER", "SET") or cursor.accept("CHAR", "SET") or cursor.accept("CHARSET")):
        return None
    cursor.accept_symbol("=")
    name = plain_charset(_name(cursor))
    if name != DEFAULT and not is_charset(name):
        raise NotUnderstood(f"character set {name} is not known")
    return name


def read_collation(cursor: Cursor) -> str:
    """Read what follows COLLATE: the collation's character set; empty for a collation that fits any."""
    cursor.accept_symbol("=")
    charset = charset_of_collation(_name(cursor))
    return charset if is_charset(charset) else ""


def _name(cursor: Cursor) -> str:
    return cursor.string() if cursor.at_string() else cursor.name()
