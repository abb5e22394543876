"""The whole line where there is only MongoDB, as source and for the state: killed at every step of capture and of training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamtrain.faults import CAPTURE_STEPS
from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.document_application import DocumentApplication
from tests.fault.lines import config, kafka_topic
from tests.fault.test_outages import until
from tests.line import Line, Published, published
from tests.servers import Broker
from tests.servers.mongo import Mongo

FEATURES = {"user.id": "categorical", "price": "numeric", "user.device": "categorical"}
KILLED_AT = ("train.learned", "checkpoint.committed")
"""All steps are tried on every kind of state database in ``test_training_kills``."""


class MongoLine:
    """A line on databases of one MongoDB, its topics in Kafka."""

    def __init__(self, mongo: Mongo, database: str, kafka: Broker, prefix: str, directory: Path) -> None:
        self._mongo, self._database, self._kafka, self._prefix = mongo, database, kafka, prefix
        self.directory = directory
        self.application = DocumentApplication(mongo.url, database, seed=1)

    def named(self, name: str, **of_source: Any) -> Line:
        """A run of that name; all of them capture and learn the same."""
        source = {
            "kind": "mongo", "url": self._mongo.url, "include": [f"{self._database}.events"], "commit_rows": 5,
            "commit_ms": 20, "store": "documents.db", **of_source,
        }  # fmt: skip
        topic, state = kafka_topic(self._kafka.bootstrap, self._prefix), self._mongo.database_url(self._database)
        whole: dict[str, Any] = config(name, source, topic, state, f"{self._database}.events")
        whole["examples"]["features"] = FEATURES
        return Line(self.directory, whole, name)

    def check_published(self) -> None:
        """The topic is the history of the collection: nothing is missing, nothing there twice."""
        assert self.published(f"{self._database}.events") == self.application.history

    def published(self, topic: str) -> list[Published]:
        """What a topic of this line has."""
        with closing(KafkaReader(KafkaSettings(self._kafka.bootstrap))) as reader:
            return published(reader, f"{self._prefix}.{topic}")


@pytest.fixture
def whole(mongo: Mongo, kafka: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[MongoLine]:
    with mongo.fresh_database() as database:
        line = MongoLine(mongo, database, kafka, topic_prefix, tmp_path)
        with closing(line.application):
            yield line


@pytest.mark.parametrize("step", CAPTURE_STEPS)
def test_a_kill_at_any_step_of_capture_loses_nothing_and_doubles_nothing(whole: MongoLine, step: str) -> None:
    line, application = whole.named("kills"), whole.application
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
    whole.check_published()


def test_what_is_learned_over_kills_is_what_an_undisturbed_run_learns(whole: MongoLine) -> None:
    line, application = whole.named("killed"), whole.application
    application.fill(40)
    for step in KILLED_AT:
        line.run("connect", "--until-caught-up")
        line.run("train", "--until-caught-up", crash_at=f"{step}:1")
        assert line.crashed, f"{step} was never passed"
        application.transact(30)
    line.run("connect", "--until-caught-up")
    line.run("train", "--until-caught-up")
    whole.check_published()
    undisturbed = whole.named("undisturbed")
    undisturbed.run("train", "--until-caught-up")
    found, expected = (each.json("checkpoints")[-1] for each in (line, undisturbed))
    same = ("state_sha256", "weights_sha256", "events", "offsets")
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    assert found["events"] == sum(1 for one in application.history if one.op is not None)


def test_a_record_that_the_broker_does_not_take_stops_or_is_a_dead_letter(whole: MongoLine) -> None:
    application = whole.application
    application.fill(3)
    large = {"_id": 1_000, "noise": random.Random(1).randbytes(3_000_000).hex()}
    application.collection.insert_one(large)
    line = whole.named("stops")
    line.run("connect", "--until-caught-up", check=False)
    assert line.returncode == 1
    assert "max.message.bytes" in line.stderr
    whole.named("goes-on", max_record_bytes=1_000_000).run("connect", "--until-caught-up")
    application.transact(10)
    line.run("connect", "--until-caught-up")
    whole.check_published()
    assert [letter.key["key"] for letter in whole.published("dead-letters")] == [{"id": "1000"}]


@pytest.mark.timeout(180)
def test_up_keeps_a_line_on_mongodb_alone_running_and_its_doctor_finds_nothing_amiss(whole: MongoLine) -> None:
    line, application = whole.named("up"), whole.application
    application.fill(20)
    checks = {check["name"]: check["status"] for check in line.json("doctor")}
    assert "fail" not in checks.values(), checks
    with line.running("up") as process:
        until(lambda: bool(line.json("checkpoints")), "the run has begun")
        application.transact(25)
        expected = sum(1 for one in application.history if one.op is not None)
        until(lambda: line.json("status")["events"] == expected, "everything is learned")
    assert process.exitcode == 0
    asked = whole.directory / "asked.jsonl"
    asked.write_text(
        '{"user": {"id": 3, "device": "tab"}, "price": 7}\n{"user.id": 3, "user.device": "tab", "price": 7}\n'
    )
    as_document, as_row = line.run("predict", str(asked)).splitlines()
    assert as_document == as_row
    whole.check_published()
