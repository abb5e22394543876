"""Two connectors of one name: the one that came later goes on, the other stops, and nothing is lost or doubled."""

from __future__ import annotations

from contextlib import closing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.application import Application, on_server
from tests.fault.lines import config, kafka_topic, mysql_source
from tests.fault.test_outages import until
from tests.line import Line, Published, published
from tests.servers import Broker, Database

pytestmark = pytest.mark.servers

TAKEOVERS = 3


def said(directory: Path, line: Line) -> str:
    """What a connector has written to standard error."""
    (errors,) = directory.glob(f"{line.config.stem}-connect-*.err")
    return errors.read_text()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("same_id", [True, False], ids=["the same server id", "server ids of their own"])
def test_each_connector_of_a_name_stops_the_one_before_it_under_load(
    tmp_path: Path, mysql: Database, mysql_database: str, kafka: Broker, topic_prefix: str, same_id: bool
) -> None:
    application = Application(on_server(mysql, mysql_database), seed=3)
    topic = f"{topic_prefix}.{mysql_database}.events"
    lines = []
    for number in range(TAKEOVERS):
        source = mysql_source(mysql.url, mysql_database) | ({} if same_id else {"server_id": 4_000_000_100 + number})
        settings = config(
            "fence", source, kafka_topic(kafka.bootstrap, topic_prefix), f"sqlite:///{tmp_path}/{number}.db",
            f"{mysql_database}.events",
        )  # fmt: skip
        lines.append(Line(tmp_path, settings, f"connector-{number}"))
    application.fill(20)
    with closing(KafkaReader(KafkaSettings(kafka.bootstrap))) as reader:

        def seen() -> list[Published]:
            return published(reader, topic) if reader.partitions(topic) else []

        before = lines[0].start("connect")
        until(lambda: len(seen()) >= 20, "the first has read the table")
        for line in lines[1:]:
            after = line.start("connect")

            def taken_over(before: ForkServerProcess = before) -> bool:
                application.transact(3)
                return not before.is_alive()

            until(taken_over, "the one before has stopped")
            assert before.exitcode == 1
            # A third one that comes while the second is still opening might be the one that is fenced.
            until(lambda line=line: "connected" in said(tmp_path, line), "the later one goes on")
            before = after
        application.transact(30)
        until(lambda: len(seen()) >= len(application.history), "the last has read everything")
        assert seen() == application.history
        before.terminate()
        before.join(60)
        assert before.exitcode == 0
    for line in lines[:-1]:
        last = said(tmp_path, line).strip().splitlines()[-1]
        assert last.startswith("streamtrain: ")
        assert "only one connector may run with this name" in last or "source.server_id" in last
