"""Transaction metadata and statements behind changes, from real servers."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.source import Change, TransactionEvent
from tests.connectors.mysql_capture import opened, read_to_end, source_for, transaction
from tests.servers import Database

pytestmark = pytest.mark.servers


@pytest.fixture
def tables(sql_server: Database, sql_database: str) -> str:
    sql_server.execute(
        *(f"CREATE TABLE {name} (id INT PRIMARY KEY, v VARCHAR(200))" for name in ("one", "two", "unwanted")),
        database=sql_database,
    )
    return f"{sql_database}.[ot]*"


def test_one_transaction_over_two_tables_and_many_restarts_begins_once_and_ends_with_exact_counts(
    sql_server: Database, sql_database: str, tables: str
) -> None:
    options: dict[str, Any] = {"transaction_metadata": True, "max_rows": 50}
    source = source_for(sql_server, tables, snapshot="no_data", **options)
    source.open(None)
    position = source.read(0).position
    source.close()
    rows = [f"INSERT INTO {name} VALUES ({n}, '')" for n in range(150) for name in ("one", "two", "unwanted")]
    transaction(sql_server, sql_database, *rows)
    told: list[Any] = []
    restarts = 0
    for _ in range(40):
        with opened(source_for(sql_server, tables, **options), position) as source:
            end = source.end()
            batch = source.read(0.5)
            assert batch.position is not None
            position = batch.position
            told += batch.changes
            restarts += position["skip_rows"] > 0
            if source.reached(end):
                break
    assert restarts >= 5
    begin, *changes, last = told
    assert isinstance(begin, TransactionEvent)
    assert isinstance(last, TransactionEvent)
    assert (begin.status, last.status, begin.id) == ("BEGIN", "END", last.id)
    assert last.counts == {f"{sql_database}.one": 150, f"{sql_database}.two": 150}
    orders = [(change.transaction.total_order, change.transaction.data_collection_order) for change in changes]
    assert orders == [(n + 1, n // 2 + 1) for n in range(300)]
    assert {(change.transaction.id, change.origin["gtid"]) for change in changes} == {(begin.id, begin.id)}


def test_an_update_of_a_key_counts_as_a_delete_and_an_insert(mysql: Database, mysql_database: str) -> None:
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY)", database=mysql_database)
    source = source_for(mysql, f"{mysql_database}.t", snapshot="no_data", transaction_metadata=True)
    with opened(source):
        transaction(mysql, mysql_database, "INSERT INTO t VALUES (1)", "UPDATE t SET id = 2")
        begin, *changes, end = read_to_end(source)[0]
    assert [change.transaction.total_order for change in changes if change.transaction] == [1, 2]
    assert isinstance(end, TransactionEvent)
    assert isinstance(begin, TransactionEvent)
    assert end.counts == {f"{mysql_database}.t": 3}


@pytest.mark.parametrize("include_query", [True, False])
@pytest.mark.parametrize("max_rows", [8_192, 1])
def test_a_change_tells_its_statement_if_the_server_logs_it_and_it_is_asked_for(
    sql_server: Database, sql_database: str, tables: str, include_query: bool, max_rows: int
) -> None:
    statements = [
        f"INSERT INTO one VALUES {', '.join(f'({n}, REPEAT({n}, 10))' for n in range(40))}",
        "UPDATE one SET v = 'é😀' WHERE id < 2",
        "INSERT INTO two SELECT * FROM one WHERE id = 5",
        "DELETE FROM one /* ! */",
    ]
    variable = "binlog_annotate_row_events"
    if "MariaDB" not in sql_server.execute("SELECT VERSION()")[0][0]:
        variable = "binlog_rows_query_log_events"
    options = {"include_query": include_query, "max_rows": max_rows}
    with opened(source_for(sql_server, tables, snapshot="no_data", **options)) as source:
        transaction(sql_server, sql_database, f"SET SESSION {variable} = ON", *statements)
        transaction(sql_server, sql_database, f"SET SESSION {variable} = OFF", "INSERT INTO one VALUES (1, '')")
        changes, _ = read_to_end(source)
    expected = [*statements, None] if include_query else [None] * 5
    assert all(isinstance(change, Change) for change in changes)
    assert [change.origin["query"] for change in changes] == expected
