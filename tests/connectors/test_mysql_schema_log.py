"""Tables altered while capture stands still, on servers whose log names columns and on servers whose log does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pymysql
import pytest

from connectors.source import Change, SchemaChange, SourceEvent
from streamtrain.envelope import Op
from streamtrain.errors import UnsupportedChange
from tests.connectors.ddl_statements import OWN_TYPES, TYPES
from tests.connectors.mysql_capture import Kept, follow, read_to_end, source_for
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers

Named = tuple[str, str, dict[str, Any]]
"""An operation, a table, and a row by column names."""


@pytest.fixture(scope="module", params=["mysql FULL", "mysql MINIMAL", "mariadb FULL", "mariadb NO_LOG"])
def server(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A server with ``binlog_row_metadata`` as it is named."""
    name, _, metadata = request.param.partition(" ")
    if metadata == "FULL":
        yield request.getfixturevalue(name)
        return
    kind = PrivateMySQL if name == "mysql" else PrivateMariaDB
    with kind(f"--binlog-row-metadata={metadata}") as private:
        yield private


@pytest.fixture(scope="module")
def minimal(server: Database) -> bool:
    """Whether the log is without names of columns."""
    return server.execute("SELECT @@binlog_row_metadata")[0][0] != "FULL"


@pytest.fixture
def database(server: Database) -> Iterator[str]:
    with server.fresh_database() as name:
        yield name


def begun(server: Database, *include: str, **options: Any) -> Kept:
    """What is kept after a source has begun, without rows, and read nothing."""
    kept = Kept()
    follow(source_for(server, *include, snapshot="no_data", **options), kept, batches=1)
    return kept


def rows(events: list[SourceEvent]) -> list[Named]:
    """Row by row, after the change, or before it for a delete; a TRUNCATE without a row."""
    found = list[Named]()
    for event in events:
        if not isinstance(event, Change):
            continue
        values = event.after if event.after is not None else event.before
        if values is None:
            found.append((event.op.value, event.table.name, {}))
            continue
        for row in values:
            found.append((event.op.value, event.table.name, dict(zip(event.table.columns, row, strict=True))))
    return found


LAGGED = (
    "INSERT INTO t VALUES (1, 10, 'x')",
    "ALTER TABLE t DROP COLUMN a, ADD COLUMN z INT FIRST",
    "INSERT INTO t VALUES (7, 2, 'y')",
    "ALTER TABLE t ADD COLUMN w INT UNSIGNED, ALGORITHM=INSTANT",
    "INSERT INTO t VALUES (8, 3, 'y', 4294967295)",
    "ALTER TABLE t DROP COLUMN z, ALGORITHM=INSTANT",
    "INSERT INTO t VALUES (4, 'y', 5)",
    "ALTER TABLE t CHANGE w v DECIMAL(12,2) AFTER id, MODIFY b ENUM('y', 'é', 'x') CHARACTER SET latin1",
    "INSERT INTO t VALUES (5, 6.5, 'é')",
    "CREATE TABLE _t_new LIKE t",
    "ALTER TABLE _t_new ADD COLUMN extra BIGINT UNSIGNED, DROP PRIMARY KEY, ADD PRIMARY KEY (v, id)",
    "RENAME TABLE t TO _t_old, _t_new TO t",
    "INSERT INTO t VALUES (6, 7.5, 'y', 18446744073709551615)",
    "TRUNCATE TABLE t",
    "INSERT INTO t VALUES (7, 8.5, 'é', NULL)",
    "DROP TABLE t",
    "CREATE TABLE t (`the id` INT UNSIGNED PRIMARY KEY, j JSON, u VARCHAR(9) CHARACTER SET utf16)",
    "INSERT INTO t VALUES (4294967295, '{\"a\": 1}', 'ü')",
)
"""Statements that are run while capture stands still."""


def expected_rows(server: Database) -> list[Named]:
    json = '{"a": 1}' if "Maria" in server.execute("SELECT VERSION()")[0][0] else '{"a":1}'
    return [
        ("c", "t", {"id": 1, "a": 10, "b": "x"}),
        ("c", "t", {"z": 7, "id": 2, "b": "y"}),
        ("c", "t", {"z": 8, "id": 3, "b": "y", "w": 4294967295}),
        ("c", "t", {"id": 4, "b": "y", "w": 5}),
        ("c", "t", {"id": 5, "v": "6.50", "b": "é"}),
        ("c", "t", {"id": 6, "v": "7.50", "b": "y", "extra": 18446744073709551615}),
        ("t", "t", {}),
        ("c", "t", {"id": 7, "v": "8.50", "b": "é", "extra": None}),
        ("c", "t", {"the id": 4294967295, "j": json, "u": "ü"}),
    ]


