"""What was taken back is in no topic, whether the server logs it together with its rollback or not at all.

MariaDB logs a transaction that was rolled back, in row format too, if it made or dropped a temporary table, and a rollback
to a savepoint behind which a table without transactions was changed. MySQL does so only in a session that logs
statements, and with GTIDs not even there: with ``binlog_format=ROW`` temporary tables are not logged, and changes of tables
without transactions are logged at once and by themselves, so that what is taken back is cut out before it reaches the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from connectors.source import Change, Position
from streamtrain.errors import UnsupportedChange
from tests.connectors.mysql_capture import connect, opened, read_to_end, seen, source_for
from tests.servers import PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers

WITHOUT_GTIDS = ("--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")
"""With them MySQL refuses to mix tables of both kinds in a transaction."""


@pytest.fixture(params=["mysql", "mysql-by-gtid", "mariadb"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[PrivateMySQL | PrivateMariaDB]:
    kind: str = request.param
    with PrivateMariaDB() if kind == "mariadb" else PrivateMySQL(*WITHOUT_GTIDS * (kind == "mysql")) as started:
        yield started


@pytest.fixture
def database(server: PrivateMySQL | PrivateMariaDB) -> Iterator[str]:
    with server.fresh_database() as name:
        server.execute(
            "CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))",
            "CREATE TABLE plain (id INT) ENGINE = MyISAM",
            database=name,
        )
        yield name


def by_gtid(server: PrivateMySQL | PrivateMariaDB) -> bool:
    """Whether it is a MySQL with GTIDs."""
    return isinstance(server, PrivateMySQL) and server.execute("SELECT @@gtid_mode") == [("ON",)]


def inserts(first: int, count: int = 1) -> list[str]:
    return [f"INSERT INTO events VALUES ({number}, 'row {number}')" for number in range(first, first + count)]


def written(server: PrivateMySQL | PrivateMariaDB, database: str, *statements: str) -> tuple[Position, list[str]]:
    """Carry out the statements on one connection; where the log was before, and what it says of rollbacks since."""
    with opened(source_for(server, f"{database}.events", snapshot="no_data")) as source:
        start = source.read(0).position
    assert start is not None
    with closing(connect(server, database, autocommit=False)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    logged = server.execute(f"SHOW BINLOG EVENTS IN '{start['file']}' FROM {start['offset']}")
    return start, [text for *_, text in logged if "ROLLBACK" in text]


def captured(server: PrivateMySQL | PrivateMariaDB, database: str, start: Position, max_rows: int) -> list[int]:
    with opened(source_for(server, f"{database}.events", max_rows=max_rows), start) as source:
        return [after[0] for _, _, after in seen(read_to_end(source)[0]) if after is not None]


@pytest.mark.parametrize("max_rows", [1, 8_192])
def test_rollbacks_of_transactions_and_to_savepoints_leave_nothing(
    server: PrivateMySQL | PrivateMariaDB, database: str, max_rows: int
) -> None:
    beside = inserts(90) if by_gtid(server) else ["INSERT INTO plain VALUES (1)"]
    start, rollbacks = written(
        server, database,
        *inserts(1), "CREATE TEMPORARY TABLE x (a INT)", "INSERT INTO x VALUES (1)", "ROLLBACK",
        *inserts(2), "SAVEPOINT s", *beside, *inserts(3), "ROLLBACK TO s", *inserts(4),
        "SAVEPOINT s", *inserts(5), "SAVEPOINT inner_one", *inserts(6), "ROLLBACK TO inner_one", *inserts(7), "COMMIT",
        *inserts(8), "DROP TEMPORARY TABLE x", "ROLLBACK",
    )  # fmt: skip
    assert captured(server, database, start, max_rows) == [2, 4, 5, 7]
    told = (
        []
        if isinstance(server, PrivateMySQL)
        else ["ROLLBACK", "ROLLBACK TO `s`", "ROLLBACK TO `inner_one`", "ROLLBACK"]
    )
    assert rollbacks == told


@pytest.mark.parametrize("max_rows", [9, 8_192])
def test_forty_rows_that_are_rolled_back_leave_nothing_and_forty_that_are_committed_come_once(
    server: PrivateMySQL | PrivateMariaDB, database: str, max_rows: int
) -> None:
    start, rollbacks = written(
        server, database,
        "CREATE TEMPORARY TABLE x (a INT)", *inserts(1, 40), "DROP TEMPORARY TABLE x", "ROLLBACK",
        *inserts(100, 20), "SAVEPOINT s", *inserts(200, 40), "ROLLBACK TO s", *inserts(120, 20), "COMMIT",
    )  # fmt: skip
    assert captured(server, database, start, max_rows) == list(range(100, 140))
    assert rollbacks == ([] if isinstance(server, PrivateMySQL) else ["ROLLBACK"])


def test_a_rollback_that_is_logged_with_statements_stops_capture_at_the_first_of_them(
    server: PrivateMySQL | PrivateMariaDB, database: str
) -> None:
    statements = (
        *inserts(1), "COMMIT", "SET SESSION binlog_format = 'STATEMENT'",
        "CREATE TEMPORARY TABLE x (a INT)", "COMMIT", *inserts(2), "DROP TEMPORARY TABLE x", "ROLLBACK",
    )  # fmt: skip
    if by_gtid(server):
        with pytest.raises(pymysql.err.OperationalError, match="violates GTID consistency"):
            written(server, database, *statements)
        return
    start, rollbacks = written(server, database, *statements)
    changes: list[Change] = []
    with (
        opened(source_for(server, f"{database}.events"), start) as source,
        pytest.raises(UnsupportedChange, match=r"rows without row events at binlog\.\d+:\d+: INSERT") as caught,
    ):
        for _ in range(100):
            changes += source.read(0.1).changes
    assert [after[0] for _, _, after in seen(changes) if after is not None] == [1]
    assert "binlog_format" in caught.value.hint
    assert rollbacks == ["ROLLBACK"]
