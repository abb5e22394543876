"""The log followed on real servers: resumed anywhere, by GTID and by file, over rotations, cuts and what must stop it."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from connectors.mysql.settings import MysqlSettings
from connectors.mysql.source import MysqlSource
from connectors.source import Change, Position
from streamtrain.envelope import Op
from streamtrain.errors import (
    AccessDenied,
    ConfigError,
    FencedOut,
    PositionLost,
    SourceMisconfigured,
    SourceUnavailable,
    UnsupportedChange,
)
from tests.connectors.mysql_capture import connect, opened, read_to_end, seen, source_for, transaction
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers


@pytest.fixture(params=["auto", "file"])
def follow(request: pytest.FixtureRequest) -> str:
    """By GTID, and by file and offset."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def table(sql_server: Database, sql_database: str) -> str:
    """The name of an empty table ``events(id, v)``, as ``source.include`` names it."""
    sql_server.execute("CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))", database=sql_database)
    return f"{sql_database}.events"


def ids(rows: Any) -> list[int]:
    return [after[0] for _, _, after in seen(rows) if after is not None]


def inserts(first: int, count: int) -> list[str]:
    return [f"INSERT INTO events VALUES ({number}, 'row {number}')" for number in range(first, first + count)]


def begun(server: Database, table: str, **options: Any) -> tuple[MysqlSource, Position]:
    """A source that follows from now on, and the position where it begins."""
    source = source_for(server, table, snapshot="no_data", **options)
    source.open(None)
    position = source.read(0).position
    assert position is not None
    return source, position