@pytest.fixture
def lagging(server: Database, database: str) -> Kept:
    """A source's position before all of LAGGED was run."""
    server.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20))", database=database)
    kept = begun(server, f"{database}.t")
    for statement in LAGGED:
        server.execute(statement, database=database)
    return kept


def test_rows_written_between_alterations_are_each_decoded_by_their_own_structure(
    server: Database, database: str, lagging: Kept
) -> None:
    events = follow(source_for(server, f"{database}.t"), lagging)
    assert rows(events) == expected_rows(server)
    keys = [[event.table.columns[index] for index in event.table.key] for event in events if isinstance(event, Change)]
    assert keys == [["id"]] * 5 + [["v", "id"], ["v", "id"], ["v", "id"], ["the id"]]


def test_a_restart_between_any_two_alterations_goes_on_with_the_structure_of_that_point(
    server: Database, database: str, lagging: Kept
) -> None:
    found, restarts = list[SourceEvent](), 0
    while len(rows(found)) < len(expected_rows(server)):
        options = {"max_rows": 1, "include_schema_changes": True}
        found += follow(source_for(server, f"{database}.t", **options), lagging, batches=1)
        restarts += 1
        assert restarts < 40
    assert rows(found) == expected_rows(server)
    assert len([event for event in found if isinstance(event, SchemaChange)]) == 9
    assert restarts > 15


def test_changes_of_structure_come_in_order_with_the_table_as_it_is_afterwards(
    server: Database, database: str, lagging: Kept
) -> None:
    events = follow(source_for(server, f"{database}.t", include_schema_changes=True), lagging)
    changes = [event for event in events if isinstance(event, SchemaChange)]
    assert [event.statement.split("/*")[0].strip() for event in changes if "DROP TABLE" not in event.statement] == [
        LAGGED[1], LAGGED[3], LAGGED[5], LAGGED[7], LAGGED[11], LAGGED[11], LAGGED[13], LAGGED[16],
    ]  # fmt: skip
    documents = [document for event in changes for document in event.table_changes]
    assert [(each["type"], each["id"]) for each in documents] == [
        *[("ALTER", f'"{database}"."t"')] * 4,
        ("ALTER", f'"{database}"."_t_old"'),
        ("ALTER", f'"{database}"."t"'),
        ("DROP", f'"{database}"."t"'),
        ("CREATE", f'"{database}"."t"'),
    ]
    swapped = documents[5]["table"]
    assert swapped["primaryKeyColumnNames"] == ["v", "id"]
    columns = {column["name"]: column for column in swapped["columns"]}
    assert [(name, column["position"]) for name, column in columns.items()] == [
        ("id", 1), ("v", 2), ("b", 3), ("extra", 4),
    ]  # fmt: skip
    assert (columns["v"]["jdbcType"], columns["v"]["typeName"], columns["v"]["length"], columns["v"]["scale"]) == (
        3, "DECIMAL", 12, 2,
    )  # fmt: skip
    assert (columns["b"]["charsetName"], columns["b"]["enumValues"]) == ("latin1", ["'y'", "'é'", "'x'"])
    assert columns["extra"]["typeExpression"] == "BIGINT UNSIGNED"
    assert all(event.origin["db"] == database and event.database == database for event in changes)
    assert changes[4].origin["table"] == "_t_old,t"


def test_a_beginning_tells_of_each_captured_table(server: Database, database: str) -> None:
    server.execute("CREATE TABLE one (id INT PRIMARY KEY)", "CREATE TABLE two (v TEXT)", database=database)
    kept = Kept()
    events = follow(source_for(server, f"{database}.*", include_schema_changes=True), kept)
    changes = [event for event in events if isinstance(event, SchemaChange)]
    assert [document["id"] for event in changes for document in event.table_changes] == [
        f'"{database}"."one"',
        f'"{database}"."two"',
    ]
    assert changes[0].statement.startswith("CREATE TABLE `one`")
    assert changes[0].origin["snapshot"] == "true"
    assert {f"schema/{database}.one", f"schema/{database}.two", f"database/{database}"} <= kept.notes.keys()


