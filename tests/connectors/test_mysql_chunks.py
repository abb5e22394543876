"""Snapshots in chunks while several connections write: whatever the key, topic and table agree, and nothing comes twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
import pymysql
import pytest

from connectors.mysql.source import MysqlSource
from connectors.source import Change, Position, SourceBatch
from streamtrain.envelope import Op
from tests.connectors.mysql_capture import connect, source_for
from tests.servers import Database

pytestmark = pytest.mark.servers

ROWS = 400
TRANSACTIONS = 300


@dataclass(frozen=True)
class Kind:
    """A table's definition, and the SQL of the key of row ``n``: the same n may give keys that the collation takes for one."""

    columns: str
    key: str

    def values(self, number: int, amount: int) -> str:
        return f"{self.key.format(n=number)}, {amount}"


KINDS = {
    "integer": Kind("k INT PRIMARY KEY", "{n} - 200"),
    "unsigned bigint": Kind("k BIGINT UNSIGNED PRIMARY KEY", "18446744073709551615 - {n}"),
    "text without case": Kind(
        "k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY",
        "CONCAT(IF(RAND() < 0.5, 'k', 'K'), CHAR(65 + {n} % 50 USING utf8mb4), {n})",
    ),
    "latin1": Kind("k VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY", "CONCAT(CHAR(192 + {n} % 30 USING latin1), {n})"),
    "composite": Kind("a INT, k VARCHAR(10) COLLATE utf8mb4_general_ci, PRIMARY KEY (k, a)", "{n}, MOD({n}, 7)"),
    "bytes": Kind("k VARBINARY(8) PRIMARY KEY", "UNHEX(LPAD(HEX({n} * 37), 4 + 2 * MOD({n}, 2), '0'))"),
    "decimal": Kind("k DECIMAL(12,3) PRIMARY KEY", "({n} - 200) / 8"),
    "moment": Kind("k DATETIME(3) PRIMARY KEY", "'2001-01-01 12:00:00.500' + INTERVAL {n} MINUTE"),
    "day of a user": Kind("u INT, k DATE, PRIMARY KEY (u, k)", "MOD({n}, 9), '1980-05-05' + INTERVAL {n} DAY"),
    "label": Kind("k ENUM('z', 'a', 'm'), n INT, PRIMARY KEY (n, k)", "'a', {n}"),
    "no order": Kind("k DOUBLE PRIMARY KEY", "{n} / 3"),
}


@contextmanager
def writing(server: Database, database: str, kind: Kind, writers: int = 3) -> Iterator[None]:
    """Connections that insert, update, delete and move rows all the time, several rows in a transaction."""
    stop = threading.Event()

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with closing(connect(server, database, autocommit=False)) as connection, connection.cursor() as cursor:
            for _ in range(TRANSACTIONS):  # then they stop: more than the reader can read at all would be another test
                if stop.is_set():
                    break
                with suppress(pymysql.MySQLError):  # a key that is there, or a deadlock: the transaction is rolled back
                    for _ in range(chance.randint(1, 4)):
                        cursor.execute(_statement(chance, kind))
                    connection.commit() if chance.random() < 0.9 else connection.rollback()
                    continue
                connection.rollback()

    with at_work(write, writers, stop):
        yield


@contextmanager
def at_work(write: Callable[[int], None], writers: int, stop: threading.Event) -> Iterator[None]:
    """Runs ``write``, which ends once ``stop`` is set, in a thread for each of so many seeds."""
    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _statement(chance: random.Random, kind: Kind) -> str:
    one, other, amount = chance.randrange(2 * ROWS), chance.randrange(2 * ROWS), chance.randrange(1_000)
    key = kind.columns.partition("PRIMARY KEY (")[2].strip(")") or "k"
    row = f"({key}) = ({', '.join(_parts(kind, key, one))})"
    moved = ", ".join(f"{name} = {part}" for name, part in zip(key.split(", "), _parts(kind, key, other), strict=True))
    return chance.choice(
        [
            f"INSERT INTO t VALUES ({kind.values(one, amount)})",
            f"UPDATE t SET amount = {amount} WHERE {row}",
            f"DELETE FROM t WHERE {row}",
            f"UPDATE t SET {moved} WHERE {row}",
        ]
    )


def _parts(kind: Kind, key: str, number: int) -> list[str]:
    names = [each.split()[0] for each in kind.columns.partition(", PRIMARY")[0].split(", ") if each.split()[0] != "'a'"]
    if len(names) == 1 or "," not in key:
        return [kind.key.format(n=number)]
    left, right = kind.key.format(n=number).split(", ", 1)
    parts = dict(zip([name for name in names if name in key.split(", ")], (left, right), strict=True))
    return [parts[name] for name in key.split(", ")]


def filled(server: Database, database: str, kind: Kind) -> None:
    server.execute(
        f"CREATE TABLE t ({kind.columns.replace(', PRIMARY', ', amount INT, PRIMARY') if ', PRIMARY' in kind.columns else kind.columns + ', amount INT'})",
        database=database,
    )
    rows = ", ".join(f"({kind.values(number, 0)})" for number in range(0, 2 * ROWS, 2))
    server.execute(f"INSERT INTO t VALUES {rows}", database=database)


