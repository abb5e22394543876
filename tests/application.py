"""A small application that writes to a table, and knows exactly what its change history is."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.line import Published
from tests.servers import Database

COLUMNS = ("id", "user_id", "price", "device", "clicked")
Row = tuple[Any, ...]
Execute = Callable[[Sequence[tuple[str, Row]]], None]
"""Runs statements (with ``?`` for values) as one transaction."""

CREATE = (
    "CREATE TABLE events (id INTEGER PRIMARY KEY, user_id INTEGER, price INTEGER, device VARCHAR(20), clicked INTEGER)"
)


def on_sqlite(path: Path) -> Execute:
    def execute(statements: Sequence[tuple[str, Row]]) -> None:
        connection = sqlite3.connect(path, timeout=30)
        with connection:
            for sql, values in statements:
                connection.execute(sql, values)
        connection.close()

    return execute


def on_server(server: Database, database: str) -> Execute:
    def execute(statements: Sequence[tuple[str, Row]]) -> None:
        with server.connect(database=database) as connection:
            connection.begin()
            with connection.cursor() as cursor:
                for sql, values in statements:
                    cursor.execute(sql.replace("?", "%s"), values)
            connection.commit()

    return execute


class Application:
    """Writes seeded transactions of inserts, updates and deletes; ``history`` is what must be published."""

    def __init__(self, execute: Execute, seed: int) -> None:
        self._execute = execute
        self._random = random.Random(seed)
        self._rows: dict[int, Row] = {}
        self._next = 1
        self.history: list[Published] = []
        execute([(CREATE, ())])

    def fill(self, count: int) -> None:
        """Rows that are there before capture begins: they are read by the snapshot, in the order of the key."""
        rows = [self._new_row() for _ in range(count)]
        self._execute([self._insert(row) for row in rows])
        self.history += [Published("r", {"id": row[0]}, None, _document(row)) for row in rows]

    def transact(self, statements: int) -> None:
        """One transaction of this many statements."""
        self._execute([self._statement() for _ in range(statements)])

    def _statement(self) -> tuple[str, Row]:
        chance = self._random.random()
        if chance < 0.6 or len(self._rows) < 5:
            row = self._new_row()
            self.history.append(Published("c", {"id": row[0]}, None, _document(row)))
            return self._insert(row)
        identity = self._random.choice(sorted(self._rows))
        before = self._rows[identity]
        if chance < 0.9:
            after = (*before[:2], before[2] + 1, before[3], self._label())
            self._rows[identity] = after
            self.history.append(Published("u", {"id": identity}, _document(before), _document(after)))
            return "UPDATE events SET price = ?, clicked = ? WHERE id = ?", (after[2], after[4], identity)
        del self._rows[identity]
        self.history.append(Published("d", {"id": identity}, _document(before), None))
        self.history.append(Published(None, {"id": identity}, None, None))
        return "DELETE FROM events WHERE id = ?", (identity,)

    def _new_row(self) -> Row:
        user = self._random.randrange(40)
        row = (
            self._next,
            user,
            self._random.randrange(100),
            self._random.choice(["phone", "desk", "tab"]),
            self._label(),
        )
        self._next += 1
        self._rows[row[0]] = row
        return row

    def _label(self) -> int | None:
        return self._random.choice([0, 0, 1, None])

    def _insert(self, row: Row) -> tuple[str, Row]:
        return "INSERT INTO events VALUES (?, ?, ?, ?, ?)", row


def _document(row: Row) -> dict[str, Any]:
    return dict(zip(COLUMNS, row, strict=True))
