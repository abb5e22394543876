"""A server that ends sessions as soon as they are idle: capture that stands still, or has nothing to do, loses nothing by it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pymysql
import pytest

from streamtrain.topic.base import NO_NOTES
from streamtrain.topic.file import FileWriter
from tests.connectors.mysql_capture import transaction
from tests.connectors.test_mysql_reconnect import Capture
from tests.servers import PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers

PATIENCE_S = 1
"""Of the server: with an idle session, and with one that does not take what it sends."""
LONGER_S = 2.2
ROWS_BEFORE, BESIDE = 3_000, 20


class SlowWriter(FileWriter):
    """Stands still for longer than the server's patience in each second commit, as often as is left."""

    left = 0
    _turn = False

    def commit(self, position: bytes, notes: Mapping[str, bytes | None] = NO_NOTES) -> None:
        self._turn = not self._turn
        if self._turn and type(self).left:
            type(self).left -= 1
            threading.Event().wait(LONGER_S)  # the server's patience is what is measured
        super().commit(position, notes)


@pytest.fixture(params=["mysql", "mariadb"])
def impatient_server(request: pytest.FixtureRequest) -> PrivateMySQL | PrivateMariaDB:
    start: Callable[..., PrivateMySQL | PrivateMariaDB] = request.getfixturevalue(f"private_{request.param}")
    limits = ("wait-timeout", "interactive-timeout", "net-write-timeout", "net-read-timeout")
    server = start(*(f"--{limit}={PATIENCE_S}" for limit in limits))
    server.execute("CREATE DATABASE shop", "CREATE TABLE shop.events (id INT PRIMARY KEY, body LONGTEXT)")
    return server


def wait_for(capture: Capture, rows: int) -> None:
    deadline = time.monotonic() + 60
    while len(capture.published()) < rows:
        assert time.monotonic() < deadline, f"{len(capture.published())} of {rows} rows"
        capture.stop.wait(0.1)


def test_sessions_that_are_ended_for_idleness_cost_no_row_and_double_none(
    impatient_server: PrivateMySQL | PrivateMariaDB, tmp_path: Path
) -> None:
    server, ends = impatient_server, [ROWS_BEFORE + times * BESIDE for times in (1, 2)]
    rows = ", ".join(f"({number}, 'there before')" for number in range(ROWS_BEFORE))
    server.execute(f"INSERT INTO shop.events VALUES {rows}")
    idle = server.connect()
    capture = Capture(server, "shop", tmp_path, writer=SlowWriter, chunk_rows=500)
    SlowWriter.left = 2  # while the rows are read that were there before
    with capture.running():
        for end in ends:
            for number in range(end - BESIDE, end):
                transaction(server, "shop", f"INSERT INTO events VALUES ({number}, REPEAT('x', 800000))")
            wait_for(capture, end)
            assert SlowWriter.left == 0
            capture.stop.wait(LONGER_S)  # nothing is written for longer than a session may be idle
            SlowWriter.left = 1  # while the log is followed
        transaction(server, "shop", f"INSERT INTO events VALUES ({ends[-1]}, 'after the silence')")
        wait_for(capture, ends[-1] + 1)
    assert capture.published() == list(range(ends[-1] + 1))
    with pytest.raises(pymysql.err.OperationalError):  # another session that was idle as long is gone
        idle.query("SELECT 1")
