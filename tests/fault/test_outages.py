"""Broker, source and state database go away and come back: retried, visible in ``status``, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from streamtrain.topic.kafka.writer import COMMIT_GRACE_S
from tests.application import Application, on_server
from tests.fault.lines import config, kafka_topic, mysql_source
from tests.line import Line, published
from tests.servers import PrivateKafka, PrivateMySQL

DEADLINE_S = 90.0


def until(met: Callable[[], bool], what: str) -> None:
    """Look again and again until it is so; the wait is for other processes, which tell nobody."""
    end = time.monotonic() + DEADLINE_S
    while not met():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.1)


class Servers:
    """A source, a state server and a broker of the test's own."""

    def __init__(self, directory: Path, source: PrivateMySQL, state: PrivateMySQL, kafka: PrivateKafka) -> None:
        self.source, self.state, self.kafka = source, state, kafka
        source.execute("CREATE DATABASE shop")
        state.execute("CREATE DATABASE streamtrain")
        self.application = Application(on_server(source, "shop"), seed=5)
        self.topic = "shop.shop.events"
        settings = config(
            "outage",
            mysql_source(source.url, "shop"),
            kafka_topic(kafka.bootstrap, "shop"),
            f"{state.url}/streamtrain",
            "shop.events",
        )
        settings["retry"] = {"initial_s": 0.1, "max_s": 1}
        self.line = Line(directory, settings)

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = self.line.json("status")
        return document

    def learned(self) -> int:
        return int(self.status()["events"])

    def state_of(self, component: str) -> str:
        return str(self.status()["components"].get(component, {}).get("state"))

    def write_until_the_connector_begins_again(self) -> None:
        """Keep up the load for longer than the producer waits by itself: for a delivery, and for the commit."""
        settings = KafkaSettings(self.kafka.bootstrap)
        end = time.monotonic() + settings.timeout_s + COMMIT_GRACE_S + 1.0

        def written() -> bool:
            self.application.transact(3)
            return time.monotonic() > end and self.state_of("connector") == "retrying"

        until(written, "the connector gives up its transaction")


@pytest.fixture
def servers(
    tmp_path: Path, private_mysql: Callable[..., PrivateMySQL], private_kafka: Callable[..., PrivateKafka]
) -> Servers:
    return Servers(tmp_path, private_mysql(), private_mysql(), private_kafka())


@pytest.mark.timeout(600)
def test_each_server_may_go_and_come_back_and_nothing_is_lost(servers: Servers) -> None:
    application, line = servers.application, servers.line
    application.fill(30)
    with line.running("connect"), line.running("train"):
        until(lambda: servers.learned() == 30, "the snapshot is learned")

        application.transact(20)
        servers.kafka.kill()
        servers.write_until_the_connector_begins_again()
        asked_s = time.monotonic()
        assert "error" in servers.status()["lag"]
        assert time.monotonic() - asked_s < 20, "status waits for a broker that is away"
        servers.kafka.restart()
        expected = _events(application)
        until(lambda: servers.learned() == expected, "what came while the broker was away is learned")

        servers.source.kill()
        until(lambda: servers.state_of("connector") == "retrying", "the lost source is seen")
        servers.source.restart()
        application.transact(20)
        expected = _events(application)
        until(lambda: servers.learned() == expected, "what came after the source was back is learned")

        servers.state.kill()
        application.transact(20)
        servers.state.restart()
        expected = _events(application)
        until(lambda: servers.learned() == expected, "what came while the state database was away is learned")
    with ExitStack() as closing:
        reader = KafkaReader(KafkaSettings(servers.kafka.bootstrap))
        closing.callback(reader.close)
        assert published(reader, servers.topic) == application.history
    proof = line.json("replay", "--from", "beginning", "--verify")
    assert proof["events"] == _events(application)


def test_an_outage_longer_than_the_deadline_ends_with_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    settings = config(
        "nowhere",
        mysql_source("mysql://someone:geheim@127.0.0.1:1", "shop"),
        {"kind": "file", "directory": str(tmp_path / "topics"), "prefix": "shop"},
        f"sqlite:///{tmp_path}/state.db",
        "shop.events",
    )
    settings["retry"] = {"initial_s": 0.1, "max_s": 0.2, "deadline_s": 1}
    line = Line(tmp_path, settings)
    line.run("connect", check=False)
    assert line.returncode == 1
    last = line.stderr.strip().splitlines()[-1]
    assert last.startswith("streamtrain: ")
    assert "127.0.0.1:1" in last
    assert "geheim" not in line.stderr
    assert line.json_of_failed_status()["components"]["connector"]["state"] == "failed"


def _events(application: Application) -> int:
    return sum(1 for one in application.history if one.op is not None)
