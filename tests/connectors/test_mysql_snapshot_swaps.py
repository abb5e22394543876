"""A table that is swapped for one with another key, while a snapshot reads it and the log has not told of that yet."""

from __future__ import annotations

from contextlib import closing

import pytest

from streamtrain.errors import UnsupportedChange
from tests.connectors.test_mysql_incremental import Signals, source_with
from tests.connectors.test_mysql_snapshot_renames import ROWS, STAGES, SWAP, Capture, content, made
from tests.servers import Database

KEYS = {
    "another name": "code VARCHAR(20) NOT NULL PRIMARY KEY",
    "another type": "id VARCHAR(20) NOT NULL PRIMARY KEY",
    "no key": "id INT NOT NULL",
}


def made_unlike(server: Database, database: str, key: str) -> None:
    """Table ``a`` with a whole number as its key, and ``b`` with as many rows and another."""
    made(server, database, a=1)
    server.execute(f"CREATE TABLE b ({KEYS[key]}, home INT)", "INSERT INTO b SELECT id, 2 FROM a", database=database)


def statements(key: str) -> tuple[str, ...]:
    """Changes of both tables before and after they change names; all but the first lie behind the snapshot's plan."""
    name = KEYS[key].split()[0]
    return (
        "UPDATE a SET home = 11 WHERE id IN (3, 440)", f"UPDATE b SET home = 12 WHERE {name} IN ('4', '441')",
        "DELETE FROM a WHERE id IN (7, 444)", SWAP,
        f"UPDATE a SET home = 22 WHERE {name} IN ('5', '442')", "UPDATE b SET home = 23 WHERE id IN (6, 443)",
    )  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("stage", ["before", "in the first", "between"])
def test_both_are_read_whole_under_their_new_names(
    sql_server: Database, sql_database: str, stage: str, key: str
) -> None:
    made_unlike(sql_server, sql_database, key)
    with closing(Capture(sql_server, f"{sql_database}.a", f"{sql_database}.b")) as capture:
        capture.until(lambda: STAGES[stage](capture))
        capture.meanwhile(sql_database, *statements(key))
        capture.restart()  # it looks at the tables before it has read the log
        capture.finish(restarts=True)
    for table in ("a", "b"):
        assert capture.topics.homes[table] >= set(content(sql_server, sql_database, table).items()), table


@pytest.mark.parametrize("key", KEYS)
def test_both_can_be_read_again_meanwhile(sql_server: Database, sql_database: str, key: str) -> None:
    made_unlike(sql_server, sql_database, key)
    signals = Signals()
    with closing(Capture(sql_server, f"{sql_database}.a", f"{sql_database}.b")) as capture:
        capture.finish()
        capture.through(lambda: source_with(sql_server, f"{sql_database}.*", signals))
        capture.step()
        signals.send("execute-snapshot", f"{sql_database}[.][ab]")
        sql_server.execute(*statements(key), database=sql_database)
        capture.until(lambda: not capture.reading and capture.topics.reads["a"] >= 2 * ROWS)
        capture.finish()
    for table in ("a", "b"):
        assert capture.topics.homes[table] >= set(content(sql_server, sql_database, table).items()), table


@pytest.mark.parametrize("key", ["another name", "another type"])
def test_text_of_a_table_that_is_read_in_part_is_compared_as_it_was_when_it_was_read(
    sql_server: Database, sql_database: str, key: str
) -> None:
    made_unlike(sql_server, sql_database, key)
    with closing(Capture(sql_server, f"{sql_database}.a", f"{sql_database}.b")) as capture:
        capture.until(lambda: STAGES["in the second"](capture))
        capture.meanwhile(sql_database, *statements(key))
        capture.restart()
        capture.finish()
    for table in ("a", "b"):
        assert capture.topics.homes[table] >= set(content(sql_server, sql_database, table).items()), table


@pytest.mark.parametrize("key", ["another name", "another type"])
def test_text_cannot_be_compared_until_the_table_has_its_name_again_if_an_older_version_has_read_a_part_of_it(
    mysql: Database, mysql_database: str, key: str
) -> None:
    made_unlike(mysql, mysql_database, key)
    with closing(Capture(mysql, f"{mysql_database}.a", f"{mysql_database}.b")) as capture:
        capture.until(lambda: STAGES["in the second"](capture))
        for task in (capture.kept.position or {})["snapshots"][0]["tables"]:
            del task["order"], task["again"]
        mysql.execute(*statements(key), database=mysql_database)
        capture.restart()
        with pytest.raises(UnsupportedChange, match="collation"):
            capture.finish()
        mysql.execute(SWAP, database=mysql_database)
        capture.restart()
        capture.finish()
    for table in ("a", "b"):
        assert capture.topics.homes[table] >= set(content(mysql, mysql_database, table).items()), table
