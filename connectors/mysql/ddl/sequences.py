"""MariaDB's sequences: tables of one row, in which the server keeps where each is.

https://mariadb.com/kb/en/sequence-overview/ and https://mariadb.com/kb/en/create-sequence/
"""

from __future__ import annotations

from connectors.mysql.structure import Column, TableSchema
from connectors.source import Table

_SIGNED, _UNSIGNED, _FLAG = "bigint(21)", "bigint(21) unsigned", "tinyint(1) unsigned"
_COLUMNS = {
    "next_not_cached_value": _SIGNED,
    "minimum_value": _SIGNED,
    "maximum_value": _SIGNED,
    "start_value": _SIGNED,
    "increment": _SIGNED,
    "cache_size": _UNSIGNED,
    "cycle_option": _FLAG,
    "cycle_count": _SIGNED,
}


def sequence_schema(name: tuple[str, str]) -> TableSchema:
    """What CREATE SEQUENCE makes."""
    columns = tuple(Column(own, declared, nullable=False) for own, declared in _COLUMNS.items())
    return TableSchema(Table(*name, columns=tuple(_COLUMNS)), columns, engine="", sequence=True)
