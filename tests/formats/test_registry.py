"""The registry's client: what it asks, what it keeps, and what it makes of refusals and outages."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamtrain.errors import AccessDenied, ConfigError, SchemaRefused, TopicUnavailable
from streamtrain.registry import Registry, RegistrySettings
from tests.servers.certificates import Authority
from tests.servers.registry import SmallRegistry

FIELDS = [{"name": "id", "type": "int"}]
SCHEMA = json.dumps({"type": "record", "name": "V", "fields": FIELDS}, separators=(",", ":"))
STRICTER = json.dumps({"type": "record", "name": "V", "fields": [*FIELDS, {"name": "n", "type": "int"}]})


def client(*urls: str, **login: str) -> Registry:
    return Registry(RegistrySettings(urls, **login))


def nowhere() -> str:
    """A URL at which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def hanging_up(attempts: int) -> Iterator[str]:
    """The URL of a node that ends as many connections within their handshakes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(attempts):
                connection, _peer = listener.accept()
                with connection:
                    # What has not been read would make a reset of the end.
                    connection.recv(1 << 16)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        serving.join()


def test_a_schema_is_registered_and_read_back_in_every_registry(registry_url: str) -> None:
    number = client(registry_url).register("client-value", SCHEMA)
    assert json.loads(client(registry_url).schema(number)) == json.loads(SCHEMA)
    assert client(registry_url).compatibility("client-value") in {"NONE", "BACKWARD"}
    assert client(registry_url).compatibility() in {"NONE", "BACKWARD"}


def test_each_schema_is_asked_for_once(small_registry: SmallRegistry) -> None:
    registry = client(small_registry.url)
    numbers = {registry.register("a/b-value", SCHEMA) for _ in range(3)}
    assert len(numbers) == 1
    assert {registry.schema(number) for number in numbers for _ in range(3)} == {SCHEMA}
    assert small_registry.requests == ["POST /subjects/a%2Fb-value/versions", f"GET /schemas/ids/{numbers.pop()}"]


def test_a_schema_that_older_readers_cannot_follow_is_refused_with_the_way_out(small_registry: SmallRegistry) -> None:
    registry = client(small_registry.url)
    registry.register("s-value", SCHEMA)
    with pytest.raises(SchemaRefused, match=r"409 to s-value.*missing default") as refused:
        registry.register("s-value", STRICTER)
    assert 'PUT /config/s-value {"compatibility": "NONE"}' in refused.value.hint
    small_registry.schemas.levels["s-value"] = "NONE"
    assert registry.register("s-value", STRICTER) == 2


def test_a_schema_that_is_not_there_is_an_error_that_stops(small_registry: SmallRegistry) -> None:
    with pytest.raises(SchemaRefused, match="40403 to schema 7") as refused:
        client(small_registry.url).schema(7)
    assert "topic.registry.url" in refused.value.hint


def test_an_invalid_schema_is_refused(small_registry: SmallRegistry) -> None:
    with pytest.raises(SchemaRefused, match="42201"):
        client(small_registry.url).register("s", '{"type": "nonsense"}')


def test_an_outage_can_be_retried_and_the_answer_comes_when_it_is_over(small_registry: SmallRegistry) -> None:
    registry = client(small_registry.url)
    for failure in (500, 503, 429):
        small_registry.failure = failure
        with pytest.raises(TopicUnavailable, match=str(failure)):
            registry.register("s", SCHEMA)
    small_registry.failure = None
    assert registry.register("s", SCHEMA) == 1
    with pytest.raises(TopicUnavailable, match="does not answer"):
        client(nowhere()).schema(1)


def test_the_next_node_is_asked_where_one_does_not_answer_and_stays_the_first(small_registry: SmallRegistry) -> None:
    dead = nowhere()
    registry = client(dead, small_registry.url)
    assert registry.register("s", SCHEMA) == 1
    assert registry._urls == [small_registry.url, dead]
    assert client(dead, small_registry.url).schema(1) == SCHEMA
    with pytest.raises(TopicUnavailable) as failed:
        client(dead, nowhere()).schema(1)
    assert failed.value.message.count("does not answer") == 2


def test_a_node_that_hangs_up_in_the_handshake_is_passed_over_and_can_be_asked_again(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.certify("registry", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert, certificate.key)
    with SmallRegistry(tls=context) as running, hanging_up(2) as restarted:
        assert client(restarted, running.url, ca=str(authority.ca)).register("s", SCHEMA) == 1
        with pytest.raises(TopicUnavailable, match=r"no TLS connection.*EOF"):
            client(restarted, ca=str(authority.ca)).schema(1)
        with pytest.raises(ConfigError, match="CERTIFICATE_VERIFY_FAILED"):
            client(running.url).schema(1)


def test_a_wrong_login_stops_and_is_not_shown(small_registry: SmallRegistry) -> None:
    small_registry.require("avro", "s3cr:t")
    assert client(small_registry.url, user="avro", password="s3cr:t").register("s", SCHEMA) == 1
    for registry in (client(small_registry.url), client(small_registry.url, token="tok-en"),
                     client(small_registry.url, user="avro", password="wr0ng")):  # fmt: skip
        with pytest.raises(AccessDenied) as denied:
            registry.schema(1)
        assert not {"s3cr:t", "tok-en", "wr0ng"} & set(str(denied.value).split())
        assert "tok-en" not in repr(registry._settings)
        assert "wr0ng" not in repr(registry._settings)


def test_a_token_is_sent_as_bearer(small_registry: SmallRegistry) -> None:
    small_registry.login = "Bearer tok-en"
    assert client(small_registry.url, token="tok-en").register("s", SCHEMA) == 1


def test_what_is_no_registry_is_told(small_registry: SmallRegistry) -> None:
    with pytest.raises(SchemaRefused, match="404"):
        client(f"{small_registry.url}/elsewhere").schema(1)
    with pytest.raises(ConfigError, match="no TLS connection"):
        client(small_registry.url.replace("http:", "https:")).schema(1)
    with pytest.raises(ConfigError, match="holds no certificates"):
        client(small_registry.url, ca="/dev/null")
