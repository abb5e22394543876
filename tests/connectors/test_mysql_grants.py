"""The rights that capture needs, as docs/security.md lists them: enough exactly as they are, and each of them needed."""

from __future__ import annotations

import pytest

from connectors.mysql.doctor import examine
from connectors.mysql.source import MysqlSource
from streamtrain.errors import AccessDenied
from tests.connectors.mysql_capture import Seen, account, opened, read_to_end, seen, settings_for
from tests.servers import Database

pytestmark = pytest.mark.servers

RIGHTS = {
    "mysql": ("SELECT ON `{0}`.`events`", "REPLICATION SLAVE ON *.*", "REPLICATION CLIENT ON *.*"),
    "mariadb": ("SELECT ON `{0}`.`events`", "REPLICATION SLAVE ON *.*", "BINLOG MONITOR ON *.*"),
}
WITHOUT_KEY = {"mysql": ("RELOAD ON *.*",), "mariadb": ()}
"""What it takes besides to read a table that has no key to be read by."""


@pytest.fixture(params=["PRIMARY KEY", ""], ids=["a table with a key", "a table without one"])
def rights(request: pytest.FixtureRequest, sql_server: Database, sql_database: str) -> list[str]:
    """The rights that are needed to capture a table of one row."""
    sql_server.execute(
        f"CREATE TABLE events (id INT {request.param}, note VARCHAR(20))", "INSERT INTO events VALUES (1, 'there')",
        database=sql_database,
    )  # fmt: skip
    flavor = "mariadb" if "MariaDB" in sql_server.execute("SELECT VERSION()")[0][0] else "mysql"
    needed = RIGHTS[flavor] + (() if request.param else WITHOUT_KEY[flavor])
    return [right.format(sql_database) for right in needed]


def captured(server: Database, database: str, url: str) -> list[Seen]:
    """By snapshot, by stream, and by stream from a position."""
    with opened(MysqlSource(settings_for(server, f"{database}.events", url=url))) as source:
        changes, _ = read_to_end(source)
        server.execute("INSERT INTO events VALUES (2, 'new')", database=database)
        more, position = read_to_end(source)
    server.execute("DELETE FROM events WHERE id = 2", database=database)
    with opened(MysqlSource(settings_for(server, f"{database}.events", url=url)), position) as source:
        last, _ = read_to_end(source)
    return seen([*changes, *more, *last])


def failed(server: Database, database: str, url: str) -> dict[str, str]:
    """The remedies of what the doctor finds failed."""
    checks = examine(settings_for(server, f"{database}.events", url=url))
    return {check.name: check.remedy for check in checks if check.status == "fail"}


def test_with_exactly_these_rights_capture_works_and_the_doctor_has_nothing_to_say(
    sql_server: Database, sql_database: str, rights: list[str]
) -> None:
    with account(sql_server, *rights) as url:
        rows = captured(sql_server, sql_database, url)
        assert failed(sql_server, sql_database, url) == {}
    assert [(op.value, before, after) for op, before, after in rows] == [
        ("r", None, (1, "there")), ("c", None, (2, "new")), ("d", (2, "new"), None),
    ]  # fmt: skip


def test_without_any_one_of_them_capture_stops_with_the_statement_that_mends_it(
    sql_server: Database, sql_database: str, rights: list[str]
) -> None:
    for missing in rights:
        with account(sql_server, *(right for right in rights if right != missing)) as url:
            user = url.removeprefix("mysql://").partition(":")[0]
            grant = f"GRANT {missing} TO '{user}'@'%'"
            with pytest.raises(AccessDenied) as caught:
                captured(sql_server, sql_database, url)
            assert caught.value.hint.startswith(grant)
            assert grant in failed(sql_server, sql_database, url).values()
            sql_server.execute(grant)
            assert len(captured(sql_server, sql_database, url)) == 3
            assert failed(sql_server, sql_database, url) == {}
