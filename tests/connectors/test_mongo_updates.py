"""What updates that follow each other at once are told as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.source import DocumentChange
from tests.connectors.mongo_capture import drained, flat, opened, settings
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
