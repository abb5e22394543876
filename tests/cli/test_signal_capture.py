"""``streamtrain signal`` to a connector at work: topics on Kafka, and what ``status`` shows meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.application import Application, on_server
from tests.fault.lines import config, kafka_topic, mysql_source
from tests.fault.test_outages import until
from tests.line import Line, published
from tests.servers import Broker, Database

pytestmark = pytest.mark.servers

ROWS = 120


class Capture:
    """A table that is captured already, and the records of it that are there since."""

    def __init__(self, line: Line, reader: KafkaReader, topic: str, table: str) -> None:
        self.line, self.table = line, table
        self._reader, self._topic = reader, topic

    def signal(self, *words: str) -> None:
        self.line.run("signal", "snapshot", *words)

    def reads(self) -> list[Any]:
        """Keys of the rows that were read, the ones of the initial snapshot first."""
        return [record.key["id"] for record in published(self._reader, self._topic) if record.op == "r"]

    def status(self) -> Any:
        """What the connector says of itself."""
        return self.line.json("status")["components"]["connector"]

    def until_shown(self, **values: object) -> Any:
        """The connector's status once it has these values."""
        shown: dict[str, Any] = {}

        def as_wanted() -> bool:
            shown.update(self.status())
            return all(shown.get(name) == value for name, value in values.items())

        until(as_wanted, f"status shows {values}")
        return shown


@pytest.fixture
def capture(
    sql_server: Database, sql_database: str, kafka: Broker, topic_prefix: str, tmp_path: Path
) -> Iterator[Capture]:
    application = Application(on_server(sql_server, sql_database), seed=5)
    application.fill(ROWS)
    source = mysql_source(sql_server.url, sql_database) | {"signals": True, "commit_rows": 20}
    table = f"{sql_database}.events"
    topics = kafka_topic(kafka.bootstrap, topic_prefix)
    line = Line(tmp_path, config("again", source, topics, f"sqlite:///{tmp_path}/state.db", table))
    with closing(KafkaReader(KafkaSettings(kafka.bootstrap))) as reader:
        line.run("connect", "--until-caught-up")
        yield Capture(line, reader, f"{topic_prefix}.{table}", table)


@pytest.mark.timeout(120)
def test_a_snapshot_is_asked_for_paused_resumed_and_stopped_while_status_tells_of_it(capture: Capture) -> None:
    first = capture.reads()
    assert len(set(first)) == len(first) == ROWS
    capture.signal("start", "--table", capture.table)
    capture.signal("pause")
    with capture.line.running("connect"):
        shown = capture.until_shown(state="running", snapshot=True, paused=True)
        assert (shown["kind"], shown["reading"], shown["tables_left"]) == ("incremental", capture.table, 1)
        assert shown["table_rows"] == 0
        told = " ".join(capture.line.run("status").split())
        assert f"incremental: 0 rows of {capture.table}, tables left: 1, paused" in told
    with capture.line.running("connect"):
        capture.until_shown(state="running", snapshot=True, paused=True)  # over a restart, too
        capture.signal("resume")
        until(lambda: len(capture.reads()) == 2 * ROWS, "all rows are read again")
        capture.until_shown(state="running", snapshot=False)
        assert sorted(capture.reads()[ROWS:]) == sorted(first)
    capture.signal("start", "--table", capture.table)
    capture.signal("pause")
    capture.signal("stop", "--table", capture.table)
    capture.line.run("connect", "--until-caught-up")
    assert capture.status()["snapshot"] is False
    assert len(capture.reads()) == 2 * ROWS


@pytest.mark.timeout(120)
def test_a_connector_that_is_to_catch_up_does_what_was_asked_before(capture: Capture) -> None:
    capture.signal("start", "--table", capture.table, "--where", "id % 2 = 0")
    capture.line.run("connect", "--until-caught-up")
    first, again = capture.reads()[:ROWS], capture.reads()[ROWS:]
    assert sorted(again) == sorted(key for key in first if key % 2 == 0)
