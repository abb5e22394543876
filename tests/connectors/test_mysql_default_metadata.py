"""What only the schema log knows, on servers whose log names no columns: both servers' default ``binlog_row_metadata``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.source import Change, SourceEvent
from tests.connectors.mysql_capture import Kept, follow, source_for
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
