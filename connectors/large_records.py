"""Records that are larger than a topic takes: left out, and named in the topic of dead letters in the same transaction."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from connectors.serializing import Addressed, Serializer, in_place_of
from connectors.source import Heartbeat, SourceEvent
from streamtrain.topic.base import Messages


class LargeRecordsSerializer:
    """A serializer that gives no record of more than ``most_bytes`` of key and value."""

    def __init__(self, serializer: Serializer, prefix: str, most_bytes: int) -> None:
        self._serializer = serializer
        self._prefix = prefix
        self._most_bytes = most_bytes

    def serialize(self, event: SourceEvent | Heartbeat, now_ns: int) -> Iterable[Addressed]:
        for addressed in self._serializer.serialize(event, now_ns):
            messages = addressed.messages
            sizes = list(map(_size, messages.keys, messages.values))
            if max(sizes, default=0) <= self._most_bytes:
                yield addressed
                continue
            kept = [at for at, size in enumerate(sizes) if size <= self._most_bytes]
            if kept:
                yield addressed._replace(messages=_chosen(messages, kept))
            for at, size in enumerate(sizes):
                if size > self._most_bytes:
                    yield self._named(addressed.topic, messages.keys[at], size, now_ns)

    def _named(self, topic: str, key: bytes | None, size: int, now_ns: int) -> Addressed:
        known = {"reason": f"the record is larger than source.max_record_bytes, {self._most_bytes}", "bytes": size}
        return in_place_of(self._prefix, topic, _shown(key), known, now_ns)


def _size(key: bytes | None, value: bytes | None) -> int:
    return len(key or b"") + len(value or b"")


def _chosen(messages: Messages, chosen: Sequence[int]) -> Messages:
    headers = {new: messages.headers[old] for new, old in enumerate(chosen) if old in messages.headers}
    return Messages([messages.keys[at] for at in chosen], [messages.values[at] for at in chosen], headers)


def _shown(key: bytes | None) -> Any:
    """A key of JSON as it is, any other in base64."""
    if key is None:
        return None
    try:
        return orjson.loads(key)
    except orjson.JSONDecodeError:
        return b64encode(key).decode()
