"""A server that sends nothing more, not even heartbeats, is given up; one that was not listened to is not."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from streamtrain.errors import SourceUnavailable
from tests.connectors.mysql_capture import connect, opened, source_for
from tests.connectors.test_mysql_stream import read_for_long
from tests.servers import Database

pytestmark = pytest.mark.servers


@pytest.fixture
def table(sql_server: Database, sql_database: str) -> str:
    """The name of an empty table, as ``source.include`` names it."""
    sql_server.execute("CREATE TABLE events (id INT PRIMARY KEY)", database=sql_database)
    return f"{sql_database}.events"


def test_a_server_that_falls_silent_is_given_up(sql_server: Database, table: str) -> None:
    source = source_for(sql_server, table, snapshot="no_data", heartbeat_s=3600.0, silence_s=0.3)
    with opened(source), pytest.raises(SourceUnavailable, match="heartbeat"):
        read_for_long(source)


def test_a_server_that_falls_silent_is_given_up_while_rows_of_a_snapshot_are_awaited(
    mysql: Database, mysql_database: str
) -> None:
    mysql.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)", database=mysql_database)
    source = source_for(mysql, f"{mysql_database}.t", heartbeat_s=3600.0, silence_s=0.3)
    with opened(source), closing(connect(mysql, mysql_database)) as holder:
        holder.query("LOCK TABLES t WRITE")
        with pytest.raises(SourceUnavailable, match="heartbeat"):
            read_for_long(source)


def test_time_in_which_nobody_reads_is_no_silence_of_the_server(sql_server: Database, table: str) -> None:
    with opened(source_for(sql_server, table, snapshot="no_data", heartbeat_s=0.1, silence_s=0.5)) as source:
        for _ in range(2):
            source.read(0.0)
            threading.Event().wait(1.0)  # heartbeats come meanwhile
            for _ in range(3):
                source.read(0.0)
