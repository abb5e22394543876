"""Snapshots that signals begin, pause, go on with and end, and documents that are written while one is read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest

from connectors.mongo.settings import MongoSettings
from connectors.mongo.source import MongoSource
from connectors.source import Position
from streamtrain.envelope import Op
from tests.connectors.mongo_capture import Seen, drained, flat, settings
from tests.mongo_server import MongoServer
from tests.servers.mongo import Mongo

Server = MongoServer | Mongo
COUNT = 30
"""Documents of each collection: more than four chunks."""


class Signals:
    """A log of signals that grows."""

    def __init__(self) -> None:
        self._values: list[bytes] = []

    def say(self, kind: str, *collections: str, condition: str | None = None) -> None:
        """A signal about these collections, each by that condition; about all of them if none is named."""
        data: dict[str, Any] = {"data-collections": list(collections)} if collections else {}
        if condition is not None:
            data["additional-conditions"] = [{"data-collection": name, "filter": condition} for name in collections]
        self._values.append(orjson.dumps({"id": str(len(self._values)), "type": f"{kind}-snapshot", "data": data}))

    def read(self, offset: int | None) -> tuple[int | None, Sequence[bytes]]:
        return len(self._values), self._values[offset or 0 :]

    def close(self) -> None:
        """Nothing is open."""


class Watched:
    """A source that listens before each read, and what it has given so far."""

    def __init__(self, source: MongoSource, position: Position | None) -> None:
        self._source = source
        source.open(orjson.loads(orjson.dumps(position)))
        self.position = position
        self.changes: list[Seen] = []

    def read(self, times: int = 1) -> list[Seen]:
        """What so many reads give."""
        found = list[Seen]()
        for _ in range(times):
            batch = self._source.read(0.0)
            found += flat(batch.changes)
            self.position = batch.position
        self.changes += found
        return found

    def read_until(self, reads: int) -> None:
        """Read until so many documents were read by a snapshot."""
        for _ in range(500):
            if len(reads_of(self.changes)) >= reads:
                return
            self.read()
        raise AssertionError(f"{len(reads_of(self.changes))} documents read, {reads} expected")

    def drain(self) -> list[Seen]:
        """Everything that is left."""
        events, self.position = drained(self._source)
        self.changes += flat(events)
        return flat(events)


def reads_of(changes: Sequence[Seen]) -> list[tuple[str, bytes]]:
    return [(change.name, change.key) for change in changes if change.op is Op.READ]


@contextmanager
def watching(chosen: MongoSettings, signals: Signals, position: Position | None = None) -> Iterator[Watched]:
    ticks = itertools.count()
    with closing(MongoSource(chosen, monotonic=lambda: float(next(ticks)), signals=signals)) as source:
        yield Watched(source, position)


@pytest.fixture
def client(server: Server) -> Iterator[pymongo.MongoClient[Any]]:
    """Of a server that has two collections."""
    with pymongo.MongoClient[Any](server.url) as connected:
        for name in ("a", "b"):
            connected.shop[name].insert_many([{"_id": n, "v": 0} for n in range(COUNT)])
        yield connected


def names(collection: str, count: int = COUNT) -> list[tuple[str, bytes]]:
    return [(f"shop.{collection}", b"%d" % n) for n in range(count)]


def test_a_snapshot_that_is_paused_reads_nothing_until_it_is_told_to_go_on_where_it_was(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    chosen, signals = settings(server.url, tmp_path, "shop.*"), Signals()
    with watching(chosen, signals) as source:
        source.drain()
        source.changes.clear()
        signals.say("execute", "shop.a")
        source.read_until(14)
        signals.say("pause")
        assert reads_of(source.read(20)) == []
        client.shop.a.update_one({"_id": 29}, {"$set": {"v": 1}})
        assert [(change.op, change.key) for change in source.drain()] == [(Op.UPDATE, b"29")]
        before, position = source.changes, source.position
    with watching(chosen, signals, position) as source:  # it stays paused over a restart
        assert source.drain() == source.read(20) == []
        signals.say("resume")
        after = source.drain()
    assert reads_of(before) == names("a", 14)
    assert reads_of(after) == names("a")[14:]
    assert after[-1].after == b'{"_id": 29,"v": 1}'


@pytest.mark.parametrize("named", [(), (r"shop[.].*",), ("shop.a", "shop.b")], ids=str)
def test_a_snapshot_that_is_stopped_reads_nothing_more_and_another_begins_anew(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, named: tuple[str, ...]
) -> None:
    chosen, signals = settings(server.url, tmp_path, "shop.*"), Signals()
    with watching(chosen, signals) as source:
        source.drain()
        source.changes.clear()
        signals.say("execute", "shop.*")
        source.read_until(7)
        signals.say("stop", *named)
        client.shop.b.insert_one({"_id": COUNT})
        assert [(change.op, change.name) for change in source.drain()] == [(Op.CREATE, "shop.b")]
        assert reads_of(source.changes) == names("a", 7)
        source.changes.clear()
        position = source.position
    with watching(chosen, signals, position) as source:
        assert source.drain() == []
        signals.say("execute", "shop.*")
        source.read()
        source.drain()
    assert reads_of(source.changes) == names("a") + names("b", COUNT + 1)


def test_only_the_collection_that_is_named_is_taken_out_of_a_snapshot(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    del client
    chosen, signals = settings(server.url, tmp_path, "shop.*"), Signals()
    with watching(chosen, signals) as source:
        source.drain()
        source.changes.clear()
        signals.say("execute", "shop.*")
        source.read_until(7)
        signals.say("stop", "shop.a")
        source.drain()
    assert reads_of(source.changes) == names("a", 7) + names("b")


@pytest.mark.parametrize("reads", range(8))
@pytest.mark.parametrize("anew", [False, True], ids=["deleted", "deleted and inserted anew"])
def test_a_document_that_is_deleted_while_its_chunk_is_read_does_not_come_back(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, reads: int, *, anew: bool
) -> None:
    """Whatever has happened by then: the chunk is not read yet, waits for the stream, or is published."""
    chosen, signals, gone = settings(server.url, tmp_path, "shop.a"), Signals(), (0, 6, 7, 10, 29)
    with watching(chosen, signals) as source:
        source.drain()
        source.changes.clear()
        signals.say("execute", "shop.a")
        source.read(reads)
        for number in gone:
            client.shop.a.delete_one({"_id": number})
            if anew:
                client.shop.a.insert_one({"_id": number, "v": 1})
        source.read()
        source.drain()
    for number in range(COUNT):
        seen = [change for change in source.changes if change.key == b"%d" % number]
        told = "".join(change.op.value for change in seen)
        written = {"dc", "rdc", "dcr"} if anew else {"d", "rd"}
        assert told in (written if number in gone else {"r"})
        if number in gone:
            assert seen[-1].after == (b'{"_id": %d,"v": 1}' % number if anew else None)
