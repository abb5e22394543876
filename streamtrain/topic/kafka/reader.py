"""The reading side of Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamtrain.errors import FatalError, PositionLost, StreamtrainError
from streamtrain.topic.base import Records, TopicPartition, Watermarks
from streamtrain.topic.checks import check_offset, missing
from streamtrain.topic.kafka.clients import open_consumer
from streamtrain.topic.kafka.errors import Reports, kafka_errors, kind_of, translate
from streamtrain.topic.kafka.settings import KafkaSettings
from streamtrain.topic.names import check_name

PROBE_S = 2.0
"""How long a broker that was reported lost is given to answer before poll raises TopicUnavailable."""

CONSUME_AT_MOST = 1_000_000  # the library takes no larger number

# A question is asked in turns, each twice as long: what is reported between them may say that no waiting helps.
_FIRST_TURN_S = 1.0
_REST_S = 0.05
_AWAY = frozenset({"_ALL_BROKERS_DOWN", "_TIMED_OUT", "_TRANSPORT"})
_ABSENT = frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_PARTITION", "_UNKNOWN_TOPIC"})

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Columns:
    """What one poll has given of one partition."""

    next_offset: int = 0
    offsets: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)


class KafkaReader:
    """Reads committed records from the offsets it is given; the consumer group's offsets are never used.

    Commit markers and aborted records take up offsets without being records. librdkafka reports the end of a partition
    with the offset behind all of them, which is how ``next_offset`` comes to pass them.

    After TopicUnavailable it may simply be polled again: it goes on by itself, losing nothing, once the broker is back.
    """

    def __init__(self, settings: KafkaSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock, self._reports = settings, clock, Reports()
        self._consumer = open_consumer(settings, self._reports)
        self._next: dict[TopicPartition, int] = {}
        self._failure: StreamtrainError | None = None
        self._held: list[Any] = []
        self._closed = False

    def partitions(self, topic: str) -> list[int]:
        check_name(topic)
        doing = f"asking Kafka at {self._settings.bootstrap} for the partitions of {topic}"
        try:
            found = self._asked(lambda turn_s: self._consumer.list_topics(topic, turn_s), self._settings.timeout_s)
        except KafkaException as exception:
            raise translate(exception.args[0], doing) from exception
        description = found.topics[topic]
        if description.error is None:
            return sorted(description.partitions)
        if description.error.name() in _ABSENT:
            return []
        raise translate(description.error, doing)

    def watermarks(self, source: TopicPartition) -> Watermarks:
        return self._watermarks(source, self._settings.timeout_s)

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        for source, offset in offsets.items():
            check_offset(source, offset, self.watermarks(source))
        with kafka_errors("assigning partitions", self._reports):
            self._consumer.assign([KafkaPartition(at.topic, at.partition, offset) for at, offset in offsets.items()])
        self._next, self._failure, self._held = dict(offsets), None, []

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        self._raise_failure()
        with kafka_errors(f"reading from Kafka at {self._settings.bootstrap}", self._reports):
            messages = self._messages(max_records, timeout_s)
        if not messages:
            self._check_brokers()
            return []
        batches = self._batches(messages)
        if not batches:
            self._raise_failure()
        return batches

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _messages(self, most: int, timeout_s: float) -> list[Any]:
        """Up to ``most`` messages and events, waiting for the first.

        They are ``Any`` because the library's stubs give None as possible where a fetched message never has it.
        """
        messages, self._held = self._held[:most], self._held[most:]
        if not messages:
            first = self._consumer.poll(timeout_s)
            messages = [first] if first is not None else []
        # consume() waits until it has all that it may return, or not at all.
        more = min(most - len(messages), CONSUME_AT_MOST) if messages else 0
        return [*messages, *self._consumer.consume(more, 0)] if more else messages

    def _raise_failure(self) -> None:
        """Raise, once, the error that came among messages."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _batches(self, messages: Iterable[Any]) -> list[Records]:
        """The messages by partition. An error among them is kept for later: the records beside it were taken already."""
        found: dict[tuple[str, int], _Columns] = {}
        for message in messages:
            place = (message.topic(), message.partition())
            columns = found.get(place)
            if columns is None:
                columns = found[place] = _Columns()
            error = message.error()
            if error is not None:
                self._take_event(error, message, columns)
                continue
            offset = message.offset()
            columns.offsets.append(offset)
            columns.keys.append(message.key())
            columns.values.append(message.value())
            columns.timestamps_ms.append(message.timestamp()[1])
            columns.next_offset = offset + 1
        batches = (self._records(TopicPartition(*place), columns) for place, columns in found.items())
        return [batch for batch in batches if batch is not None]

    def _take_event(self, error: KafkaError, message: Any, columns: _Columns) -> None:
        if error.name() == "_PARTITION_EOF":
            columns.next_offset = message.offset()
        elif kind_of(error) is PositionLost:
            self._failure = self._lost(TopicPartition(message.topic(), message.partition()), error)
        else:
            self._failure = translate(error, f"reading {message.topic() or 'from Kafka'}")

    def _records(self, source: TopicPartition, columns: _Columns) -> Records | None:
        begin = self._next.get(source)
        if begin is None or columns.next_offset in {0, begin}:
            return None
        if columns.next_offset < begin or (columns.offsets and columns.offsets[0] < begin):
            raise FatalError(
                f"{source} went back from offset {begin} to {min([columns.next_offset, *columns.offsets])}",
                hint="the client or the broker broke its promise of order: report it, with the broker's version",
            )
        self._next[source] = columns.next_offset
        return Records(
            source, columns.offsets, columns.keys, columns.values, columns.timestamps_ms, columns.next_offset
        )

    def _watermarks(self, source: TopicPartition, timeout_s: float) -> Watermarks:
        """The log's start and its last stable offset: it is what ``isolation.level`` makes the broker answer with."""
        place = KafkaPartition(source.topic, source.partition)
        try:
            return Watermarks(
                *self._asked(lambda turn_s: self._consumer.get_watermark_offsets(place, turn_s), timeout_s)
            )
        except KafkaException as exception:
            if exception.args[0].name() in _ABSENT:
                raise missing(source) from exception
            raise translate(exception.args[0], f"asking Kafka for the ends of {source}") from exception

    def _asked(self, ask: Callable[[float], Answer], timeout_s: float) -> Answer:
        """What ``ask(seconds)`` gives within ``timeout_s``. Raises KafkaException with the cause, as soon as it is known."""
        deadline, turn_s = self._clock() + timeout_s, _FIRST_TURN_S
        while True:
            began = self._clock()
            try:
                return ask(min(turn_s, max(deadline - began, _REST_S)))
            except KafkaException as exception:
                # A client that does not even wait knows that no broker is there.
                waited = self._clock() - began >= turn_s
                error = self._cause(exception)
                if self._reports.hopeless or error.name() not in _AWAY or not waited or self._clock() >= deadline:
                    raise KafkaException(error) from exception
            turn_s *= 2

    def _cause(self, exception: KafkaException) -> KafkaError:
        """Why a call failed. Reports come in by polling; a message that comes with them is held for the next poll."""
        message = self._reports.collect(lambda _: self._consumer.poll(_REST_S))
        if message is not None:
            self._held.append(message)
        return self._reports.cause(exception.args[0])

    def _lost(self, source: TopicPartition, error: KafkaError) -> StreamtrainError:
        try:
            check_offset(source, self._next[source], self._watermarks(source, PROBE_S))
        except StreamtrainError as found:
            return found
        return translate(error, f"reading {source} from offset {self._next[source]}")

    def _check_brokers(self) -> None:
        """Nothing came. If a broker was reported lost since, ask: it answers, or the caller is told."""
        if self._reports.latest is None:
            return
        for source in self._next:
            self._watermarks(source, PROBE_S)
        self._reports.forget()
