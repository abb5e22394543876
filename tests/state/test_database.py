"""The state database: its tables' forms, migrations that were cut short or are newer, and what its errors show."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import BigInteger, Integer

from streamtrain.errors import ConfigError, FatalError, StateUnavailable
from streamtrain.state.checkpoints import CheckpointStore
from streamtrain.state.layout import TABLES
from streamtrain.state.ledger import Ledger
from streamtrain.state.records import CheckpointDraft, DeadLetter
from streamtrain.state.sql import SqlDatabase
from streamtrain.state.tables import metadata
from streamtrain.topic.base import TopicPartition
from tests.servers import Database as Server

INNODB_KEY_BYTES = 3072


@pytest.fixture(params=["sqlite", "mysql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    server = request.getfixturevalue(request.param)
    return f"{server.url}/{request.getfixturevalue(f'{request.param}_database')}"


@pytest.fixture
def database(url: str) -> Iterator[SqlDatabase]:
    with closing(SqlDatabase(url)) as opened:
        yield opened


@contextmanager
def connected(database: SqlDatabase) -> Iterator[Connection]:
    with database.transaction() as transaction:
        yield transaction.connection


def created(database: SqlDatabase) -> dict[str, list[str]]:
    """The statements that would make each of the tables as they are."""
    with connected(database) as connection:
        return {name: _statements(connection, name) for name in metadata.tables}


def _statements(connection: Connection, name: str) -> list[str]:
    if connection.dialect.name == "sqlite":
        query = text("SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL ORDER BY name")
        return [row.sql for row in connection.execute(query, {"name": name})]
    return [connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1]]


def test_the_migrations_make_the_tables_that_the_code_describes(database: SqlDatabase) -> None:
    with connected(database) as connection:
        metadata.create_all(connection)
    described = created(database)
    with connected(database) as connection:
        metadata.drop_all(connection)
    database.migrate()
    assert created(database) == described


def test_chinese_is_kept_in_a_database_of_latin1(sql_server: Server, sql_database: str) -> None:
    sql_server.execute(f"ALTER DATABASE {sql_database} CHARACTER SET latin1")
    source = TopicPartition("t" * 249, 0)
    letter = DeadLetter(source, 7, "wrong_type", "price is '中文'", '{"名":"中"}', 1)
    with closing(SqlDatabase(f"{sql_server.url}/{sql_database}")) as database:
        database.migrate()
        store = CheckpointStore(database, lambda: 0)
        writer = store.open_run("店", {"name": "中文"})
        store.save(writer, _draft(source, letter), keep=1)
        assert [(one.source, one.message, one.row_key) for one in Ledger(database, lambda: 0).letters("店")] == [
            (source, "price is '中文'", '{"名":"中"}')
        ]


def _draft(source: TopicPartition, letter: DeadLetter) -> CheckpointDraft:
    return CheckpointDraft(slice=1, events=1, blobs={"base/weights": b"w"}, weights_sha256="w" * 64, offsets={source: 8},
                           resume_offsets={source: 8}, metrics={}, settings={}, versions={},
                           dead_letters=[letter])  # fmt: skip


def test_every_table_is_innodb_in_utf8mb4_whatever_the_servers_defaults_are() -> None:
    for table in metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=mysql.dialect()))  # type: ignore[no-untyped-call]
        assert "ENGINE=InnoDB" in statement
        assert "CHARSET=utf8mb4" in statement


def test_every_key_fits_into_an_index_of_innodb() -> None:
    for table in metadata.sorted_tables:
        for columns in _keys(table):
            assert sum(_bytes(table, name) for name in columns) <= INNODB_KEY_BYTES, (table.name, columns)


def test_the_tables_have_the_keys_and_indexes_that_are_said_of_them() -> None:
    described = {
        name: (
            tuple(column.name for column in table.primary_key),
            tuple(column.name for index in table.indexes for column in index.columns),
            table.autoincrement_column is not None,
        )
        for name, table in metadata.tables.items()
    }
    assert {table.name: (table.key, table.index, table.numbered) for table in TABLES} == described


def _keys(table: Table) -> Iterator[list[str]]:
    yield [column.name for column in table.primary_key]
    for index in table.indexes:
        yield [column.name for column in index.columns]


def _bytes(table: Table, name: str) -> int:
    kind = table.c[name].type.dialect_impl(mysql.dialect())  # type: ignore[no-untyped-call]
    if isinstance(kind, BigInteger | Integer):
        return 8
    return 2 + kind.length * (1 if getattr(kind, "charset", None) == "ascii" else 4)  # type: ignore[attr-defined,no-any-return]


def test_a_migration_that_was_killed_is_gone_on_with(database: SqlDatabase) -> None:
    database.migrate()
    whole = created(database)
    for lost in ("streamtrain_checkpoint_parts", "streamtrain_schedule"):
        with connected(database) as connection:
            connection.execute(text("DROP TABLE streamtrain_migrations"))
            connection.execute(text(f"DROP TABLE {lost}"))
        database.migrate()
        assert created(database) == whole
        assert database.pending_migration() is None


def test_an_index_that_a_killed_migration_left_out_is_made(database: SqlDatabase) -> None:
    database.migrate()
    whole = created(database)
    with connected(database) as connection:
        connection.execute(text("DROP TABLE streamtrain_migrations"))
        connection.execute(text("DROP TABLE streamtrain_dead_letters"))
        metadata.tables["streamtrain_dead_letters"].create(connection)
        on = " ON streamtrain_dead_letters" if connection.dialect.name == "mysql" else ""
        connection.execute(text(f"DROP INDEX streamtrain_dead_letters_by_key{on}"))
        assert inspect(connection).get_indexes("streamtrain_dead_letters") == []
    database.migrate()
    assert created(database) == whole


def test_tables_of_a_newer_version_are_refused_with_the_way_out(database: SqlDatabase) -> None:
    database.migrate()
    with connected(database) as connection:
        connection.execute(text("UPDATE streamtrain_migrations SET version_num = '9999'"))
    for refused in (database.migrate, database.pending_migration):
        with pytest.raises(FatalError, match="9999") as raised:
            refused()
        assert "install that version" in raised.value.hint


def test_neither_password_nor_options_are_shown_by_an_error() -> None:
    url = "mysql://someone:geheim@127.0.0.1:1/state?passwd=verborgen&program_name=ours"
    with closing(SqlDatabase(url)) as database, pytest.raises(StateUnavailable) as raised:
        database.migrate()
    for shown in (database.where, str(raised.value)):
        assert "127.0.0.1:1/state" in shown
        assert not any(secret in shown for secret in ("geheim", "verborgen", "passwd", "program_name", "ours"))


@pytest.mark.parametrize("url", ["mysql://someone:ge:heim@db:ver@borgen/state", "mysql://db:borgen/state"])
def test_a_url_that_cannot_be_read_is_not_shown_either(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        SqlDatabase(url)
    told = "".join(traceback.format_exception(raised.value, chain=True)).replace(url, "")
    assert "borgen" not in told


@pytest.mark.parametrize(("timeout_s", "busy_ms"), [(3, 3000), (60, 10_000)])
def test_a_file_that_another_process_writes_is_waited_for_no_longer_than_asked(
    tmp_path: Path, timeout_s: int, busy_ms: int
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with closing(SqlDatabase(url, timeout_s=timeout_s)) as database, connected(database) as connection:
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == busy_ms


def test_an_answer_is_waited_for_no_longer_than_asked(sql_server: Server, sql_database: str) -> None:
    url = f"{sql_server.url}/{sql_database}"
    with (
        closing(SqlDatabase(url, timeout_s=1)) as database,
        pytest.raises(StateUnavailable),
        connected(database) as connection,
    ):
        connection.execute(text("SELECT SLEEP(30)"))
