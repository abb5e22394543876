"""What happens to a log: switched checksums, damage, storms of rotation, restarts that use table ids anew, incidents."""

from __future__ import annotations

import base64
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pymysql
import pytest

from connectors.source import Position
from streamtrain.errors import SourceUnavailable, UnsupportedChange
from tests.connectors.mysql_capture import connect, opened, plain, read_to_end, seen, source_for, transaction
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers

EVENTS = "CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))"


@pytest.fixture(params=["mysql", "mariadb"])
def own_server(request: pytest.FixtureRequest) -> PrivateMySQL | PrivateMariaDB:
    """A server of the test's own, with an empty table."""
    start: Callable[..., PrivateMySQL | PrivateMariaDB] = request.getfixturevalue(f"private_{request.param}")
    server = start()
    server.execute("CREATE DATABASE shop")
    server.execute(EVENTS, database="shop")
    return server


def start_of(server: Database, table: str, **options: Any) -> Position:
    with opened(source_for(server, table, snapshot="no_data", **options)) as source:
        position = source.read(0).position
    assert position is not None
    return position


def ids(changes: Any) -> list[int]:
    return [after[0] for _, _, after in seen(changes) if after is not None]


def inserts(first: int, count: int = 1) -> list[str]:
    return [f"INSERT INTO events VALUES ({number}, 'row {number}')" for number in range(first, first + count)]


def test_checksums_switched_on_and_off_are_followed_live_and_later(own_server: PrivateMySQL | PrivateMariaDB) -> None:
    start = start_of(own_server, "shop.events")
    with opened(source_for(own_server, "shop.events"), start) as source:
        for number, algorithm in enumerate(("NONE", "CRC32", "NONE", "CRC32")):
            own_server.execute(f"SET GLOBAL binlog_checksum = {algorithm}")
            own_server.execute(*inserts(number * 5, 5), database="shop")
        live, _ = read_to_end(source)
    for follow in ("auto", "file"):
        with opened(source_for(own_server, "shop.events", follow=follow), start) as source:
            assert ids(read_to_end(source)[0]) == ids(live) == list(range(20))


