"""Checks that every topic makes alike: offsets against the ends of a log."""

from __future__ import annotations

from streamtrain.errors import PositionLost, TopicUnavailable
from streamtrain.topic.base import TopicPartition, Watermarks


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
