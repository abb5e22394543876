"""TLS and SASL to a real broker: who is let in, and one line with the way out for who is not, at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from streamtrain.errors import AccessDenied, ConfigError, StreamtrainError, TopicUnavailable
from streamtrain.topic.base import Messages, TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings, KafkaWriter, probe
from tests.servers import PrivateKafka
from tests.servers.certificates import Authority, Certificate

pytestmark = pytest.mark.servers

PASSWORD = "pa55-0f-the-broker"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MODULE = "org.apache.kafka.common.security"
PATIENCE_S = 30.0

Properties = dict[str, str]


@dataclass
class Secured:
    """A broker with a listener of each kind, and the certificates that fit it or do not."""

    broker: PrivateKafka
    authority: Authority
    stranger: Authority

    @property
    def tls(self) -> Properties:
        return {"security.protocol": "SSL", "ssl.ca.location": str(self.authority.ca)}

    def known_by(self, certificate: Certificate) -> Properties:
        files = {"ssl.certificate.location": certificate.cert, "ssl.key.location": certificate.key}
        return self.tls | {name: str(file) for name, file in files.items()}

    def login(self, mechanism: str, password: str = PASSWORD) -> Properties:
        credentials = {"sasl.mechanism": mechanism, "sasl.username": "me", "sasl.password": password}
        return self.tls | {"security.protocol": "SASL_SSL"} | credentials

    def settings(self, listener: str, security: Properties, timeout_s: float = PATIENCE_S) -> KafkaSettings:
        return KafkaSettings(self.broker.bootstraps[listener], security, timeout_s=timeout_s)

    def refusal(self, listener: str, security: Properties) -> StreamtrainError:
        """Why a writer is not opened: told long before the time for one request is over, and by ``doctor`` too."""
        began = time.monotonic()
        with pytest.raises(StreamtrainError) as caught:
            KafkaWriter(self.settings(listener, security), "refused")
        problem = probe(self.settings(listener, security), []).problem
        assert time.monotonic() - began < PATIENCE_S / 2
        assert type(problem) is caught.type
        assert "\n" not in f"{caught.value}"
        assert caught.value.hint
        return caught.value


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("certificates")
    authority, stranger = Authority(folder, "authority"), Authority(folder / "elsewhere", "stranger")
    right, elsewhere = authority.certify("right", "127.0.0.1"), authority.certify("elsewhere", "db.example")
    settings = {
        **presenting("tls", right, authority.ca),
        **presenting("elsewhere", elsewhere, authority.ca),
        **presenting("mutual", right, authority.ca),
        "listener.name.mutual.ssl.client.auth": "required",
        **presenting("login", right, authority.ca),
        "listener.name.login.sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "listener.name.login.plain.sasl.jaas.config": f'{MODULE}.plain.PlainLoginModule required user_me="{PASSWORD}";',
        **{
            f"listener.name.login.{each.lower()}.sasl.jaas.config": f"{MODULE}.scram.ScramLoginModule required;"
            for each in MECHANISMS[1:]
        },
    }
    protocols = {"TLS": "SSL", "ELSEWHERE": "SSL", "MUTUAL": "SSL", "LOGIN": "SASL_SSL"}
    with PrivateKafka(settings, protocols=protocols) as broker:
        admin = broker.admin()
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            user = UserScramCredentialUpsertion("me", ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
            for done in admin.alter_user_scram_credentials([user]).values():
                done.result()
        yield Secured(broker, authority, stranger)


def presenting(listener: str, certificate: Certificate, ca: Path) -> Mapping[str, str]:
    prefix = f"listener.name.{listener}.ssl"
    return {
        f"{prefix}.keystore.type": "PEM", f"{prefix}.keystore.location": str(certificate.both),
        f"{prefix}.truststore.type": "PEM", f"{prefix}.truststore.location": str(ca),
    }  # fmt: skip


def carried(settings: KafkaSettings, topic: str) -> list[bytes | None]:
    """What a reader gets of a record that a writer has committed."""
    with closing(KafkaWriter(settings, topic)) as writer, closing(KafkaReader(settings)) as reader:
        writer.ensure_topic(topic)
        source = TopicPartition(topic, 0)
        reader.assign({source: reader.watermarks(source).high})
        writer.send(topic, Messages([b"key"], [b"value"]))
        writer.commit(b"position")
        for _ in range(300):
            for records in reader.poll(10, 0.1):
                if values := list(records.values):
                    return values
    raise AssertionError("nothing came")


def test_records_come_over_tls(secured: Secured) -> None:
    assert carried(secured.settings("TLS", secured.tls), "by.tls.t") == [b"value"]


def test_records_come_with_a_client_certificate(secured: Secured) -> None:
    known = secured.known_by(secured.authority.certify("client"))
    assert carried(secured.settings("MUTUAL", known), "by.certificate.t") == [b"value"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_records_come_after_a_login(secured: Secured, mechanism: str) -> None:
    settings = secured.settings("LOGIN", secured.login(mechanism))
    assert carried(settings, f"by.{mechanism.lower()}.t") == [b"value"]
    assert probe(settings, []).reachable


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_told_at_once_and_without_it(secured: Secured, mechanism: str) -> None:
    error = secured.refusal("LOGIN", secured.login(mechanism, "s3cret-but-wrong"))
    assert type(error) is AccessDenied
    assert "sasl.password" in error.hint
    assert "s3cret" not in f"{error!r} {error} {error.__cause__!r}"


def test_a_broker_of_another_authority_is_refused(secured: Secured) -> None:
    for security in (
        {**secured.tls, "ssl.ca.location": str(secured.stranger.ca)}, {"security.protocol": "SSL"},
    ):  # fmt: skip
        error = secured.refusal("TLS", security)
        assert type(error) is AccessDenied
        assert "certificate verify failed" in error.message
        assert "ssl.ca.location" in error.hint


def test_a_broker_with_the_certificate_of_another_host_is_refused_unless_the_host_is_not_looked_at(
    secured: Secured,
) -> None:
    error = secured.refusal("ELSEWHERE", secured.tls)
    assert type(error) is AccessDenied
    assert "host name of its certificate" in error.hint
    lenient = {**secured.tls, "ssl.endpoint.identification.algorithm": "none"}
    assert probe(secured.settings("ELSEWHERE", lenient), []).reachable


def test_a_missing_client_certificate_or_one_of_another_authority_is_told(secured: Secured) -> None:
    for security in (secured.tls, secured.known_by(secured.stranger.certify("client"))):
        error = secured.refusal("MUTUAL", security)
        assert type(error) is AccessDenied
        assert "ssl.certificate.location" in error.hint


def test_a_reader_is_told_as_a_writer_is(secured: Secured) -> None:
    for listener, security in (
        ("TLS", {**secured.tls, "ssl.ca.location": str(secured.stranger.ca)}),
        ("MUTUAL", secured.tls),
        ("LOGIN", secured.login("PLAIN", "wrong")),
    ):
        began = time.monotonic()
        with closing(KafkaReader(secured.settings(listener, security))) as reader:
            for ask in (reader.partitions, lambda topic: reader.watermarks(TopicPartition(topic, 0))):
                with pytest.raises(AccessDenied) as caught:
                    ask("any.t")
                assert caught.value.hint
        assert time.monotonic() - began < PATIENCE_S / 2


@pytest.mark.parametrize(("listener", "tls"), [("TLS", False), ("PLAINTEXT", True), ("LOGIN", True)])
def test_a_port_that_speaks_something_else_is_told_when_the_time_is_over(
    secured: Secured, listener: str, tls: bool
) -> None:
    settings = secured.settings(listener, secured.tls if tls else {}, timeout_s=2.0)
    with pytest.raises(TopicUnavailable) as caught:
        KafkaWriter(settings, "refused")
    assert "topic.security" in caught.value.hint


def test_files_and_mechanisms_that_cannot_be_used_are_refused_before_a_connection(secured: Secured) -> None:
    stranger = secured.stranger.certify("client")
    for security in (
        {**secured.tls, "ssl.ca.location": "/nonexistent/ca.pem"},
        {**secured.known_by(secured.authority.certify("another")), "ssl.key.location": str(stranger.key)},
        secured.login("TELEPATHY"),
    ):
        error = secured.refusal("TLS", security)
        assert type(error) is ConfigError
        assert "topic.security" in error.hint
        assert PASSWORD not in f"{error} {error.__cause__!r}"
