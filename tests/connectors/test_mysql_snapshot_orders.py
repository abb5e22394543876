"""Tables whose key is altered while snapshots have read them in part: no row is left out, and no change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from connectors.mysql.snapshots.bounds import Bound, Sorting
from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask
from connectors.source import Change, SourceEvent
from tests.connectors.mysql_capture import source_for
from tests.connectors.test_mysql_incremental import Signals, source_with
from tests.connectors.test_mysql_snapshot_renames import ROWS, Capture, Topics, content, made
from tests.servers import Database

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Alteration:
    """Of table t, with the type of its key before, and the SQL of the key of row ``n``, which is ``n`` in other words."""

    statement: str
    type: str = "INT"
    key: str = "{n}"


ALTERATIONS = {
    "another column": Alteration("DROP PRIMARY KEY, ADD PRIMARY KEY (number)"),
    "another type": Alteration("MODIFY id VARCHAR(20) NOT NULL"),
    "another precision": Alteration(
        "MODIFY id DATETIME(6) NOT NULL", "DATETIME(3)", "'2001-01-01 12:00:00.500' - INTERVAL {n} SECOND"
    ),
    "another collation": Alteration(
        "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        "CONCAT(IF({n} % 2, 'a', 'B'), LPAD({n}, 4, '0'))",
    ),
    "one column more": Alteration("DROP PRIMARY KEY, ADD PRIMARY KEY (id, number)"),
    "another name": Alteration("CHANGE id other INT NOT NULL"),
    "no key": Alteration("DROP PRIMARY KEY"),
}


class Numbers(Topics):
    """What is told of each row, by its number: its key may get another type."""

    def take(self, events: Sequence[SourceEvent]) -> None:
        for change in events:
            assert isinstance(change, Change)
            places = [change.table.columns.index(name) for name in ("number", "home")]
            before, after = (
                None if rows is None else [tuple(row[place] for place in places) for row in rows]
                for rows in (change.before, change.after)
            )
            super().take([replace(change, before=before, after=after)])


def filled(server: Database, database: str, alteration: Alteration) -> None:
    """Table ``t``, whose numbers fall as its whole-number keys rise."""
    rows = ", ".join(f"({alteration.key.format(n=ROWS - number)}, {number}, 1)" for number in range(ROWS))
    server.execute(
        f"CREATE TABLE t (id {alteration.type} PRIMARY KEY, number INT NOT NULL, home INT)",
        f"INSERT INTO t VALUES {rows}",
        database=database,
    )


def statements(alteration: Alteration) -> tuple[str, ...]:
    """The alteration between changes of rows at both ends of the table."""
    return (
        "UPDATE t SET home = 2 WHERE number IN (3, 440)", "DELETE FROM t WHERE number IN (4, 441)",
        f"ALTER TABLE t {alteration.statement}",
        "UPDATE t SET home = 3 WHERE number IN (5, 442)", "DELETE FROM t WHERE number IN (6, 443)",
    )  # fmt: skip


def numbers(server: Database, database: str) -> dict[int, int]:
    return dict(server.execute("SELECT number, home FROM t", database=database))


@pytest.mark.parametrize("restarts", [False, True], ids=["without restarts", "with restarts"])
@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_table_that_is_read_in_part_is_read_whole_after_its_order_has_changed(
    sql_server: Database, sql_database: str, name: str, *, restarts: bool
) -> None:
    filled(sql_server, sql_database, ALTERATIONS[name])
    with closing(Capture(sql_server, f"{sql_database}.t")) as capture:
        capture.topics = Numbers()
        capture.until(lambda: capture.topics.reads.get("t", 0) >= 100)
        capture.meanwhile(sql_database, *statements(ALTERATIONS[name]))
        if restarts:
            capture.restart()  # the server is ahead of the log
        capture.finish(restarts=restarts)
    assert capture.topics.rows["t"] == numbers(sql_server, sql_database)


@pytest.mark.parametrize("name", ["another column", "another collation", "no key"])
def test_it_is_read_whole_again_in_an_incremental_snapshot(sql_server: Database, sql_database: str, name: str) -> None:
    filled(sql_server, sql_database, ALTERATIONS[name])
    signals = Signals()
    with closing(Capture(sql_server, f"{sql_database}.t")) as capture:
        capture.topics = Numbers()
        capture.finish()
        capture.through(lambda: source_with(sql_server, f"{sql_database}.*", signals))
        capture.step()
        signals.send("execute-snapshot", f"{sql_database}[.]t")
        capture.until(lambda: capture.topics.reads["t"] > ROWS)
        read = capture.topics.reads["t"]
        capture.meanwhile(sql_database, *statements(ALTERATIONS[name]))
        capture.finish()
    rows = numbers(sql_server, sql_database)
    assert capture.topics.rows["t"] == rows
    changed = sum(home > 1 for home in rows.values())  # while its chunk was open it may have been
    assert capture.topics.reads["t"] >= read + len(rows) - changed


def test_a_key_of_larger_whole_numbers_is_read_on(sql_server: Database, sql_database: str) -> None:
    made(sql_server, sql_database, a=1)
    with closing(Capture(sql_server, f"{sql_database}.a")) as capture:
        capture.until(lambda: capture.topics.reads.get("a", 0) >= 100)
        capture.meanwhile(sql_database, "ALTER TABLE a MODIFY id BIGINT NOT NULL", "INSERT INTO a VALUES (1000, 1)")
        capture.finish(restarts=True)
    assert capture.topics.rows["a"] == content(sql_server, sql_database, "a")
    assert capture.topics.reads["a"] <= ROWS + 1


def test_two_tables_that_are_read_in_part_and_lose_their_keys_are_both_read_to_their_end(
    sql_server: Database, sql_database: str
) -> None:
    made(sql_server, sql_database, a=1, b=2)
    read_by = {f"{sql_database}.{table}": "id" for table in ("a", "b")}
    with closing(Capture(sql_server, f"{sql_database}.*")) as capture:
        capture.through(
            lambda: source_for(
                sql_server, f"{sql_database}.*", chunk_rows=100, snapshot_sessions=2, snapshot_keys=read_by
            )
        )
        capture.until(lambda: min(capture.topics.reads.get(table, 0) for table in ("a", "b")) >= 100)
        assert max(capture.topics.reads.values()) < ROWS
        drop = [f"ALTER TABLE {table} DROP PRIMARY KEY" for table in ("a", "b")]
        capture.meanwhile(sql_database, *drop, "UPDATE b SET home = 7 WHERE id IN (5, 442)")
        capture.finish()
    for table in ("a", "b"):
        assert capture.topics.rows[table] == content(sql_server, sql_database, table)
        assert capture.topics.reads[table] == ROWS


def test_the_order_of_a_bound_is_kept_and_that_a_table_is_read_again() -> None:
    bound = Bound(("1", "a"), (Sorting("n", "integer", None), Sorting("k", "varchar(3)", "utf8mb4_bin")))
    job = Job("initial", (TableTask("d", "a", after=bound, rows=3), TableTask("d", "b")), rows_before=4)
    state = SnapshotState((job, job.read_again("d.a")))
    assert SnapshotState.from_json(state.document) == state
    assert [each.rows for each in state.jobs] == [7, 7]
    assert (state.jobs[1].begun, SnapshotState(state.jobs[1:]).unread()) == ([], {"d.b"})
