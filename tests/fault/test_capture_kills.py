"""SIGKILL between every two steps of capture: the topic ends as the table's history, nothing lost, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrain.faults import CAPTURE_STEPS
from streamtrain.topic.base import TopicReader
from streamtrain.topic.file import FileReader
from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.application import Application, on_server, on_sqlite
from tests.fault.lines import config, file_topic, kafka_topic, mysql_source, sqlite_source
from tests.line import Line, published


@pytest.fixture(params=["sqlite to files", "mysql to kafka", "mariadb to kafka"])
def capture(
    request: pytest.FixtureRequest, tmp_path: Path, topic_prefix: str
) -> tuple[Line, Application, TopicReader, str]:
    state = f"sqlite:///{tmp_path}/state.db"
    if request.param == "sqlite to files":
        file = tmp_path / "app.db"
        application = Application(on_sqlite(file), seed=1)
        topics = file_topic(tmp_path / "topics", topic_prefix)
        line = Line(tmp_path, config("kills", sqlite_source(file), topics, state, "main.events"))
        return line, application, FileReader(tmp_path / "topics"), f"{topic_prefix}.main.events"
    kind = request.param.split()[0]
    server, kafka = request.getfixturevalue(kind), request.getfixturevalue("kafka")
    database = request.getfixturevalue(f"{kind}_database")
    application = Application(on_server(server, database), seed=1)
    topics = kafka_topic(kafka.bootstrap, topic_prefix)
    line = Line(tmp_path, config("kills", mysql_source(server.url, database), topics, state, f"{database}.events"))
    return line, application, KafkaReader(KafkaSettings(kafka.bootstrap)), f"{topic_prefix}.{database}.events"


@pytest.mark.parametrize("step", CAPTURE_STEPS)
def test_a_kill_at_any_step_loses_nothing_and_doubles_nothing(
    capture: tuple[Line, Application, TopicReader, str], step: str
) -> None:
    line, application, reader, topic = capture
    application.fill(12)
    line.run("connect", "--until-caught-up", crash_at=f"{step}:1")
    assert line.crashed, "the step was never passed in the snapshot"
    line.run("connect", "--until-caught-up")
    for _ in range(4):
        application.transact(6)
    passes = 1 if step == "capture.opened" else 2
    line.run("connect", "--until-caught-up", crash_at=f"{step}:{passes}")
    assert line.crashed, "the step was never passed in the stream"
    application.transact(40)
    line.run("connect", "--until-caught-up")
    line.run("connect", "--until-caught-up")
    try:
        assert published(reader, topic) == application.history
    finally:
        reader.close()
