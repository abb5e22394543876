"""Transactions that the broker ends while rows are still gathered: the cause is told, and decides what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import KafkaError

from streamtrain.errors import AccessDenied, FatalError, StreamtrainError, TopicUnavailable
from streamtrain.topic.base import Message, Messages
from streamtrain.topic.kafka import KafkaSettings, KafkaWriter
from streamtrain.topic.kafka.positions import internal_topics
from tests.servers.mock_kafka import ADD_PARTITIONS_TO_TXN, END_TXN, MockKafka

TOPIC = "shop.main.events"
ROWS = Messages.of([Message(b"key", b"value")])
PATIENCE_S = 30.0

CAUSES: dict[str, type[StreamtrainError]] = {
    # The transactional id was forgotten after transactional.id.expiration.ms, 7 days, without a transaction.
    "INVALID_PRODUCER_ID_MAPPING": TopicUnavailable,
    "UNKNOWN_PRODUCER_ID": TopicUnavailable,
    "TRANSACTION_ABORTABLE": TopicUnavailable,
    "REQUEST_TIMED_OUT": TopicUnavailable,
    "NOT_LEADER_FOR_PARTITION": TopicUnavailable,
    "NOT_ENOUGH_REPLICAS": TopicUnavailable,
    "TOPIC_AUTHORIZATION_FAILED": AccessDenied,
    "UNSUPPORTED_FOR_MESSAGE_FORMAT": FatalError,
}


@pytest.fixture
def broker() -> Iterator[MockKafka]:
    with MockKafka(TOPIC, *internal_topics("shop")) as server:
        yield server


def failing(broker: MockKafka, cause: str) -> KafkaWriter:
    """A writer whose client has just learned that its transaction cannot be committed."""
    writer = KafkaWriter(KafkaSettings(broker.bootstrap, timeout_s=5.0), "shop")
    writer.ensure_topic(TOPIC)
    broker.answer(ADD_PARTITIONS_TO_TXN, getattr(KafkaError, cause))
    writer.send(TOPIC, ROWS)
    assert writer._producer.flush(PATIENCE_S) == 0  # what is queued is thrown out once the state has changed
    return writer


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("call", ["send", "commit"])
def test_a_transaction_that_failed_while_rows_were_gathered_tells_its_cause(
    broker: MockKafka, cause: str, call: str
) -> None:
    with closing(failing(broker, cause)) as writer:
        with pytest.raises(StreamtrainError, match=cause) as raised:
            writer.send(TOPIC, ROWS) if call == "send" else writer.commit(b"position")
        assert type(raised.value) is CAUSES[cause]
        assert broker.asked(END_TXN) == 0
        with pytest.raises(CAUSES[cause], match=cause):
            writer.commit(b"position")
        assert broker.asked(END_TXN) == 0


def test_what_a_user_may_not_write_is_told_with_the_right_to_grant(broker: MockKafka) -> None:
    with closing(failing(broker, "TOPIC_AUTHORIZATION_FAILED")) as writer:
        with pytest.raises(AccessDenied) as raised:
            writer.commit(b"position")
        assert "grant READ, WRITE" in raised.value.hint


def test_the_next_writer_goes_on_where_the_transaction_failed(broker: MockKafka) -> None:
    with closing(failing(broker, "INVALID_PRODUCER_ID_MAPPING")) as writer, pytest.raises(TopicUnavailable):
        writer.commit(b"position")
    with closing(KafkaWriter(KafkaSettings(broker.bootstrap, timeout_s=5.0), "shop")) as writer:
        writer.ensure_topic(TOPIC)
        writer.send(TOPIC, ROWS)
        writer.commit(b"position")
        assert writer.position() == b"position"
