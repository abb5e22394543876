"""Kafka's errors become ours at one door, and none slips through."""

from __future__ import annotations

from collections import Counter

import pytest
from confluent_kafka import KafkaError, KafkaException

from streamtrain.errors import AccessDenied, ConfigError, FatalError, FencedOut, StreamtrainError, TopicUnavailable
from streamtrain.topic.kafka import KafkaSettings
from streamtrain.topic.kafka.errors import CODES, Reports, called_back, kafka_errors, kind_of, translate

KNOWN = {name: getattr(KafkaError, name) for name in dir(KafkaError) if name.isupper() and not name.startswith("__")}


def test_every_code_of_the_library_is_mapped_exactly_once() -> None:
    mapped = Counter(name for names in CODES.values() for name in names)
    assert KNOWN.keys() - mapped.keys() == set()
    assert [name for name, times in mapped.items() if times > 1] == []


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_an_error_says_what_where_and_what_to_do(name: str) -> None:
    error = translate(KafkaError(KNOWN[name], "told by the broker"), "writing to shop.main.events")
    assert type(error) is kind_of(KafkaError(KNOWN[name]))
    assert error.message == f"writing to shop.main.events: told by the broker ({name})"
    assert error.hint


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("_ALL_BROKERS_DOWN", TopicUnavailable),
        ("NOT_LEADER_FOR_PARTITION", TopicUnavailable),
        ("OUT_OF_ORDER_SEQUENCE_NUMBER", TopicUnavailable),
        ("PRODUCER_FENCED", FencedOut),
        ("INVALID_PRODUCER_EPOCH", FencedOut),
        ("TOPIC_AUTHORIZATION_FAILED", AccessDenied),
        ("SASL_AUTHENTICATION_FAILED", AccessDenied),
        ("MSG_SIZE_TOO_LARGE", FatalError),
        ("INVALID_REPLICATION_FACTOR", ConfigError),
    ],
)
def test_an_error_gets_the_verdict_that_mends_it(name: str, kind: type[StreamtrainError]) -> None:
    assert kind_of(KafkaError(KNOWN[name])) is kind


def test_replicas_that_no_broker_can_take_yet_are_waited_for() -> None:
    said = "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log directories cordoned."
    error = translate(KafkaError(KNOWN["INVALID_REPLICATION_FACTOR"], said), "creating topic shop")
    assert type(error) is TopicUnavailable


def test_a_code_that_is_not_known_is_retried_only_if_the_library_says_so() -> None:
    assert kind_of(KafkaError(31_999)) is FatalError
    assert kind_of(KafkaError(31_999, fatal=True)) is FatalError
    assert kind_of(KafkaError(31_999, retriable=True)) is TopicUnavailable
    assert kind_of(KafkaError(31_999, txn_requires_abort=True)) is TopicUnavailable


def test_a_refused_login_is_the_cause_of_the_time_out_it_shows_as() -> None:
    reports, timed_out = Reports(), KafkaError(KNOWN["_TIMED_OUT"])
    reports(KafkaError(KNOWN["_TRANSPORT"]))
    assert reports.cause(timed_out) is timed_out
    reports(KafkaError(KNOWN["_AUTHENTICATION"], "user 'shop' was refused"))
    reports(KafkaError(KNOWN["_ALL_BROKERS_DOWN"]))
    with pytest.raises(AccessDenied, match="user 'shop' was refused"), kafka_errors("asking", reports):
        raise KafkaException(timed_out)
    reports.forget()
    assert reports.cause(timed_out) is timed_out


def test_settings_show_no_secret() -> None:
    secrets = {"sasl.username": "ann", "sasl.password": "hunter2", "ssl.key.password": "letmein"}
    settings = KafkaSettings("127.0.0.1:9092", secrets)
    for text in (repr(settings), str(settings), f"{settings}"):
        assert not any(secret in text for secret in secrets.values())
        assert "sasl.password" in text


def test_a_property_that_is_not_about_security_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"isolation\.level"):
        KafkaSettings("127.0.0.1:9092", {"sasl.username": "ann", "isolation.level": "read_uncommitted"})


def test_an_error_that_a_callback_stumbles_over_is_told_as_itself() -> None:
    fenced = KafkaException(KafkaError(KafkaError._FENCED))

    def poll(_timeout_s: float) -> None:
        raise SystemError("<method 'name'> returned a result with an exception set") from fenced

    with pytest.raises(FencedOut), kafka_errors("writing"), called_back():
        poll(0)
    reports = Reports()
    assert reports.collect(poll) is None
    assert reports.latest is fenced.args[0]


def test_another_internal_error_stays_one() -> None:
    with pytest.raises(SystemError, match="something else"), kafka_errors("writing"), called_back():
        raise SystemError("something else")
