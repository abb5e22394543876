"""A client of Confluent's schema registry REST API, which other registries speak too. The one module that imports urllib3.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson
import urllib3

from streamtrain.errors import AccessDenied, ConfigError, FatalError, SchemaRefused, TopicUnavailable
from streamtrain.tls import refusal

_ACCEPT = "application/vnd.schemaregistry.v1+json"
_CONNECT_S = 5.0
_READ_S = 15.0
_SHOWN = 600
"""A registry quotes whole schemas in its messages; as much of one as fits a line of a log."""


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Where the registry is and how to log in."""

    urls: tuple[str, ...]
    """Of the nodes of one registry, without login; the first that answers is used."""
    user: str | None = None
    password: str = field(default="", repr=False)
    token: str | None = field(default=None, repr=False)
    """A bearer token, instead of user and password."""
    ca: str | None = None
    """A file of certificates that servers are checked against; None: the system's."""


class Registry:
    """One registry, with what it has answered kept: an id never changes its meaning. Not thread-safe."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._urls = list(settings.urls)
        self._ids: dict[tuple[str, str], int] = {}
        self._schemas: dict[int, str] = {}
        self._http = urllib3.PoolManager(
            headers=_login(settings) | {"Accept": _ACCEPT},
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            retries=False,
            ssl_context=_trust(settings.ca),
        )

    def register(self, subject: str, schema: str) -> int:
        """The id of an Avro schema under ``subject``, which is registered there first if it is new.

        Raises SchemaRefused, with the registry's reason, if it is not compatible with the ones before it; TopicUnavailable
        if no node answers; AccessDenied.
        """
        known = self._ids.get((subject, schema))
        if known is None:
            path = f"/subjects/{quote(subject, safe='')}/versions"
            known = self._ids[subject, schema] = int(self._ask("POST", path, subject, {"schema": schema})["id"])
        return known

    def schema(self, schema_id: int) -> str:
        """The text of an Avro schema. Raises SchemaRefused if the registry does not hold one under this id."""
        known = self._schemas.get(schema_id)
        if known is None:
            answer = self._ask("GET", f"/schemas/ids/{schema_id}", f"schema {schema_id}")
            kind = answer.get("schemaType", "AVRO")
            if kind != "AVRO" or answer.get("references"):
                raise SchemaRefused(
                    f"schema {schema_id} of {self.where} is {kind}, or is made of several; only Avro in one piece is read",
                    hint="write the topic as Avro, with Debezium or `streamtrain connect`",
                )
            known = self._schemas[schema_id] = str(answer["schema"])
        return known

    def compatibility(self, subject: str | None = None) -> str:
        """The level that new schemas of ``subject``, or of those without a level of their own, are held to."""
        path = "/config" if subject is None else f"/config/{quote(subject, safe='')}?defaultToGlobal=true"
        answer = self._ask("GET", path, subject or "the default")
        return str(answer.get("compatibilityLevel", answer.get("compatibility", "?")))

    @property
    def where(self) -> str:
        """The registry, for messages."""
        return f"the schema registry at {', '.join(self._settings.urls)}"

    def close(self) -> None:
        """Let go of connections. Safe to call twice."""
        self._http.clear()

    def _ask(self, method: str, path: str, about: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer of the first node that gives one; later questions begin with it."""
        failures = []
        for _ in range(len(self._urls)):
            try:
                return self._answer(method, self._urls[0] + path, about, body)
            except TopicUnavailable as failure:
                failures.append(failure.message)
                self._urls.append(self._urls.pop(0))
        raise TopicUnavailable("; ".join(failures), hint="start the schema registry, or correct topic.registry.url")

    def _answer(self, method: str, url: str, about: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        content = None if body is None else orjson.dumps(body)
        headers = None if body is None else {**self._http.headers, "Content-Type": _ACCEPT}
        try:
            answer = self._http.request(method, url, body=content, headers=headers, redirect=False)
        except urllib3.exceptions.SSLError as error:
            said, refused = f"no TLS connection to {self.where}: {_reason(error)}", refusal(error, "topic.registry")
            if refused is None or not refused.final:
                # A node that is restarted cuts handshakes off.
                raise TopicUnavailable(said) from None
            raise ConfigError(said, hint="see topic.registry.ca, and https or http") from None
        except urllib3.exceptions.HTTPError as error:
            raise TopicUnavailable(f"{self.where} does not answer: {_reason(error)}") from None
        document = _document(answer.data)
        if answer.status == 200 and isinstance(document, dict):
            return document
        raise self._refusal(answer.status, document, about)

    def _refusal(self, status: int, document: Any, about: str) -> Exception:
        given = document if isinstance(document, dict) else {}
        said = str(given.get("message", "no reason given"))[:_SHOWN]
        what = f"{self.where} answered {given.get('error_code', status)} to {about}: {said}"
        if status >= 500 or status in {408, 429}:
            return TopicUnavailable(what)
        if status in {401, 403}:
            return AccessDenied(what, hint="see topic.registry.user, .password and .token")
        if status == 404:
            return SchemaRefused(what, hint="is topic.registry.url the registry that the topic was written with?")
        if status == 409:
            return SchemaRefused(
                what,
                hint="the table has changed in a way that readers of the older schema cannot follow: if they need not, "
                f'allow it with PUT /config/{quote(about, safe="")} {{"compatibility": "NONE"}}, and start again',
            )
        if status == 422:
            return SchemaRefused(what, hint="the registry does not take this schema as valid Avro")
        return FatalError(what, hint="is topic.registry.url a schema registry with Confluent's REST API?")


def _login(settings: RegistrySettings) -> dict[str, str]:
    if settings.token is not None:
        return {"Authorization": f"Bearer {settings.token}"}
    if settings.user is not None:
        return dict(urllib3.make_headers(basic_auth=f"{settings.user}:{settings.password}"))
    return {}


def _trust(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"topic.registry.ca: {ca} holds no certificates that can be read ({error})") from None


def _document(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)[:_SHOWN]
