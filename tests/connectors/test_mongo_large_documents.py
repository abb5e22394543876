"""Documents of which a server sends no two in one reply: it ends a batch at 16 MB, but for its first document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.mongo.client import Time
from connectors.mongo.snapshots.reader import Chunk
from streamtrain.envelope import Op
from streamtrain.errors import SourceUnavailable
from tests.connectors.mongo_capture import drained, flat, opened, settings
from tests.connectors.test_mongo_incremental import Signals, watching
from tests.mongo_server import MongoServer
from tests.servers.mongo import Mongo

Server = MongoServer | Mongo
LARGE = "x" * 9_000_000
KEYS = [b"0", b"1", b"2", b"3", b"4"]


@pytest.fixture
def with_large_neighbours(server: Server, client: pymongo.MongoClient[Any]) -> Server:
    """The first chunk ends behind the first of two large documents."""
    client.shop.events.insert_many([{"_id": n, **({"pad": LARGE} if n in {1, 2} else {})} for n in range(5)])
    return server


@pytest.mark.parametrize("condition", [None, '{"_id": {"$gte": 0}}'], ids=["all", "by a condition"])
def test_a_snapshot_goes_on_behind_a_document_that_fills_a_reply_alone(
    with_large_neighbours: Server, client: pymongo.MongoClient[Any], tmp_path: Path, condition: str | None
) -> None:
    chosen, signals = settings(with_large_neighbours.url, tmp_path, "shop.events"), Signals()
    with watching(chosen, signals) as source:
        read = source.drain()
        signals.say("execute", "shop.events", condition=condition)
        source.read()
        again = source.drain()
        client.shop.events.update_one({"_id": 2}, {"$set": {"pad": ""}})
        streamed = source.drain()
    assert [(change.op, change.key) for change in read] == [(Op.READ, key) for key in KEYS]
    assert [(change.op, change.key) for change in again] == [(Op.READ, key) for key in KEYS]
    assert [change.after for change in streamed] == [b'{"_id": 2,"pad": ""}']


def test_documents_that_are_only_held_are_read_on_behind_it_too(
    with_large_neighbours: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    with opened(settings(with_large_neighbours.url, tmp_path, "shop.events", snapshot="no_data")) as source:
        assert flat(drained(source)[0]) == []
        client.shop.events.update_many({"_id": {"$in": [2, 4]}}, {"$set": {"pad": ""}})
        changes = flat(drained(source)[0])
    assert [change.after for change in changes] == [b'{"_id": 2,"pad": ""}', b'{"_id": 4,"pad": ""}']


def test_a_chunk_of_nothing_behind_which_more_follows_is_refused() -> None:
    assert Chunk("shop.events", [], [], Time(1, 1), ended=True).ended
    with pytest.raises(SourceUnavailable, match=r"no document of shop\.events"):
        Chunk("shop.events", [], [], Time(1, 1), ended=False)
