"""What ``doctor`` says of topics that would lose what was committed to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined] # public, but the library does not mark it so

from connectors.checks import Check
from streamtrain.cli.topic_checkups import checks_of, topic_checks
from streamtrain.config.models import Config
from streamtrain.topic.kafka import BrokerReport, TopicReport, internal_topics
from tests.servers import Broker

SAFE: dict[str, Any] = {
    "exists": True, "partitions": 1, "replication": 3, "cleanup_policy": "delete", "retention_ms": -1,
    "retention_bytes": -1, "min_insync_replicas": 2, "unclean_leader_election": False, "max_message_bytes": 2_000_000,
}  # fmt: skip


def config(bootstrap: str = "127.0.0.1:9092", prefix: str = "shop", *include: str) -> Config:
    return Config.model_validate({
        "name": "shop", "examples": {"from": "shop.events", "label": "clicked"},
        "source": {"kind": "mysql", "url": "mysql://u:p@h", "include": ["shop.events", *include]},
        "topic": {"kind": "kafka", "bootstrap": bootstrap, "prefix": prefix},
    })  # fmt: skip


def amiss(topic: TopicReport, brokers: int = 3) -> dict[str, Check]:
    report = BrokerReport("h:1", None, brokers, 900_000, (topic,))
    checks = checks_of(report, internal_topics("shop"), made=True)
    return {check.name: check for check in checks if check.status != "ok"}


def test_a_topic_that_keeps_everything_has_no_finding() -> None:
    assert amiss(TopicReport("shop.shop.events", **SAFE)) == {}
    alone = SAFE | {"replication": 1, "min_insync_replicas": 1}
    assert amiss(TopicReport("shop.shop.events", **alone), brokers=1) == {}
    position = SAFE | {"cleanup_policy": "compact", "retention_ms": 604_800_000}
    assert amiss(TopicReport(internal_topics("shop")[0], **position)) == {}


@pytest.mark.parametrize(
    ("wrong", "name", "status", "mended"),
    [
        ({"unclean_leader_election": True}, "unclean.leader.election.enable", "fail", "enable=false"),
        ({"min_insync_replicas": 1}, "min.insync.replicas", "fail", "min.insync.replicas=2"),
        ({"min_insync_replicas": 4}, "min.insync.replicas", "fail", "min.insync.replicas=2"),
        ({"replication": 1, "min_insync_replicas": 2}, "min.insync.replicas", "fail", "min.insync.replicas=1"),
        ({"replication": 2, "min_insync_replicas": 1}, "replication", "warn", "kafka-reassign-partitions"),
        ({"retention_ms": 3_600_000}, "retention", "warn", "retention.ms=-1"),
        ({"retention_bytes": 1 << 30}, "retention", "warn", "retention.bytes=-1"),
        ({"cleanup_policy": "compact,delete"}, "cleanup.policy", "warn", "cleanup.policy=delete"),
        ({"max_message_bytes": 1000}, "max.message.bytes", "warn", "max.message.bytes="),
    ],
)
def test_each_setting_that_loses_records_is_named_with_what_mends_it(
    wrong: dict[str, Any], name: str, status: str, mended: str
) -> None:
    found = amiss(TopicReport("shop.shop.events", **(SAFE | wrong)))
    check = found[f"{name} of shop.shop.events"]
    assert (check.status, mended in check.remedy) == (status, True)
    assert set(found) - {check.name} <= {"replication of shop.shop.events"}


@pytest.mark.parametrize("topic", internal_topics("shop"))
def test_a_topic_of_the_connectors_own_must_not_expire(topic: str) -> None:
    found = amiss(TopicReport(topic, **SAFE))
    assert {name: check.status for name, check in found.items()} == {f"cleanup.policy of {topic}": "fail"}


@pytest.mark.servers
def test_a_brokers_topics_are_looked_at_by_name(kafka: Broker, topic_prefix: str) -> None:
    positions = internal_topics(topic_prefix)[0]
    admin = kafka.admin()
    made = admin.create_topics([
        NewTopic(f"{topic_prefix}.shop.events", 1, 1, config={"unclean.leader.election.enable": "true"}),
        NewTopic(f"{topic_prefix}.shop.orders", 1, 1, config={"retention.ms": "1000"}),
        NewTopic(positions, 1, 1),
    ])  # fmt: skip
    for done in made.values():
        done.result()
    checks = list(topic_checks(config(kafka.bootstrap, topic_prefix, "shop.orders", "shop.other*")))
    assert {check.name.replace(topic_prefix, "PREFIX"): check.status for check in checks if check.status != "ok"} == {
        "unclean.leader.election.enable of PREFIX.shop.events": "fail",
        "retention of PREFIX.shop.events": "warn",
        "retention of PREFIX.shop.orders": "warn",
        f"cleanup.policy of {positions.replace(topic_prefix, 'PREFIX')}": "fail",
    }


def test_topics_in_files_are_told_as_such(tmp_path: Path) -> None:
    files = Config.model_validate(
        config().model_dump(by_alias=True) | {"topic": {"kind": "file", "directory": tmp_path, "prefix": "shop"}}
        | {"source": {"kind": "none"}}
    )  # fmt: skip
    assert [check.status for check in topic_checks(files)] == ["ok"]
