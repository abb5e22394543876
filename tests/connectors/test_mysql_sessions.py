"""The connections that snapshots read by, and what is asked on them meanwhile."""

from __future__ import annotations

from contextlib import closing

import pytest

from connectors.mysql.address import parse_url
from connectors.mysql.connection import Connection
from connectors.mysql.mariadb_views import LOCK
from connectors.mysql.server import Flavor, inspect
from connectors.mysql.snapshots.sessions import Sessions
from connectors.mysql.snapshots.state import TableTask
from tests.connectors.mysql_capture import plain
from tests.servers import Database

pytestmark = pytest.mark.servers


def test_a_table_whose_first_row_is_being_committed_is_not_taken_for_empty_where_reads_are_locked(
    sql_server: Database, sql_database: str
) -> None:
    sql_server.execute(
        "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)", database=sql_database
    )
    tasks = [TableTask(sql_database, "a"), TableTask(sql_database, "b")]
    address = parse_url(plain(sql_server.url))
    with closing(Connection(address)) as looking:
        server = inspect(looking)
    lock = LOCK if server.flavor is Flavor.MARIADB else " FOR SHARE"
    with (
        closing(Sessions(address, server, 20)) as sessions,
        closing(sql_server.connect(database=sql_database)) as writer,
        writer.cursor() as cursor,
    ):
        assert sessions.empty(tasks, lock) == tasks
        writer.autocommit(False)
        cursor.execute("INSERT INTO b VALUES (1)")
        assert sessions.empty(tasks) == tasks
        assert sessions.empty(tasks, lock) == tasks[:1]
        writer.rollback()
        assert sessions.empty(tasks, lock) == tasks
