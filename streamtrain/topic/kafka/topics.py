"""Making topics, and asking how they are set."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # public, but the library does not mark it so
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicDescription,
)

from streamtrain.errors import TopicUnavailable
from streamtrain.topic.kafka.clients import open_admin
from streamtrain.topic.kafka.errors import Reports, kafka_errors, translate
from streamtrain.topic.kafka.settings import KafkaSettings

CHANGES: Mapping[str, str] = {"cleanup.policy": "delete", "retention.ms": "-1"}
"""A topic of changes keeps everything: a replay reads it from the beginning."""

LATEST_ONLY: Mapping[str, str] = {
    "cleanup.policy": "compact",
    # One record a transaction and only the last one counts: small segments let the cleaner at the rest.
    "segment.bytes": str(16 << 20),
    "min.cleanable.dirty.ratio": "0.1",
}

_LOOK_AGAIN_S = 0.01
_LOOK_AT_REPORTS_S = 0.2


class Topics:
    """The topics of one cluster, over one admin connection."""

    def __init__(self, settings: KafkaSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock, self._reports = settings, clock, Reports()
        self._admin = open_admin(settings, self._reports)

    def ensure(self, topic: str, partitions: int, replication: int, config: Mapping[str, str]) -> None:
        """Create the topic unless it is there, and wait until it can be written. What is there stays as it is.

        With three replicas or more ``min.insync.replicas`` is one less, so that no single broker can lose a commit.
        """
        if self._leads_everywhere(topic):
            return
        safe = {"min.insync.replicas": str(replication - 1)} if replication >= 3 else {}
        new = NewTopic(topic, partitions, replication, config={**config, **safe})
        with kafka_errors(f"creating topic {topic} on Kafka at {self._settings.bootstrap}", self._reports):
            created = self._admin.create_topics([new], request_timeout=self._settings.timeout_s)
            try:
                self._result(created[topic])
            except KafkaException as exception:
                if exception.args[0].name() != "TOPIC_ALREADY_EXISTS":
                    raise
        deadline = self._clock() + self._settings.timeout_s
        while not self._leads_everywhere(topic):
            if self._clock() > deadline:
                raise TopicUnavailable(
                    f"topic {topic} has no leader after {self._settings.timeout_s:g} s", hint="check the broker's log"
                )
            self._admin.poll(_LOOK_AGAIN_S)

    def describe(self, topic: str) -> TopicDescription | None:
        """Partitions with their leaders and replicas; None if the topic does not exist."""
        described = self._admin.describe_topics(TopicCollection([topic]), request_timeout=self._settings.timeout_s)
        try:
            description: TopicDescription = self._result(described[topic])
        except KafkaException as exception:
            if exception.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                return None
            doing = f"describing topic {topic} on Kafka at {self._settings.bootstrap}"
            raise translate(self._reports.cause(exception.args[0]), doing) from exception
        return description

    def config(self, topic: str) -> dict[str, str]:
        """The settings in force for a topic, by their names."""
        return self._config(ConfigResource(ResourceType.TOPIC, topic))

    def brokers(self) -> list[int]:
        """The ids of the brokers that are up."""
        with kafka_errors(f"asking Kafka at {self._settings.bootstrap} for its brokers", self._reports):
            cluster = self._result(self._admin.describe_cluster(request_timeout=self._settings.timeout_s))
            return sorted(node.id for node in cluster.nodes)

    def transaction_timeout_limit_ms(self) -> int:
        """The brokers' ``transaction.max.timeout.ms``."""
        broker = ConfigResource(ResourceType.BROKER, str(self.brokers()[0]))
        return int(self._config(broker)["transaction.max.timeout.ms"])

    def await_visible(self, topics: Collection[str]) -> None:
        """Wait until all that is in ``topics`` now, committed or aborted, is behind the end that committed readers see.

        A broker acknowledges a commit before it has written the markers that show it. Raises TopicUnavailable, also if
        another writer's open transaction holds the end back for longer.
        """
        partitions = [place for topic in topics for place in self._partitions(topic)]
        written = self._ends(partitions, IsolationLevel.READ_UNCOMMITTED)
        deadline = self._clock() + self._settings.timeout_s
        while any(
            seen < end for seen, end in zip(self._ends(partitions, IsolationLevel.READ_COMMITTED), written, strict=True)
        ):
            if self._clock() > deadline:
                raise TopicUnavailable(
                    f"what was committed to {', '.join(sorted(topics))} is not visible after {self._settings.timeout_s:g} s",
                    hint="another writer's transaction is open on these topics, or the broker is busy",
                )
            self._admin.poll(_LOOK_AGAIN_S)

    def _partitions(self, topic: str) -> list[KafkaPartition]:
        description = self.describe(topic)
        return [] if description is None else [KafkaPartition(topic, each.id) for each in description.partitions]

    def _ends(self, partitions: Sequence[KafkaPartition], level: IsolationLevel) -> list[int]:
        with kafka_errors(f"asking Kafka at {self._settings.bootstrap} for the ends of topics", self._reports):
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call] # the library has not annotated it
            asked = self._admin.list_offsets(
                dict.fromkeys(partitions, latest), isolation_level=level, request_timeout=self._settings.timeout_s
            )
            return [self._result(asked[partition]).offset for partition in partitions]

    def _leads_everywhere(self, topic: str) -> bool:
        description = self.describe(topic)
        return description is not None and all(partition.leader for partition in description.partitions)

    def _config(self, resource: ConfigResource) -> dict[str, str]:
        doing = f"asking Kafka at {self._settings.bootstrap} how {resource.name} is set"
        with kafka_errors(doing, self._reports):
            described = self._admin.describe_configs([resource], request_timeout=self._settings.timeout_s)
            return {name: entry.value for name, entry in self._result(described[resource]).items()}

    def _result(self, future: Future[Any]) -> Any:
        """What was asked for. If it fails, the reports that came with it are taken in; one that says why ends the wait."""
        while True:
            try:
                return future.result(_LOOK_AT_REPORTS_S)
            except KafkaException:
                self._reports.collect(self._admin.poll)
                raise
            except TimeoutError:
                self._reports.collect(self._admin.poll)
                if self._reports.decisive is not None:
                    raise KafkaException(self._reports.decisive) from None
