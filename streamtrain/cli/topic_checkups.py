"""What ``doctor`` looks at in a Kafka cluster: whether what is committed there can be lost again.

https://kafka.apache.org/documentation/#design_ha and #topicconfigs
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from connectors.checks import Check
from streamtrain.cli import build
from streamtrain.config.models import Config
from streamtrain.topic.kafka import BrokerReport, TopicReport, internal_topics, probe
from streamtrain.topic.names import topic_name

# A table without a key is read in one transaction: 15 minutes is what brokers allow by default.
_TRANSACTION_TIMEOUT_MS = 900_000
# An envelope holds a row twice; rows with blobs pass Kafka's default of 1 MB.
_MESSAGE_BYTES = 1_000_000
_SAFE_REPLICAS = 3
_SAFE_IN_SYNC = 2


def topic_checks(config: Config) -> Iterator[Check]:
    """Every check of the topics of this configuration."""
    if config.topic.kind == "file":
        yield Check("topics", "ok", f"files in {config.topic.directory}")
        return
    internal = internal_topics(config.topic.prefix) if config.source.kind != "none" else ()
    report = probe(build.kafka_settings(config), [*_topics(config), *internal])
    if report.problem is not None:
        yield Check("broker", "fail", report.problem.message, "a reachable broker", report.problem.hint or
                    f"start Kafka at {config.topic.bootstrap}, or set topic.bootstrap")  # fmt: skip
        return
    yield from checks_of(report, internal, made=config.source.kind != "none")


def checks_of(report: BrokerReport, internal: Collection[str], *, made: bool) -> Iterator[Check]:
    """The checks of a cluster that answered. ``internal`` topics are the connector's own; ``made``: it makes the others."""
    yield from _broker(report)
    for topic in report.topics:
        if topic.name in internal:
            yield from _internal(topic, report)
        else:
            yield from _changes(topic, report, made=made)


def _topics(config: Config) -> list[str]:
    """The topics whose names the configuration tells: those of patterns are known to the source alone."""
    names = {config.topic_name}
    if config.source.kind != "none":
        plain = (name for name in config.source.include if not set("*?[") & set(name))
        names |= {topic_name(config.topic.prefix, *name.split(".", 1)) for name in plain}
    return sorted(names)


def _broker(report: BrokerReport) -> Iterator[Check]:
    yield Check("broker", "ok", f"{report.brokers} at {report.bootstrap}")
    found = report.transaction_max_timeout_ms
    long_enough = found >= _TRANSACTION_TIMEOUT_MS
    yield Check("transaction.max.timeout.ms", "ok" if long_enough else "warn", str(found), "longer than it takes to read a table "
                "without a key", f"broker setting transaction.max.timeout.ms={_TRANSACTION_TIMEOUT_MS}")  # fmt: skip


def _changes(topic: TopicReport, report: BrokerReport, *, made: bool) -> Iterator[Check]:
    """A topic of changes."""
    if not topic.exists:
        yield Check(
            f"topic {topic.name}", "ok" if made else "warn", "does not exist yet", "it is made by `streamtrain connect`"
        )
        return
    yield Check(f"topic {topic.name}", "ok", f"{topic.partitions} partition(s), replication {topic.replication}")
    compacted = "compact" in topic.cleanup_policy
    yield Check(
        f"cleanup.policy of {topic.name}",
        "warn" if compacted else "ok",
        topic.cleanup_policy,
        "delete: a compacted topic cannot be replayed as it was learned",
        _setting(topic, "cleanup.policy=delete"),
    )
    for_ever = topic.retention_ms == -1 and topic.retention_bytes == -1
    yield Check(
        f"retention of {topic.name}",
        "ok" if for_ever else "warn",
        f"retention.ms {topic.retention_ms}, retention.bytes {topic.retention_bytes}",
        "-1, or longer than the oldest checkpoint is to be replayed",
        _setting(topic, "retention.ms=-1,retention.bytes=-1"),
    )
    yield Check(
        f"max.message.bytes of {topic.name}",
        "ok" if topic.max_message_bytes >= _MESSAGE_BYTES else "warn",
        str(topic.max_message_bytes),
        "more than twice the largest row",
        _setting(topic, "max.message.bytes=10485760"),
    )
    yield from _durability(topic, report)


def _internal(topic: TopicReport, report: BrokerReport) -> Iterator[Check]:
    """A topic that holds the connector's position or notes: its newest records must never expire."""
    if not topic.exists:
        return
    expires = topic.cleanup_policy != "compact"
    yield Check(
        f"cleanup.policy of {topic.name}",
        "fail" if expires else "ok",
        topic.cleanup_policy,
        "compact alone: by any other the connector's position expires, and the tables are read again",
        _setting(topic, "cleanup.policy=compact"),
    )
    yield from _durability(topic, report)


def _durability(topic: TopicReport, report: BrokerReport) -> Iterator[Check]:
    """Whether a record that was acknowledged outlives the loss of a broker."""
    yield Check(
        f"unclean.leader.election.enable of {topic.name}",
        "fail" if topic.unclean_leader_election else "ok",
        str(topic.unclean_leader_election).lower(),
        "false: else a broker that lags may take over, and what it lacks is lost after it was committed",
        _setting(topic, "unclean.leader.election.enable=false"),
    )
    if topic.replication < _SAFE_REPLICAS <= report.brokers:
        yield Check(
            f"replication of {topic.name}",
            "warn",
            str(topic.replication),
            f"{_SAFE_REPLICAS}, as there are {report.brokers} brokers: the loss of one must lose no records",
            f"kafka-reassign-partitions with three replicas each; topic.replication: {_SAFE_REPLICAS} for new topics",
        )
    if topic.replication >= _SAFE_REPLICAS or topic.min_insync_replicas > topic.replication:
        yield _in_sync(topic)


def _in_sync(topic: TopicReport) -> Check:
    least, most = min(_SAFE_IN_SYNC, topic.replication), max(1, topic.replication - 1)
    return Check(
        f"min.insync.replicas of {topic.name}",
        "ok" if least <= topic.min_insync_replicas <= topic.replication else "fail",
        str(topic.min_insync_replicas),
        f"{least} to {most}, of {topic.replication} replicas: with fewer a committed record may be on one broker alone, "
        "with more than there are nothing can be written",
        _setting(topic, f"min.insync.replicas={most}"),
    )


def _setting(topic: TopicReport, change: str) -> str:
    return f"kafka-configs --alter --topic {topic.name} --add-config {change}"
