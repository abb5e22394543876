"""The snapshot on real servers: complete, marked as Debezium marks it, and exactly where the log goes on."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from connectors.source import Change
from streamtrain.envelope import Op
from streamtrain.errors import AccessDenied, SourceMisconfigured, SourceUnavailable
from tests.connectors.mysql_capture import account, connect, opened, read_to_end, seen, source_for, transaction
from tests.servers import Database

pytestmark = pytest.mark.servers


def numbered(server: Database, database: str, **rows: int) -> None:
    """Tables of these names with so many rows, written in descending order of their key."""
    for table, count in rows.items():
        server.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, v INT)", database=database)
        if count:
            values = ", ".join(f"({number}, 0)" for number in range(count, 0, -1))
            server.execute(f"INSERT INTO {table} VALUES {values}", database=database)


def marked(changes: list[Change]) -> list[tuple[str, int, str]]:
    return [
        (change.table.name, row[0], marker)
        for change in changes
        for row, marker in zip(
            change.after or (), change.markers or [change.origin["snapshot"]] * len(change), strict=True
        )
    ]


def test_the_first_and_the_last_rows_are_marked_even_if_tables_are_empty_or_have_one_row(
    sql_server: Database, sql_database: str
) -> None:
    numbered(sql_server, sql_database, a=0, b=3, c=1, d=0, e=2, f=0)
    with opened(source_for(sql_server, f"{sql_database}.*")) as source:
        changes, _ = read_to_end(source)
    assert marked(changes) == [
        ("b", 1, "first"), ("b", 2, "true"), ("b", 3, "last_in_data_collection"), ("c", 1, "last_in_data_collection"),
        ("e", 1, "first_in_data_collection"), ("e", 2, "last"),
    ]  # fmt: skip
    assert {change.op for change in changes} == {Op.READ}


def test_a_single_row_is_the_last(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=1)
    with opened(source_for(sql_server, f"{sql_database}.a")) as source:
        assert marked(read_to_end(source)[0]) == [("a", 1, "last")]


def test_no_table_and_no_row_make_an_empty_snapshot(sql_server: Database, sql_database: str) -> None:
    with opened(source_for(sql_server, f"{sql_database}.*")) as source:
        assert read_to_end(source)[0] == []
        numbered(sql_server, sql_database, later=2)
        assert [after for _, _, after in seen(read_to_end(source)[0])] == [(2, 0), (1, 0)]


def test_many_rows_come_in_chunks_by_key_at_one_position(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=3_500, b=1_000)
    with opened(source_for(sql_server, f"{sql_database}.*")) as source:
        changes, position = read_to_end(source)
    assert [len(change) for change in changes] == [1_000, 1_000, 1_000, 500, 1_000]
    assert [number for _, number, _ in marked(changes)] == [*range(1, 3_501), *range(1, 1_001)]
    places = {(change.origin["file"], change.origin["pos"], change.origin["ts_ms"]) for change in changes}
    assert len(places) == 1
    assert (changes[0].origin["file"], changes[0].origin["pos"]) == (position["file"], position["offset"])
    assert (changes[0].origin["gtid"], changes[0].origin["server_id"], changes[0].origin["thread"]) == (None, 0, None)


RIGHTS = {
    "mysql": ("REPLICATION SLAVE ON *.*", "REPLICATION CLIENT ON *.*"),
    "mariadb": ("REPLICATION SLAVE ON *.*", "BINLOG MONITOR ON *.*"),
}


def folded(changes: list[Change]) -> list[tuple[int, ...]]:
    table: dict[int, tuple[int, ...]] = {}
    for op, before, after in seen(changes):
        if before is not None:
            assert table.pop(before[0]) == before, f"{op} of a row that the changes so far did not make"
        if after is not None:
            assert after[0] not in table, f"row {after} came twice"
            table[after[0]] = after
    return [table[key] for key in sorted(table)]


@pytest.mark.parametrize("rights", ["RELOAD ON *.*", "LOCK TABLES ON {database}.*"])
def test_either_lock_of_mysql_makes_snapshot_and_log_meet_exactly_while_others_write(
    mysql: Database, mysql_database: str, rights: str
) -> None:
    numbered(mysql, mysql_database, a=50, other=0)
    stop = threading.Event()

    def keep_writing(worker: int) -> None:
        with closing(connect(mysql, mysql_database)) as connection, connection.cursor() as cursor:
            turn = 0
            while not stop.is_set():
                turn += 1
                cursor.execute(f"INSERT INTO a VALUES ({worker * 1_000_000 + turn}, 0)")
                cursor.execute(f"UPDATE a SET v = v + 1 WHERE id = {turn % 50 + 1}")
                cursor.execute(f"INSERT INTO other VALUES ({worker * 1_000_000 + turn}, 0)")

    needed = [*RIGHTS["mysql"], f"SELECT ON {mysql_database}.*", rights.format(database=mysql_database)]
    writers = [threading.Thread(target=keep_writing, args=(worker,)) for worker in (1, 2, 3)]
    with account(mysql, *needed) as url:
        for writer in writers:
            writer.start()
        try:
            for attempt in range(4):
                with opened(source_for(mysql, f"{mysql_database}.a", url=url)) as source:
                    changes, _ = read_to_end(source)
                    if attempt == 3:
                        stop.set()
                        for writer in writers:
                            writer.join()
                    changes += read_to_end(source)[0]
                    made = folded(changes)
        finally:
            stop.set()
    assert made == mysql.execute("SELECT id, v FROM a ORDER BY id", database=mysql_database)


def test_the_least_rights_are_enough(sql_server: Database, sql_database: str, request: pytest.FixtureRequest) -> None:
    flavor = request.node.callspec.params["sql_server"]
    numbered(sql_server, sql_database, a=2)
    lock = ["RELOAD ON *.*"] if flavor == "mysql" else []
    with account(sql_server, *RIGHTS[flavor], f"SELECT ON {sql_database}.a", *lock) as url:
        with opened(source_for(sql_server, f"{sql_database}.a", url=url)) as source:
            changes, position = read_to_end(source)
        sql_server.execute("UPDATE a SET v = 7 WHERE id = 1", database=sql_database)
        with opened(source_for(sql_server, f"{sql_database}.a", url=url), position) as source:
            changes += read_to_end(source)[0]
    assert folded(changes) == [(1, 7), (2, 0)]


def test_each_missing_right_stops_naming_the_grant(
    sql_server: Database, sql_database: str, request: pytest.FixtureRequest
) -> None:
    flavor = request.node.callspec.params["sql_server"]
    numbered(sql_server, sql_database, a=2)
    select = f"SELECT ON `{sql_database}`.`a`"
    needed = [*RIGHTS[flavor], select] + (["RELOAD ON *.*"] if flavor == "mysql" else [])
    for missing in needed:
        with account(sql_server, *(right for right in needed if right != missing)) as url:
            name = url.removeprefix("mysql://").partition(":")[0]
            with (
                pytest.raises(AccessDenied) as caught,
                opened(source_for(sql_server, f"{sql_database}.a", url=url)) as source,
            ):
                read_to_end(source)
            assert f"GRANT {missing} TO '{name}'@'%'" in caught.value.hint
            assert "pa55" not in str(caught.value)


def test_a_right_on_some_columns_only_is_not_enough(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=1)
    with account(sql_server, "REPLICATION SLAVE, REPLICATION CLIENT ON *.*", f"SELECT (id) ON {sql_database}.a") as url:
        with pytest.raises(AccessDenied) as caught:
            source_for(sql_server, f"{sql_database}.*", url=url).open(None)
        assert f"GRANT SELECT ON `{sql_database}`.`a`" in caught.value.hint


def test_a_lock_that_is_not_had_in_time_is_given_up_and_holds_nobody_up(mysql: Database, mysql_database: str) -> None:
    numbered(mysql, mysql_database, a=2)
    with closing(connect(mysql, mysql_database)) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLES a WRITE")
        with pytest.raises(SourceUnavailable, match="1205") as caught:
            source_for(mysql, f"{mysql_database}.a", lock_wait_s=1).open(None)
        assert "lock" in caught.value.hint
        cursor.execute("INSERT INTO a VALUES (9, 9)")


def test_writers_go_on_as_soon_as_the_snapshot_is_open(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=2_500, b=2_500)
    with opened(source_for(sql_server, f"{sql_database}.*")) as source:
        source.read(0)
        transaction(
            sql_server,
            sql_database,
            "SET lock_wait_timeout = 5",
            "INSERT INTO a VALUES (9999, 1)",
            "DELETE FROM b WHERE id < 9",
        )
        rows, _ = read_to_end(source)
        rows += read_to_end(source)[0]
    assert sum(len(change) for change in rows if change.op is Op.READ) == 5_000 - 1_000
    assert [change.op for change in rows if change.op is not Op.READ] == [Op.CREATE, Op.DELETE]


def test_on_mysql_a_table_that_was_read_can_be_altered_while_others_are_read(
    mysql: Database, mysql_database: str
) -> None:
    numbered(mysql, mysql_database, a=10, b=10_000)
    with opened(source_for(mysql, f"{mysql_database}.*")) as source:
        first = source.read(0).changes[0]
        second = source.read(0).changes[0]
        assert (first.table.name, second.table.name) == ("a", "b")
        mysql.execute("SET lock_wait_timeout = 5", "ALTER TABLE a ADD COLUMN more INT", database=mysql_database)
        rest, _ = read_to_end(source)
    assert sum(len(change) for change in rest) == 9_000


def test_a_table_that_is_altered_before_it_is_read_begins_the_snapshot_again(
    sql_server: Database, sql_database: str
) -> None:
    numbered(sql_server, sql_database, a=10, b=10, c=10)
    for change in ("ALTER TABLE c MODIFY v BIGINT", "ALTER TABLE c DROP COLUMN v", "DROP TABLE c"):
        with opened(source_for(sql_server, f"{sql_database}.*")) as source:
            source.read(0)
            sql_server.execute(change, database=sql_database)
            with pytest.raises(SourceUnavailable, match=r"1412|1054|1146"):
                read_to_end(source)


@pytest.mark.parametrize(
    ("flavor", "table", "reason"),
    [
        ("mysql", "t (id INT PRIMARY KEY) ENGINE = MyISAM", "MyISAM"),
        ("mariadb", "t (id INT PRIMARY KEY) ENGINE = Aria", "Aria"),
        ("mariadb", "t (id INT PRIMARY KEY) WITH SYSTEM VERSIONING", "system-versioned"),
    ],
)
def test_a_table_that_cannot_be_captured_is_refused(
    flavor: str, table: str, reason: str, request: pytest.FixtureRequest
) -> None:
    server: Database = request.getfixturevalue(flavor)
    with server.fresh_database() as database:
        server.execute(f"CREATE TABLE {table}", database=database)
        with pytest.raises(SourceMisconfigured, match=reason) as caught:
            source_for(server, f"{database}.*").open(None)
    assert caught.value.hint


def test_views_are_left_out(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=1)
    sql_server.execute("CREATE VIEW b AS SELECT * FROM a", database=sql_database)
    with opened(source_for(sql_server, f"{sql_database}.*")) as source:
        assert [change.table.name for change in read_to_end(source)[0]] == ["a"]


def test_the_servers_own_settings_do_not_show_in_values(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(
        "CREATE TABLE t (c CHAR(5), ts TIMESTAMP NULL, f FLOAT)",
        "INSERT INTO t VALUES ('a', '2024-01-01 00:00:00', 0.1)",
        database=sql_database,
    )
    expected = sql_server.execute(
        "SET time_zone = '+00:00'", "SELECT DATE_FORMAT(ts, '%Y-%m-%dT%H:%i:%sZ') FROM t", database=sql_database
    )
    settings = sql_server.execute("SELECT @@GLOBAL.sql_mode, @@GLOBAL.time_zone, @@GLOBAL.sql_select_limit")[0]
    sql_server.execute(
        "SET GLOBAL sql_mode = 'ANSI,PAD_CHAR_TO_FULL_LENGTH'",
        "SET GLOBAL time_zone = '+05:30'",
        "SET GLOBAL sql_select_limit = 0",
    )
    try:
        with opened(source_for(sql_server, f"{sql_database}.t")) as source:
            changes, _ = read_to_end(source)
    finally:
        with closing(sql_server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL sql_mode = %s", (settings[0],))
            cursor.execute("SET GLOBAL time_zone = %s", (settings[1],))
            cursor.execute("SET GLOBAL sql_select_limit = %s", (settings[2],))
    assert changes[0].after == [("a", expected[0][0], 0.1)]


def test_a_read_waits_for_a_server_that_is_busy_elsewhere(sql_server: Database, sql_database: str) -> None:
    """A reader that stands still for longer than the server's own patience does not lose its snapshot."""
    numbered(sql_server, sql_database, a=1)
    sql_server.execute("CREATE TABLE wide (id INT PRIMARY KEY, t LONGTEXT)", database=sql_database)
    sql_server.execute("INSERT INTO wide SELECT a.id, REPEAT('x', 1000000) FROM a", database=sql_database)
    for number in range(2, 41):
        sql_server.execute(f"INSERT INTO wide SELECT {number}, t FROM wide WHERE id = 1", database=sql_database)
    patience = sql_server.execute("SELECT @@GLOBAL.net_write_timeout")[0][0]
    sql_server.execute("SET GLOBAL net_write_timeout = 1")
    try:
        with opened(source_for(sql_server, f"{sql_database}.*")) as source:
            source.read(0)
            time.sleep(2.0)  # the server's patience is what is measured
            rest, _ = read_to_end(source)
    finally:
        sql_server.execute(f"SET GLOBAL net_write_timeout = {patience}")
    assert sum(len(change) for change in rest) == 40
