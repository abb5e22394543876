"""The connection on which the log comes is cut again and again under load: each row is published once, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pymysql
import pytest

from connectors.relay import Clocks, Relay, RelaySettings
from connectors.serializing import JsonSerializer
from streamtrain.retrying import Backoff, Outage, keep_running
from streamtrain.topic.base import TopicPartition
from streamtrain.topic.file import FileReader, FileWriter
from tests.connectors.mysql_capture import source_for
from tests.servers import Database

pytestmark = pytest.mark.servers

CUTS = 100
ROTATE_EVERY = 25
LARGE = 4_000_000
DEADLINE_S = 120.0


class Capture:
    """A connector in a thread: it publishes to files, and begins again whenever its connection breaks."""

    def __init__(
        self, server: Database, database: str, directory: Path, writer: type[FileWriter] = FileWriter, **options: Any
    ) -> None:
        self.server, self.table = server, f"{database}.events"
        self.directory = directory
        self._writer, self._options = writer, options
        self.retries = 0
        self.stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.stop.set()
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            keep_running(
                self._attempt,
                Backoff(0.001, 0.01, DEADLINE_S),
                on_retry=self._retry,
                wait=self.stop.wait,
                clock=time.monotonic,
            )
        except BaseException as failure:  # noqa: BLE001 - told in the test's own thread
            self._failure = failure

    def _attempt(self, outage: Outage) -> None:
        source = source_for(self.server, self.table, max_rows=50, **self._options)
        with closing(source), closing(self._writer(self.directory, "test", fsync=False)) as writer:
            clocks = Clocks(time.monotonic, time.time_ns)
            relay = Relay(source, writer, JsonSerializer("test"), RelaySettings(commit_s=0.01, commit_rows=100), clocks)
            relay.open()
            relay.run(self.stop.is_set, lambda _: outage.healthy(), until_caught_up=False)

    def _retry(self, _error: Exception, _wait_s: float) -> None:
        self.retries += 1

    def published(self) -> list[int]:
        """The keys of all committed records, in order."""
        topic = f"test.{self.table}"
        with closing(FileReader(self.directory)) as reader:
            if not reader.partitions(topic):
                return []
            source = TopicPartition(topic, 0)
            end, position, found = reader.watermarks(source).high, 0, list[int]()
            reader.assign({source: 0})
            while position < end:
                for records in reader.poll(100_000, 0.1):
                    found += [orjson.loads(key)["id"] for key in records.keys if key is not None]
                    position = records.next_offset
        return found


def cut(server: Database, times: int, turn: threading.Event) -> None:
    """End the connection on which the log comes, and the one after it, and so on. Log files change on the way."""
    deadline, ended = time.monotonic() + DEADLINE_S, set[int]()
    listed = "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
    with closing(server.connect(ssl_disabled=True)) as connection, connection.cursor() as cursor:
        while len(ended) < times:
            assert time.monotonic() < deadline, f"after {len(ended)} cuts no new connection came"
            cursor.execute(listed)
            for number in {found for (found,) in cursor.fetchall()} - ended:
                with suppress(pymysql.err.OperationalError):  # it went by itself
                    cursor.execute(f"KILL {number}")
                ended.add(number)
                if len(ended) % ROTATE_EVERY == 0:
                    cursor.execute("FLUSH BINARY LOGS")
                    turn.set()


class Writing:
    """Transactions of seven small rows, or of one large row whenever ``turn`` is set, until ``stop`` is."""

    def __init__(self, server: Database, database: str) -> None:
        self.rows = 0
        self.stop, self.turn = threading.Event(), threading.Event()
        self._server, self._database = server, database

    def run(self) -> None:
        options = {"database": self._database, "autocommit": False, "ssl_disabled": True}
        with closing(self._server.connect(**options)) as connection, connection.cursor() as cursor:
            while not self.stop.wait(0.005):
                sizes = [LARGE] if self.turn.is_set() else range(7)
                self.turn.clear()
                for size in sizes:
                    cursor.execute(f"INSERT INTO events VALUES ({self.rows}, REPEAT('x', {size}))")
                    self.rows += 1
                connection.commit()


@pytest.mark.timeout(300)
def test_a_hundred_cuts_under_load_lose_no_row_and_double_none(
    sql_server: Database, sql_database: str, tmp_path: Path
) -> None:
    sql_server.execute("CREATE TABLE events (id INT PRIMARY KEY, body LONGTEXT)", database=sql_database)
    capture, writing = Capture(sql_server, sql_database, tmp_path), Writing(sql_server, sql_database)
    with capture.running():
        writer = threading.Thread(target=writing.run)
        writer.start()
        try:
            cut(sql_server, CUTS, writing.turn)
        finally:
            writing.stop.set()
            writer.join()
        deadline = time.monotonic() + DEADLINE_S
        while len(capture.published()) < writing.rows:
            assert time.monotonic() < deadline, f"{len(capture.published())} of {writing.rows} rows"
            capture.stop.wait(0.3)
    assert writing.rows > CUTS
    assert capture.retries >= CUTS // 2  # one connection may be listed twice over: the source's question and its log
    assert capture.published() == list(range(writing.rows))
