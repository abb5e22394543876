"""Snapshots beside more changes than may be held: what is held of the log stays small, and topic and table agree in the end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import orjson
import pytest

from connectors.mysql.snapshots.chunk import Chunk
from connectors.mysql.snapshots.reader import ChunkLimits
from connectors.mysql.source import MysqlSource
from connectors.source import Position
from tests.connectors.mysql_capture import connect, source_for, transaction
from tests.connectors.test_mysql_chunks import Folding, final
from tests.connectors.test_mysql_incremental import Signals, Topic, source_with
from tests.servers import Database

pytestmark = pytest.mark.servers

ROWS, CHUNK_ROWS, READ_ROWS = 1_500, 50, 100
MOST_HELD = 500
"""Images: those of two chunks, and what one read gives beyond what may be held."""
PAD = "x" * 100
LARGE = {
    "updates": "UPDATE t SET v = v + 1",
    "inserts behind": f"INSERT INTO t SELECT k + 100000, 7, '{PAD}' FROM t",
    "inserts between": f"INSERT INTO t SELECT k + 1, 7, '{PAD}' FROM t",
    "deletes": "DELETE FROM t WHERE k BETWEEN 300 AND 2700",
    "moves": "UPDATE t SET k = -k",
    "rows that come and go": f"INSERT INTO t SELECT k + 1, 7, '{PAD}' FROM t; DELETE FROM t WHERE v = 7",
}


@pytest.fixture(autouse=True)
def only_new_objects() -> Iterator[None]:
    """``held`` need not look at what was there before."""
    gc.freeze()
    yield
    gc.unfreeze()


def filled(server: Database, database: str, rows: int = ROWS) -> None:
    server.execute("CREATE TABLE t (k INT PRIMARY KEY, v INT, pad VARCHAR(100))", database=database)
    if rows:
        values = ", ".join(f"({2 * number}, 0, '{PAD}')" for number in range(1, rows + 1))
        server.execute(f"INSERT INTO t VALUES {values}", database=database)


def in_parts(name: str) -> list[str]:
    """The statements of ``LARGE``, a few rows at a time: so many events that they are not read at once."""
    statements = [(each, "AND" if "WHERE" in each else "WHERE") for each in LARGE[name].split("; ")]
    parts = range(2 * ROWS // 10 + 1)
    return [f"{statement} {joint} k DIV 10 = {part}" for part in parts for statement, joint in statements]


def held() -> int:
    """Images of changed rows that the open chunks hold."""
    return sum(len(each.images) for each in gc.get_objects() if isinstance(each, Chunk))


def read_on(source: MysqlSource, topic: Folding | Topic) -> Position:
    """Read to the end of the snapshot and of the log; no more than may be is held on the way."""
    end, position, turn = source.end(), None, 0
    while not source.reached(end):
        batch = source.read(0.05)
        topic.take(batch.changes)
        position, turn = batch.position, turn + 1
        assert held() <= MOST_HELD
        assert turn < 3_000
    assert position is not None
    return position


def read_some(source: MysqlSource, topic: Folding, rows: int) -> Position:
    position = None
    while len(topic.rows) < rows or position is None:
        batch = source.read(0.0)
        topic.take(batch.changes)
        position = batch.position or position
    return position


def options(server: Database, database: str) -> MysqlSource:
    return source_for(server, f"{database}.t", chunk_rows=CHUNK_ROWS, max_rows=READ_ROWS, include_schema_changes=False)


@contextmanager
def locked(server: Database, database: str) -> Iterator[Any]:
    """A session that may write to the table, which nobody else may read."""
    with closing(connect(server, database)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES t WRITE")
        yield cursor


@pytest.mark.parametrize("name", LARGE)
def test_a_large_transaction_in_the_middle_of_a_snapshot_is_not_held(
    sql_server: Database, sql_database: str, name: str
) -> None:
    filled(sql_server, sql_database)
    fold = Folding()
    with closing(options(sql_server, sql_database)) as source:
        source.open(None)
        read_some(source, fold, 300)
        transaction(sql_server, sql_database, *in_parts(name))
        read_on(source, fold)
    assert set(fold.rows.values()) == final(sql_server, sql_database)


@pytest.mark.parametrize("name", ["updates", "inserts between", "rows that come and go"])
def test_a_backlog_behind_which_a_snapshot_is_gone_on_with_is_not_held(
    sql_server: Database, sql_database: str, name: str
) -> None:
    filled(sql_server, sql_database)
    fold = Folding()
    with closing(options(sql_server, sql_database)) as source:
        source.open(None)
        position = orjson.loads(orjson.dumps(read_some(source, fold, 300)))
        source.close()
        with closing(connect(sql_server, sql_database)) as connection, connection.cursor() as cursor:
            for statement in in_parts(name):
                cursor.execute(statement)
        source.open(position)
        read_on(source, fold)
    assert set(fold.rows.values()) == final(sql_server, sql_database)


@pytest.mark.parametrize("rows", [0, 30])
def test_rows_that_come_in_masses_behind_the_last_chunk_are_not_held(
    sql_server: Database, sql_database: str, rows: int
) -> None:
    filled(sql_server, sql_database, rows)
    fold = Folding()
    with closing(options(sql_server, sql_database)) as source:
        source.open(None)
        source.read(0.0)
        for first in range(3):
            values = ", ".join(f"({10_000 * first + number}, 1, '{PAD}')" for number in range(1_001, 2_001))
            transaction(sql_server, sql_database, f"INSERT INTO t VALUES {values}", "UPDATE t SET v = v + 1")
            for _ in range(5):
                fold.take(source.read(0.0).changes)
                assert held() <= MOST_HELD
        read_on(source, fold)
    assert set(fold.rows.values()) == final(sql_server, sql_database)


def test_the_log_waits_for_rows_that_take_long_to_come_while_many_are_changed(
    mysql: Database, mysql_database: str
) -> None:
    filled(mysql, mysql_database)
    fold = Folding()
    with closing(options(mysql, mysql_database)) as source:
        source.open(None)
        read_some(source, fold, 300)
        with locked(mysql, mysql_database) as cursor:
            for _ in range(10):
                fold.take(source.read(0.0).changes)
            for _ in range(3):
                cursor.execute("UPDATE t SET v = v + 1")
                cursor.execute("COMMIT")
            for _ in range(100):
                fold.take(source.read(0.0).changes)
                assert held() <= MOST_HELD
        read_on(source, fold)
    assert set(fold.rows.values()) == final(mysql, mysql_database)


@pytest.mark.parametrize("name", ["updates", "inserts between"])
def test_a_large_transaction_while_a_table_is_read_again_is_not_held(
    sql_server: Database, sql_database: str, name: str
) -> None:
    filled(sql_server, sql_database)
    signals, topic = Signals(), Topic()
    with closing(source_with(sql_server, f"{sql_database}.t", signals, max_rows=READ_ROWS)) as source:
        source.open(None)
        read_on(source, topic)
        signals.send("execute-snapshot", f"{sql_database}.t")
        while len(topic.again) < 100:
            topic.take(source.read(0.0).changes)
        topic.told = {(row[0],) for row in topic.again}
        transaction(sql_server, sql_database, *LARGE[name].split("; "))
        read_on(source, topic)
    assert set(topic.fold.rows.values()) == final(sql_server, sql_database)
    assert topic.told >= set(topic.fold.rows)


def test_few_rows_of_many_bytes_are_too_much_too() -> None:
    chunk, limits = Chunk(), ChunkLimits(rows=100, bytes=1_000)
    for _ in range(3):
        chunk.put((1,), (1,), (1, "x" * 900, None))
    assert not chunk.exceeds(limits)
    chunk.put((2,), (2,), (2, "x" * 200, None))
    assert chunk.exceeds(limits)
    chunk.put((2,), (2,), None)
    chunk.rows = [(3, "", None)]
    chunk.put((3,), (3,), None)
    assert not chunk.exceeds(limits)
    chunk.settle((0,))
    assert list(chunk.images) == [(1,), (3,)]
    chunk.truncate()
    chunk.put((4,), (4,), (4, "x" * 900, None))
    assert not chunk.exceeds(limits)
