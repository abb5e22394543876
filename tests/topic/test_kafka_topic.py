"""What the Kafka topic adds to the contract, on a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import NewTopic

from streamtrain.errors import AccessDenied, ConfigError, FatalError, PositionLost, StreamtrainError, TopicUnavailable
from streamtrain.topic.base import Message, Messages, TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings, KafkaWriter, probe
from streamtrain.topic.kafka.positions import positions_topic
from tests.servers import Broker
from tests.servers.ports import free_port

pytestmark = pytest.mark.servers

DEADLINE_POLLS = 200


@pytest.fixture
def settings(kafka: Broker) -> KafkaSettings:
    return KafkaSettings(kafka.bootstrap)


@pytest.fixture
def topic(topic_prefix: str) -> str:
    return f"{topic_prefix}.events"


@pytest.fixture
def writer(settings: KafkaSettings, topic_prefix: str) -> Iterator[KafkaWriter]:
    with closing(KafkaWriter(settings, topic_prefix)) as opened:
        yield opened


def murmur2(data: bytes) -> int:
    """Java's ``org.apache.kafka.common.utils.Utils.murmur2``."""
    mask, mixer = 0xFFFFFFFF, 0x5BD1E995
    value = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * mixer & mask
        word = (word ^ word >> 24) * mixer & mask
        value = value * mixer & mask ^ word
    if data[whole:]:
        value = (value ^ int.from_bytes(data[whole:], "little")) * mixer & mask
    value = (value ^ value >> 13) * mixer & mask
    return value ^ value >> 15


def test_the_reference_hash_is_javas() -> None:
    # From UtilsTest.testMurmur2 of Apache Kafka.
    signed = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: murmur2(key) for key in signed} == {key: value & 0xFFFFFFFF for key, value in signed.items()}


def test_a_key_lies_where_javas_partitioner_puts_it(settings: KafkaSettings, topic: str, topic_prefix: str) -> None:
    keys = [b'{"id":%d}' % number for number in range(50)]
    with closing(KafkaWriter(settings, topic_prefix, 7)) as writer, closing(KafkaReader(settings)) as reader:
        writer.ensure_topic(topic)
        writer.send(topic, Messages.of([Message(key, b"") for key in keys]))
        writer.commit(b"")
        reader.assign({TopicPartition(topic, partition): 0 for partition in range(7)})
        found: dict[bytes | None, int] = {}
        for _ in range(DEADLINE_POLLS):
            found |= {key: batch.source.partition for batch in reader.poll(100, 0.1) for key in batch.keys}
            if len(found) == len(keys):
                break
    assert found == {key: (murmur2(key) & 0x7FFFFFFF) % 7 for key in keys}


def test_headers_are_on_the_wire(writer: KafkaWriter, kafka: Broker, topic: str) -> None:
    writer.ensure_topic(topic)
    headers = (("kind", b"snapshot"), ("kind", b""), ("naïve", b"\x00"))
    writer.send(topic, Messages.of([Message(b"key", b"value", headers), Message(b"key", b"value")]))
    writer.commit(b"")
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "headers", "log_level": 0})
    with closing(consumer):
        consumer.assign([KafkaPartition(topic, 0, 0)])
        seen = consumer.consume(2, 30.0)
    assert [message.headers() for message in seen] == [list(headers), None]


def test_a_topic_is_created_to_be_replayed_for_ever(settings: KafkaSettings, writer: KafkaWriter, topic: str) -> None:
    writer.ensure_topic(topic)
    report = probe(settings, [topic, f"{topic}.missing"])
    assert report.reachable
    assert report.brokers >= 1
    assert report.transaction_max_timeout_ms > 0
    created, missing = report.topics
    assert (created.name, created.exists, created.partitions, created.replication) == (topic, True, 1, 1)
    assert (created.cleanup_policy, created.retention_ms, created.retention_bytes) == ("delete", -1, -1)
    assert created.min_insync_replicas == 1
    assert created.max_message_bytes > 0
    assert (missing.name, missing.exists) == (f"{topic}.missing", False)


def test_the_positions_lie_in_a_compacted_topic(
    settings: KafkaSettings, writer: KafkaWriter, topic_prefix: str
) -> None:
    (positions,) = probe(settings, [positions_topic(topic_prefix)]).topics
    assert (positions.exists, positions.partitions, positions.cleanup_policy) == (True, 1, "compact")


def test_more_replicas_than_brokers_is_wrong_configuration(settings: KafkaSettings, topic_prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"__streamtrain-positions\..*INVALID_REPLICATION_FACTOR") as raised:
        KafkaWriter(settings, topic_prefix, replication=50)
    assert "topic.replication" in raised.value.hint


def test_a_record_that_the_topic_does_not_take_stops_with_its_sizes(
    kafka: Broker, settings: KafkaSettings, topic_prefix: str, topic: str
) -> None:
    admin = kafka.admin()
    admin.create_topics([NewTopic(topic, 1, 1, config={"max.message.bytes": "1000"})])[topic].result()
    incompressible = bytes(murmur2(b"%d" % number) & 0xFF for number in range(20_000))
    writer = KafkaWriter(settings, topic_prefix)
    writer.ensure_topic(topic)
    writer.send(topic, Messages.of([Message(b"secret", incompressible)]))
    for _ in range(2):
        with pytest.raises(FatalError, match="6 bytes of key and 20000 bytes of value") as raised:
            writer.commit(b"position")
        assert topic in raised.value.message
        assert "secret" not in str(raised.value)
        assert "max.message.bytes" in raised.value.hint
    writer.abort()
    writer.close()
    with closing(KafkaWriter(settings, topic_prefix)) as again:
        assert again.position() is None


