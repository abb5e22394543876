"""What the tables hold at the end of a round, read with PyMySQL and converted by the rules in ``kinds.py``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.chaos.schema import DATABASE, JOURNAL, TableModel
from tests.servers import Database


@dataclass(frozen=True)
class Contents:
    """One table at the end."""

    model: TableModel
    rows: list[dict[str, Any]]
    """Comparable values by column."""


@dataclass(frozen=True)
class Truth:
    """The source at the end of a round."""

    tables: dict[int, Contents]
    """By home."""
    journal: frozenset[int]
    """Tags of the transactions that the source has committed."""


def read_truth(server: Database, models: Mapping[int, TableModel]) -> Truth:
    """Read all tables as they are now; nothing may be writing."""
    with closing(server.connect(database=DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION time_zone = '+00:00'")
        tables = {home: Contents(model, _rows(cursor, model)) for home, model in models.items()}
        cursor.execute(f"SELECT tag FROM {JOURNAL}")
        return Truth(tables, frozenset(tag for (tag,) in cursor.fetchall()))


def _rows(cursor: Any, model: TableModel) -> list[dict[str, Any]]:
    columns = model.every_column
    selected = ", ".join(column.kind.selected.format(f"`{column.name}`") for column in columns)
    cursor.execute(f"SELECT {selected} FROM {model.quoted}")
    return [
        {column.name: column.from_database(value) for column, value in zip(columns, row, strict=True)}
        for row in cursor.fetchall()
    ]
