"""The snapshot on real servers: complete, marked as Debezium marks it, and exactly where the log goes on."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from connectors.mysql.source import MysqlSource
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


def test_many_rows_come_in_chunks_by_key_each_at_its_place_in_the_log(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=3_500, b=1_000)
    with opened(source_for(sql_server, f"{sql_database}.*", chunk_rows=1_000)) as source:
        changes, position = read_to_end(source)
    assert [len(change) for change in changes] == [1_000, 1_000, 1_000, 500, 1_000]
    assert [number for _, number, _ in marked(changes)] == [*range(1, 3_501), *range(1, 1_001)]
    assert (changes[-1].origin["file"], changes[-1].origin["pos"]) == (position["file"], position["offset"])
    assert (changes[0].origin["gtid"], changes[0].origin["server_id"], changes[0].origin["thread"]) == (None, 0, None)
    assert "snapshots" not in position


def test_rows_of_a_large_chunk_are_published_a_few_at_a_time(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=6_000)
    with opened(source_for(sql_server, f"{sql_database}.*")) as source:
        changes, _ = read_to_end(source)
    assert max(len(change) for change in changes) == 2_048
    assert marked(changes) == [("a", 1, "first"), *(("a", n, "true") for n in range(2, 6_000)), ("a", 6_000, "last")]


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
def test_either_lock_of_mysql_makes_a_table_without_a_key_and_the_log_meet_exactly_while_others_write(
    mysql: Database, mysql_database: str, rights: str
) -> None:
    numbered(mysql, mysql_database, a=50, other=0)
    mysql.execute("ALTER TABLE a DROP PRIMARY KEY", database=mysql_database)
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
    with account(sql_server, *RIGHTS[flavor], f"SELECT ON {sql_database}.a") as url:
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
    needed = [*RIGHTS[flavor], select]
    if flavor == "mysql":
        sql_server.execute("ALTER TABLE a DROP PRIMARY KEY", database=sql_database)
        needed.append("RELOAD ON *.*")
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
    mysql.execute("CREATE TABLE a (id INT, v INT)", database=mysql_database)
    with closing(connect(mysql, mysql_database)) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLES a WRITE")
        with (
            pytest.raises(SourceUnavailable, match="1205") as caught,
            opened(source_for(mysql, f"{mysql_database}.a", lock_wait_s=1)) as source,
        ):
            read_to_end(source)
        assert "lock" in caught.value.hint
        cursor.execute("INSERT INTO a VALUES (9, 9)")


def test_writers_go_on_while_the_snapshot_reads(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=2_500, b=2_500)
    with opened(source_for(sql_server, f"{sql_database}.*", chunk_rows=100)) as source:
        changes = list(source.read(0).changes)
        while len(changes) < 3:
            changes += source.read(0).changes
        transaction(
            sql_server,
            sql_database,
            "SET lock_wait_timeout = 5",
            "INSERT INTO a VALUES (9999, 1), (-1, 1)",
            "UPDATE a SET v = 7 WHERE id IN (1, 2000)",
            "DELETE FROM b WHERE id < 9",
        )
        rest, _ = read_to_end(source)
    rows = [change for change in changes + rest if change.table.name == "a"]
    assert [seen([change]) for change in rows if change.op is not Op.READ] == [
        [(Op.CREATE, None, (-1, 1))],
        [(Op.UPDATE, (1, 0), (1, 7))],
    ]
    assert folded(rows) == sql_server.execute("SELECT * FROM a ORDER BY id", database=sql_database)
    others = [change for change in changes + rest if change.table.name == "b"]
    assert [after for _, _, after in seen(others)] == [(number, 0) for number in range(9, 2_501)]


@pytest.mark.parametrize("change", ["ADD COLUMN more INT NOT NULL DEFAULT 5 FIRST", "DROP COLUMN v", "MODIFY v BIGINT"])
def test_a_table_that_is_altered_while_it_is_read_is_read_on_as_it_is_then(
    sql_server: Database, sql_database: str, change: str
) -> None:
    numbered(sql_server, sql_database, a=500)
    with opened(source_for(sql_server, f"{sql_database}.a", chunk_rows=100)) as source:
        changes = list[Change]()
        while not changes:
            changes += source.read(0).changes
        statements = (f"ALTER TABLE a {change}", "UPDATE a SET id = -id WHERE id % 50 = 0")
        altering = threading.Thread(target=sql_server.execute, args=statements, kwargs={"database": sql_database})
        altering.start()  # it waits for the chunk that is being read
        changes += _retried(source, altering)
    rows = dict[int, dict[str, object]]()
    for one in changes:
        names = one.table.columns
        for before in one.before or ():
            rows.pop(before[names.index("id")])
        for after in one.after or ():
            row = dict(zip(names, after, strict=True))
            assert row["id"] not in rows
            rows[after[names.index("id")]] = row
    assert sorted(rows) == [
        number for (number,) in sql_server.execute("SELECT id FROM a ORDER BY id", database=sql_database)
    ]


def _retried(source: MysqlSource, writer: threading.Thread | None = None) -> list[Change]:
    """To the end once ``writer`` is done, opened anew at the last position after each failure that says so."""
    changes, position, end = list[Change](), None, None
    while end is None or not source.reached(end):
        try:
            batch = source.read(0.05)
            changes += batch.changes
            position = batch.position
            if end is None and (writer is None or not writer.is_alive()):
                end = source.end()
        except SourceUnavailable:
            source.open(position)
    return changes


def test_a_table_that_is_dropped_before_it_is_read_is_left_out(sql_server: Database, sql_database: str) -> None:
    numbered(sql_server, sql_database, a=10, b=10, c=10)
    with opened(source_for(sql_server, f"{sql_database}.*")) as source:
        source.read(0)
        sql_server.execute("DROP TABLE c", database=sql_database)
        changes = _retried(source)
    assert [name for name, _, marker in marked(changes) if marker == "last"] == ["b"]


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
            changes = list(source.read(0).changes)
            changes += source.read(0).changes
            time.sleep(2.0)  # the server's patience is what is measured
            changes += read_to_end(source)[0]
    finally:
        sql_server.execute(f"SET GLOBAL net_write_timeout = {patience}")
    assert sum(len(change) for change in changes) == 41
