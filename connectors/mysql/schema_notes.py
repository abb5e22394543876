"""The schema log as it is kept: a small JSON document for each table and each database.

A table's is ``{"format": 1, "columns": [[name, type, charset, flags], …], "indexes": [[name, columns, unique, whole, implicit], …],
"engine": …, "charset": …, "versioned": …}``, with ``"sequence": true`` for a sequence, or ``{"format": 1, "gap": why}`` where its structure is not known; a
database's is ``{"format": 1, "charset": …}``.
"""

from __future__ import annotations

from typing import Any

import orjson

from connectors.mysql.structure import Column, Gap, Index, TableSchema, key_of
from connectors.source import Table
from streamtrain.errors import PositionLost

_FORMAT = 1
_TABLE, _DATABASE = "schema/", "database/"
_FLAGS = {"nullable": "n", "generated": "g", "invisible": "i", "auto_increment": "a"}
# Both are rare in names, and each makes a key of its own.
_ESCAPES = (("%", "%25"), (".", "%2E"))


def table_key(database: str, name: str) -> str:
    """The key of a table's note: ``schema/database.table``."""
    return f"{_TABLE}{_escaped(database)}.{_escaped(name)}"


def database_key(database: str) -> str:
    """The key of a database's note."""
    return f"{_DATABASE}{_escaped(database)}"


def parse_key(key: str) -> tuple[str, str] | None:
    """(database, table) of a key; the table is empty for a database's, and None is for one that is not of the schema log."""
    if key.startswith(_DATABASE):
        return _plain(key.removeprefix(_DATABASE)), ""
    if not key.startswith(_TABLE):
        return None
    database, _, name = key.removeprefix(_TABLE).partition(".")
    return _plain(database), _plain(name)


def table_note(entry: TableSchema | Gap) -> bytes:
    """A table's note."""
    if isinstance(entry, Gap):
        return orjson.dumps({"format": _FORMAT, "gap": entry.reason})
    columns = [
        [
            each.name,
            each.declared,
            each.charset,
            "".join(flag for field, flag in _FLAGS.items() if getattr(each, field)),
        ]
        for each in entry.columns
    ]
    indexes = [[each.name, each.columns, each.unique, each.whole, each.implicit] for each in entry.indexes]
    document = {"format": _FORMAT, "columns": columns, "indexes": indexes, "engine": entry.engine}
    document |= {"charset": entry.charset, "versioned": entry.versioned}
    return orjson.dumps(document | ({"sequence": True} if entry.sequence else {}))


def database_note(charset: str) -> bytes:
    """A database's note."""
    return orjson.dumps({"format": _FORMAT, "charset": charset})


def read_database(key: str, note: bytes) -> str:
    """The default character set in a database's note. Raises PositionLost if it is none."""
    charset = _document(key, note).get("charset")
    if not isinstance(charset, str):
        raise _foreign(key)
    return charset


def read_table(key: str, note: bytes, database: str, name: str) -> TableSchema | Gap:
    """The structure in a table's note. Raises PositionLost if it is none."""
    document = _document(key, note)
    try:
        if "gap" in document:
            return Gap(str(document["gap"]))
        columns = tuple(
            Column(own, declared, charset, **{field: flag in flags for field, flag in _FLAGS.items()})
            for own, declared, charset, flags in document["columns"]
        )
        indexes = tuple(
            Index(index, tuple(own), unique, whole, implicit)
            for index, own, unique, whole, implicit in document["indexes"]
        )
        table = Table(database, name, tuple(each.name for each in columns), key_of(columns, indexes))
        return TableSchema(
            table,
            columns,
            document["engine"],
            document["versioned"],
            document["charset"],
            indexes,
            sequence=bool(document.get("sequence")),
        )
    except (KeyError, TypeError, ValueError):
        raise _foreign(key) from None


def _document(key: str, note: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(note)
    except orjson.JSONDecodeError:
        raise _foreign(key) from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise _foreign(key)
    return document


def _foreign(key: str) -> PositionLost:
    return PositionLost(
        f"the note {key} beside the position is not of this version's schema log",
        hint="go back to the version that wrote it, or begin again under a new topic.prefix",
    )


def _escaped(name: str) -> str:
    for character, escape in _ESCAPES:
        name = name.replace(character, escape)
    return name


def _plain(name: str) -> str:
    for character, escape in reversed(_ESCAPES):
        name = name.replace(escape, character)
    return name
