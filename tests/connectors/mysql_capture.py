"""Sources over the tests' servers, and ways to read them to their end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pymysql

from connectors.mysql.settings import MysqlSettings
from connectors.mysql.source import MysqlSource
from connectors.source import Change, Position, Row, Source, SourceBatch, SourceEvent
from streamtrain.envelope import Op
from tests.servers import Database

Seen = tuple[Op, Row | None, Row | None]


def plain(url: str) -> str:
    """Without TLS, whose set-up takes longer than most tests."""
    return f"{url}/?ssl_mode=disabled"


def settings_for(server: Database, *include: str, **options: Any) -> MysqlSettings:
    """Settings whose prefix, and so whose replica id, is made of the tables: tests do not get in each other's way."""
    chosen: dict[str, Any] = {
        "url": plain(server.url),
        "prefix": f"test-{'-'.join(include)}",
        "heartbeat_s": 0.2,
        "include_schema_changes": False,
    } | options
    return MysqlSettings(include=include, **chosen)


def source_for(server: Database, *include: str, **options: Any) -> MysqlSource:
    return MysqlSource(settings_for(server, *include, **options))


@contextmanager
def opened(source: MysqlSource, position: Position | None = None) -> Iterator[MysqlSource]:
    """The source, opened at a position as it comes back from its store, and closed at the end."""
    with closing(source):
        source.open(None if position is None else orjson.loads(orjson.dumps(position)))
        yield source


@dataclass(slots=True)
class Kept:
    """What a topic writer keeps beside the messages: the position, and notes."""

    position: Position | None = None
    notes: dict[str, bytes] = field(default_factory=dict)

    def keep(self, batch: SourceBatch) -> None:
        """As at a commit after ``batch``."""
        for key, note in batch.notes.items():
            if note is None:
                self.notes.pop(key, None)
            else:
                self.notes[key] = note
        if batch.position is not None:
            self.position = orjson.loads(orjson.dumps(batch.position))


def follow(source: MysqlSource, kept: Kept, *, batches: int | None = None) -> list[SourceEvent]:
    """Go on at what is kept, up to the present end or for some ``batches``; close the source, and give what came."""
    events = list[SourceEvent]()
    with closing(source):
        source.open(kept.position, dict(kept.notes))
        end, deadline = source.end(), time.monotonic() + 60
        while batches != 0:
            assert time.monotonic() < deadline, "not at the end after a minute"
            batch = source.read(0.2)
            kept.keep(batch)
            events += batch.changes
            if batches is not None:
                batches -= 1
            elif source.reached(end):
                break
    return events


def read_to_end(source: Source) -> tuple[list[Change], Position]:
    """All changes up to the present end, and the position after them."""
    end, changes, position = source.end(), list[Change](), None
    deadline = time.monotonic() + 60
    while not source.reached(end):
        assert time.monotonic() < deadline, f"not at the end after a minute, {len(changes)} changes were read"
        batch = source.read(0.2)
        changes += batch.changes
        position = batch.position
    if position is None:
        position = source.read(0).position
    assert position is not None
    return changes, position


def seen(changes: Sequence[Change]) -> list[Seen]:
    """Row by row: operation, before, after. A TRUNCATE has neither."""
    rows = list[Seen]()
    for change in changes:
        if change.op is Op.TRUNCATE:
            rows.append((change.op, None, None))
            continue
        before = change.before if change.before is not None else [None] * len(change)
        after = change.after if change.after is not None else [None] * len(change)
        rows += [(change.op, one, other) for one, other in zip(before, after, strict=True)]
    return rows


def transaction(server: Database, database: str, *statements: str) -> None:
    """Carry the statements out in one transaction."""
    with closing(server.connect(database=database, autocommit=False)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def connect(server: Database, database: str, **options: Any) -> pymysql.connections.Connection[Any]:
    return server.connect(database=database, **options)


@contextmanager
def account(server: Database, *grants: str) -> Iterator[str]:
    """The URL of an account with exactly these rights ("SELECT ON shop.*")."""
    name = f"u{uuid.uuid4().hex[:12]}"
    server.execute(
        f"CREATE USER {name}@'%' IDENTIFIED BY 'pa55'", *(f"GRANT {right} TO {name}@'%'" for right in grants)
    )
    try:
        yield plain(f"mysql://{name}:pa55@{server.address.host}:{server.address.port}")
    finally:
        server.execute(f"DROP USER {name}@'%'")