def read_for_long(source: MysqlSource, changes: list[Change] | None = None) -> None:
    """Read for ten seconds, or until something is raised."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        batch = source.read(0.1)
        if changes is not None:
            changes += batch.changes


def test_a_restart_in_the_middle_of_a_transaction_neither_loses_nor_doubles_a_row(
    sql_server: Database, sql_database: str, table: str, follow: str
) -> None:
    source, start = begun(sql_server, table, follow=follow)
    source.close()
    transaction(sql_server, sql_database, *inserts(1, 2))
    transaction(
        sql_server,
        sql_database,
        *inserts(3, 30),
        "UPDATE events SET v = 'x' WHERE id > 25",
        "DELETE FROM events WHERE id = 3",
    )
    transaction(sql_server, sql_database, *inserts(100, 1))
    with opened(source_for(sql_server, table, follow=follow), start) as source:
        whole = seen(read_to_end(source)[0])
    assert len(whole) == 2 + 30 + 7 + 1 + 1
    position, rows, in_the_middle = start, [], 0
    for _ in range(200):
        with opened(source_for(sql_server, table, follow=follow, max_rows=2), position) as source:
            end = source.end()
            batch = source.read(0.5)
            assert batch.position is not None
            position = batch.position
            rows += seen(batch.changes)
            in_the_middle += position["skip_rows"] > 0
            if source.reached(end):
                break
    assert rows == whole
    assert in_the_middle > 5


def test_include_cannot_change_while_a_transaction_is_half_published(
    sql_server: Database, sql_database: str, table: str
) -> None:
    source, _ = begun(sql_server, table, max_rows=2)
    with closing(source):
        transaction(sql_server, sql_database, *inserts(1, 5))
        position = source.read(5.0).position
    assert position is not None
    assert position["skip_rows"] == 2
    with pytest.raises(ConfigError, match="in part") as caught:
        source_for(sql_server, table, f"{sql_database}.more").open(position)
    assert table in caught.value.hint


def test_a_transaction_over_several_tables_comes_in_order_with_only_the_captured_ones(
    sql_server: Database, sql_database: str, table: str, follow: str
) -> None:
    sql_server.execute(
        "CREATE TABLE other (id INT PRIMARY KEY)", "CREATE TABLE extra (id INT PRIMARY KEY)", database=sql_database
    )
    source = source_for(sql_server, table, f"{sql_database}.ex*", snapshot="no_data", follow=follow)
    with opened(source):
        transaction(
            sql_server, sql_database, *inserts(1, 1), "INSERT INTO other VALUES (1)", "INSERT INTO extra VALUES (9)",
            *inserts(2, 1), "INSERT INTO other VALUES (2)",
        )  # fmt: skip
        changes, _ = read_to_end(source)
    assert [(change.table.name, change.after[0][0]) for change in changes if change.after] == [
        ("events", 1),
        ("extra", 9),
        ("events", 2),
    ]
    assert len({change.origin["gtid"] for change in changes}) == 1


def test_changes_of_other_tables_move_the_position(
    sql_server: Database, sql_database: str, table: str, follow: str
) -> None:
    sql_server.execute("CREATE TABLE other (id INT PRIMARY KEY)", database=sql_database)
    source, start = begun(sql_server, table, follow=follow)
    with closing(source):
        sql_server.execute("INSERT INTO other VALUES (1)", database=sql_database)
        changes, position = read_to_end(source)
    assert changes == []
    assert position["offset"] > start["offset"]


def test_log_files_are_followed_from_one_to_the_next(
    sql_server: Database, sql_database: str, table: str, follow: str
) -> None:
    source, start = begun(sql_server, table, follow=follow)
    with closing(source):
        for number in range(1, 6):
            sql_server.execute(*inserts(number, 1), "FLUSH BINARY LOGS", database=sql_database)
        live, position = read_to_end(source)
    with opened(source_for(sql_server, table, follow=follow), start) as source:
        later, end = read_to_end(source)
    assert ids(live) == ids(later) == [1, 2, 3, 4, 5]
    assert position["file"] == end["file"] > start["file"]


def purge(server: Database) -> None:
    """Have the server drop all its log files but a new one; MariaDB keeps one until InnoDB needs it no longer."""
    server.execute("FLUSH BINARY LOGS")
    deadline = time.monotonic() + 30
    while len(files := server.execute("SHOW BINARY LOGS")) > 1:
        assert time.monotonic() < deadline
        server.execute(f"PURGE BINARY LOGS TO '{files[-1][0]}'")


@pytest.fixture(params=["mysql", "mariadb"], scope="module")
def module_server(request: pytest.FixtureRequest) -> Iterator[PrivateMySQL | PrivateMariaDB]:
    with (PrivateMySQL if request.param == "mysql" else PrivateMariaDB)() as server:
        server.execute("CREATE DATABASE shop")
        yield server


@pytest.fixture
def own_server(module_server: PrivateMySQL | PrivateMariaDB) -> PrivateMySQL | PrivateMariaDB:
    """A server whose log only this module uses, with an empty table."""
    module_server.execute(
        "DROP TABLE IF EXISTS shop.events", "CREATE TABLE shop.events (id INT PRIMARY KEY, v VARCHAR(200))"
    )
    return module_server


def test_a_purged_log_stops_naming_what_is_missing_or_reads_the_tables_again(
    own_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    positions: dict[str, Position] = {}
    for follow in ("auto", "file"):
        source, positions[follow] = begun(own_server, "shop.events", follow=follow)
        source.close()
    own_server.execute(*inserts(1, 2), database="shop")
    purge(own_server)
    own_server.execute(*inserts(3, 1), database="shop")
    for follow, position in positions.items():
        with pytest.raises(PositionLost) as caught:
            source_for(own_server, "shop.events", follow=follow).open(position)
        assert "when_needed" in caught.value.hint
        missing = position["file"] if position["gtids"] is None else "purged"
        assert missing in caught.value.message
        with opened(source_for(own_server, "shop.events", follow=follow, snapshot="when_needed"), position) as source:
            changes, _ = read_to_end(source)
            own_server.execute("DELETE FROM events WHERE id > 3", *inserts(10, 1), database="shop")
            more, _ = read_to_end(source)
        assert {op for op, _, _ in seen(changes)} == {Op.READ}
        assert ids(changes)[:3] == [1, 2, 3]
        assert ids(more) == [10]


def test_a_log_that_was_begun_anew_stops(own_server: PrivateMySQL | PrivateMariaDB) -> None:
    own_server.execute(*inserts(1, 50), database="shop")
    positions: dict[str, Position] = {}
    for follow in ("auto", "file"):
        source, positions[follow] = begun(own_server, "shop.events", follow=follow)
        source.close()
    mysql = isinstance(own_server, PrivateMySQL)
    own_server.execute("RESET BINARY LOGS AND GTIDS" if mysql else "RESET MASTER")
    own_server.execute(*inserts(100, 1), database="shop")
    for follow, position in positions.items():
        with pytest.raises(PositionLost) as caught:
            source_for(own_server, "shop.events", follow=follow).open(position)
        assert caught.value.hint


def test_a_killed_connection_is_told_and_reopening_loses_and_doubles_nothing(
    sql_server: Database, sql_database: str, table: str, follow: str
) -> None:
    source, position = begun(sql_server, table, follow=follow, max_rows=20)
    stop = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            transaction(sql_server, sql_database, *inserts(number, 7))
            number += 7

    writer = threading.Thread(target=keep_writing)
    writer.start()
    rows, cuts, end = [], 0, None
    deadline = time.monotonic() + 60
    try:
        while cuts < 12 or end is None or not source.reached(end):
            assert time.monotonic() < deadline
            try:
                batch = source.read(0.2)
                rows += seen(batch.changes)
                assert batch.position is not None
                position = batch.position
                if cuts < 12 and rows and len(rows) % 3 == 0:
                    kill_dump(sql_server, source)
                    cuts += 1
                elif cuts >= 12 and end is None:
                    stop.set()
                    writer.join()
                    end = source.end()
            except SourceUnavailable:
                source.close()
                source.open(position)
    finally:
        stop.set()
        writer.join()
        source.close()
    count = sql_server.execute("SELECT COUNT(*) FROM events", database=sql_database)[0][0]
    assert [after[0] for _, _, after in rows if after is not None] == list(range(count))


def session(source: MysqlSource) -> Any:
    """The driver's connection on which the log comes."""
    stream: Any = source._stream
    return stream._log._connection._session


