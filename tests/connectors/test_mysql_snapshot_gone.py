"""Tables that are gone from the server while a snapshot has read a part of them: what the log has of that part is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.connectors.mysql_capture import connect, source_for
from tests.connectors.test_mysql_snapshot_orders import ALTERATIONS, Numbers, filled
from tests.connectors.test_mysql_snapshot_renames import ROWS, WAITING, Capture
from tests.servers import Database

pytestmark = pytest.mark.servers

GONE = {"dropped": "DROP TABLE t", "renamed": "RENAME TABLE t TO gone", "captured as": "RENAME TABLE t TO c"}

OTHER = "CREATE TABLE b (number INT PRIMARY KEY, home INT)"


class Part:
    """The numbers of rows of ``t`` that are published, and of others."""

    def __init__(self, capture: Capture) -> None:
        capture.topics = Numbers()
        capture.until(lambda: capture.topics.reads.get("t", 0) >= 100)
        self.published = sorted(capture.topics.rows["t"])
        self.unread = sorted(set(range(ROWS)).difference(self.published))

    def changes(self, place: int) -> tuple[str, str]:
        """Of two rows that are published and two that are not."""
        updated, deleted = (f"{self.published[each]}, {self.unread[each]}" for each in (place, place + 1))
        return f"UPDATE t SET home = 2 WHERE number IN ({updated})", f"DELETE FROM t WHERE number IN ({deleted})"

    def told(self, *places: int) -> dict[int, int]:
        """Its published rows after changes at these places."""
        rows = dict.fromkeys(self.published, 1)
        for place in places:
            rows[self.published[place]] = 2
            del rows[self.published[place + 1]]
        return rows


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("key", ["another column", "another collation"], ids=["number", "text"])
def test_changes_of_its_published_rows_are_told_and_no_others(
    sql_server: Database, sql_database: str, key: str, gone: str
) -> None:
    sql_server.execute(OTHER, database=sql_database)
    filled(sql_server, sql_database, ALTERATIONS[key])
    with closing(Capture(sql_server, *(f"{sql_database}.{name}" for name in "bct"))) as capture:
        part = Part(capture)
        capture.close()  # the log is not read on before the table is gone
        sql_server.execute(*part.changes(3), *part.changes(7), GONE[gone], database=sql_database)
        capture.restart()
        capture.finish()
    assert capture.topics.rows["t"] == part.told(3, 7)


@pytest.mark.parametrize("key", ["another column", "another precision", "another name", "no key"])
def test_they_are_told_though_its_order_changed_before_it_was_dropped(
    sql_server: Database, sql_database: str, key: str
) -> None:
    sql_server.execute(OTHER, database=sql_database)
    filled(sql_server, sql_database, ALTERATIONS[key])
    altered = f"ALTER TABLE t {ALTERATIONS[key].statement}"
    with closing(Capture(sql_server, f"{sql_database}.b", f"{sql_database}.t")) as capture:
        part = Part(capture)
        capture.close()
        sql_server.execute(*part.changes(3), altered, *part.changes(7), "DROP TABLE t", database=sql_database)
        capture.restart()
        capture.finish(restarts=True)
    rows = {number: home for number, home in capture.topics.rows["t"].items() if number in part.published}
    assert rows == part.told(3, 7)


def test_a_database_is_dropped_between_a_chunk_and_the_next(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(OTHER, database=sql_database)
    with sql_server.fresh_database() as second:
        filled(sql_server, second, ALTERATIONS["another column"])
        include = f"{sql_database}.b", f"{second}.t"
        with closing(Capture(sql_server, *include)) as capture:
            part = Part(capture)
            capture.close()
            busy = [f"INSERT INTO {sql_database}.b VALUES ({number}, 1)" for number in range(200)]
            sql_server.execute(*part.changes(3), *busy, database=second)
            with dropping(sql_server, second):
                capture.through(lambda: source_for(sql_server, *include, chunk_rows=100, max_rows=10))
                capture.step()  # it asks for rows, and the log is not read to its end
            capture.finish()
    told = part.told(3)
    assert {number: home for number, home in capture.topics.rows["t"].items() if number in told} == told


@contextmanager
def dropping(server: Database, database: str) -> Iterator[None]:
    """DROP DATABASE, which waits for who reads table ``t``, and lets none that comes later read it; done at the end."""
    drop = threading.Thread(target=server.execute, args=(f"DROP DATABASE {database}",))
    with closing(connect(server, database, autocommit=False)) as reader:
        reader.cursor().execute("SELECT 1 FROM t LIMIT 1")
        drop.start()
        deadline = time.monotonic() + 30
        while not server.execute(WAITING):
            assert time.monotonic() < deadline
        yield
    drop.join()
