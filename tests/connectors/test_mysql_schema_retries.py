"""Statements that alter tables and cannot be followed at once: they leave no trace, and are followed once later on."""

from __future__ import annotations

from contextlib import closing

import orjson
import pytest

from connectors.mysql.binlog.events import Query
from connectors.mysql.ddl.tokens import NotUnderstood
from connectors.source import Change, SourceEvent
from streamtrain.errors import ConfigError
from tests.connectors.mysql_capture import Kept, account, follow, source_for
from tests.connectors.test_mysql_schema_notes import SCHEMA, schema_log
from tests.servers import Database

RIGHTS = ("SELECT ON {0}.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*")


def statement(sql: str) -> Query:
    return Query("shop", sql, 1, timestamp=0, server_id=1, end_position=0, size=len(sql), artificial=False)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("RENAME TABLE orders TO away, `orders again`", NotUnderstood),
        ("RENAME TABLE orders TO `gone elsewhere`", ConfigError),
    ],
)
def test_a_statement_that_fails_half_way_changes_nothing_that_is_kept(sql: str, kind: type[Exception]) -> None:
    log = schema_log()
    log.fill([SCHEMA], {"shop": "utf8mb4"})
    log.captures("shop", "gone_elsewhere")
    log.take_notes()
    with pytest.raises(kind):
        log.apply(statement(sql))
    assert log.take_notes() == {}
    assert log.schema_of("shop", "orders") is SCHEMA
    with pytest.raises(ConfigError):
        log.captures("shop", "gone elsewhere")
    log.apply(statement("DROP TABLE orders"))
    assert log.take_notes() == {"schema/shop.orders": None}


@pytest.mark.servers
def test_a_server_that_takes_no_other_connection_meanwhile_has_its_statements_followed(
    sql_server: Database, sql_database: str
) -> None:
    sql_server.execute("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE _g (id INT PRIMARY KEY, a INT)",
                       database=sql_database)  # fmt: skip
    kept = Kept()
    include = [f"{sql_database}.{name}" for name in ("t", "_o", "_g")]
    with account(sql_server, *(right.format(sql_database) for right in RIGHTS)) as url:
        user = url.removeprefix("mysql://").partition(":")[0]
        with closing(source_for(sql_server, *include, url=url, snapshot="no_data")) as source:
            source.open(None)
            kept.keep(source.read(0))
            sql_server.execute(
                f"ALTER USER {user}@'%' IDENTIFIED BY 'another'",
                "INSERT INTO t VALUES (1)",
                "RENAME TABLE t TO _o, _g TO t",
                "INSERT INTO t VALUES (2, 3)",
                database=sql_database,
            )
            rows = list[object]()
            while len(rows) < 2:
                batch = source.read(0.2)
                kept.keep(batch)
                rows += [row for change in batch.changes if isinstance(change, Change) for row in change.after or ()]
    assert rows == [(1,), (2, 3)]
    assert set(kept.notes) == {f"database/{sql_database}", f"schema/{sql_database}._o", f"schema/{sql_database}.t"}
    assert [column[0] for column in orjson.loads(kept.notes[f"schema/{sql_database}.t"])["columns"]] == ["id", "a"]


@pytest.mark.servers
def test_a_table_whose_new_name_takes_anothers_topic_is_followed_once_the_configuration_allows_it(
    sql_server: Database, sql_database: str
) -> None:
    sql_server.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE a_b (id INT PRIMARY KEY)",
                       database=sql_database)  # fmt: skip
    kept, changes = Kept(), list[SourceEvent]()
    with closing(source_for(sql_server, f"{sql_database}.*", snapshot="no_data")) as source:
        source.open(None)
        kept.keep(source.read(0))
        before = dict(kept.notes)
        sql_server.execute(
            "INSERT INTO t VALUES (1, 1)", "RENAME TABLE t TO `a b`", "INSERT INTO `a b` VALUES (2, 2)",
            database=sql_database,
        )  # fmt: skip
        with pytest.raises(ConfigError, match="have one topic"):
            while True:
                batch = source.read(0.2)
                kept.keep(batch)
                changes += batch.changes
    assert kept.notes == before
    changes += follow(source_for(sql_server, f"{sql_database}.*", exclude=(f"{sql_database}.a_b",)), kept)
    assert [(change.table.name, change.after) for change in changes if isinstance(change, Change)] == [
        ("t", [(1, 1)]), ("a b", [(2, 2)]),
    ]  # fmt: skip
    assert "gap" not in orjson.loads(kept.notes[f"schema/{sql_database}.a b"])
