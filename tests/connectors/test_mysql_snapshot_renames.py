"""Tables that change names while snapshots read them: every row reaches a topic, under a name that its table had."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest

from connectors.mysql.connection import Connection
from connectors.mysql.ddl.renames import NameChanges
from connectors.mysql.server import inspect, log_end
from connectors.mysql.snapshots.bounds import Bound
from connectors.mysql.snapshots.renames import Captured, after_renaming
from connectors.mysql.snapshots.state import Job, Kind, SnapshotState, TableTask
from connectors.mysql.snapshots.watermarks import watermarks
from connectors.mysql.source import MysqlSource
from connectors.source import Change, SourceEvent
from streamtrain.envelope import Op
from streamtrain.errors import SourceUnavailable
from tests.connectors.mysql_capture import Kept, settings_for, source_for
from tests.servers import Database

ROWS = 450
SWAP = "RENAME TABLE a TO x, b TO a, x TO b"
ONE_BY_ONE = "ALTER TABLE a RENAME TO x", "ALTER TABLE b RENAME TO a", "ALTER TABLE x RENAME TO b"


@dataclass
class Topics:
    """What the changes make of each topic: the last row of each key, and how many rows were read."""

    rows: dict[str, dict[int, int]] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    homes: dict[str, set[tuple[int, int]]] = field(default_factory=dict)

    def take(self, events: Sequence[SourceEvent]) -> None:
        for change in events:
            assert isinstance(change, Change)
            name = change.table.name
            rows = self.rows.setdefault(name, {})
            if change.op is Op.TRUNCATE:
                rows.clear()
            for key, _ in change.before or ():
                rows.pop(key, None)
            for key, home in change.after or ():
                rows[key] = home
                self.homes.setdefault(name, set()).add((key, home))
            if change.op is Op.READ:
                self.reads[name] = self.reads.get(name, 0) + len(change)


class Capture:
    """A source that is read batch by batch, and opened anew at what is kept."""

    def __init__(self, server: Database, *include: str) -> None:
        self.server = server
        self.topics = Topics()
        self.kept = Kept()
        self.reading = True
        """A snapshot is not done."""
        self._make: Callable[[], MysqlSource] = lambda: source_for(server, *include, chunk_rows=100)
        self._source = self._make()
        self.restart()

    @property
    def alone(self) -> bool:
        """A table is about to be read as of a moment."""
        return self._source._snapshots is not None and self._source._snapshots.alone

    def through(self, make: Callable[[], MysqlSource]) -> None:
        """Go on with another source."""
        self._make = make
        self.restart()

    def restart(self) -> None:
        self._source.close()
        self._source = self._make()
        self._source.open(self.kept.position, dict(self.kept.notes))

    def close(self) -> None:
        self._source.close()

    def step(self) -> None:
        try:
            batch = self._source.read(0.02)
        except SourceUnavailable:  # a table that was to be read has another name already
            self.restart()
            return
        self.kept.keep(batch)
        self.topics.take(batch.changes)
        self.reading = batch.position is None or "snapshots" in batch.position

    def until(self, met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not met():
            assert time.monotonic() < deadline, f"not within 30 s: {self.topics.reads}"
            self.step()

    def meanwhile(self, database: str, *statements: str) -> None:
        """Carry out the statements, and read on only as far as they wait for rows that are being read."""
        thread = threading.Thread(target=self.server.execute, args=statements, kwargs={"database": database})
        thread.start()

        def done() -> bool:
            while thread.is_alive() and not self.server.execute(WAITING):
                thread.join(0.15)
            return not thread.is_alive()

        self.until(done)

    def finish(self, *, restarts: bool = False) -> None:
        turns, end = 0, self._source.end()

        def ended() -> bool:
            nonlocal turns
            turns += 1
            if restarts and turns % 15 == 0:
                self.restart()
            return self._source.reached(end)

        self.until(ended)
        assert not self.reading


def made(server: Database, database: str, **homes: int) -> None:
    """Tables of one shape and the same keys, each with a number of its own in all its rows."""
    for table, home in homes.items():
        rows = ", ".join(f"({number}, {home})" for number in range(ROWS))
        statements = f"CREATE TABLE {table} (id INT PRIMARY KEY, home INT)", f"INSERT INTO {table} VALUES {rows}"
        server.execute(*statements, database=database)


def content(server: Database, database: str, table: str) -> dict[int, int]:
    rows = server.execute(f"SELECT * FROM {table}", database=database)
    return dict(rows)


WAITING = (
    "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for %lock%'"
    " UNION ALL SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
)
"""Rows if a statement waits for a lock; the server renews the second part only 0.1 s after it was last asked."""

STAGES: dict[str, Callable[[Capture], bool]] = {
    "before": lambda _: True,
    "in the first": lambda capture: capture.topics.reads.get("a", 0) >= 100,
    "between": lambda capture: capture.topics.reads.get("a", 0) >= ROWS,
    "in the second": lambda capture: capture.topics.reads.get("b", 0) >= 100,
    "after": lambda capture: not capture.reading,
}


@pytest.mark.parametrize("restarts", [False, True], ids=["without restarts", "with restarts"])
@pytest.mark.parametrize("statements", [(SWAP,), ONE_BY_ONE], ids=["swap", "one by one"])
@pytest.mark.parametrize("stage", STAGES)
def test_tables_that_change_names_in_a_snapshot_are_read_whole_under_their_new_names(
    sql_server: Database, sql_database: str, stage: str, statements: tuple[str, ...], *, restarts: bool
) -> None:
    made(sql_server, sql_database, a=1, b=2)
    with closing(Capture(sql_server, f"{sql_database}.a", f"{sql_database}.b")) as capture:
        capture.until(lambda: STAGES[stage](capture))
        before = ("UPDATE a SET home = 11 WHERE id IN (3, 440)", "DELETE FROM b WHERE id IN (4, 441)")
        after = ("UPDATE a SET home = 22 WHERE id IN (5, 442)", "DELETE FROM b WHERE id IN (6, 443)")
        capture.meanwhile(sql_database, *before, *statements, *after)
        if restarts:
            capture.restart()
        capture.finish(restarts=restarts)
    topics = capture.topics
    if stage == "after":
        assert topics.reads == {"a": ROWS, "b": ROWS}
        assert {home for _, home in topics.homes["b"]} == {2}
        return
    for table in ("a", "b"):
        assert topics.homes[table] >= set(content(sql_server, sql_database, table).items()), table
    assert topics.rows["b"].keys().isdisjoint({6, 443})  # the other table's may have been published


def test_tables_without_a_key_that_change_names_while_they_are_read_as_of_a_moment(
    sql_server: Database, sql_database: str
) -> None:
    made(sql_server, sql_database, a=1, b=2)
    for table in ("a", "b"):
        sql_server.execute(f"ALTER TABLE {table} DROP PRIMARY KEY", database=sql_database)
    with closing(Capture(sql_server, f"{sql_database}.a", f"{sql_database}.b")) as capture:
        capture.until(lambda: STAGES["between"](capture))
        capture.until(lambda: capture.alone)  # the moment for the last table is chosen, and no row of it is read
        capture.meanwhile(sql_database, SWAP)
        capture.finish()
    homes = [home for rows in capture.topics.homes.values() for _, home in rows]
    assert homes.count(1) >= ROWS
    assert homes.count(2) >= ROWS
    assert {home for _, home in capture.topics.homes["b"]} == {2}


def test_the_place_before_which_a_chunk_saw_all_lies_behind_a_renaming_that_it_may_have_seen(
    sql_server: Database, sql_database: str
) -> None:
    made(sql_server, sql_database, a=1, b=2)
    address = settings_for(sql_server, f"{sql_database}.*").address
    with closing(Connection(address)) as reader, closing(Connection(address)) as control:
        server = inspect(control)
        marks = watermarks(reader, control, server, lock_wait_s=5)
        assert marks.low(log_end(control, server))
        sql_server.execute(SWAP, database=sql_database)
        renamed_at = log_end(control, server)
        assert reader.query(f"SELECT home FROM {sql_database}.a LIMIT 1") == [("2",)]
        assert not marks.high().is_before(renamed_at)


def test_a_table_that_gets_the_name_of_one_that_was_read_is_read_under_it(
    sql_server: Database, sql_database: str
) -> None:
    made(sql_server, sql_database, a=1, b=2)
    with closing(Capture(sql_server, f"{sql_database}.a", f"{sql_database}.b")) as capture:
        capture.until(lambda: STAGES["between"](capture))
        capture.meanwhile(sql_database, "DROP TABLE a", "RENAME TABLE b TO a", "INSERT INTO a VALUES (1000, 5)")
        capture.finish()
    assert capture.topics.rows["a"] == content(sql_server, sql_database, "a")


def test_a_table_that_is_renamed_while_nothing_runs_is_read_under_its_new_name(
    sql_server: Database, sql_database: str
) -> None:
    made(sql_server, sql_database, a=1, b=2)
    with closing(Capture(sql_server, f"{sql_database}.*")) as capture:
        capture.until(lambda: STAGES["in the first"](capture))
        capture.close()
        sql_server.execute(
            "UPDATE b SET home = 7 WHERE id < 9",
            "RENAME TABLE b TO c",
            "INSERT INTO c VALUES (1000, 5)",
            database=sql_database,
        )
        capture.restart()
        capture.finish(restarts=True)
    assert capture.topics.rows["a"] == content(sql_server, sql_database, "a")
    assert capture.topics.rows["c"] == content(sql_server, sql_database, "c")


def test_a_table_that_gets_a_name_that_is_not_captured_is_not_read(sql_server: Database, sql_database: str) -> None:
    made(sql_server, sql_database, a=1, b=2, c=3)
    with closing(Capture(sql_server, *(f"{sql_database}.{name}" for name in "abc"))) as capture:
        capture.until(lambda: STAGES["in the first"](capture))
        capture.meanwhile(sql_database, "RENAME TABLE b TO z")
        capture.finish()
    assert capture.topics.reads == {"a": ROWS, "c": ROWS}


def test_a_table_that_was_not_captured_is_read_under_a_name_that_is(sql_server: Database, sql_database: str) -> None:
    made(sql_server, sql_database, a=1, b=2, z=3)
    with closing(Capture(sql_server, f"{sql_database}.a", f"{sql_database}.b")) as capture:
        capture.until(lambda: STAGES["between"](capture))
        capture.meanwhile(sql_database, "RENAME TABLE a TO y, z TO a")
        capture.finish()
    assert capture.topics.rows["a"] == content(sql_server, sql_database, "a")
    assert capture.topics.reads == {"a": 2 * ROWS, "b": ROWS}


@pytest.mark.parametrize("anew", [True, False], ids=["and made anew", "for good"])
def test_a_table_that_is_dropped_before_it_is_read(sql_server: Database, sql_database: str, *, anew: bool) -> None:
    made(sql_server, sql_database, a=1, b=2, c=3)
    again = ("CREATE TABLE b (id INT PRIMARY KEY, home INT)", "INSERT INTO b VALUES (1, 4), (2000, 4)") if anew else ()
    with closing(Capture(sql_server, f"{sql_database}.*")) as capture:
        capture.until(lambda: STAGES["in the first"](capture))
        capture.meanwhile(sql_database, "DROP TABLE b", *again, "TRUNCATE TABLE c", "INSERT INTO c VALUES (7, 9)")
        capture.finish(restarts=True)
    assert capture.topics.rows["a"] == content(sql_server, sql_database, "a")
    assert capture.topics.rows["c"] == {7: 9}
    if anew:
        assert capture.topics.rows["b"] == {1: 4, 2000: 4}


CAPTURED = Captured(lambda _database, name: name in "abc", {"d.a": "at"})
SWAPPED = NameChanges({("d", "a"): ("d", "b"), ("d", "b"): ("d", "a")}, frozenset())


def job(kind: Kind, *tables: TableTask) -> Job:
    """With ten rows published of its first table."""
    first, *others = tables
    return Job(kind, (replace(first, after=Bound(("10",)), rows=10), *others))


def renamed(job: Job, changes: NameChanges) -> tuple[Job, ...]:
    return after_renaming(SnapshotState((job,)), changes, CAPTURED).jobs


def test_a_condition_stays_with_its_name_and_the_column_to_read_by_goes_with_its_table() -> None:
    reading = job("incremental", TableTask("d", "a", where="home = 1", by="at"), TableTask("d", "c", where="home = 3"))
    (after,) = renamed(reading, SWAPPED)
    assert after.tables == (
        TableTask("d", "a", where="home = 1"),
        TableTask("d", "c", where="home = 3"),
        TableTask("d", "b", by="at"),
    )
    assert (after.begun, after.rows, after.rows_before) == ([], 10, 10)


def test_an_initial_snapshot_reads_a_table_that_joins_by_the_column_that_is_set_for_its_name() -> None:
    (after,) = renamed(job("initial", TableTask("d", "b")), SWAPPED)
    assert after.tables == (TableTask("d", "b", again=True), TableTask("d", "a", by="at", again=True))


@pytest.mark.parametrize("kind", ["initial", "incremental"])
def test_tables_that_were_read_to_their_end_change_names_without_being_read_again(kind: Kind) -> None:
    reading = job(kind, TableTask("d", "c"))
    assert renamed(reading, SWAPPED)[0] is reading


def test_an_incremental_snapshot_is_not_joined_by_tables_that_it_was_not_about() -> None:
    reading = job("incremental", TableTask("d", "c"))
    assert renamed(reading, NameChanges({("d", "a"): ("d", "z")}, frozenset({("d", "z")})))[0] is reading


def test_the_table_that_is_being_read_goes_on_where_it_is_when_others_behind_it_change_names() -> None:
    (after,) = renamed(job("initial", TableTask("d", "c"), TableTask("d", "b")), SWAPPED)
    assert [task.table for task in after.tables] == ["c", "b", "a"]
    assert [task.after for task in after.tables] == [Bound(("10",)), None, None]


def test_a_job_ends_with_the_last_of_its_tables() -> None:
    assert renamed(job("initial", TableTask("d", "b")), NameChanges({}, frozenset({("d", "b")}))) == ()
