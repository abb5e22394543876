"""The writing side of Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from streamtrain import log
from streamtrain.errors import FatalError, FencedOut, StreamtrainError, TopicUnavailable
from streamtrain.topic.base import NO_NOTES, Message, Messages
from streamtrain.topic.kafka.clients import leave, open_producer
from streamtrain.topic.kafka.errors import Reports, called_back, kafka_errors, translate
from streamtrain.topic.kafka.positions import PREFIX, kept_notes, last_position, notes_topic, positions_topic
from streamtrain.topic.kafka.settings import KafkaSettings
from streamtrain.topic.kafka.topics import CHANGES, LATEST_ONLY, Topics
from streamtrain.topic.names import MAX_NAME_LENGTH, check_name

ROOM_S = 0.1
"""How long to wait at a time for the client's queue to drain."""

INIT_S = 0.5
"""How long to wait at a time for the transactional id, between looks at what the client reports."""

COMMIT_GRACE_S = 2.0
"""How much longer than a delivery a commit may take: what is not delivered in time is then the reason it fails."""

CAUSE_S = 5.0
"""How long the client may take to tell why a transaction failed, which it knows."""

CLOSE_S = 3.0
"""How long each of the things that closing waits for may take."""


class KafkaWriter:
    """Writes transactions under the transactional id ``streamtrain-NAME``, which fences the writer before this one.

    The source's position is a record of the topic ``__streamtrain-positions.NAME`` in the same transaction, its notes are
    records of ``__streamtrain-notes.NAME``. A topic that ``ensure_topic`` creates gets ``partitions`` and
    ``replication``; keys are spread over partitions as by Java's default partitioner (murmur2).

    A commit is durable when ``commit`` returns; the broker writes its markers, which show it to readers, moments later.
    ``close`` waits for them, so that a reader which is opened afterwards sees everything.

    Opening raises TopicUnavailable, AccessDenied, or ConfigError if the broker refuses the settings. After any error but
    a wrong use, only ``close`` makes sense.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        name: str,
        partitions: int = 1,
        replication: int = 1,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = check_name(name, "writer", max_length=MAX_NAME_LENGTH - len(PREFIX))
        self._partitions, self._replication, self._clock = partitions, replication, clock
        self._settings, self._reports, self._refusals = settings, Reports(), _Refusals()
        self._topics, self._known = Topics(settings, clock), set[str]()
        self._sent_to: set[str] = set()
        self._committed_to: set[str] = set()
        self._begun_at: float | None = None
        self._failure: tuple[type[StreamtrainError], str, str] | None = None
        self._closed = False
        self._topics.ensure(positions_topic(name), 1, replication, LATEST_ONLY)
        self._producer = self._open_producer()
        self._position = last_position(settings, name, clock)
        self._notes = kept_notes(settings, name, clock)

    def position(self) -> bytes | None:
        return self._position

    def notes(self) -> Mapping[str, bytes]:
        return dict(self._notes)

    def ensure_topic(self, topic: str, partitions: int | None = None) -> None:
        if topic not in self._known:
            self._topics.ensure(check_name(topic), partitions or self._partitions, self._replication, CHANGES)
            self._known.add(topic)

    def send(self, topic: str, messages: Messages) -> None:
        self._check_usable()
        if topic not in self._known:
            raise FatalError(f"topic {topic} does not exist", hint="ensure_topic comes before the first send")
        produce, headers, index = self._producer.produce, messages.headers, -1
        self._sent_to.add(topic)
        try:
            self._begin()
            # The usual message has no headers; an argument by name would make this half as slow again.
            for index, (key, value) in enumerate(zip(messages.keys, messages.values, strict=True)):
                if index in headers:
                    self._produce(topic, messages.at(index))
                    continue
                try:
                    produce(topic, value, key)
                except BufferError:
                    self._produce(topic, messages.at(index))
            with called_back():
                self._producer.poll(0)
        except KafkaException as exception:
            message = messages.at(index) if index >= 0 else None
            raise self._failed(self._told(exception.args[0]), _writing(topic, message)) from exception

    def commit(self, position: bytes, notes: Mapping[str, bytes | None] = NO_NOTES) -> None:
        self._check_usable()
        if notes:
            self._topics.ensure(notes_topic(self._name), 1, self._replication, LATEST_ONLY)
        doing = f"committing a transaction of writer {self._name!r}"
        try:
            self._begin()
            for name, note in notes.items():
                self._produce(notes_topic(self._name), Message(name.encode(), note))
            self._produce(positions_topic(self._name), Message(self._name.encode(), position))
        except KafkaException as exception:
            raise self._failed(self._told(exception.args[0]), doing) from exception
        try:
            with called_back():
                self._producer.commit_transaction(self._settings.timeout_s + COMMIT_GRACE_S)
        except KafkaException as exception:
            raise self._failed(exception.args[0], doing) from exception
        self._begun_at, self._position = None, position
        kept = {**self._notes, **notes}
        self._notes = {name: note for name, note in kept.items() if note is not None}
        self._committed_to, self._sent_to = self._sent_to, set()

    def abort(self) -> None:
        if self._begun_at is None or self._failure is not None:
            return
        try:
            self._abort(self._settings.timeout_s)
        except KafkaException as exception:
            raise self._failed(exception.args[0], f"aborting a transaction of writer {self._name!r}") from exception

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            with kafka_errors(f"closing writer {self._name!r}", self._reports):
                if self._begun_at is not None:
                    self._abort(CLOSE_S)
            if self._failure is None and self._committed_to:
                Topics(replace(self._settings, timeout_s=CLOSE_S), self._clock).await_visible(self._committed_to)
        except StreamtrainError as error:
            # Nothing is lost: the broker or the next writer aborts what is open, and what is committed shows soon.
            log.get("kafka").warning("writer_left_unfinished", writer=self._name, error=str(error))
        if self._failure is not None and issubclass(self._failure[0], FatalError):
            leave(self._producer)
        # Dropping the last reference ends the client at once; its own close() waits for the broker without a limit.
        del self._producer, self._topics

    def _open_producer(self) -> Producer:
        doing = f"taking over writer {self._name!r} on Kafka at {self._settings.bootstrap}"
        try:
            return self._initialised()
        except KafkaException as exception:
            error = self._reports.cause(exception.args[0])
            if error.name() != "INVALID_TRANSACTION_TIMEOUT":
                raise translate(error, doing) from exception
        self._lower_transaction_timeout()
        with kafka_errors(doing, self._reports):
            return self._initialised()

    def _initialised(self) -> Producer:
        """A producer that has fenced the one before it. Raises KafkaException."""
        transactional_id = f"streamtrain-{self._name}"
        producer = open_producer(self._settings, self._reports, transactional_id, self._refusals)
        deadline = self._clock() + self._settings.timeout_s
        while True:
            try:
                producer.init_transactions(INIT_S)
            except KafkaException as exception:
                self._reports.collect(producer.poll)
                if self._reports.hopeless or not exception.args[0].retriable() or self._clock() > deadline:
                    raise
            else:
                return producer

    def _lower_transaction_timeout(self) -> None:
        allowed, asked = self._topics.transaction_timeout_limit_ms(), self._settings.transaction_timeout_ms
        log.get("kafka").warning(
            "transaction_timeout_lowered",
            asked_ms=asked,
            allowed_ms=allowed,
            hint="an initial snapshot must fit into it: raise transaction.max.timeout.ms on the brokers",
        )
        self._settings, self._reports = replace(self._settings, transaction_timeout_ms=allowed), Reports()

    def _begin(self) -> None:
        if self._begun_at is None:
            self._refusals.first = None
            self._producer.begin_transaction()
            self._begun_at = self._clock()

    def _abort(self, timeout_s: float) -> None:
        """End the transaction without effect. Raises KafkaException."""
        with called_back():
            if self._failure is None:
                # An abort that overtakes the request which adds a partition to the transaction ends the whole producer.
                self._producer.flush(timeout_s)
            self._producer.abort_transaction(timeout_s)
        self._begun_at, self._sent_to = None, set()

    def _produce(self, topic: str, message: Message) -> None:
        """Queue one message, waiting for room. Raises KafkaException, TopicUnavailable if there is none in time."""
        deadline = self._clock() + self._settings.timeout_s
        while True:
            try:
                return self._producer.produce(topic, message.value, message.key, headers=list(message.headers))
            except BufferError:
                with called_back():
                    self._producer.poll(ROOM_S)
            if self._clock() > deadline:
                waited = f"the queue of the client did not drain in {self._settings.timeout_s:g} s"
                raise self._noted(TopicUnavailable(f"writing to {topic}: {waited}", hint="check that the brokers run"))

    def _told(self, error: KafkaError) -> KafkaError:
        """Why no message can be queued any more: of a transaction that failed since the last one, that says ``_STATE`` only.

        A commit tells the cause, and can commit nothing. The client queues no messages exactly while it is in another state
        than that of an open transaction, and comes back to that one by ``begin_transaction`` alone. In the states that are
        left a commit is refused, before anything is sent, with the error that failed the transaction (librdkafka's
        ``rd_kafka_txn_set_state``, ``rd_kafka_txn_op_begin_commit``, ``rd_kafka_txn_require_states0``). Never ask after a
        commit of ours: one that was left half-way is resumed by this.
        """
        if error.name() != "_STATE" or self._begun_at is None:
            return error
        try:
            with called_back():
                self._producer.commit_transaction(CAUSE_S)
        except KafkaException as exception:
            error = exception.args[0]
        return error

    def _failed(self, error: KafkaError, doing: str) -> StreamtrainError:
        """Note why this writer cannot go on, and give the error to raise."""
        self._reports.collect(self._producer.poll)
        if self._refusals.first is not None:
            error, doing = self._refusals.first
        failure = translate(self._reports.cause(error), doing)
        age_s = 0.0 if self._begun_at is None else self._clock() - self._begun_at
        limit_s = self._settings.transaction_timeout_ms / 1000
        if isinstance(failure, FencedOut) and age_s >= limit_s:
            failure = FatalError(
                f"{doing}: the broker aborted the transaction, which was open for {age_s:.0f} s of {limit_s:g} s allowed",
                hint="raise transaction.max.timeout.ms on the brokers, or make transactions smaller",
            )
        return self._noted(failure)

    def _noted(self, failure: StreamtrainError) -> StreamtrainError:
        # Not the error itself: its traceback would keep the client alive.
        self._failure = (type(failure), failure.message, failure.hint)
        return failure

    def _check_usable(self) -> None:
        if self._failure is not None:
            kind, message, hint = self._failure
            raise kind(message, hint=hint)


class _Refusals:
    """The first message of a transaction that was not delivered: librdkafka calls this for failures only."""

    def __init__(self) -> None:
        self.first: tuple[KafkaError, str] | None = None

    def __call__(self, error: KafkaError, message: KafkaMessage) -> None:
        # What an abort throws out of the queue was not refused.
        if self.first is None and error.name() not in {"_PURGE_QUEUE", "_PURGE_INFLIGHT"}:
            self.first = (error, _writing(message.topic() or "", Message(message.key(), message.value())))


def _writing(topic: str, message: Message | None) -> str:
    if message is None:
        return f"writing to {topic}"
    sizes = f"{len(message.key or b'')} bytes of key and {len(message.value or b'')} bytes of value"
    return f"writing to {topic} a record with {sizes}"
