"""The schema registry: ``topic.registry``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from streamtrain.config.secret import Secret, Url
from streamtrain.config.section import Section, at_key


def _registry_url(url: Url) -> Url:
    if url.scheme not in {"http", "https"} or url.has_options:
        raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
    if url.user or url.password.reveal():
        raise ValueError("must not hold the login: set topic.registry.user and topic.registry.password")
    return url


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Registry(Section):
    """A schema registry that speaks Confluent's REST API."""

    url: Annotated[
        list[Annotated[Url, AfterValidator(_registry_url)]], BeforeValidator(_as_list), Field(min_length=1)
    ] = Field(
        description="`http://HOST:PORT` or `https://HOST:PORT`, with the path of the API if it has one; a list for several "
        "nodes of one registry, of which the first that answers is used. `registry: URL` is short for `registry: {url: URL}`."
    )
    user: str | None = Field(default=None, description="User for basic authentication.")
    password: Secret | None = Field(default=None, description="Password for basic authentication.")
    token: Secret | None = Field(default=None, description="Bearer token, instead of user and password.")
    ca: Path | None = Field(
        default=None,
        description="PEM file: the authority that signed the registry's certificate. `null`: the system's.",
    )
    subjects: Literal["topic", "record", "topic_record"] = Field(
        default="topic",
        description="Under which names schemas are kept: Confluent's TopicNameStrategy (`TOPIC-key`, `TOPIC-value`), "
        "RecordNameStrategy or TopicRecordNameStrategy.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_url_alone(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, (str, list)) else value

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.token is not None and (self.user is not None or self.password is not None):
            raise at_key("token", "is instead of user and password, which are set too")
        if (self.user is None) != (self.password is None):
            raise at_key("user", "and password go together")
        return self
