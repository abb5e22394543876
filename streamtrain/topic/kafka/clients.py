"""The clients of librdkafka as we open them: same connection, logs into ours, errors through the one door."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from streamtrain import log
from streamtrain.topic.kafka.errors import Reports, translate
from streamtrain.topic.kafka.settings import KafkaSettings

QUEUE_MESSAGES = 100_000
QUEUE_KIB = 256 << 10
BATCH_BYTES = 1_000_000
MAX_MESSAGE_BYTES = 64 << 20  # the topic's max.message.bytes is to decide, not the client

Client = TypeVar("Client")


class _ClientLog:
    """librdkafka's log lines. They are about connections; what matters comes back as an error as well."""

    def __init__(self) -> None:
        self._log = log.get("kafka")

    def log(self, level: int, message: str, *args: object) -> None:
        """The one method of a ``logging.Logger`` that confluent-kafka calls."""
        write = self._log.warning if level >= logging.CRITICAL else self._log.debug
        write("kafka_client", text=message % args if args else message)


def open_consumer(settings: KafkaSettings, reports: Reports) -> Consumer:
    """A consumer that reads committed records from given offsets only. Raises ConfigError."""
    return _open(
        Consumer,
        settings,
        reports,
        {
            "group.id": settings.group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "check.crcs": True,
            # The end of a partition is reported by the first fetch that comes back empty, which is after this long.
            "fetch.wait.max.ms": 100,
            # How long fetching rests once the queue is full; the default of a second starves a fast reader.
            "fetch.queue.backoff.ms": 10,
        },
    )


def leave(producer: Producer) -> None:
    """Keep a client that was fenced until the process ends, which the error that ends its writer brings about soon.

    Ending it is a race within librdkafka 2.16: of 1,000 clients fenced under load, 15 freed memory twice while they were
    destroyed, which aborts the process. Not one of 400 that were left alone did. A list would not do: Python destroys what
    is in it at its own end.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))


def open_producer(
    settings: KafkaSettings,
    reports: Reports,
    transactional_id: str,
    refused: Callable[[KafkaError, Message], None],
) -> Producer:
    """A transactional producer that calls ``refused`` for each message that fails, and for no other."""
    return _open(
        Producer,
        settings,
        reports,
        {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": settings.transaction_timeout_ms,
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": settings.compression,
            "linger.ms": settings.linger_ms,
            "batch.size": BATCH_BYTES,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "message.timeout.ms": min(int(settings.timeout_s * 1000), settings.transaction_timeout_ms),
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": QUEUE_KIB,
            # Java's default partitioner, so that a key lies where Debezium would have put it.
            "partitioner": "murmur2_random",
            "delivery.report.only.error": True,
            "on_delivery": refused,
        },
    )


def open_admin(settings: KafkaSettings, reports: Reports) -> AdminClient:
    """A client for topics and their settings. Raises ConfigError."""
    return _open(AdminClient, settings, reports, {})


def _open(
    client: Callable[..., Client], settings: KafkaSettings, reports: Reports, properties: dict[str, object]
) -> Client:
    doing = f"setting up a client for Kafka at {settings.bootstrap}"
    try:
        return client({**settings.common(), "error_cb": reports, **properties}, logger=_ClientLog())
    except KafkaException as exception:
        error = exception.args[0]
    # librdkafka quotes a value that it cannot use, and any may be a secret. Raised out here, so that the original, which
    # holds it, is no part of the traceback.
    raise translate(KafkaError(error.code(), settings.redacted(error.str())), doing)