def test_a_topic_that_vanishes_under_the_writer_is_unavailable(kafka: Broker, topic_prefix: str, topic: str) -> None:
    settings = KafkaSettings(kafka.bootstrap, timeout_s=3.0)
    with closing(KafkaWriter(settings, topic_prefix)) as writer:
        writer.ensure_topic(topic)
        admin = kafka.admin()
        admin.delete_topics([topic])[topic].result()
        writer.send(topic, Messages.of([Message(b"key", b"value")]))
        with pytest.raises(TopicUnavailable, match=topic):
            writer.commit(b"position")


def test_a_transaction_timeout_above_the_brokers_limit_is_lowered_to_it(kafka: Broker, topic_prefix: str) -> None:
    settings = KafkaSettings(kafka.bootstrap, transaction_timeout_ms=2_000_000_000)
    with closing(KafkaWriter(settings, topic_prefix)) as writer:
        writer.commit(b"position")
    with closing(KafkaWriter(settings, topic_prefix)) as again:
        assert again.position() == b"position"


def test_the_last_position_is_found_behind_many_aborted_ones(
    kafka: Broker, settings: KafkaSettings, topic_prefix: str
) -> None:
    with closing(KafkaWriter(settings, topic_prefix)) as writer:
        writer.commit(b"committed")
    options = {"bootstrap.servers": kafka.bootstrap, "transactional.id": f"other-{topic_prefix}", "log_level": 0}
    aborting = Producer(options)
    aborting.init_transactions(30.0)
    aborting.begin_transaction()
    for number in range(500):
        aborting.produce(positions_topic(topic_prefix), b"%d" % number, topic_prefix.encode())
    aborting.flush(30.0)
    aborting.abort_transaction(30.0)
    with closing(KafkaWriter(settings, topic_prefix)) as again:
        assert again.position() == b"committed"


def poll_until_something_fails(reader: KafkaReader) -> None:
    """Poll on through what can be retried."""
    for _ in range(DEADLINE_POLLS):
        with suppress(TopicUnavailable):
            reader.poll(10, 0.1)


def test_a_topic_that_was_made_anew_under_the_reader_is_told(
    kafka: Broker, settings: KafkaSettings, writer: KafkaWriter, topic: str
) -> None:
    writer.ensure_topic(topic)
    writer.send(topic, Messages.of([Message(b"key", b"value")] * 5))
    writer.commit(b"")
    admin, source = kafka.admin(), TopicPartition(topic, 0)
    with closing(KafkaReader(settings)) as reader:
        reader.assign({source: 0})
        for _ in range(DEADLINE_POLLS):
            if any(batch.next_offset == 6 for batch in reader.poll(10, 0.1)):
                break
        admin.delete_topics([topic])[topic].result()
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
        with pytest.raises(PositionLost, match=r"\[0\]: offset 6 .*low watermark 0"):
            poll_until_something_fails(reader)


def probed(settings: KafkaSettings) -> StreamtrainError | None:
    report = probe(settings, ["events"])
    assert report.reachable is (report.problem is None)
    return report.problem


def read(settings: KafkaSettings) -> StreamtrainError:
    with closing(KafkaReader(settings)) as reader, pytest.raises(StreamtrainError) as raised:
        reader.partitions("events")
    return raised.value


def written(settings: KafkaSettings) -> StreamtrainError:
    with pytest.raises(StreamtrainError) as raised:
        KafkaWriter(settings, "shop")
    return raised.value


asked: dict[str, Callable[[KafkaSettings], StreamtrainError | None]] = {
    "probe": probed,
    "read": read,
    "write": written,
}


@pytest.mark.parametrize("what", asked)
def test_a_broker_that_is_not_there_is_told_in_time(what: str) -> None:
    settings = KafkaSettings(f"127.0.0.1:{free_port()}", timeout_s=0.5)
    problem = asked[what](settings)
    assert isinstance(problem, TopicUnavailable)
    assert settings.bootstrap in problem.message


@pytest.mark.parametrize("what", asked)
def test_a_login_that_the_broker_refuses_is_access_denied(kafka: Broker, what: str) -> None:
    security = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "ann",
        "sasl.password": "hunter2",
    }
    settings = KafkaSettings(kafka.bootstrap, security, timeout_s=1.0)
    problem = asked[what](settings)
    assert isinstance(problem, AccessDenied)
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("security", "why"),
    [({"sasl.mechanismm": "PLAIN"}, r"sasl\.mechanismm"), ({"security.protocol": "TLS"}, r"security\.protocol")],
)
def test_a_property_that_the_client_does_not_take_is_wrong_configuration(security: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        KafkaReader(KafkaSettings("127.0.0.1:1", security))


def test_a_name_that_makes_the_positions_topic_too_long_is_refused(settings: KafkaSettings) -> None:
    with pytest.raises(ConfigError, match="name of a writer"):
        KafkaWriter(settings, "a" * 240)