class Folding:
    """The table that the changes make, row by row; nothing may come twice, and no image before be another."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, ...], Any] = {}
        self.reads = 0

    def take(self, changes: Sequence[Any]) -> None:
        for change in changes:
            assert isinstance(change, Change)
            key = change.table.key or tuple(range(len(change.table.columns)))
            before = change.before if change.before is not None else [None] * len(change)
            after = change.after if change.after is not None else [None] * len(change)
            for one, other in zip(before, after, strict=True):
                if one is not None:
                    assert self.rows.pop(tuple(one[index] for index in key), None) == one, f"{change.op} {one}"
                if other is not None:
                    identity = tuple(other[index] for index in key)
                    assert identity not in self.rows, f"{change.op}: {other} is there already"
                    self.rows[identity] = other
                    self.reads += change.op is Op.READ


def final(server: Database, database: str) -> set[Any]:
    """The table as a new snapshot of it shows it, when nobody writes."""
    fold = Folding()
    with closing(source_for(server, f"{database}.t", prefix="final", include_schema_changes=False)) as source:
        source.open(None)
        drained(source, fold)
    return set(fold.rows.values())


def drained(source: MysqlSource, fold: Folding) -> Position | None:
    end, position = source.end(), None
    while not source.reached(end):
        batch = source.read(0.2)
        fold.take(batch.changes)
        position = batch.position
    return position


def snapshots_of(batch: SourceBatch) -> bool:
    return batch.position is None or "snapshots" in batch.position


CASES = [*((name, "auto") for name in KINDS), ("integer", "file"), ("text without case", "file"), ("composite", "file")]


@pytest.mark.parametrize(("name", "follow"), CASES)
def test_table_and_topic_agree_after_a_snapshot_under_load_with_restarts(
    sql_server: Database, sql_database: str, name: str, follow: str
) -> None:
    kind, fold, position = KINDS[name], Folding(), None
    filled(sql_server, sql_database, kind)
    options = {"chunk_rows": 23, "include_schema_changes": False, "follow": follow}
    with closing(source_for(sql_server, f"{sql_database}.t", **options)) as source:
        with writing(sql_server, sql_database, kind):
            source.open(None)
            held, reading, turn = list[Any](), True, 0
            while reading:
                batch = source.read(0.05)
                held += batch.changes
                turn += 1
                if batch.position is not None:
                    fold.take(held)
                    held, position, reading = [], batch.position, snapshots_of(batch)
                if turn % 9 == 0:  # as after a kill: what came since the last position comes again
                    held = []
                    source.open(None if position is None else orjson.loads(orjson.dumps(position)))
        drained(source, fold)
    assert set(fold.rows.values()) == final(sql_server, sql_database)
    assert fold.reads > ROWS // 4


def test_a_table_without_a_key_is_read_in_ranges_of_the_column_that_is_named(
    sql_server: Database, sql_database: str
) -> None:
    sql_server.execute("CREATE TABLE t (day INT, v INT, KEY (day))", database=sql_database)
    rows = ", ".join(f"({number // 10 or 'NULL'}, {number})" for number in range(300))
    sql_server.execute(f"INSERT INTO t VALUES {rows}", database=sql_database)
    options = {"snapshot_keys": {f"{sql_database}.t": "day"}, "range_rows": 40, "include_schema_changes": False}
    with closing(source_for(sql_server, f"{sql_database}.t", **options)) as source:
        source.open(None)
        changes, positions, position = list[Any](), list[Position](), None
        while position is None or "snapshots" in position:
            batch = source.read(0.2)
            changes += batch.changes
            position = batch.position
            if position is not None and position not in positions:
                positions.append(position)
                with connect(sql_server, sql_database).cursor() as cursor:
                    cursor.execute("UPDATE t SET v = v + 1000 WHERE day IN (2, 28)")
        end = source.end()
        while not source.reached(end):
            changes += source.read(0.2).changes
    left = list[Any]()
    for change in changes:
        for row in change.before or ():
            left.remove(row)
        left += change.after or ()
    assert sorted(left, key=str) == sorted(sql_server.execute("SELECT day, v FROM t", database=sql_database), key=str)
    assert len(positions) > 5


def test_tables_that_are_added_to_include_are_read_when_they_come(sql_server: Database, sql_database: str) -> None:
    for table in ("a", "b"):
        sql_server.execute(
            f"CREATE TABLE {table} (k INT PRIMARY KEY)", f"INSERT INTO {table} VALUES (1), (2)", database=sql_database
        )
    options = {"prefix": "added", "include_schema_changes": False}
    with closing(source_for(sql_server, f"{sql_database}.a", **options)) as source:
        source.open(None)
        position = drained(source, Folding())
    sql_server.execute("INSERT INTO b VALUES (3)", "DELETE FROM b WHERE k = 1", database=sql_database)
    fold = Folding()
    with closing(source_for(sql_server, f"{sql_database}.*", **options)) as source:
        source.open(position)
        drained(source, fold)
    assert (set(fold.rows), fold.reads) == ({(2,), (3,)}, 2)
