"""What updates that follow each other at once are told as, and how much of them is held in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.mongo.source import MongoSource
from connectors.source import DocumentChange, Position
from streamtrain.envelope import Op
from tests.connectors.mongo_capture import Seen, drained, flat, opened, settings
from tests.mongo_server import MongoServer
from tests.servers.mongo import Mongo


@pytest.mark.parametrize("after", ["held", "lookup"])
def test_quick_updates_tell_each_its_own_delta_and_one_before_a_delete_is_not_lost(
    mongo_of_each_version: MongoServer | Mongo, tmp_path: Path, after: str
) -> None:
    url = mongo_of_each_version.url
    with pymongo.MongoClient[Any](url) as client:
        documents = client.shop.events
        documents.insert_many([{"_id": 1, "n": 0}, {"_id": 2, "n": 0}])
        with opened(settings(url, tmp_path, "shop.events", after=after)) as source:
            drained(source)
            for change in ({"$set": {"n": 1}}, {"$set": {"m": 1}}, {"$push": {"list": 1}}):
                documents.update_one({"_id": 1}, change)
            documents.update_one({"_id": 2}, {"$inc": {"n": 4}})
            documents.delete_one({"_id": 2})
            events, _ = drained(source)
    updates = [update for event in events if isinstance(event, DocumentChange) for update in event.updates]
    assert [update and update.updated for update in updates] == [
        b'{"n": 1}', b'{"m": 1}', b'{"list": [1]}', b'{"n": 4}', None,
    ]  # fmt: skip
    changes = flat(events)
    assert "".join(change.op.value for change in changes) == "uuuud"
    last = b'{"_id": 1,"n": 1,"m": 1,"list": [1]}'
    if after == "lookup":  # as they are when the events are read
        assert [(change.after, change.after_from) for change in changes[:4]] == [(last, "lookup")] * 3 + [
            (None, "lookup")
        ]
        return
    assert [change.after for change in changes] == [
        b'{"_id": 1,"n": 1}', b'{"_id": 1,"n": 1,"m": 1}', last, b'{"_id": 2,"n": 4}', None,
    ]  # fmt: skip
    assert {change.after_from for change in changes[:4]} == {"delta"}
    assert changes[4].before == b'{"_id": 2,"n": 4}'


LARGE = "a" * 200_000
COUNT = 100
"""Of documents, which come to 20 MB: what the server says of changes of them fits in one of its replies many times."""


def by_read(source: MongoSource) -> list[tuple[list[Seen], Position]]:
    """What each read gives that gives anything, and the position after it."""
    end, given = source.end(), list[tuple[list[Seen], Position]]()
    for _ in range(2_000):
        batch = source.read(0.05)
        assert batch.position is not None
        if changes := flat(batch.changes):
            given.append((changes, batch.position))
        if source.reached(end):
            return given
    raise AssertionError("the end is not reached")


def size_of(changes: list[Seen]) -> int:
    return sum(len(change.before or b"") + len(change.after or b"") for change in changes)


@pytest.mark.parametrize("kind", ["update", "update of one", "replace", "delete"])
def test_changes_of_large_documents_are_given_a_few_at_a_time_and_gone_on_with_behind_each(
    mongo_4_4: MongoServer | Mongo, tmp_path: Path, kind: str
) -> None:
    chosen = settings(mongo_4_4.url, tmp_path, "shop.*", max_rows=20_000, chunk_rows=50)
    with pymongo.MongoClient[Any](mongo_4_4.url) as client:
        documents = client.shop.events
        documents.insert_many([{"_id": n, "a": LARGE, "n": 0} for n in range(COUNT)])
        with opened(chosen) as source:
            position = drained(source)[1]
        client.shop.others.insert_one({"_id": 0})
        if kind == "update":
            documents.update_many({}, {"$inc": {"n": 1}})
        elif kind == "update of one":
            for _ in range(COUNT):
                documents.update_one({"_id": 5}, {"$inc": {"n": 1}})
        elif kind == "replace":
            for n in range(COUNT):
                documents.replace_one({"_id": n}, {"n": 1})
        else:
            documents.delete_many({})
        client.shop.others.update_one({"_id": 0}, {"$set": {"n": 1}})
    with opened(chosen, position) as source:
        given = by_read(source)
    told = [change for changes, _ in given for change in changes]
    assert sorted(change.name for change in told) == ["shop.events"] * COUNT + ["shop.others"] * 2
    assert all(change.before is not None for change in told if change.op is not Op.CREATE)
    assert max(size_of(changes) for changes, _ in given) < 10_000_000
    assert len(given) < 20
    for at in (len(given) - 2, len(given) // 2, 0):  # further back each time: the store goes back with it
        with opened(chosen, given[at][1]) as source:
            rest = [change for changes, _ in given[at + 1 :] for change in changes]
            assert flat(drained(source)[0]) == rest, at