def test_a_row_that_does_not_fit_the_structure_stops_capture_where_columns_have_no_names(
    server: Database, database: str, *, minimal: bool
) -> None:
    server.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20))", database=database)
    kept = begun(server, f"{database}.t")
    server.execute(
        "SET SESSION sql_log_bin = 0",
        "ALTER TABLE t MODIFY b VARCHAR(20) AFTER id",
        "SET SESSION sql_log_bin = 1",
        "INSERT INTO t VALUES (1, 'x', 2)",
        "SET SESSION sql_log_bin = 0",
        "ALTER TABLE t MODIFY b VARCHAR(20) AFTER a",
        database=database,
    )
    source = source_for(server, f"{database}.t")
    if not minimal:
        assert rows(follow(source, kept)) == [("c", "t", {"id": 1, "b": "x", "a": 2})]
        return
    with pytest.raises(UnsupportedChange, match=r"column 2 is VARCHAR 80 in the log, and a int") as caught:
        follow(source, kept)
    assert f"table {database}.t" in caught.value.message
    assert "binlog_row_metadata=FULL" in caught.value.hint


SWAPPED = (
    "SET SESSION sql_log_bin = 0",
    "ALTER TABLE t MODIFY b INT AFTER id",
    "SET SESSION sql_log_bin = 1",
    "INSERT INTO t (id, a, b) VALUES (2, 10, 20)",
)
"""Columns of one type change places where the log does not show it."""


def test_columns_of_one_type_that_changed_places_out_of_sight_are_not_taken_for_each_other(
    server: Database, database: str, *, minimal: bool
) -> None:
    server.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", database=database)
    kept = begun(server, f"{database}.t")
    server.execute("ALTER TABLE t ADD COLUMN c INT", *SWAPPED, "ALTER TABLE t ADD COLUMN d INT", database=database)
    source = source_for(server, f"{database}.t")
    if not minimal:
        assert rows(follow(source, kept)) == [("c", "t", {"id": 2, "b": 20, "a": 10, "c": None})]
        return
    with pytest.raises(UnsupportedChange, match=rf"{database}\.t between") as caught:
        follow(source, kept)
    assert "binlog_row_metadata=FULL" in caught.value.hint


def test_columns_that_change_places_out_of_sight_while_capture_runs_stop_it_before_a_row(
    server: Database, database: str, *, minimal: bool
) -> None:
    server.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", database=database)
    kept, found = begun(server, f"{database}.t"), list[SourceEvent]()
    with closing(source_for(server, f"{database}.t")) as source:
        source.open(kept.position, kept.notes)
        server.execute(
            "INSERT INTO t VALUES (0, 1, 2)", "FLUSH TABLES", "INSERT INTO t VALUES (1, 1, 2)", database=database
        )
        found += read_to_end(source)[0]
        server.execute(*SWAPPED, database=database)
        if minimal:
            with pytest.raises(UnsupportedChange, match=rf"{database}\.t between"):
                found += read_to_end(source)[0]
        else:
            found += read_to_end(source)[0]
    seen = [{"id": 0, "a": 1, "b": 2}, {"id": 1, "a": 1, "b": 2}, {"id": 2, "a": 10, "b": 20}]
    assert [row for _, _, row in rows(found)] == seen[: 2 if minimal else 3]


def test_a_statement_that_is_not_understood_stops_capture_only_where_columns_have_no_names(
    server: Database, database: str, *, minimal: bool
) -> None:
    server.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT)", database=database)
    kept = begun(server, f"{database}.t")
    server.execute("ALTER TABLE t ADD COLUMN e ENUM(x'78')", "INSERT INTO t VALUES (1, 2, 'x')", database=database)
    source = source_for(server, f"{database}.t")
    if not minimal:
        assert rows(follow(source, kept)) == [("c", "t", {"id": 1, "a": 2, "e": "x"})]
        return
    with pytest.raises(UnsupportedChange, match="ALTER TABLE is not understood"):
        follow(source, kept)


def test_a_snapshot_and_the_log_after_it_agree_on_columns(server: Database, database: str) -> None:
    server.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a', 'b'), s SET('p', 'q'), v VARCHAR(5) CHARACTER SET ucs2)",
        "INSERT INTO t VALUES (1, 'b', 'p,q', 'ß')",
        database=database,
    )
    kept = Kept()
    first = follow(source_for(server, f"{database}.t"), kept)
    server.execute("INSERT INTO t VALUES (2, 'b', 'p,q', 'ß')", database=database)
    second = follow(source_for(server, f"{database}.t"), kept)
    row = {"e": "b", "s": "p,q", "v": "ß"}
    assert rows(first) == [(Op.READ.value, "t", {"id": 1, **row})]
    assert rows(second) == [("c", "t", {"id": 2, **row})]