def kill_dump(server: Database, source: MysqlSource) -> None:
    """End the connections on which the server sends its log to this source."""
    listed = server.execute("SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
    ours = session(source).thread_id()
    if (ours,) in listed:
        server.execute(f"KILL {ours}")


def test_a_second_source_with_the_same_id_fences_the_first(sql_server: Database, sql_database: str, table: str) -> None:
    first, position = begun(sql_server, table)
    with closing(first), opened(source_for(sql_server, table), position) as second:
        with pytest.raises(FencedOut) as caught:
            read_for_long(first)
        assert "server_id" in caught.value.hint
        sql_server.execute(*inserts(1, 1), database=sql_database)
        assert ids(read_to_end(second)[0]) == [1]


def test_a_change_that_was_logged_as_a_statement_stops_after_all_that_was_before_it(
    sql_server: Database, sql_database: str, table: str
) -> None:
    source, _ = begun(sql_server, table)
    with closing(source):
        with closing(connect(sql_server, sql_database)) as connection, connection.cursor() as cursor:
            cursor.execute(inserts(1, 1)[0])
            cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
            cursor.execute("UPDATE events SET v = 'secret value'")
        rows: list[Change] = []
        with pytest.raises(UnsupportedChange, match="UPDATE") as caught:
            read_for_long(source, rows)
    assert ids(rows) == [1]
    assert "binlog_format" in caught.value.hint
    assert "secret value" not in str(caught.value)


def test_a_truncate_comes_as_one(sql_server: Database, sql_database: str, table: str, follow: str) -> None:
    source, _ = begun(sql_server, table, follow=follow)
    with closing(source):
        sql_server.execute(*inserts(1, 1), "truncate events", *inserts(2, 1), database=sql_database)
        changes, _ = read_to_end(source)
    assert [change.op for change in changes] == [Op.CREATE, Op.TRUNCATE, Op.CREATE]
    assert changes[1].table.full_name == table
    assert changes[1].origin["table"] == "events"


def test_ddl_is_followed_without_a_stop(sql_server: Database, sql_database: str, table: str) -> None:
    source, _ = begun(sql_server, table)
    with closing(source):
        sql_server.execute(
            *inserts(1, 1), "ALTER TABLE events ADD COLUMN n INT FIRST", "INSERT INTO events VALUES (7, 2, 'b')",
            "ALTER TABLE events DROP COLUMN v", "INSERT INTO events VALUES (8, 3)", "CREATE TABLE copy AS SELECT * FROM events",
            "RENAME TABLE events TO gone, copy TO events", "INSERT INTO events VALUES (9, 4)", "DROP TABLE gone",
            database=sql_database,
        )  # fmt: skip
        changes, _ = read_to_end(source)
    assert [(change.table.columns, change.after) for change in changes] == [
        (("id", "v"), [(1, "row 1")]),
        (("n", "id", "v"), [(7, 2, "b")]),
        (("n", "id"), [(8, 3)]),
        (("n", "id"), [(9, 4)]),
    ]


def test_a_row_of_twenty_megabytes_comes_whole(own_server: PrivateMySQL | PrivateMariaDB) -> None:
    own_server.execute(
        "SET GLOBAL max_allowed_packet = 1073741824", "CREATE TABLE shop.large (id INT PRIMARY KEY, b LONGTEXT)"
    )
    source, _ = begun(own_server, "shop.large")
    with closing(source):
        own_server.execute("INSERT INTO large VALUES (1, REPEAT('abcde', 4000000))", database="shop")
        changes, _ = read_to_end(source)
    assert changes[0].after == [(1, "abcde" * 4_000_000)]


def test_a_reader_that_stands_still_for_longer_than_the_servers_patience_keeps_its_connection(
    own_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    own_server.execute("DROP TABLE IF EXISTS shop.wide", "CREATE TABLE shop.wide (id INT PRIMARY KEY, t LONGTEXT)")
    patience = own_server.execute("SELECT @@GLOBAL.net_write_timeout")[0][0]
    own_server.execute("SET GLOBAL net_write_timeout = 1")
    try:
        source, _ = begun(own_server, "shop.wide")
        with closing(source):
            for number in range(40):
                own_server.execute(f"INSERT INTO wide VALUES ({number}, REPEAT('x', 1000000))", database="shop")
            time.sleep(2.0)  # the server's patience is what is measured
            assert ids(read_to_end(source)[0]) == list(range(40))
    finally:
        own_server.execute(f"SET GLOBAL net_write_timeout = {patience}")


@pytest.mark.parametrize("checksum", ["NONE", "CRC32"])
def test_events_are_read_with_and_without_checksums(own_server: PrivateMySQL | PrivateMariaDB, checksum: str) -> None:
    source, start = begun(own_server, "shop.events")
    with closing(source):
        own_server.execute(*inserts(1, 1), f"SET GLOBAL binlog_checksum = {checksum}", *inserts(2, 1), database="shop")
        live, _ = read_to_end(source)
    with opened(source_for(own_server, "shop.events"), start) as source:
        later, _ = read_to_end(source)
    assert ids(live) == ids(later) == [1, 2]


def test_tagged_gtids_are_followed_and_resumed(mysql: Database, mysql_database: str) -> None:
    mysql.execute("CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))", database=mysql_database)
    source, _ = begun(mysql, f"{mysql_database}.events")
    with closing(source):
        mysql.execute(
            "SET gtid_next = 'AUTOMATIC:streamtrain'", *inserts(1, 1), *inserts(2, 1), database=mysql_database
        )
        changes, position = read_to_end(source)
    assert ids(changes) == [1, 2]
    assert ":streamtrain:" in str(position["gtids"])
    mysql.execute("SET gtid_next = 'AUTOMATIC:other_tag'", *inserts(3, 1), database=mysql_database)
    with opened(source_for(mysql, f"{mysql_database}.events"), position) as source:
        assert ids(read_to_end(source)[0]) == [3]


def test_a_server_that_would_lose_changes_is_refused_with_what_to_set(
    private_mysql: Callable[..., PrivateMySQL],
) -> None:
    server = private_mysql()
    server.execute("SET GLOBAL binlog_row_image = 'MINIMAL'", "SET GLOBAL binlog_format = 'MIXED'")
    with pytest.raises(SourceMisconfigured) as caught:
        source_for(server, "shop.*").open(None)
    assert "binlog_row_image is 'MINIMAL'" in caught.value.message
    assert "SET GLOBAL binlog_format = 'ROW'" in caught.value.hint


def test_a_server_without_gtids_is_followed_by_file(private_mysql: Callable[..., PrivateMySQL]) -> None:
    server = private_mysql("--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")
    server.execute(
        "CREATE DATABASE shop",
        "CREATE TABLE shop.events (id INT PRIMARY KEY, v VARCHAR(200))",
        *(f"INSERT INTO shop.events VALUES ({n}, '')" for n in (1, 2)),
    )
    with opened(source_for(server, "shop.events")) as source:
        changes, position = read_to_end(source)
        assert (ids(changes), position["gtids"]) == ([1, 2], None)
        transaction(server, "shop", *inserts(3, 5))
        changes, later = read_to_end(source)
        assert (ids(changes), {change.origin["gtid"] for change in changes}) == ([3, 4, 5, 6, 7], {None})
    with opened(source_for(server, "shop.events", max_rows=2), position) as source:
        middle = source.read(5.0).position
    assert middle is not None
    assert middle["skip_rows"] == 2
    with opened(source_for(server, "shop.events"), middle) as source:
        assert ids(read_to_end(source)[0]) == [5, 6, 7]
        assert read_to_end(source)[1]["offset"] == later["offset"]


def test_the_servers_own_id_is_refused(sql_server: Database) -> None:
    with pytest.raises(SourceMisconfigured, match="server's own"):
        source_for(sql_server, "shop.*", server_id=sql_server.execute("SELECT @@server_id")[0][0]).open(None)


def test_tls_is_used_as_the_url_says(mysql: Database, mysql_database: str) -> None:
    mysql.execute("CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))", *inserts(1, 3), database=mysql_database)
    for mode, encrypted in (("disabled", False), ("required", True)):
        source = source_for(mysql, f"{mysql_database}.events", url=f"{mysql.url}/?ssl_mode={mode}", prefix=mode)
        with opened(source):
            assert ids(read_to_end(source)[0]) == [1, 2, 3]
            transaction(
                mysql,
                mysql_database,
                *[f"UPDATE events SET v = REPEAT('{mode}', 20) WHERE id = {n}" for n in (1, 2, 3)],
            )
            assert len(seen(read_to_end(source)[0])) == 3
            assert isinstance(session(source)._sock, ssl.SSLSocket) is encrypted
    with pytest.raises(AccessDenied) as caught:
        source_for(mysql, "a.b", url=f"{mysql.url}/?ssl_mode=verify_identity").open(None)
    assert "source.tls.ca" in caught.value.hint


def test_what_cannot_be_reached_or_does_not_let_in_is_told_without_the_password(sql_server: Database) -> None:
    host = f"{sql_server.address.host}:{sql_server.address.port}"
    with pytest.raises(Exception, match="1045") as caught:
        MysqlSource(MysqlSettings(f"mysql://root:wr0ng@{host}", ("a.b",), "p")).open(None)
    assert "wr0ng" not in f"{caught.value!r} {caught.value}"
    with pytest.raises(SourceUnavailable, match="2003"):
        MysqlSource(MysqlSettings("mysql://root:x@127.0.0.1:1", ("a.b",), "p")).open(None)


def test_each_domain_of_a_mariadb_server_is_followed_and_resumed(mariadb: Database, mariadb_database: str) -> None:
    mariadb.execute("CREATE TABLE events (id INT PRIMARY KEY, v VARCHAR(200))", database=mariadb_database)
    source, start = begun(mariadb, f"{mariadb_database}.events")
    source.close()
    for number in range(1, 9):
        mariadb.execute(
            f"SET SESSION gtid_domain_id = {number % 3 * 7}", *inserts(number, 1), database=mariadb_database
        )
    position, rows = start, list[int]()
    while len(rows) < 8:
        with opened(source_for(mariadb, f"{mariadb_database}.events", max_rows=1), position) as source:
            batch = source.read(5.0)
        assert batch.position is not None
        position, rows = batch.position, rows + ids(batch.changes)
    assert rows == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {gtid.partition("-")[0] for gtid in str(position["gtids"]).split(",")} >= {"0", "7", "14"}
