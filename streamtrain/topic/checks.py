"""Checks that every topic makes alike: names, and offsets against the ends of a log."""

from __future__ import annotations

import re

from streamtrain.errors import ConfigError, PositionLost, TopicUnavailable
from streamtrain.topic.base import TopicPartition, Watermarks

# Kafka's rule (org.apache.kafka.common.internals.Topic). The file topic keeps to it, so that a name moves from one to
# the other, and so that a name is always one harmless path component.
_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
MAX_NAME_LENGTH = 249


def check_name(name: str, what: str = "topic", *, max_length: int = MAX_NAME_LENGTH) -> str:
    """Give ``name`` back if Kafka would take it as a topic's name. Raises ConfigError; ``what`` says what is named."""
    if not _LEGAL.fullmatch(name) or name in {".", ".."} or len(name) > max_length:
        raise ConfigError(
            f"{name!r} cannot be the name of a {what}",
            hint=f"use up to {max_length} of the letters a-z and A-Z, digits, '.', '_' and '-'",
        )
    return name


def check_offset(source: TopicPartition, offset: int, ends: Watermarks) -> None:
    """Raise PositionLost unless a reader can go on from ``offset``."""
    if ends.low <= offset <= ends.high:
        return
    where = f"below the log's start, low watermark {ends.low}"
    hint = "the topic's retention removed records that were not read yet: replay from a later checkpoint, and set retention.ms=-1"
    if offset > ends.high:
        where = f"beyond the log's end {ends.high}, low watermark {ends.low}"
        hint = "the topic was deleted and made again, or lost its tail: start a new run, or restore the topic"
    raise PositionLost(f"{source}: offset {offset} is {where}", hint=hint)


def missing(source: TopicPartition) -> TopicUnavailable:
    """The error for a partition that does not exist, or not yet."""
    return TopicUnavailable(
        f"{source} does not exist",
        hint="the connector creates topics: start it, or check topic.prefix and examples.from",
    )
