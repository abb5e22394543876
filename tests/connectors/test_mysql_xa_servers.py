"""XA transactions on real servers: committed late, rolled back, over restarts of the connector and of the server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from connectors.mysql.source import MysqlSource
from connectors.source import Position
from streamtrain.errors import PositionLost
from tests.connectors.mysql_capture import connect, opened, read_to_end, seen, source_for
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers


@pytest.fixture
def table(sql_server: Database, sql_database: str) -> str:
    sql_server.execute("CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))", database=sql_database)
    return f"{sql_database}.events"


def begun(server: Database, table: str, **options: Any) -> MysqlSource:
    source = source_for(server, table, snapshot="no_data", **options)
    source.open(None)
    return source


def ids(changes: Any) -> list[int]:
    return [after[0] for _, _, after in seen(changes) if after is not None]


def inserts(first: int, count: int = 1) -> list[str]:
    return [f"INSERT INTO events VALUES ({number}, 'row {number}')" for number in range(first, first + count)]


def prepare(server: Database, database: str, name: str, *statements: str) -> None:
    """Leave an XA transaction prepared, and its session ended."""
    with closing(connect(server, database)) as connection, connection.cursor() as cursor:
        for statement in (f"XA START '{name}'", *statements, f"XA END '{name}'", f"XA PREPARE '{name}'"):
            cursor.execute(statement)


def end(server: Database, name: str, how: str = "COMMIT") -> None:
    server.execute(f"XA {how} '{name}'")


def test_rows_come_once_at_the_commit_and_none_after_a_rollback(
    sql_server: Database, sql_database: str, table: str
) -> None:
    with closing(begun(sql_server, table)) as source:
        prepare(sql_server, sql_database, f"{sql_database}-a", *inserts(1, 3), "DELETE FROM events WHERE id = 2")
        prepare(sql_server, sql_database, f"{sql_database}-b", *inserts(10, 3))
        sql_server.execute(*inserts(20), database=sql_database)
        assert ids(read_to_end(source)[0]) == [20]
        end(sql_server, f"{sql_database}-b", "ROLLBACK")
        sql_server.execute(*inserts(21), database=sql_database)
        end(sql_server, f"{sql_database}-a")
        sql_server.execute(*inserts(22), database=sql_database)
        changes, position = read_to_end(source)
    assert ids(changes) == [21, 1, 2, 3, 22]
    gtids = list(dict.fromkeys(change.origin["gtid"] for change in changes))
    assert len(gtids) == 3, "the rows are of the transaction that committed them"
    assert position["prepared"] == []


def test_a_commit_in_one_phase_is_like_any_other(sql_server: Database, sql_database: str, table: str) -> None:
    for max_rows in (8_192, 2):
        name = f"{sql_database}-{max_rows}"
        statements = (f"XA START '{name}'", *inserts(max_rows, 4), f"XA END '{name}'", f"XA COMMIT '{name}' ONE PHASE")
        with closing(begun(sql_server, table, max_rows=max_rows)) as source:
            sql_server.execute(*statements, database=sql_database)
            assert ids(read_to_end(source)[0]) == list(range(max_rows, max_rows + 4))


@pytest.mark.parametrize("follow", ["auto", "file"])
@pytest.mark.parametrize("max_rows", [1, 3])
def test_a_connector_stopped_anywhere_between_prepare_and_commit_loses_and_doubles_nothing(
    sql_server: Database, sql_database: str, table: str, follow: str, max_rows: int
) -> None:
    source = begun(sql_server, table, follow=follow)
    position = source.read(0).position
    source.close()
    prepare(sql_server, sql_database, f"{sql_database}-a", *inserts(1, 7))
    sql_server.execute(*inserts(20), "FLUSH BINARY LOGS", database=sql_database)
    prepare(sql_server, sql_database, f"{sql_database}-b", *inserts(10, 2))
    prepare(sql_server, sql_database, f"{sql_database}-c", *inserts(15, 2))
    end(sql_server, f"{sql_database}-a")
    sql_server.execute(*inserts(21), database=sql_database)
    end(sql_server, f"{sql_database}-c", "ROLLBACK")
    end(sql_server, f"{sql_database}-b")
    rows, between = list[int](), 0
    for _ in range(60):
        with opened(source_for(sql_server, table, follow=follow, max_rows=max_rows), position) as source:
            reached = source.end()
            batch = source.read(0.2)
            position = batch.position
            rows += ids(batch.changes)
            between += bool(position and position["prepared"])
            if source.reached(reached):
                break
    assert rows == [20, 1, 2, 3, 4, 5, 6, 7, 21, 10, 11]
    assert between > 0


def test_a_table_may_be_left_out_between_prepare_and_commit(
    sql_server: Database, sql_database: str, table: str
) -> None:
    sql_server.execute("CREATE TABLE others (id INT PRIMARY KEY, v INT)", database=sql_database)
    with closing(begun(sql_server, f"{sql_database}.*")) as source:
        prepare(sql_server, sql_database, sql_database, *inserts(1), "INSERT INTO others VALUES (7, 7)", *inserts(2))
        changes, position = read_to_end(source)
        assert (changes, len(position["prepared"])) == ([], 1)
    end(sql_server, sql_database)
    with opened(source_for(sql_server, table), position) as source:
        assert ids(read_to_end(source)[0]) == [1, 2]


@pytest.mark.parametrize("compression", ["ON", "OFF"])
def test_a_large_compressed_one_is_read_again_from_the_log(
    mysql: Database, mysql_database: str, compression: str
) -> None:
    mysql.execute("CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))", database=mysql_database)
    with closing(begun(mysql, f"{mysql_database}.events", max_rows=4)) as source:
        compress = f"SET SESSION binlog_transaction_compression = {compression}"
        with closing(connect(mysql, mysql_database)) as connection, connection.cursor() as cursor:
            cursor.execute(compress)
            name = f"'{mysql_database}'"
            for statement in (f"XA START {name}", *inserts(1, 30), f"XA END {name}", f"XA PREPARE {name}"):
                cursor.execute(statement)
        mysql.execute(*inserts(100), database=mysql_database)
        assert ids(read_to_end(source)[0]) == [100]
        end(mysql, mysql_database)
        assert ids(read_to_end(source)[0]) == list(range(1, 31))


@pytest.fixture(params=["mysql", "mariadb"])
def own_server(request: pytest.FixtureRequest) -> PrivateMySQL | PrivateMariaDB:
    start: Callable[..., PrivateMySQL | PrivateMariaDB] = request.getfixturevalue(f"private_{request.param}")
    server = start()
    server.execute("CREATE DATABASE shop", "CREATE TABLE shop.events (id INT PRIMARY KEY, v VARCHAR(200))")
    return server


def test_one_that_was_prepared_before_capture_began_comes_too_over_a_restart_of_the_server(
    own_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    prepare(own_server, "shop", "other", *inserts(40))
    prepare(own_server, "shop", "a", *inserts(1, 3))
    own_server.execute(*inserts(20), "FLUSH BINARY LOGS", database="shop")
    with opened(source_for(own_server, "shop.events")) as source:
        changes, position = read_to_end(source)
        assert ids(changes) == [20]
    own_server.stop()
    own_server.start()
    end(own_server, "a")
    end(own_server, "other", "ROLLBACK")
    with opened(source_for(own_server, "shop.events"), position) as source:
        assert ids(read_to_end(source)[0]) == [1, 2, 3]


def test_a_log_purged_between_prepare_and_commit_stops_with_a_way_out(
    own_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    with closing(begun(own_server, "shop.events", max_rows=2)) as source:
        prepare(own_server, "shop", "a", *inserts(1, 3))
        own_server.execute("FLUSH BINARY LOGS", *inserts(20), "FLUSH BINARY LOGS", database="shop")
        changes, position = read_to_end(source)
        assert ids(changes) == [20]
        last = own_server.execute("SHOW BINARY LOGS")[-1][0]
        for _ in range(200):
            own_server.execute(f"PURGE BINARY LOGS TO '{last}'")
            if own_server.execute("SHOW BINARY LOGS")[0][0] == last:
                break
        end(own_server, "a")
        with pytest.raises(PositionLost) as caught:
            read_to_end(source)
        assert "when_needed" in caught.value.hint
    forgetful: Position = {**position, "prepared": []}
    with (
        opened(source_for(own_server, "shop.events"), forgetful) as source,
        pytest.raises(PositionLost, match="no log file that is left"),
    ):
        read_to_end(source)