@contextmanager
def proxy(server: Database, change: Callable[[bytes], bytes]) -> Iterator[int]:
    """The port of a relay to ``server`` that passes what the server sends through ``change``."""
    listening = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = [listening]

    def pump(source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(change(data))
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                upstream = socket.create_connection((server.address.host, server.address.port))
                ends.extend((client, upstream))
                for arguments in ((client, upstream, bytes), (upstream, client, change)):
                    threading.Thread(target=pump, args=arguments, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        thread.join()


def test_one_flipped_byte_on_the_way_is_an_error_and_what_was_before_it_is_kept(
    sql_server: Database, sql_database: str
) -> None:
    sql_server.execute(EVENTS, database=sql_database)
    table = f"{sql_database}.events"
    flips = [b"row 2"]

    def flipping(data: bytes) -> bytes:
        if flips and flips[0] in data:
            return data.replace(flips.pop(), b"row 3")
        return data

    with proxy(sql_server, flipping) as port:
        address = sql_server.address
        url = plain(f"mysql://{address.user}:{address.password}@127.0.0.1:{port}")
        with closing(source_for(sql_server, table, snapshot="no_data", url=url)) as source:
            source.open(None)
            sql_server.execute(*inserts(1, 3), database=sql_database)
            changes: list[Any] = []
            with pytest.raises(UnsupportedChange, match="checksum does not match its bytes") as caught:
                for _ in range(100):
                    batch = source.read(0.1)
                    changes += batch.changes
                    position = batch.position
            assert "damaged" in caught.value.hint
            assert ids(changes) == [1]
            assert not flips
        with opened(source_for(sql_server, table, url=url), position) as source:
            assert ids(read_to_end(source)[0]) == [2, 3]


@contextmanager
def archive(server: Database) -> Iterator[str]:
    """A partitioned table with a row, in a database that is not captured."""
    with server.fresh_database() as database:
        server.execute(
            "CREATE TABLE archive (id INT PRIMARY KEY, v VARCHAR(200)) "
            "PARTITION BY RANGE (id) (PARTITION old VALUES LESS THAN (20), PARTITION recent VALUES LESS THAN (50))",
            "INSERT INTO archive VALUES (7, 'seven')",
            database=database,
        )
        yield f"{database}.archive"


def exchanged(server: Database, database: str, *statements: str) -> None:
    """Run statements that end with an exchange of the captured table's rows; capture stops there."""
    with opened(source_for(server, f"{database}.events", snapshot="no_data")) as source:
        server.execute(*statements, database=database)
        with pytest.raises(UnsupportedChange, match=rf"{database}\.events got or lost rows"):
            read_to_end(source)


def test_rows_exchanged_with_a_table_that_is_not_captured_stop(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(EVENTS, database=sql_database)
    with archive(sql_server) as other:
        exchanged(sql_server, sql_database, f"ALTER TABLE {other} EXCHANGE PARTITION old WITH TABLE events")


def test_tables_converted_to_partitions_and_back_stop(mariadb: Database, mariadb_database: str) -> None:
    with archive(mariadb) as other:
        exchanged(mariadb, mariadb_database, f"ALTER TABLE {other} CONVERT PARTITION old TO TABLE events")
    with archive(mariadb) as other:
        into = "CONVERT TABLE events TO PARTITION new VALUES LESS THAN (90)"
        exchanged(mariadb, mariadb_database, "DELETE FROM events", f"ALTER TABLE {other} {into}")


def test_a_column_and_an_index_called_exchange_are_like_any_other(sql_server: Database, sql_database: str) -> None:
    sql_server.execute("CREATE TABLE events (id INT PRIMARY KEY)", database=sql_database)
    with opened(source_for(sql_server, f"{sql_database}.events", snapshot="no_data")) as source:
        sql_server.execute(
            "ALTER TABLE events ADD COLUMN exchange VARCHAR(20), ADD INDEX (exchange)",
            "INSERT INTO events VALUES (1, 'a')",
            "ALTER TABLE events RENAME COLUMN exchange TO venue, ADD import INT, DROP INDEX exchange",
            "INSERT INTO events VALUES (2, 'b', 3)",
            database=sql_database,
        )
        assert [after for _, _, after in seen(read_to_end(source)[0])] == [(1, "a"), (2, "b", 3)]


def test_a_storm_of_rotations_under_load_loses_and_doubles_nothing(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(EVENTS, database=sql_database)
    table = f"{sql_database}.events"
    start = start_of(sql_server, table)
    stop = threading.Event()

    def rotate() -> None:
        while not stop.is_set():
            sql_server.execute("FLUSH BINARY LOGS")

    storm = threading.Thread(target=rotate)
    storm.start()
    try:
        with opened(source_for(sql_server, table, max_rows=5), start) as source:
            for number in range(0, 60, 4):
                transaction(sql_server, sql_database, *inserts(number, 4))
            live, position = read_to_end(source)
    finally:
        stop.set()
        storm.join()
    files = int(str(position["file"]).rpartition(".")[2]) - int(str(start["file"]).rpartition(".")[2])
    assert files > 5
    with opened(source_for(sql_server, table, follow="file"), start) as source:
        assert ids(read_to_end(source)[0]) == ids(live) == list(range(60))


def test_table_ids_that_a_restarted_server_gives_to_other_tables_are_told_apart(
    own_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    own_server.execute("CREATE TABLE others (n BIGINT, id INT PRIMARY KEY)", database="shop")
    start = start_of(own_server, "shop.*")
    fill = {"events": "INSERT INTO events VALUES ({}, 'x')", "others": "INSERT INTO others VALUES (7, {})"}
    expected: list[tuple[str, int]] = []
    with opened(source_for(own_server, "shop.*"), start) as source:
        for number, order in enumerate((("events", "others"), ("others", "events"))):
            for table in order:
                own_server.execute(fill[table].format(number), database="shop")
                expected.append((table, number))
            _, position = read_to_end(source)
            if number == 1:
                break
            own_server.kill()
            with pytest.raises(SourceUnavailable):
                for _ in range(100):
                    source.read(0.2)
            own_server.start()
            source.open(position)
    with opened(source_for(own_server, "shop.*"), start) as source:
        changes, _ = read_to_end(source)
    found = [
        (change.table.name, change.after[0][change.table.columns.index("id")]) for change in changes if change.after
    ]
    assert found == expected


@pytest.mark.parametrize("compression", ["ON", "OFF"])
def test_an_event_of_many_packets_comes_whole_compressed_or_not(
    private_mysql: Callable[..., PrivateMySQL], compression: str
) -> None:
    server = private_mysql("--max-allowed-packet=256M")
    server.execute("CREATE DATABASE shop", "CREATE TABLE shop.wide (id INT PRIMARY KEY, b LONGBLOB)")
    start = start_of(server, "shop.wide")
    noise = random.Random(16).randbytes(17_000_000)
    with closing(connect(server, "shop", max_allowed_packet=1 << 28)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET SESSION binlog_transaction_compression = {compression}")
        cursor.execute("INSERT INTO wide VALUES (1, %s), (2, 'small')", (noise,))
        connection.commit()
    with opened(source_for(server, "shop.wide"), start) as source:
        changes, _ = read_to_end(source)
    values = [row[1] for change in changes for row in change.after or ()]
    assert [base64.b64decode(value) for value in values] == [noise, b"small"]


def test_changes_that_a_server_could_not_log_stop_capture_after_all_that_was_before_them(
    own_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    """A change of a table without transactions cannot be undone when it turns out too large for the log's cache."""
    own_server.execute(
        "CREATE TABLE shop.plain (id INT, v LONGTEXT) ENGINE = MyISAM",
        "SET GLOBAL max_binlog_stmt_cache_size = 4096",
        "SET GLOBAL binlog_stmt_cache_size = 4096",
    )
    with closing(source_for(own_server, "shop.*", snapshot="no_data")) as source:
        source.open(None)
        position = source.read(0).position
        own_server.execute(*inserts(1), database="shop")
        with pytest.raises(pymysql.err.OperationalError, match="max_binlog_stmt_cache_size"):
            own_server.execute("INSERT INTO shop.plain VALUES (1, REPEAT('x', 100000))")
        own_server.execute(*inserts(2), database="shop")
        assert own_server.execute("SELECT COUNT(*) FROM shop.plain") == [(1,)]
        changes: list[Any] = []
        for again in range(2):
            with pytest.raises(UnsupportedChange, match=r"binlog\.\d+:\d+, INCIDENT") as caught:
                for _ in range(100):
                    batch = source.read(0.1)
                    changes += batch.changes
                    position = batch.position
            assert "new topic.prefix" in caught.value.hint
            assert ids(changes) == [1]
            if not again:
                source.open(position)
