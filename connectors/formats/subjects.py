"""Under which name a schema is kept in the registry.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#subject-name-strategy
"""

from __future__ import annotations

from typing import Literal

Strategy = Literal["topic", "record", "topic_record"]
"""Confluent's TopicNameStrategy, RecordNameStrategy and TopicRecordNameStrategy."""


def subject(strategy: Strategy, topic: str, record: str, *, key: bool) -> str:
    """The subject of a topic's keys or values, whose schema is the record ``record`` (its full name)."""
    if strategy == "record":
        return record
    if strategy == "topic_record":
        return f"{topic}-{record}"
    return f"{topic}-{'key' if key else 'value'}"
