"""What only the schema log knows, on servers whose log names no columns: both servers' default ``binlog_row_metadata``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.mysql.address import address
from connectors.mysql.connection import Connection
from connectors.source import Change, SchemaChange, SourceEvent
from streamtrain.envelope import Op
from streamtrain.errors import AccessDenied
from tests.connectors.mysql_capture import Kept, account, follow, read_to_end, source_for
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers

Row = dict[str, object]


@pytest.fixture(scope="module")
def minimal_mysql() -> Iterator[Database]:
    with PrivateMySQL("--binlog-row-metadata=MINIMAL") as server:
        yield server


@pytest.fixture(scope="module")
def minimal_mariadb() -> Iterator[Database]:
    with PrivateMariaDB("--binlog-row-metadata=NO_LOG") as server:
        yield server


@pytest.fixture(params=["minimal_mysql", "minimal_mariadb"])
def server(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def database(server: Database) -> Iterator[str]:
    with server.fresh_database() as name:
        yield name


def rows(events: list[SourceEvent]) -> list[Row]:
    """The rows after changes, by column names."""
    return [
        dict(zip(event.table.columns, row, strict=True))
        for event in events
        if isinstance(event, Change)
        for row in event.after or ()
    ]


def test_labels_that_may_not_be_read_are_not_taken_as_they_are_shown(server: Database, database: str) -> None:
    server.execute("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('😀') CHARACTER SET utf8mb4)", database=database)
    rights = "REPLICATION SLAVE, REPLICATION CLIENT ON *.*"
    with account(server, rights, f"INSERT ON {database}.t") as url, pytest.raises(AccessDenied) as caught:
        follow(source_for(server, f"{database}.t", snapshot="no_data", url=url), Kept())
    assert caught.value.hint.startswith(f"GRANT SELECT ON `{database}`.`t` TO")


_BITS = ",".join(f"'{chr(0x1F600 + number)}?'" for number in range(64))
_MANY = ",".join(f"'{chr(0x20000 + number)}'" for number in range(1_100))
LABELLED = (
    "CREATE TABLE t (id INT PRIMARY KEY, `mo.``od` ENUM('😀','😡','?','a?b','日','c'',\\\\d?') COLLATE utf8mb4_bin NOT NULL,"
    f" s SET({_BITS}) CHARACTER SET utf32 COLLATE utf32_bin, many ENUM({_MANY}) CHARACTER SET utf16 COLLATE utf16_bin)"
    " CHARACTER SET utf8mb4"
)
LABELLED_ROWS: list[Row] = [
    {"id": 1, "mo.`od": "😡", "s": f"{chr(0x1F600)}?,{chr(0x1F63F)}?", "many": chr(0x20000)},
    {"id": 2, "mo.`od": "?", "s": f"{chr(0x1F63F)}?", "many": chr(0x20000 + 1_099)},
    {"id": 3, "mo.`od": "c',\\d?", "s": "", "many": None},
]
INSERT_LABELLED = "INSERT INTO t VALUES (1, 2, 1 | 1 << 63, 1), (2, 3, 1 << 63, 1100), (3, 6, 0, NULL)"


def test_labels_beyond_the_basic_plane_are_the_same_in_the_snapshot_and_in_the_log(
    server: Database, database: str
) -> None:
    server.execute(LABELLED, INSERT_LABELLED, database=database)
    kept = Kept()
    assert rows(follow(source_for(server, f"{database}.t"), kept)) == LABELLED_ROWS
    server.execute("DELETE FROM t", INSERT_LABELLED, database=database)
    assert rows(follow(source_for(server, f"{database}.t"), kept)) == LABELLED_ROWS


def test_labels_that_the_log_itself_has_defined_are_what_a_restart_finds_on_the_server(
    server: Database, database: str
) -> None:
    kept = Kept()
    server.execute("CREATE TABLE u (id INT PRIMARY KEY)", database=database)
    follow(source_for(server, f"{database}.*"), kept)
    server.execute(LABELLED, database=database)
    follow(source_for(server, f"{database}.*"), kept)
    server.execute(INSERT_LABELLED, database=database)
    assert rows(follow(source_for(server, f"{database}.*"), kept)) == LABELLED_ROWS


@pytest.mark.parametrize("metadata", ["MINIMAL", "FULL"])
def test_an_invisible_key_that_the_server_hides_is_a_column_of_the_snapshot_as_of_the_log(
    minimal_mysql: Database, metadata: str
) -> None:
    hidden = "GLOBAL show_gipk_in_create_table_and_information_schema"
    with minimal_mysql.fresh_database() as database:
        minimal_mysql.execute(f"SET GLOBAL binlog_row_metadata = {metadata}", f"SET {hidden} = OFF")
        try:
            minimal_mysql.execute(
                "SET SESSION sql_generate_invisible_primary_key = ON",
                "CREATE TABLE t (a INT, b INT)",
                "INSERT INTO t VALUES (1, 2)",
                database=database,
            )
            kept = Kept()
            first = follow(source_for(minimal_mysql, f"{database}.t"), kept)
            minimal_mysql.execute("INSERT INTO t VALUES (3, 4)", database=database)
            second = follow(source_for(minimal_mysql, f"{database}.t"), kept)
        finally:
            minimal_mysql.execute("SET GLOBAL binlog_row_metadata = MINIMAL", f"SET {hidden} = ON")
    assert rows([*first, *second]) == [{"my_row_id": 1, "a": 1, "b": 2}, {"my_row_id": 2, "a": 3, "b": 4}]
    tables = [event.table for event in (*first, *second) if isinstance(event, Change)]
    assert [[table.columns[index] for index in table.key] for table in tables] == [["my_row_id"]] * 2


def test_a_session_of_an_account_without_rights_is_shown_invisible_keys(minimal_mysql: Database) -> None:
    with account(minimal_mysql, "SELECT ON *.*") as url, closing(Connection(address(url))) as connection:
        shown = connection.query("SELECT @@SESSION.show_gipk_in_create_table_and_information_schema")
    assert shown == [("1",)]


def test_columns_put_before_an_invisible_key_come_after_it(minimal_mysql: Database) -> None:
    with minimal_mysql.fresh_database() as database:
        minimal_mysql.execute("CREATE TABLE u (id INT PRIMARY KEY)", database=database)
        kept = Kept()
        follow(source_for(minimal_mysql, f"{database}.*"), kept)
        minimal_mysql.execute(
            "SET SESSION sql_generate_invisible_primary_key = ON",
            "CREATE TABLE t (a BIGINT UNSIGNED)",
            "ALTER TABLE t ADD c BIGINT UNSIGNED NOT NULL FIRST",
            "INSERT INTO t VALUES (10, 20)",
            database=database,
        )
        events = follow(source_for(minimal_mysql, f"{database}.*"), kept)
    assert rows(events) == [{"my_row_id": 1, "c": 10, "a": 20}]


SEQUENCE_COLUMNS = (
    "next_not_cached_value BIGINT(21) NOT NULL, minimum_value BIGINT(21) NOT NULL, maximum_value BIGINT(21) NOT NULL,"
    " start_value BIGINT(21) NOT NULL, increment BIGINT(21) NOT NULL, cache_size BIGINT(21) UNSIGNED NOT NULL,"
    " cycle_option TINYINT(1) UNSIGNED NOT NULL, cycle_count BIGINT(21) NOT NULL"
)
SEQUENCES = (
    "INSERT INTO t VALUES (1, NEXT VALUE FOR old)",
    "CREATE SEQUENCE s START WITH 5 CACHE 1",
    "INSERT INTO t VALUES (2, NEXT VALUE FOR s), (3, NEXT VALUE FOR s)",
    "RENAME TABLE s TO x, t TO s, old TO t",
    "INSERT INTO s VALUES (4, NEXT VALUE FOR t)",
    "RENAME TABLE t TO old, s TO t, x TO s",
    "CREATE TABLE alike LIKE s",
    f"CREATE TABLE made ({SEQUENCE_COLUMNS}) SEQUENCE = 1",
    "INSERT INTO made VALUES (20, 1, 100, 20, 1, 1, 0, 0)",
    "INSERT INTO t VALUES (5, NEXT VALUE FOR made), (6, NEXT VALUE FOR alike)",
    "ALTER TABLE alike RENAME TO like_it",
    "CREATE OR REPLACE SEQUENCE like_it START WITH 30",
    "INSERT INTO t VALUES (7, NEXT VALUE FOR like_it)",
    "DROP SEQUENCE s",
    "DROP TABLE like_it",
    "CREATE TABLE s (id INT PRIMARY KEY, v BIGINT)",
    "INSERT INTO s VALUES (8, 8)",
)


@pytest.fixture(params=["minimal_mariadb", "mariadb"])
def with_sequences(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("max_rows", [8_192, 1])
def test_the_rows_of_sequences_are_no_changes_whatever_names_they_are_given(
    with_sequences: Database, max_rows: int
) -> None:
    with with_sequences.fresh_database() as database:
        options = {"include_schema_changes": True, "max_rows": max_rows}
        with_sequences.execute(
            "CREATE SEQUENCE old CACHE 1", "CREATE TABLE t (id INT PRIMARY KEY, v BIGINT)", database=database
        )
        kept = Kept()
        found = follow(source_for(with_sequences, f"{database}.*", **options), kept)
        for statement in SEQUENCES:
            with_sequences.execute(statement, database=database)
        while len(rows(found)) < 8:
            found += follow(
                source_for(with_sequences, f"{database}.*", **options), kept, batches=1 if max_rows == 1 else None
            )
    assert rows(found) == [{"id": n, "v": v} for n, v in enumerate((1, 5, 6, 2, 20, 1, 30, 8), start=1)]
    told = [
        (each["type"], each["id"]) for event in found if isinstance(event, SchemaChange) for each in event.table_changes
    ]
    assert told == [
        ("CREATE", f'"{database}"."t"'),
        ("ALTER", f'"{database}"."s"'),
        ("ALTER", f'"{database}"."t"'),
        ("CREATE", f'"{database}"."s"'),
    ]


def test_a_sequence_that_becomes_a_table_is_captured_from_then_on(with_sequences: Database) -> None:
    with with_sequences.fresh_database() as database:
        with_sequences.execute("CREATE SEQUENCE s CACHE 1", database=database)
        with closing(source_for(with_sequences, f"{database}.*")) as source:
            source.open(None)
            with_sequences.execute(
                "SELECT NEXT VALUE FOR s", "ALTER TABLE s SEQUENCE = 0", "DELETE FROM s", database=database
            )
            with_sequences.execute("INSERT INTO s VALUES (20, 1, 100, 20, 1, 1, 0, 0)", database=database)
            changes, _ = read_to_end(source)
    assert [change.op for change in changes] == [Op.DELETE, Op.CREATE]
    assert rows(list(changes))[0]["next_not_cached_value"] == 20


def test_a_sequence_is_taken_up_where_what_was_kept_does_not_know_it(with_sequences: Database) -> None:
    with with_sequences.fresh_database() as database:
        with_sequences.execute("CREATE SEQUENCE s CACHE 1", "CREATE TABLE t (id INT PRIMARY KEY)", database=database)
        kept = Kept()
        follow(source_for(with_sequences, f"{database}.*"), kept)
        del kept.notes[f"schema/{database}.s"]
        with_sequences.execute("SELECT NEXT VALUE FOR s", "INSERT INTO t VALUES (1)", database=database)
        assert rows(follow(source_for(with_sequences, f"{database}.*"), kept)) == [{"id": 1}]
