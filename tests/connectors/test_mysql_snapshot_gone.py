"""Tables that are gone from the server while a snapshot has read a part of them: what the log has of that part is told."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.connectors.test_mysql_snapshot_orders import ALTERATIONS, Numbers, filled
from tests.connectors.test_mysql_snapshot_renames import ROWS, Capture
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
