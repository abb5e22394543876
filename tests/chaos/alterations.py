"""The connection that alters tables: columns come and go, tables are emptied, renamed, swapped, created and dropped."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pymysql

from tests.chaos.acting import Actor
from tests.chaos.history import History
from tests.chaos.schema import DATABASE, JOURNAL, MARKS, Catalog, Column, TableModel, renamed
from tests.chaos.writer import CHANGED, SETTINGS, code_of, require_foreseen
from tests.servers import PrivateDatabase

MOST_TABLES = 9
PATIENCE_S = 120.0
CHANCE_IN_SNAPSHOT = 0.15
_HOME = re.compile(r"home=(\d+)")


class Alterations(Actor):
    """Alters a random table now and then, one statement at a time. Runs in a thread of its own."""

    name = "alterations"

    def __init__(
        self, chance: random.Random, server: PrivateDatabase, catalog: Catalog, history: History, pause_s: float
    ) -> None:
        super().__init__(chance, pause_s)
        self.done = 0
        self._captured = catalog.captured
        self._server = server
        self._catalog = catalog
        self._history = history
        self._spare = 0
        self._columns: dict[str, Column] = {}

    def create_all(self, keys: tuple[str, ...]) -> None:
        """The tables that are there at the beginning, of these and of two random keys."""
        with closing(self._server.connect()) as connection, connection.cursor() as cursor:
            for key in (*keys, None, None):
                table = self._catalog.random_table(key)
                cursor.execute(table.created)
                self._catalog.put(table)
        self._mark()

    def turn(self) -> None:
        """One statement, and a row in the journal behind it. Few while the snapshot lasts: each makes it begin again."""
        if not self._captured.is_set() and self._chance.random() > CHANCE_IN_SNAPSHOT:
            return
        with self._catalog.altering:
            name, act = self._chance.choices(self._acts, [weight for weight, _ in self._weights])[0]
            try:
                if act(self):
                    self.done += 1
                    self._history.count(name)
            except pymysql.err.MySQLError as error:
                require_foreseen(error)
                self._look_again()
            self._mark()

    def _execute(self, statement: str) -> bool:
        """Whether it took effect. False if it had to wait for too long; any other error is raised."""
        with self._connected() as cursor:
            cursor.execute(SETTINGS)
            try:
                cursor.execute(statement)
            except pymysql.err.MySQLError as error:
                if code_of(error) in CHANGED | {1205, 1213}:
                    return False
                raise
        return True

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A cursor of a new connection."""
        with (
            closing(self._server.connect(connect_timeout=2, read_timeout=60)) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def _mark(self) -> None:
        """A row in the journal: from it on the tables have the names that they have now."""
        for _ in self._patience():
            tag, moment = self._history.begin()
            try:
                with self._connected() as cursor:
                    sql = f"INSERT INTO {DATABASE}.{JOURNAL} (tag, began, low, high) VALUES (%s, %s, 0, 0)"
                    cursor.execute(sql, (tag, moment))
            except pymysql.err.MySQLError as error:
                require_foreseen(error)
                self._history.lose_sight(tag)
                self._history.name(tag, self._catalog.names())
            else:
                self._history.acknowledge(tag)
                self._history.name(tag, self._catalog.names())
                return

    def _patience(self) -> Iterator[None]:
        """Tries, until the server must have been back for long."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            yield
            time.sleep(0.1)
        raise TimeoutError(f"the source does not answer for {PATIENCE_S} s")

    # After a statement with an unknown end

    def _look_again(self) -> None:
        """Take the tables from the server."""
        for _ in self._patience():
            with suppress(pymysql.err.MySQLError):
                self._catalog.replace_all(self.there_are())
                return

    def there_are(self) -> dict[int, TableModel]:
        """The tables as the server's own schema shows them, by home."""
        with self._connected() as cursor:
            cursor.execute(
                "SELECT TABLE_NAME, TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s", (DATABASE,)
            )
            homes = {name: int(match[1]) for name, comment in cursor.fetchall() if (match := _HOME.search(comment))}
            cursor.execute(
                "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s", (DATABASE,)
            )
            columns: dict[str, set[str]] = {}
            for name, column in cursor.fetchall():
                columns.setdefault(name, set()).add(column)
        return {home: self._model(name, home, columns[name]) for name, home in homes.items()}

    def _model(self, name: str, home: int, columns: set[str]) -> TableModel:
        model = self._catalog.models[home]
        own = {column.name: column for column in model.columns} | self._columns
        fixed = {*MARKS, *(column.name for column in model.key)}
        kept = tuple(own[column] for column in sorted(columns - fixed))
        return replace(model, name=name, columns=kept)

    # Statements

    def _any(self) -> TableModel | None:
        tables = sorted(self._catalog.tables(), key=lambda table: table.home)
        return self._chance.choice(tables) if tables else None

    def _alter(self, table: TableModel, clause: str, columns: tuple[Column, ...]) -> bool:
        if not self._execute(f"ALTER TABLE {table.quoted} {clause}"):
            return False
        self._catalog.put(replace(table, columns=columns))
        return True

    def _add_column(self) -> bool:
        table = self._any()
        if table is None or len(table.columns) > 12:
            return False
        column = self._catalog.random_column()
        self._columns[column.name] = column
        places = ["", "FIRST", *(f"AFTER `{one.name}`" for one in table.every_column)]
        return self._alter(
            table, f"ADD COLUMN {column.declared} {self._chance.choice(places)}", (*table.columns, column)
        )

    def _drop_column(self) -> bool:
        table = self._any()
        if table is None or len(table.columns) < 2:
            return False
        gone = self._chance.choice(table.columns)
        return self._alter(table, f"DROP COLUMN `{gone.name}`", tuple(one for one in table.columns if one != gone))

    def _exchange_columns(self) -> bool:
        """Drop one and add one at another place, in one statement: nothing but names tells them apart."""
        table = self._any()
        if table is None or not table.columns:
            return False
        gone, added = self._chance.choice(table.columns), self._catalog.random_column()
        self._columns[added.name] = added
        kept = tuple(one for one in table.columns if one != gone)
        return self._alter(table, f"DROP COLUMN `{gone.name}`, ADD COLUMN {added.declared} FIRST", (*kept, added))

    def _rename_column(self) -> bool:
        table = self._any()
        if table is None or not table.columns:
            return False
        old = self._chance.choice(table.columns)
        new = replace(old, name=f"r{self._chance.getrandbits(40)}")
        self._columns[new.name] = new
        self._history.renamed_columns[new.name] = old.name
        columns = tuple(new if one == old else one for one in table.columns)
        return self._alter(table, f"CHANGE COLUMN `{old.name}` {new.declared}", columns)

    def _rebuild(self) -> bool:
        table = self._any()
        return table is not None and self._execute(f"ALTER TABLE {table.quoted} FORCE")

    def _truncate(self) -> bool:
        table = self._any()
        return table is not None and self._execute(f"TRUNCATE TABLE {table.quoted}")

    def _create(self) -> bool:
        if len(self._catalog.tables()) >= MOST_TABLES:
            return False
        table = self._catalog.random_table()
        if not self._execute(table.created):
            return False
        self._catalog.put(table)
        return True

    def _drop(self) -> bool:
        table = self._any()
        if table is None or len(self._catalog.tables()) < 4 or not self._execute(f"DROP TABLE {table.quoted}"):
            return False
        self._catalog.drop(table.home)
        return True

    def _swap(self) -> bool:
        """Two tables change names in one statement, as tools for altering large tables do at their end."""
        if not self._captured.is_set():
            return False
        tables = sorted(self._catalog.tables(), key=lambda table: table.home)
        if len(tables) < 2:
            return False
        one, other = self._chance.sample(tables, 2)
        steps = ((one.name, "tswap"), (other.name, one.name), ("tswap", other.name))
        clauses = ", ".join(f"`{DATABASE}`.`{old}` TO `{DATABASE}`.`{new}`" for old, new in steps)
        if not self._execute(f"RENAME TABLE {clauses}"):
            return False
        self._catalog.put(renamed(one, other.name))
        self._catalog.put(renamed(other, one.name))
        return True

    def _rename(self) -> bool:
        table = self._any()
        if table is None or not self._captured.is_set():
            return False
        self._spare += 1
        name = f"t_renamed_{self._spare}"
        if not self._execute(f"ALTER TABLE {table.quoted} RENAME TO `{DATABASE}`.`{name}`"):
            return False
        self._catalog.put(renamed(table, name))
        return True

    _Act = Callable[["Alterations"], bool]
    _weights: tuple[tuple[float, tuple[str, _Act]], ...] = (
        (3, ("add column", _add_column)),
        (2, ("drop column", _drop_column)),
        (2, ("drop and add column", _exchange_columns)),
        (1, ("rename column", _rename_column)),
        (1, ("rebuild", _rebuild)),
        (1, ("truncate", _truncate)),
        (1.5, ("create table", _create)),
        (0.5, ("drop table", _drop)),
        (1, ("swap tables", _swap)),
        (0.5, ("rename table", _rename)),
    )
    _acts: tuple[Any, ...] = tuple(act for _, act in _weights)
