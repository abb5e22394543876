"""A connection of the workload: random transactions, and an account of what each of them did.

A transaction writes one row into the journal before it commits: its tag, the moment it began, and the least and the most
row changes that it made elsewhere. Whether it committed is then a question to the table, even where the server died in
the commit.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pymysql

from tests.chaos import kinds
from tests.chaos.acting import Actor
from tests.chaos.features import Features
from tests.chaos.history import History
from tests.chaos.schema import DATABASE, JOURNAL, NOISE, Catalog, TableModel
from tests.servers import PrivateDatabase

PAUSE_S = 0.03
DUPLICATE, LOCK_TIMEOUT, DEADLOCK = 1062, 1205, 1213
# A table that was altered, renamed or dropped since its model was taken.
CHANGED = {1054, 1146, 1412, 1364, 1051, 1136, 1091}
# Nor does a value fit a column that has another type since.
CHANGED |= {1048, 1267, 1292, 1300, 1366, 1367, 1416, 1525, 3037, 3140, 3146, 3854, 4025, 4078, 4079, 6136}
# The statement or the whole connection was killed, or the server is going down, or is being asked too much for now.
INTERRUPTED = {1053, 1317, 1969, 1927, 3169, 1152, 1158, 1159, 1160, 1161, 1040, 1042, 1044, 1180, 2002, 2003, 2006, 2013, 2014, 4031, 0}  # fmt: skip
_EDITS = ("JSON_SET", "JSON_REPLACE", "JSON_REMOVE")
_PATHS = ("$[0]", "$[1]", "$[2][0]", '$."k0 ü"', '$."k1 ü"', '$."k2 ü"[0]', '$."k3 ü"."k0 ü"', "$.new")
SETTINGS = (
    "SET SESSION sql_mode = '', time_zone = '+00:00', innodb_lock_wait_timeout = 2, lock_wait_timeout = 5,"
    " foreign_key_checks = 0"
)


class Abandoned(Exception):
    """The transaction under way came to nothing; the connection is fit for another."""


@dataclass
class Pace:
    """How hard the workload works: what is large."""

    large_rows: int = 4_000


class Writer(Actor):
    """One connection's worth of work, until ``stop`` is set. Runs in a thread of its own."""

    def __init__(
        self, name: str, chance: random.Random, server: PrivateDatabase, catalog: Catalog, history: History
    ) -> None:
        super().__init__(chance, PAUSE_S)
        self.name = name
        self.pace = Pace()
        self.features = Features()
        self._server = server
        self._catalog = catalog
        self._history = history
        self._connection: pymysql.connections.Connection[Any] | None = None
        self._compressing = False
        self._low = self._high = 0
        self._did: list[str] = []

    @property
    def thread_id(self) -> int | None:
        """The server's number of the present connection, for KILL."""
        connection = self._connection
        return None if connection is None else int(connection.thread_id())

    def run(self, stop: threading.Event) -> None:
        try:
            super().run(stop)
        finally:
            self.close()

    def turn(self) -> None:
        """One transaction, whatever becomes of it."""
        tag, moment = self._history.begin()
        self._low = self._high = 0
        self._did = []
        how = self._chance.random()
        try:
            connection = self._connected()
            if self._compressing:
                self._history.gather(tag)
                self._did.append("compressed transaction")
            if how < 0.15:
                self._alone(connection, tag, moment)
            elif how < 0.25 and self.features.xa:
                self._two_phase(connection, tag, moment)
            else:
                self._together(connection, tag, moment, roll_back=how > 0.92)
        except Abandoned:
            self._history.undo(tag)
        except pymysql.err.MySQLError as error:
            require_foreseen(error)
            self._history.undo(tag)
            self.close()
        else:
            for what in self._did:
                self._history.count(what)

    def _connected(self) -> pymysql.connections.Connection[Any]:
        if self._connection is None:
            self._connection = self._server.connect(connect_timeout=2, read_timeout=30)
            with self._connection.cursor() as cursor:
                cursor.execute(SETTINGS)
                self._compressing = self.features.compressed and self._chance.random() < 0.5
                if self._compressing:
                    cursor.execute("SET SESSION binlog_transaction_compression = ON")
                if self.features.xa:
                    self._finish_prepared(cursor)
                if self.features.partial_json and self._chance.random() < 0.5:
                    cursor.execute("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'")
            if self._connection is None:
                raise pymysql.err.OperationalError(2006, "lost while it ended what others left prepared")
            self._connection.autocommit(False)
        return self._connection

    def finish(self) -> None:
        """Leave nothing prepared behind: it would keep its rows locked and out of sight."""
        self.features = replace(self.features, xa=True)
        self.close()
        self._connected()
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            with suppress(pymysql.err.MySQLError, OSError):
                self._connection.close()
            self._connection = None

    # Transactions

    def _together(
        self, connection: pymysql.connections.Connection[Any], tag: int, moment: int, *, roll_back: bool
    ) -> None:
        with connection.cursor() as cursor:
            cursor.execute(self._chance.choice(["BEGIN", "START TRANSACTION"]))
            self._fill(cursor, tag, moment)
            if roll_back:
                cursor.execute("ROLLBACK")
                self._did = ["rollback"]
                raise Abandoned
            self._commit(cursor, tag, "COMMIT")

    def _two_phase(self, connection: pymysql.connections.Connection[Any], tag: int, moment: int) -> None:
        """XA: prepared, perhaps left alone for a while or by its connection, then committed or rolled back."""
        self._history.gather(tag)
        name = f"'{self.name}-{tag}'"
        with connection.cursor() as cursor:
            cursor.execute(f"XA START {name}")
            try:
                self._fill(cursor, tag, moment)
                cursor.execute(f"XA END {name}")
            except Abandoned:
                with suppress(pymysql.err.MySQLError):
                    cursor.execute(f"XA END {name}")
                cursor.execute(f"XA ROLLBACK {name}")
                raise
            if self._chance.random() < 0.2:
                self._commit(cursor, tag, f"XA COMMIT {name} ONE PHASE")
                return
            try:
                cursor.execute(f"XA PREPARE {name}")
            except pymysql.err.MySQLError as error:
                require_foreseen(error)
                self._history.lose_sight(tag)
                self.close()
                return
            self._did.append("xa prepare")
            if self._chance.random() < 0.3:
                self.close()  # the next connection finds it
            else:
                self._decide(cursor, name, tag)

    def _decide(self, cursor: Any, name: str, tag: int) -> None:
        """Commit or roll back what is prepared."""
        commit = self._chance.random() < 0.7
        self._chance_to_wait()
        try:
            cursor.execute(f"XA {'COMMIT' if commit else 'ROLLBACK'} {name}")
        except pymysql.err.MySQLError as error:
            require_foreseen(error)
            self._history.lose_sight(tag)
            self.close()
            return
        self._history.count("xa commit" if commit else "xa rollback")
        if commit:
            self._history.acknowledge(tag)
        else:
            self._history.undo(tag)

    def _chance_to_wait(self) -> None:
        """Others go on between prepare and end, and faults happen."""
        if self._chance.random() < 0.3:
            time.sleep(self._chance.uniform(0.1, 1.5))

    def _finish_prepared(self, cursor: Any) -> None:
        """End what this writer's earlier connections, or a server that is gone, left prepared."""
        cursor.execute("XA RECOVER")
        for *_, data in cursor.fetchall():
            text = data.decode() if isinstance(data, bytes) else data
            writer, _, tag = text.rpartition("-")
            if writer == self.name:
                self._decide(cursor, f"'{text}'", int(tag))

    def _commit(self, cursor: Any, tag: int, statement: str) -> None:
        try:
            cursor.execute(statement)
        except pymysql.err.MySQLError as error:
            require_foreseen(error)
            self._history.lose_sight(tag)
            self.close()
        else:
            self._history.acknowledge(tag)

    def _alone(self, connection: pymysql.connections.Connection[Any], tag: int, moment: int) -> None:
        """A statement in autocommit. It has no row in the journal: its own rows show that it happened."""
        connection.autocommit(True)
        try:
            with connection.cursor() as cursor:
                self._statement(cursor, tag)
        except Abandoned:
            raise
        except pymysql.err.MySQLError as error:
            require_foreseen(error)
            self._history.lose_sight(tag)
            self.close()
            return
        finally:
            self._end_autocommit(connection)
        leaves_no_tag = any(what.startswith("delete") for what in self._did)
        self._did.append("autocommit")
        self._history.acknowledge_alone(tag, moment, 0 if leaves_no_tag else self._low, self._high)

    def _end_autocommit(self, connection: pymysql.connections.Connection[Any]) -> None:
        """Whether this succeeds says nothing of the statement before, which may be committed."""
        if self._connection is not None:
            try:
                connection.autocommit(False)
            except pymysql.err.MySQLError as error:
                require_foreseen(error)
                self.close()

    def _fill(self, cursor: Any, tag: int, moment: int) -> None:
        if self._chance.random() < 0.02 and self._catalog.captured.is_set():
            self._large(cursor, tag)
        for _ in range(self._chance.choice([1, 1, 1, 2, 3, 5, 8])):
            if self._chance.random() < 0.15:
                self._taken_back(cursor, tag)
            self._statement(cursor, tag)
        if self._chance.random() < 0.2:
            self._try(cursor, f"INSERT INTO {DATABASE}.{NOISE} (text) VALUES (%s)", ["noise" * 20])
        values = [tag, moment, self._low, self._high]
        self._try(cursor, f"INSERT INTO {DATABASE}.{JOURNAL} (tag, began, low, high) VALUES (%s, %s, %s, %s)", values)

    def _taken_back(self, cursor: Any, tag: int) -> None:
        low, high, did = self._low, self._high, list(self._did)
        name = self._chance.choice(["s", "`a b`", "s2"])
        self._try(cursor, f"SAVEPOINT {name}", [])
        for _ in range(self._chance.randint(1, 3)):
            self._statement(cursor, tag)
        self._try(cursor, f"ROLLBACK TO SAVEPOINT {name}", [])
        self._low, self._high, self._did = low, high, [*did, "savepoint taken back"]

    def _try(self, cursor: Any, sql: str, values: list[Any]) -> int | None:
        """Rows affected; None if the statement met a duplicate key and changed nothing.

        Raises Abandoned, rolled back, if the transaction cannot go on.
        """
        try:
            return int(cursor.execute(sql, values))
        except pymysql.err.MySQLError as error:
            code = code_of(error)
            if code == DUPLICATE:
                return None
            if code in CHANGED | {LOCK_TIMEOUT, DEADLOCK, 1614}:
                if not cursor.connection.get_autocommit():
                    self._roll_back(cursor)
                raise Abandoned from None
            raise

    def _roll_back(self, cursor: Any) -> None:
        with suppress(pymysql.err.OperationalError):  # within XA it is not allowed, and the caller ends that
            cursor.execute("ROLLBACK")

    # Statements

    def _statement(self, cursor: Any, tag: int) -> None:
        tables = self._catalog.tables()
        if tables:
            table = self._chance.choice(sorted(tables, key=lambda one: one.home))
            name, act = self._chance.choices(self._acts, [weight for weight, _ in self._weights])[0]
            if act(self, cursor, table, tag):
                self._did.append(name)

    def _large(self, cursor: Any, tag: int) -> None:
        """More rows in one statement than a capture keeps in memory or in one of its own transactions."""
        free = [table for table in self._catalog.tables() if table.auto]
        if free and self._insert(cursor, self._chance.choice(free), tag, self.pace.large_rows):
            self._did.append("large insert")

    def _insert(self, cursor: Any, table: TableModel, tag: int, rows: int, verb: str = "INSERT INTO") -> int | None:
        columns = [*(() if table.auto else table.key), *table.columns]
        names = ", ".join(f"`{name}`" for name in ("tx", "born", "ver", *(column.name for column in columns)))
        places = ", ".join(["%s", "%s", "1", *(column.kind.placeholder for column in columns)])
        different = rows if table.key else (rows + 1) // 2  # a table without a key holds rows that are quite alike
        few = [[column.draw(self._chance) for column in columns] for _ in range(min(different, 50))]
        if rows > len(few):
            few = sorted(few, key=lambda row: len(str(row)))[:10]  # a statement must fit into a packet
        values: list[Any] = []
        born = self._history.birth()
        for index in range(rows):
            values += [tag, born, *few[index % len(few)]]
        sql = f"{verb} {table.quoted} ({names}) VALUES {', '.join([f'({places})'] * rows)}"
        changed = self._try(cursor, sql, values)
        if changed:
            self._low += changed
            self._high += changed
        return changed

    def _insert_one(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        return self._insert(cursor, table, tag, 1)

    def _insert_many(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        return self._insert(cursor, table, tag, self._chance.randint(2, 30))

    def _insert_ignore(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        return self._insert(cursor, table, tag, self._chance.randint(1, 5), "INSERT IGNORE INTO")

    def _replace(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        """The server may log a row that was there as an update, or as a delete and an insert."""
        low = self._low
        changed = self._insert(cursor, table, tag, 1, "REPLACE INTO")
        self._low = low + (1 if changed else 0)
        return changed

    def _upsert(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        columns = [*(() if table.auto else table.key), *table.columns]
        names = ", ".join(f"`{name}`" for name in ("tx", "born", "ver", *(column.name for column in columns)))
        places = ", ".join(["%s", "%s", "1", *(column.kind.placeholder for column in columns)])
        values = [tag, self._history.birth(), *(column.draw(self._chance) for column in columns)]
        update = "ON DUPLICATE KEY UPDATE tx = VALUES(tx), ver = ver + 1"
        changed = self._try(cursor, f"INSERT INTO {table.quoted} ({names}) VALUES ({places}) {update}", values)
        self._low += 1 if changed else 0
        self._high += 1 if changed else 0
        return changed

    def _update(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        most = min(2, len(table.columns))
        columns = self._chance.sample(table.columns, self._chance.randint(0, most))
        sets = ["tx = %s", "ver = ver + 1", *(f"`{column.name}` = {column.kind.placeholder}" for column in columns)]
        values = [tag, *(column.draw(self._chance) for column in columns)]
        where, found = self._some(table, tag)
        changed = self._try(cursor, f"UPDATE {table.quoted} SET {', '.join(sets)} {where}", values + found)
        self._low += changed or 0
        self._high += changed or 0
        return changed

    def _move(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        """An update that changes the key."""
        if not table.key:
            return self._update(cursor, table, tag)
        moved = self._chance.sample(table.key, self._chance.randint(1, len(table.key)))
        sets = ["tx = %s", "ver = ver + 1", *(f"`{column.name}` = {column.kind.placeholder}" for column in moved)]
        values = [tag, *(column.draw(self._chance) for column in moved)]
        where, found = self._some(table, tag, 1)
        changed = self._try(cursor, f"UPDATE {table.quoted} SET {', '.join(sets)} {where}", values + found)
        self._low += changed or 0
        self._high += changed or 0
        return changed

    def _edit(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        """Documents changed in place, of which the log may then hold the differences alone."""
        documents = [column for column in table.columns if column.kind is kinds.DOCUMENT]
        if not documents or not self.features.partial_json:
            return None
        sets, values = ["tx = %s", "ver = ver + 1"], [tag]
        for column in self._chance.sample(documents, self._chance.randint(1, len(documents))):
            edited = f"`{column.name}`"
            for _ in range(self._chance.randint(1, 3)):
                function, path = self._chance.choice(_EDITS), self._chance.choice(_PATHS)
                value = "" if function == "JSON_REMOVE" else ", CAST(%s AS JSON)"
                edited = f"{function}({edited}, %s{value})"
                values += [path, column.kind.draw(self._chance)] if value else [path]
            sets.append(f"`{column.name}` = {edited}")
        where, found = self._some(table, tag)
        changed = self._try(cursor, f"UPDATE {table.quoted} SET {', '.join(sets)} {where}", values + found)
        self._low += changed or 0
        self._high += changed or 0
        return changed

    def _delete(self, cursor: Any, table: TableModel, tag: int) -> int | None:
        where, found = self._some(table, tag)
        changed = self._try(cursor, f"DELETE FROM {table.quoted} {where}", found)
        self._low += changed or 0
        self._high += changed or 0
        return changed

    def _some(self, table: TableModel, tag: int, most: int = 0) -> tuple[str, list[Any]]:
        """A WHERE clause for a few neighbouring rows, or seldom for very many."""
        most = most or self._chance.choice([1, 1, 1, 2, 5, 20, 500 if self._chance.random() < 0.1 else 3])
        if not table.key:
            return f"WHERE born >= %s ORDER BY born LIMIT {most}", [self._chance.randint(0, tag)]
        first = table.key[0]
        return f"WHERE `{first.name}` >= %s ORDER BY `{first.name}` LIMIT {most}", [first.draw(self._chance)]

    _Act = Callable[["Writer", Any, TableModel, int], "int | None"]
    _weights: tuple[tuple[float, tuple[str, _Act]], ...] = (
        (4, ("insert", _insert_one)),
        (1, ("insert of many rows", _insert_many)),
        (1, ("insert ignore", _insert_ignore)),
        (1, ("replace", _replace)),
        (1, ("upsert", _upsert)),
        (5, ("update", _update)),
        (1, ("key move", _move)),
        (2, ("json edit", _edit)),
        (2, ("delete", _delete)),
    )
    _acts = tuple(act for _, act in _weights)


def code_of(error: BaseException) -> int:
    """The number of a server's or PyMySQL's error; -1 if it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else -1


def require_foreseen(error: BaseException) -> None:
    """Raises ``error`` again unless it is one of those that faults and other writers cause."""
    if code_of(error) not in INTERRUPTED | CHANGED | {LOCK_TIMEOUT, DEADLOCK, 1614, 1397, 1399, 1400, 1402}:
        raise error
