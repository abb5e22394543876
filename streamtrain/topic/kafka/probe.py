"""What ``doctor`` asks a cluster: is it there, and would its topics lose anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamtrain.errors import StreamtrainError
from streamtrain.topic.kafka.settings import KafkaSettings
from streamtrain.topic.kafka.topics import Topics


@dataclass(frozen=True, slots=True)
class TopicReport:
    """How one topic is set. All but ``name`` is zero or empty if it does not exist."""

    name: str
    exists: bool
    partitions: int = 0
    replication: int = 0
    """Of the partition that has the fewest replicas."""
    cleanup_policy: str = ""
    retention_ms: int = 0
    """-1: records are kept for ever."""
    retention_bytes: int = 0
    """-1: records are kept whatever their size."""
    min_insync_replicas: int = 0
    unclean_leader_election: bool = False
    max_message_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What a cluster said. If it is not ``reachable``, ``problem`` says why and nothing else is filled."""

    bootstrap: str
    problem: StreamtrainError | None = None
    brokers: int = 0
    transaction_max_timeout_ms: int = 0
    topics: tuple[TopicReport, ...] = ()

    @property
    def reachable(self) -> bool:
        return self.problem is None


def probe(settings: KafkaSettings, topics: Sequence[str]) -> BrokerReport:
    """Ask the cluster about itself and about ``topics``.

    Needs DESCRIBE and DESCRIBE_CONFIGS on the topics and on the cluster; ``problem`` says what is missing.
    """
    try:
        cluster = Topics(settings)
        brokers = len(cluster.brokers())
        limit = cluster.transaction_timeout_limit_ms()
        reports = tuple(_report(cluster, topic) for topic in topics)
    except StreamtrainError as problem:
        return BrokerReport(settings.bootstrap, problem=problem)
    return BrokerReport(settings.bootstrap, None, brokers, limit, reports)


def _report(cluster: Topics, name: str) -> TopicReport:
    description = cluster.describe(name)
    if description is None:
        return TopicReport(name, exists=False)
    config = cluster.config(name)
    return TopicReport(
        name,
        exists=True,
        partitions=len(description.partitions),
        replication=min(len(partition.replicas) for partition in description.partitions),
        cleanup_policy=config["cleanup.policy"],
        retention_ms=int(config["retention.ms"]),
        retention_bytes=int(config["retention.bytes"]),
        min_insync_replicas=int(config["min.insync.replicas"]),
        unclean_leader_election=config["unclean.leader.election.enable"] == "true",
        max_message_bytes=int(config["max.message.bytes"]),
    )
