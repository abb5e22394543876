"""Snapshots that read several tables at once: what they give is what reading one after the other does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

import orjson
import pymysql
import pytest

from connectors.mysql.snapshots.bounds import Bound
from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask
from connectors.mysql.source import MysqlSource
from connectors.source import Change, Position
from streamtrain.envelope import Op
from tests.connectors.mysql_capture import connect, opened, read_to_end, seen, source_for
from tests.connectors.test_mysql_chunks import KINDS, Folding, at_work
from tests.connectors.test_mysql_incremental import Signals, source_with
from tests.connectors.test_mysql_snapshot import marked, numbered
from tests.connectors.test_mysql_snapshot_renames import ONE_BY_ONE, ROWS, SWAP, Capture, content, made
from tests.servers import Database

pytestmark = pytest.mark.servers

SHAPES = {"a": "integer", "b": "latin1", "c": "decimal", "d": "no order", "e": "moment"}
KEYS = 300
TRANSACTIONS = 250


class Folds:
    """Each table as the changes make it; no row may come twice, and no image before be another."""

    def __init__(self) -> None:
        self.of: dict[str, Folding] = {}

    def take(self, changes: Sequence[Any]) -> None:
        for change in changes:
            self.of.setdefault(change.table.name, Folding()).take([change])

    def rows(self) -> dict[str, set[Any]]:
        return {name: set(fold.rows.values()) for name, fold in self.of.items()}


def filled(server: Database, database: str) -> None:
    for table, kind in SHAPES.items():
        rows = ", ".join(f"({KINDS[kind].key.format(n=number)}, 0)" for number in range(0, KEYS, 2))
        server.execute(
            f"CREATE TABLE {table} ({KINDS[kind].columns}, amount INT)",
            f"INSERT INTO {table} VALUES {rows}",
            database=database,
        )


@contextmanager
def writing(server: Database, database: str) -> Iterator[None]:
    """Connections that change rows of all tables in the same transactions."""
    stop = threading.Event()

    def statement(chance: random.Random) -> str:
        table = chance.choice(list(SHAPES))
        one, other = (KINDS[SHAPES[table]].key.format(n=chance.randrange(KEYS)) for _ in range(2))
        amount = chance.randrange(1_000)
        return chance.choice(
            [
                f"INSERT INTO {table} VALUES ({one}, {amount})",
                f"UPDATE {table} SET amount = {amount} WHERE k = {one}",
                f"UPDATE {table} SET k = {other} WHERE k = {one}",
                f"DELETE FROM {table} WHERE k = {one}",
            ]
        )

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with closing(connect(server, database, autocommit=False)) as connection, connection.cursor() as cursor:
            for _ in range(TRANSACTIONS):
                if stop.is_set():
                    break
                with suppress(pymysql.MySQLError):  # a key that is there, or a deadlock
                    for _ in range(chance.randint(1, 5)):
                        cursor.execute(statement(chance))
                    connection.commit() if chance.random() < 0.9 else connection.rollback()
                    continue
                connection.rollback()

    with at_work(write, 2, stop):
        yield


@pytest.mark.parametrize(("follow", "encrypted"), [("auto", False), ("file", False), ("auto", True)])
def test_tables_and_topics_agree_after_a_snapshot_of_several_at_once_under_load_with_restarts(
    sql_server: Database, sql_database: str, follow: str, *, encrypted: bool
) -> None:
    filled(sql_server, sql_database)
    folds, position, chance = Folds(), None, random.Random(5)

    def source(sessions: int) -> MysqlSource:
        options: dict[str, Any] = {"chunk_rows": 17, "follow": follow, "snapshot_sessions": sessions}
        options |= {"url": sql_server.url} if encrypted else {}
        return source_for(sql_server, f"{sql_database}.*", **options)

    with writing(sql_server, sql_database):
        reading = True
        while reading:
            held = list[Any]()
            with opened(source(chance.randint(1, 5)), position) as now:
                for _ in range(chance.randint(5, 40)):  # what came since the last position comes again
                    batch = now.read(0.02)
                    held += batch.changes
                    if batch.position is not None:
                        folds.take(held)
                        held, position, reading = [], batch.position, "snapshots" in batch.position
                    if not reading:
                        break
    with opened(source(3), position) as now:
        folds.take(read_to_end(now)[0])
    serially = Folds()
    with opened(source_for(sql_server, f"{sql_database}.*", prefix="serially")) as now:
        serially.take(read_to_end(now)[0])
    assert folds.rows() == serially.rows()
    assert min(fold.reads for fold in folds.of.values()) > KEYS // 6


def test_a_table_is_read_to_its_end_while_the_rows_of_another_cannot_be_had(
    sql_server: Database, sql_database: str
) -> None:
    numbered(sql_server, sql_database, a=250, b=250, c=250)
    changes = list[Change]()
    with (
        closing(connect(sql_server, sql_database)) as holder,
        opened(source_for(sql_server, f"{sql_database}.*", chunk_rows=100, snapshot_sessions=2)) as source,
    ):
        holder.cursor().execute("LOCK TABLES a WRITE")
        deadline = time.monotonic() + 30
        while sum(map(len, changes)) < 500:
            assert time.monotonic() < deadline
            changes += source.read(0.05).changes
        waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE '%metadata lock%'"
        assert sql_server.execute(waiting) == [(1,)]
        assert {change.table.name for change in changes} == {"b", "c"}
        holder.cursor().execute("UNLOCK TABLES")
        changes += read_to_end(source)[0]
    told = marked(changes)
    assert [number for table, number, _ in told if table == "a"] == [*range(1, 251)]
    assert [marker for _, _, marker in told if marker in {"first", "last"}] == ["first", "last"]
    assert (told[0][2], told[-1][2]) == ("first", "last")


@pytest.mark.parametrize("sessions", [2, 3, 6])
def test_the_first_and_the_last_row_are_marked_in_whatever_order_tables_are_read(
    sql_server: Database, sql_database: str, sessions: int
) -> None:
    numbered(sql_server, sql_database, a=0, b=30, c=1, d=0, e=25, f=0)
    with opened(source_for(sql_server, f"{sql_database}.*", chunk_rows=10, snapshot_sessions=sessions)) as source:
        told = marked(read_to_end(source)[0])
    assert (told[0][2], told[-1][2]) == ("first", "last")
    for table, count in {"b": 30, "c": 1, "e": 25}.items():
        own = [(number, marker) for name, number, marker in told if name == table]
        assert [number for number, _ in own] == [*range(1, count + 1)]
        first = {"first"} if told[0][0] == table else {"first_in_data_collection"}
        last = {"last"} if told[-1][0] == table else {"last_in_data_collection"}
        assert own[-1][1] in last
        assert count == 1 or own[0][1] in first
        assert {marker for _, marker in own[1:-1]} <= {"true"}


def test_a_table_of_which_the_log_has_not_told_yet_is_waited_for(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=3)
    signals = Signals()
    with closing(source_with(sql_server, f"{sql_database}.*", signals, snapshot_sessions=2, max_rows=3)) as source:
        source.open(None)
        read_to_end(source)
        sql_server.execute(
            "CREATE TABLE b (old INT PRIMARY KEY)", *(f"INSERT INTO b VALUES ({number})" for number in range(20)),
            "RENAME TABLE b TO gone", "CREATE TABLE b (id INT PRIMARY KEY, v INT)", "INSERT INTO b VALUES (1, 1), (2, 2)",
            database=sql_database,
        )  # fmt: skip
        signals.send("execute-snapshot", f"{sql_database}[.]b")
        changes, position = list[Change](), None
        while position is None or "snapshots" in position or len(changes) < 22:
            batch = source.read(0.02)
            changes += batch.changes
            position = batch.position
    again = [(table, number) for table, number, marker in marked(changes) if marker == "incremental"]
    assert again == [("gone", number) for number in range(20)]
    assert [after for op, _, after in seen(changes) if op is Op.CREATE][20:] == [(1, 1), (2, 2)]


def until_begun(source: MysqlSource, *tables: str) -> tuple[list[Change], Position]:
    """What comes until a part of each table is read."""
    changes = list[Change]()
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline
        batch = source.read(0.02)
        changes += batch.changes
        if batch.position is not None and {change.table.name for change in changes} >= set(tables):
            return changes, batch.position


def test_tables_that_were_begun_together_are_read_on_one_after_the_other(
    sql_server: Database, sql_database: str
) -> None:
    numbered(sql_server, sql_database, a=450, b=450, c=450)
    folds, include = Folds(), f"{sql_database}.*"
    with opened(source_for(sql_server, include, chunk_rows=100, snapshot_sessions=3)) as source:
        changes, position = until_begun(source, "a", "b", "c")
        folds.take(changes)
    for table in ("a", "b", "c"):
        sql_server.execute(
            f"UPDATE {table} SET v = 1 WHERE id IN (1, 449)", f"DELETE FROM {table} WHERE id IN (2, 448)",
            f"INSERT INTO {table} VALUES (-1, 3), (999, 3)", database=sql_database,
        )  # fmt: skip
    with opened(source_for(sql_server, include, chunk_rows=100, snapshot_sessions=1), position) as source:
        told, end = list[str](), source.end()
        while not source.reached(end):
            batch = source.read(0.02)
            folds.take(batch.changes)
            told += [batch.snapshot.table] if batch.snapshot is not None else []
    assert set(told) == {f"{sql_database}.{table}" for table in "abc"}, "one at a time"
    for table, rows in folds.rows().items():
        assert rows == set(sql_server.execute(f"SELECT * FROM {table}", database=sql_database))
        assert len(rows) == 450


def test_a_table_without_a_key_is_read_in_ranges_when_no_other_table_is_at_work(
    sql_server: Database, sql_database: str
) -> None:
    numbered(sql_server, sql_database, a=0, b=150, c=150)
    rows = ", ".join(f"({number // 10}, {number})" for number in range(300))
    sql_server.execute(
        "CREATE TABLE aa (day INT, v INT, KEY (day))", f"INSERT INTO aa VALUES {rows}", database=sql_database
    )
    options = {"snapshot_keys": {f"{sql_database}.aa": "day"}, "range_rows": 40, "chunk_rows": 50}
    changes, held, position = list[Change](), list[Any](), None
    while position is None or "snapshots" in position:
        with opened(source_for(sql_server, f"{sql_database}.*", snapshot_sessions=3, **options), position) as source:
            for _ in range(12):
                batch = source.read(0.02)
                held += batch.changes
                if batch.position is not None:
                    changes, held, position = changes + held, [], batch.position
                sql_server.execute("UPDATE aa SET v = v + 1000 WHERE day IN (2, 28)", database=sql_database)
        held = []
    with opened(source_for(sql_server, f"{sql_database}.*", **options), position) as source:
        changes += read_to_end(source)[0]
    left = list[Any]()
    for change in changes:
        if change.table.name == "aa":
            for row in change.before or ():
                left.remove(row)
            left += change.after or ()
    assert sorted(left) == sorted(sql_server.execute("SELECT * FROM aa", database=sql_database))
    told = [row for row in marked(changes) if row[2] in {"first", "last"}]
    assert [(table, marker) for table, _, marker in told] in (
        [("b", "first"), ("aa", "last")],
        [("c", "first"), ("aa", "last")],
    )


def as_before(position: Position) -> Position:
    """The position of a snapshot as it was written when one table was read at a time."""
    (job,) = position["snapshots"]
    first, *others = job["tables"]
    assert all(isinstance(task, str) for task in others)
    old = {**job, "tables": [f"{first['database']}.{first['table']}", *others], "after": first["after"], "rows": 100}
    return {**position, "snapshots": [old]}


def test_a_position_that_tells_of_one_table_at_a_time_is_gone_on_from(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=450, b=450, c=450)
    folds, include = Folds(), f"{sql_database}.*"
    with opened(source_for(sql_server, include, chunk_rows=100)) as source:
        changes, position = until_begun(source, "a")
        folds.take(changes)
    sql_server.execute("UPDATE a SET v = 1 WHERE id IN (1, 449)", database=sql_database)
    with opened(source_for(sql_server, include, chunk_rows=100, snapshot_sessions=3), as_before(position)) as source:
        changes, _ = read_to_end(source)
        folds.take(changes)
    assert {table: fold.reads for table, fold in folds.of.items()} == {"a": 450, "b": 450, "c": 450}
    assert folds.rows()["a"] == set(sql_server.execute("SELECT * FROM a", database=sql_database))
    assert [marker for _, _, marker in marked(changes) if marker == "last"] == ["last"]


def test_one_of_several_tables_is_called_off_while_all_are_read_again(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=300, b=300, c=300)
    signals = Signals()
    with closing(source_with(sql_server, f"{sql_database}.*", signals, snapshot_sessions=3)) as source:
        source.open(None)
        read_to_end(source)
        signals.send("execute-snapshot", f"{sql_database}[.].*")
        changes, _ = until_begun(source, "a", "b", "c")
        signals.send("pause-snapshot")
        position = source.read(0.02).position
        while position is None or not position["snapshots"][0]["paused"]:
            batch = source.read(0.02)
            changes += batch.changes
            position = batch.position
        sql_server.execute("UPDATE a SET v = 7 WHERE id IN (1, 300)", database=sql_database)
        source.open(orjson.loads(orjson.dumps(position)))
        signals.send("stop-snapshot", f"{sql_database}.b")
        signals.send("resume-snapshot")
        while "snapshots" in (position or {"snapshots": ()}):
            batch = source.read(0.02)
            changes += batch.changes
            position = batch.position
    again = [(table, number) for table, number, marker in marked(changes) if marker == "incremental"]
    assert len(again) == len(set(again))
    assert {number for table, number in again if table == "a"} >= {*range(1, 300)}
    assert {number for table, number in again if table == "c"} == {*range(1, 301)}
    assert 0 < len([number for table, number in again if table == "b"]) < 300
    assert [after for op, _, after in seen(changes) if op is Op.UPDATE] == [(1, 7), (300, 7)]


def begun(capture: Capture) -> bool:
    return min(capture.topics.reads.get(table, 0) for table in "abc") >= 100


@pytest.mark.parametrize("restarts", [False, True], ids=["without restarts", "with restarts"])
@pytest.mark.parametrize("statements", [(SWAP,), ONE_BY_ONE], ids=["swap", "one by one"])
def test_tables_at_work_that_change_names_are_read_whole_under_their_new_names(
    sql_server: Database, sql_database: str, statements: tuple[str, ...], *, restarts: bool
) -> None:
    made(sql_server, sql_database, a=1, b=2, c=3)
    include = [f"{sql_database}.{table}" for table in "abc"]
    with closing(Capture(sql_server, *include)) as capture:
        capture.through(lambda: source_for(sql_server, *include, chunk_rows=100, snapshot_sessions=3))
        capture.until(lambda: begun(capture))
        before = ("UPDATE a SET home = 11 WHERE id IN (3, 440)", "DELETE FROM b WHERE id IN (4, 441)")
        after = ("UPDATE a SET home = 22 WHERE id IN (5, 442)", "UPDATE c SET home = 33 WHERE id IN (6, 443)")
        capture.meanwhile(sql_database, *before, *statements, *after)
        if restarts:
            capture.restart()
        capture.finish(restarts=restarts)
        for table in "ab":
            assert capture.topics.homes[table] >= set(content(sql_server, sql_database, table).items()), table
        assert capture.topics.rows["c"] == content(sql_server, sql_database, "c")
        assert capture.topics.reads["c"] == ROWS


def test_tables_at_work_are_truncated_altered_dropped_and_made_anew(sql_server: Database, sql_database: str) -> None:
    made(sql_server, sql_database, a=1, b=2, c=3, d=4)
    include = f"{sql_database}.*"
    with closing(Capture(sql_server, include)) as capture:
        capture.through(lambda: source_for(sql_server, include, chunk_rows=100, snapshot_sessions=3))
        capture.until(lambda: begun(capture))
        capture.meanwhile(
            sql_database, "TRUNCATE TABLE a", "INSERT INTO a VALUES (7, 9)", "ALTER TABLE b MODIFY home BIGINT",
            "UPDATE b SET home = 5 WHERE id IN (1, 449)", "DROP TABLE c", "CREATE TABLE c (id INT PRIMARY KEY, home INT)",
            "INSERT INTO c VALUES (1, 4), (2000, 4)",
        )  # fmt: skip
        capture.finish(restarts=True)
    assert capture.topics.rows["a"] == {7: 9}
    for table in "bd":
        assert capture.topics.rows[table] == content(sql_server, sql_database, table)
    assert {1: 4, 2000: 4}.items() <= capture.topics.rows["c"].items()
    assert capture.topics.reads["b"] == capture.topics.reads["d"] == ROWS


def test_a_position_keeps_how_far_each_table_has_come() -> None:
    tables = (
        TableTask("d", "a", after=Bound(("1", None)), rows=3),
        TableTask("d.d", "b", where="x"),
        TableTask("d", "c"),
    )
    state = SnapshotState((Job("initial", tables, rows_before=5, started_us=6),))
    assert SnapshotState.from_json(orjson.loads(orjson.dumps(state.document))) == state
    assert state.jobs[0].rows == 8


@pytest.mark.parametrize(("after", "rows"), [(None, 0), (["1", None], 3)])
def test_a_position_in_which_the_job_tells_of_its_first_table_is_understood(
    after: list[str | None] | None, rows: int
) -> None:
    job = {"kind": "initial", "id": "", "tables": ["d.a", {"database": "d", "table": "b", "where": None, "by": "x"}],
           "after": after, "rows": rows, "rows_before": 5, "started_us": 6, "paused": False}  # fmt: skip
    first = TableTask("d", "a", after=None if after is None else Bound(("1", None)), rows=rows)
    assert SnapshotState.from_json([job]).jobs == (
        Job("initial", (first, TableTask("d", "b", by="x")), rows_before=5, started_us=6),
    )
