"""A broker that goes away and comes back, and transactions that it ends by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from streamtrain.errors import FatalError, TopicUnavailable
from streamtrain.topic.base import Message, Messages, TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings, KafkaWriter
from tests.servers import PrivateKafka

pytestmark = pytest.mark.servers

TOPIC = "shop.main.events"
SOURCE = TopicPartition(TOPIC, 0)
DEADLINE_POLLS = 600


@pytest.fixture(scope="module")
def broker() -> Iterator[PrivateKafka]:
    # How often the broker looks for transactions that were open for too long.
    with PrivateKafka({"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200"}) as server:
        yield server


def opened(settings: KafkaSettings, name: str) -> KafkaWriter:
    writer = KafkaWriter(settings, name)
    writer.ensure_topic(TOPIC)
    return writer


def commit(settings: KafkaSettings, name: str, position: bytes) -> None:
    with closing(opened(settings, name)) as writer:
        writer.send(TOPIC, Messages.of([Message(b"key", position)]))
        writer.commit(position)


def values(reader: KafkaReader, until: Callable[[list[bytes | None]], bool]) -> list[bytes | None]:
    """Poll, through outages too, until ``until`` says that everything has come."""
    seen: list[bytes | None] = []
    for _ in range(DEADLINE_POLLS):
        try:
            seen += [value for batch in reader.poll(100, 0.1) for value in batch.values]
        except TopicUnavailable:
            continue
        if until(seen):
            return seen
    raise AssertionError(f"not everything came: {seen}")


def poll_until_something_fails(reader: KafkaReader) -> None:
    for _ in range(DEADLINE_POLLS):
        assert reader.poll(100, 0.1) == []


def test_a_reader_tells_of_an_outage_and_goes_on_after_it(broker: PrivateKafka) -> None:
    settings = KafkaSettings(broker.bootstrap, timeout_s=5.0)
    commit(settings, "first", b"before")
    with closing(KafkaReader(settings)) as reader:
        reader.assign({SOURCE: reader.watermarks(SOURCE).high - 2})
        assert values(reader, until=len) == [b"before"]
        broker.kill()
        with pytest.raises(TopicUnavailable):
            poll_until_something_fails(reader)
        broker.start()
        commit(KafkaSettings(broker.bootstrap), "first", b"after")
        assert values(reader, until=len) == [b"after"]


def test_a_writer_that_loses_the_broker_is_replaced_without_loss_or_repetition(broker: PrivateKafka) -> None:
    impatient, patient = KafkaSettings(broker.bootstrap, timeout_s=1.0), KafkaSettings(broker.bootstrap)
    commit(patient, "second", b"1")
    with closing(KafkaReader(patient)) as reader:
        reader.assign({SOURCE: reader.watermarks(SOURCE).high})
        writer = opened(impatient, "second")
        writer.send(TOPIC, Messages.of([Message(b"key", b"lost")]))
        broker.kill()
        for _ in range(2):
            with pytest.raises(TopicUnavailable):
                writer.commit(b"2")
        with pytest.raises(TopicUnavailable):
            writer.send(TOPIC, Messages.of([Message(b"key", b"lost")]))
        writer.abort()
        writer.close()
        broker.start()
        with closing(opened(patient, "second")) as again:
            assert again.position() == b"1"
            again.send(TOPIC, Messages.of([Message(b"key", b"2")]))
            again.commit(b"2")
        assert values(reader, until=lambda seen: b"2" in seen) == [b"2"]


def test_a_transaction_that_was_open_for_too_long_stops_with_the_setting_to_raise(broker: PrivateKafka) -> None:
    now = 0.0
    settings = KafkaSettings(broker.bootstrap, transaction_timeout_ms=1000)
    with closing(KafkaWriter(settings, "third", clock=lambda: now)) as writer, closing(KafkaReader(settings)) as reader:
        writer.ensure_topic(TOPIC)
        begin = reader.watermarks(SOURCE).high
        writer.send(TOPIC, Messages.of([Message(b"key", b"too late")]))
        reader.assign({SOURCE: begin})
        aborted = next(batch for _ in range(DEADLINE_POLLS) for batch in reader.poll(10, 0.1))
        assert (len(aborted), aborted.next_offset) == (0, begin + 2)
        now = 11.0
        with pytest.raises(FatalError, match="open for 11 s of 1 s allowed") as raised:
            writer.commit(b"position")
    assert "transaction.max.timeout.ms" in raised.value.hint
