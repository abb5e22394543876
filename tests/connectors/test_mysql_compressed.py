"""Compressed transactions and events on real servers: the same changes as without compression, resumed anywhere."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import closing

import pytest

from connectors.source import Change, Position
from streamtrain.envelope import Op
from tests.connectors.mysql_capture import opened, read_to_end, seen, source_for, transaction
from tests.servers import Database, PrivateMariaDB

pytestmark = pytest.mark.servers

TABLES = ("a", "b", "c", "unwanted")
STATEMENTS = (
    *(f"INSERT INTO {table} VALUES ({n}, REPEAT('x', {n}))" for n in range(1, 6) for table in TABLES),
    "UPDATE a SET v = CONCAT(v, '!') WHERE id > 2",
    "UPDATE unwanted SET v = ''",
    "DELETE FROM b WHERE id IN (1, 5)",
    "UPDATE c SET id = id + 10",
)


@pytest.fixture
def tables(mysql: Database, mysql_database: str) -> str:
    """A database with tables (id, v), and the pattern of those that are captured."""
    mysql.execute(
        *(f"CREATE TABLE {name} (id INT PRIMARY KEY, v VARCHAR(200))" for name in TABLES), database=mysql_database
    )
    return f"{mysql_database}.?"


def compressed(server: Database, database: str, *statements: str) -> None:
    transaction(server, database, "SET SESSION binlog_transaction_compression = ON", *statements)


def kinds_logged(server: Database, position: Position) -> set[str]:
    """The kinds of events from ``position`` to the end of its file."""
    rows = server.execute(f"SHOW BINLOG EVENTS IN '{position['file']}' FROM {position['offset']}")
    return {row[2] for row in rows}


def told(changes: list[Change]) -> list[object]:
    return [(change.table.name, seen([change])) for change in changes]


def test_a_compressed_transaction_gives_what_it_gives_uncompressed(
    mysql: Database, mysql_database: str, tables: str
) -> None:
    with opened(source_for(mysql, tables, snapshot="no_data")) as source:
        transaction(mysql, mysql_database, *STATEMENTS)
        plain, start = read_to_end(source)
        transaction(mysql, mysql_database, *(f"DELETE FROM {table}" for table in TABLES))
        _, start = read_to_end(source)
        compressed(mysql, mysql_database, *STATEMENTS)
        packed, _ = read_to_end(source)
    assert "Transaction_payload" in kinds_logged(mysql, start)
    assert told(packed) == told(plain)
    assert {change.table.name for change in packed} == {"a", "b", "c"}
    assert len({(change.origin["file"], change.origin["pos"], change.origin["gtid"]) for change in packed}) == 1


@pytest.mark.parametrize("follow", ["auto", "file"])
def test_reading_goes_on_in_the_middle_of_a_compressed_transaction(
    mysql: Database, mysql_database: str, tables: str, follow: str
) -> None:
    source = source_for(mysql, tables, snapshot="no_data")
    source.open(None)
    start = source.read(0).position
    with closing(source):
        compressed(mysql, mysql_database, *STATEMENTS)
        transaction(mysql, mysql_database, "INSERT INTO a VALUES (100, '')")
        whole = seen(read_to_end(source)[0])
    position, rows, in_the_middle = start, [], 0
    for _ in range(100):
        with opened(source_for(mysql, tables, follow=follow, max_rows=3), position) as source:
            end = source.end()
            batch = source.read(0.5)
            assert batch.position is not None
            position = batch.position
            rows += seen(batch.changes)
            in_the_middle += position["skip_rows"] > 0
            if source.reached(end):
                break
    assert rows == whole
    assert in_the_middle > 3


def test_mariadbs_compressed_events_give_what_they_give_uncompressed(
    private_mariadb: Callable[..., PrivateMariaDB],
) -> None:
    server = private_mariadb("--log-bin-compress-min-len=10")
    server.execute("CREATE DATABASE shop")
    for name in TABLES:
        server.execute(f"CREATE TABLE {name} (id INT PRIMARY KEY, v VARCHAR(200))", database="shop")
    many = f"INSERT INTO a VALUES {', '.join(f'({n}, REPEAT(CHAR(65 + {n} % 26), 200))' for n in range(100, 900))}"
    again = [*(f"DELETE FROM {table}" for table in TABLES)]
    with opened(source_for(server, "shop.?", snapshot="no_data")) as source:
        transaction(server, "shop", *STATEMENTS, many, "DELETE FROM a WHERE id > 500")
        plain, _ = read_to_end(source)
        transaction(server, "shop", *again)
        server.execute("SET GLOBAL log_bin_compress = ON")
        _, start = read_to_end(source)
        transaction(server, "shop", *STATEMENTS, many, "DELETE FROM a WHERE id > 500")
        server.execute(f"ALTER TABLE a ADD COLUMN w INT COMMENT '{'long ' * 100}'", "TRUNCATE TABLE a", database="shop")
        server.execute("INSERT INTO a VALUES (1, 'one', 1)", database="shop")
        packed, _ = read_to_end(source)
    kinds = kinds_logged(server, start)
    assert {f"{kind}_rows_compressed_v1" for kind in ("Write", "Update", "Delete")} | {"Query_compressed"} <= kinds
    assert told(packed)[: len(plain)] == told(plain)
    assert [(change.op, change.after) for change in packed[len(plain) :]] == [
        (Op.TRUNCATE, None),
        (Op.CREATE, [(1, "one", 1)]),
    ]


@pytest.mark.parametrize("compression", ["ON", "OFF"])
def test_a_transaction_of_a_hundred_megabytes_takes_little_memory(
    mysql: Database, mysql_database: str, compression: str
) -> None:
    mysql.execute("CREATE TABLE large (id INT PRIMARY KEY, b MEDIUMTEXT)", database=mysql_database)
    source = source_for(mysql, f"{mysql_database}.large", snapshot="no_data")
    source.open(None)
    with closing(source):
        transaction(
            mysql,
            mysql_database,
            f"SET SESSION binlog_transaction_compression = {compression}, cte_max_recursion_depth = 100000",
            "INSERT INTO large WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
            " SELECT i, REPEAT(CHAR(65 + i % 26), 100000) FROM n",
        )
        end, rows, most = source.end(), 0, 0
        tracemalloc.start()
        try:
            while not source.reached(end):
                for change in source.read(1.0).changes:
                    assert isinstance(change, Change)
                    assert (change.op, change.after) == (Op.CREATE, change.after)
                    rows += len(change)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert rows == 1_000
    assert most < 40_000_000
