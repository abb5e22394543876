"""MariaDB's views at the beginning of a log file, where they may lack what the log has: what is locked is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from connectors.mysql.address import parse_url
from connectors.mysql.connection import Connection
from connectors.mysql.mariadb_views import begin_view, begins_file
from connectors.mysql.server import inspect, log_end
from connectors.mysql.snapshots.sessions import Sessions
from tests.connectors.mysql_capture import opened, plain, read_to_end, source_for
from tests.servers import Database


@contextmanager
def waited_for(server: Database, database: str, read: Callable[[], Any]) -> Iterator[list[Any]]:
    """``read()`` in a thread of its own; it has begun to wait for a row that is not committed, and is done at the block's end."""
    found: list[Any] = []
    with closing(server.connect(database=database)) as writer, writer.cursor() as cursor:
        writer.autocommit(False)
        cursor.execute("UPDATE t SET v = 7 WHERE id = 2")
        reader = threading.Thread(target=lambda: found.append(read()))
        reader.start()
        waiting = "SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
        deadline = time.monotonic() + 20
        while not server.execute(waiting):
            assert reader.is_alive(), f"read without waiting: {found}"
            assert time.monotonic() < deadline
            reader.join(0.15)  # the server renews what it shows only 0.1 s after it was last asked
        writer.commit()
        reader.join()
    yield found


def test_a_view_begins_a_file_until_a_transaction_stands_before_it(mariadb: Database, mariadb_database: str) -> None:
    mariadb.execute("CREATE TABLE t (id INT PRIMARY KEY)", "FLUSH BINARY LOGS", database=mariadb_database)
    with (
        closing(Connection(parse_url(plain(mariadb.url)))) as view,
        closing(Connection(parse_url(plain(mariadb.url)))) as control,
    ):
        assert begins_file(control, begin_view(view))
        mariadb.execute("INSERT INTO t VALUES (1)", database=mariadb_database)
        assert not begins_file(control, begin_view(view))


def test_a_chunk_that_begins_with_a_file_waits_for_rows_that_are_locked(
    mariadb: Database, mariadb_database: str
) -> None:
    mariadb.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)", database=mariadb_database
    )
    address = parse_url(plain(mariadb.url))
    with closing(Connection(address)) as looking:
        server = inspect(looking)
        with closing(Sessions(address, server, 20)) as sessions:
            session = sessions.lend()
            assert session.watermarks.low(log_end(looking, server))
            assert session.watermarks.lock == ""
            session.watermarks.high()
            mariadb.execute("FLUSH BINARY LOGS")
            assert session.watermarks.low(log_end(looking, server))
            select = f"SELECT id, v FROM {mariadb_database}.t ORDER BY id{session.watermarks.lock}"
            with waited_for(mariadb, mariadb_database, lambda: session.connection.query(select)) as found:
                assert [[tuple(map(int, row)) for row in rows] for rows in found] == [[(1, 1), (2, 7)]]
            session.watermarks.high()
            # The commit stands in the new file.
            assert session.watermarks.low(log_end(looking, server))
            assert session.watermarks.lock == ""


def test_a_table_without_a_key_that_is_read_where_a_file_begins_waits_for_rows_that_are_locked(
    mariadb: Database, mariadb_database: str
) -> None:
    mariadb.execute(
        "CREATE TABLE t (id INT, v INT)",
        "INSERT INTO t VALUES (1, 1), (2, 2)",
        "FLUSH BINARY LOGS",
        database=mariadb_database,
    )

    def read() -> list[Any]:
        with opened(source_for(mariadb, f"{mariadb_database}.t")) as source:
            changes, _ = read_to_end(source)
        return sorted(row for change in changes for row in change.after or ())

    with waited_for(mariadb, mariadb_database, read) as found:
        assert found == [[(1, 1), (2, 7)]]


@pytest.mark.parametrize("key", ["id INT PRIMARY KEY", "id INT"])
def test_rows_that_stay_locked_where_a_file_begins_hold_nobody_up_for_long(
    mariadb: Database, mariadb_database: str, key: str
) -> None:
    mariadb.execute(
        f"CREATE TABLE t ({key}, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)", "FLUSH BINARY LOGS",
        database=mariadb_database,
    )  # fmt: skip
    with closing(mariadb.connect(database=mariadb_database)) as writer, writer.cursor() as cursor:
        writer.autocommit(False)
        cursor.execute("UPDATE t SET v = 7 WHERE id = 2")
        with opened(source_for(mariadb, f"{mariadb_database}.t")) as source:
            changes, _ = read_to_end(source)
    assert sorted(row for change in changes for row in change.after or ()) == [(1, 1), (2, 2)]
