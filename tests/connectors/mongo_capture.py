"""A MongoDB source under test: what it publishes, folded to what the collections should hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from connectors.mongo.settings import MongoSettings
from connectors.mongo.source import MongoSource
from connectors.source import DocumentChange, Position, SchemaChange, SourceEvent
from streamtrain.envelope import Op


class Seen(NamedTuple):
    """One change of a document."""

    name: str
    op: Op
    key: bytes
    before: bytes | None
    after: bytes | None
    after_from: str | None


def settings(url: str, directory: Path, *include: str, **others: Any) -> MongoSettings:
    """A source that reads a few documents at a time."""
    return MongoSettings(
        url, include, "shop", **{"store": directory / "documents.db", "chunk_rows": 7, "max_rows": 5, **others}
    )


@contextmanager
def opened(chosen: MongoSettings, position: Position | None = None) -> Iterator[MongoSource]:
    """The source, gone on from ``position`` as it comes back from where it is kept."""
    with closing(MongoSource(chosen)) as source:
        source.open(orjson.loads(orjson.dumps(position)))
        yield source


def drained(source: MongoSource) -> tuple[list[SourceEvent], Position]:
    """All events to the present end, and the position after them."""
    end, events = source.end(), list[SourceEvent]()
    batch = source.read(0.05)
    events += batch.changes
    for _ in range(2_000):
        if source.reached(end):
            break
        batch = source.read(0.05)
        events += batch.changes
    assert source.reached(end)
    assert batch.position is not None
    return events, batch.position


def flat(events: Sequence[SourceEvent]) -> list[Seen]:
    """The documents' changes."""
    return [
        Seen(event.collection.full_name, op, key, before, after, after_from)
        for event in events
        if isinstance(event, DocumentChange)
        for op, key, before, after, after_from in zip(
            event.ops, event.keys, event.before, event.after, event.origins.after_from, strict=True
        )
    ]


def statements(events: Sequence[SourceEvent]) -> list[dict[str, Any]]:
    """What changes of structure say."""
    return [orjson.loads(event.statement) for event in events if isinstance(event, SchemaChange)]


def folded(changes: Sequence[Seen]) -> dict[tuple[str, bytes], bytes]:
    """The documents that the changes make. Nothing may come twice or be missing: ``before`` is what they made so far."""
    held: dict[tuple[str, bytes], bytes] = {}
    for change in changes:
        name = (change.name, change.key)
        if change.before is not None:
            assert held.pop(name, None) == change.before, change
        if change.after is not None:
            assert name not in held, change
            held[name] = change.after
    return held