def test_a_truncate_comes_with_the_table_that_its_rows_have(server: Database, database: str) -> None:
    server.execute("CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, v VARCHAR(5), d DECIMAL(5, 2))", database=database)
    kept = Kept()
    follow(source_for(server, f"{database}.t"), kept)
    server.execute("TRUNCATE t", "INSERT INTO t VALUES (2, 'b', 1.5)", database=database)
    truncate, insert = follow(source_for(server, f"{database}.t"), kept)
    assert isinstance(truncate, Change)
    assert isinstance(insert, Change)
    assert truncate.op is Op.TRUNCATE
    assert truncate.table == insert.table


def test_the_structure_of_every_type_fits_what_the_log_shows_of_it(server: Database, database: str) -> None:
    flavor = "mariadb" if "Maria" in server.execute("SELECT VERSION()")[0][0] else "mysql"
    types = (*TYPES, *OWN_TYPES[flavor], "SET('1','2','3','4','5','6','7','8','9')", LONG_ENUM, "SMALLINT ZEROFILL")
    for number, charset in enumerate(("latin1", "gbk")):
        columns = ", ".join(f"c{index} {type_}" for index, type_ in enumerate(types))
        server.execute(
            f"CREATE TABLE t{number} (id INT PRIMARY KEY, {columns}) DEFAULT CHARSET {charset}", database=database
        )
    kept = begun(server, f"{database}.*")
    for number in range(2):
        server.execute(f"INSERT INTO t{number} (id) VALUES (1)", database=database)
        server.execute(f"CREATE TABLE u{number} LIKE t{number}", database=database)
        server.execute(f"ALTER TABLE u{number} CONVERT TO CHARACTER SET utf8mb4", database=database)
        server.execute(f"INSERT INTO u{number} (id) VALUES (2)", database=database)
    found = rows(follow(source_for(server, f"{database}.*"), kept))
    assert [(table, row["id"]) for _, table, row in found] == [
        (f"{letter}{number}", key) for number in range(2) for letter, key in (("t", 1), ("u", 2))
    ]
    assert [len(row) for _, _, row in found] == [len(types) + 1] * 4


LONG_ENUM = f"ENUM({', '.join(repr(str(number)) for number in range(300))})"


def test_a_table_that_is_made_from_a_select_is_told_of_once_however_often_reading_begins_again(
    server: Database, database: str
) -> None:
    server.execute("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))", database=database)
    server.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')", database=database)
    options = {"include_schema_changes": True, "max_rows": 1}
    kept = begun(server, f"{database}.*", **options)
    server.execute("CREATE TABLE copy AS SELECT id AS number, v AS word FROM t ORDER BY id", database=database)
    found = list[SourceEvent]()
    for _ in range(12):
        found += follow(source_for(server, f"{database}.*", **options), kept, batches=1)
    assert [row for _, _, row in rows(found)] == [
        {"number": 1, "word": "a"}, {"number": 2, "word": "b"}, {"number": 3, "word": "c"},
    ]  # fmt: skip
    assert len([event for event in found if isinstance(event, SchemaChange)]) == 1


def test_an_alteration_that_is_logged_in_two_parts_takes_effect_with_the_second(mariadb: Database) -> None:
    with mariadb.fresh_database() as database:
        mariadb.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (-1)", database=database)
        kept = begun(mariadb, f"{database}.t")
        with pytest.raises(pymysql.err.MySQLError):
            mariadb.execute(
                "SET SESSION binlog_alter_two_phase = 1",
                "ALTER TABLE t ADD CHECK (id > 0)",
                database=database,
            )
        mariadb.execute(
            "SET SESSION binlog_alter_two_phase = 1", "ALTER TABLE t ADD COLUMN a INT FIRST", database=database
        )
        mariadb.execute("INSERT INTO t VALUES (7, 2)", database=database)
        events = follow(source_for(mariadb, f"{database}.t", include_schema_changes=True), kept)
        assert rows(events) == [("c", "t", {"a": 7, "id": 2})]
        assert len([event for event in events if isinstance(event, SchemaChange)]) == 1
