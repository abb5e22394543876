"""Definitions of indexes, and the names that the server gives to those without one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connectors.mysql.ddl.columns import skip_enforcement, skip_reference
from connectors.mysql.ddl.tokens import Cursor, NotUnderstood
from connectors.mysql.structure import PRIMARY, Column, Index

_EXPRESSION_NAME = "functional_index"
_OF_SET_LENGTH = {"char", "varchar", "binary", "varbinary"}


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """An index as a statement defines it."""

    columns: tuple[str, ...]
    unique: bool = False
    whole: bool = True
    """No part is an expression, or a period."""
    prefixes: tuple[tuple[str, int], ...] = ()
    """Columns of which only a beginning is in the index, with its length; all of it, if they are as long."""
    name: str | None = None
    foreign: bool = False
    """Of a foreign key: made only if no index begins with its columns."""
    if_missing: bool = False


def begins_constraint(cursor: Cursor) -> bool:
    """Whether an index or a constraint is defined here, not a column."""
    word = cursor.word()
    if word == "VECTOR":
        return cursor.word(1) in {"INDEX", "KEY"}
    if word == "PERIOD":
        return cursor.word(1) == "FOR"
    return word in {"PRIMARY", "UNIQUE", "INDEX", "KEY", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK", "CONSTRAINT"}


def read_constraint(cursor: Cursor) -> IndexDefinition | None:
    """Read an index or a constraint; None for one that has no index."""
    symbol = None
    if cursor.accept("CONSTRAINT"):
        cursor.accept("IF", "NOT", "EXISTS")
        if cursor.word() not in {"PRIMARY", "UNIQUE", "FOREIGN", "CHECK"}:
            symbol = cursor.name()
    word = cursor.next().word
    if word == "CHECK":
        cursor.skip_parentheses()
        skip_enforcement(cursor)
        return None
    if word == "FOREIGN":
        return _foreign(cursor, symbol)
    if word == "PRIMARY":
        cursor.expect("KEY")
        return _index(cursor, name=PRIMARY, unique=True)
    if word in {"UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"}:
        cursor.accept_any("INDEX", "KEY")
    elif word not in {"INDEX", "KEY"}:
        raise NotUnderstood(f"{word} before {cursor.near()}")
    return _index(cursor, name=symbol if word == "UNIQUE" else None, unique=word == "UNIQUE")


def read_parts(cursor: Cursor) -> IndexDefinition:
    """Read ``(a, b(10) DESC, (a + b))``, an index without more."""
    cursor.expect_symbol("(")
    columns, prefixes, whole = [], [], True
    while True:
        if cursor.skip_parentheses():
            whole = False
        else:
            columns.append(cursor.name())
            if cursor.accept_symbol("("):
                prefixes.append((columns[-1], cursor.number()))
                cursor.expect_symbol(")")
        cursor.accept_any("ASC", "DESC")
        if cursor.accept("WITHOUT", "OVERLAPS"):
            whole = False
        if not cursor.accept_symbol(","):
            break
    cursor.expect_symbol(")")
    return IndexDefinition(tuple(columns), whole=whole, prefixes=tuple(prefixes))


def _index(cursor: Cursor, *, name: str | None, unique: bool) -> IndexDefinition:
    if_missing = cursor.accept("IF", "NOT", "EXISTS")
    if not cursor.is_symbol("(") and cursor.word() not in {"USING", "TYPE"}:
        own = cursor.name()
        name = name if name == PRIMARY else own
    if cursor.accept_any("USING", "TYPE"):
        cursor.name()
    parts = read_parts(cursor)
    cursor.skip_to_comma()
    return replace(parts, unique=unique, name=name, if_missing=if_missing)


def _foreign(cursor: Cursor, symbol: str | None) -> IndexDefinition:
    cursor.expect("KEY")
    if_missing = cursor.accept("IF", "NOT", "EXISTS")
    own = None if cursor.is_symbol("(") else cursor.name()
    parts = read_parts(cursor)
    cursor.expect("REFERENCES")
    skip_reference(cursor)
    return replace(parts, name=symbol or own, foreign=True, if_missing=if_missing)


def added(indexes: Iterable[Index], definitions: Sequence[IndexDefinition], columns: Sequence[Column]) -> list[Index]:
    """The indexes with those that are newly defined, their columns named as in ``columns``."""
    result = list(indexes)
    by_name = {column.name.lower(): column for column in columns}
    for definition in definitions:
        parts = tuple(definition.columns)
        if definition.foreign and any(_begins_with(index, parts) for index in result):
            continue
        if definition.if_missing and definition.name and find(result, definition.name) is not None:
            continue
        missing = [part for part in parts if part.lower() not in by_name]
        if missing:
            raise NotUnderstood(f"an index over {', '.join(missing)}, which the table does not have")
        name = definition.name or _free_name(result, parts[0] if parts else _EXPRESSION_NAME)
        own = tuple(by_name[part.lower()].name for part in parts)
        prefixes = ((by_name[part.lower()], length) for part, length in definition.prefixes)
        whole = definition.whole and all(_is_all_of(column, length) for column, length in prefixes)
        index = Index(name, own, definition.unique, whole, definition.foreign)
        result = [each for each in result if not (each.implicit and _begins_with(index, each.columns))]
        result.append(index)
    return result


def find(indexes: Iterable[Index], name: str) -> Index | None:
    """The index of this name."""
    return next((index for index in indexes if index.name.lower() == name.lower()), None)


def dropped(indexes: Sequence[Index], name: str, *, if_exists: bool) -> list[Index]:
    """The indexes without one of them."""
    index = find(indexes, name)
    if index is None and not if_exists:
        raise NotUnderstood(f"index {name} goes, which the table does not have")
    return [each for each in indexes if each is not index]


def with_columns_renamed(indexes: Iterable[Index], renamed: dict[str, str | None]) -> list[Index]:
    """The indexes after columns, by lower-case name, got another name, or went (None)."""
    result = []
    for index in indexes:
        columns = [renamed.get(name.lower(), name) for name in index.columns]
        kept = tuple(name for name in columns if name is not None)
        if kept or not index.columns:
            result.append(replace(index, columns=kept))
    return result


def with_key_not_null(columns: Iterable[Column], indexes: Iterable[Index]) -> tuple[Column, ...]:
    """The columns, those of the primary key as it makes them."""
    primary = find(indexes, PRIMARY)
    names = {name.lower() for name in primary.columns} if primary else set()
    return tuple(replace(each, nullable=False) if each.name.lower() in names else each for each in columns)


def _is_all_of(column: Column, length: int) -> bool:
    """Whether a prefix is the whole column, as both servers then take it. Of a TEXT it never is."""
    return column.data_type in _OF_SET_LENGTH and length == column.width


def _begins_with(index: Index, columns: Sequence[str]) -> bool:
    first = [name.lower() for name in index.columns[: len(columns)]]
    return first == [name.lower() for name in columns]


def _free_name(indexes: Sequence[Index], name: str) -> str:
    taken = {index.name.lower() for index in indexes} | {PRIMARY.lower()}
    candidate, number = name, 2
    while candidate.lower() in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate
