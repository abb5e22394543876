"""What becomes of collections, as the topic of structure tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest

from connectors.source import Position, SchemaChange
from tests.connectors.mongo_capture import drained, flat, opened, settings, statements
from tests.mongo_server import MongoServer
from tests.servers.mongo import Mongo

Server = MongoServer | Mongo


@pytest.mark.parametrize(("include", "named"), [("shop.events", "events"), ("shop.*", 1)])
def test_an_invalidate_is_told_once_behind_what_has_caused_it_though_capture_begins_again_there(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, include: str, named: str | int
) -> None:
    chosen = settings(server.url, tmp_path, include)
    client.shop.events.insert_one({"_id": 1})
    with opened(chosen) as source:
        position = drained(source)[1]
        client.drop_database("shop")
    told, kept = list[dict[str, Any]](), list[Position | None]()
    seen = 0
    for _ in range(400):  # a restart after every read
        if seen == 5:
            break
        with opened(chosen, position) as source:
            batch = source.read(0.02)
        told += statements(batch.changes)
        seen += any("invalidate" in each for each in told)
        kept.append(position := orjson.loads(orjson.dumps(batch.position)))
        assert {each.origin["collection"] for each in batch.changes if isinstance(each, SchemaChange)} <= {"events", ""}
    cause = {"drop": "events", "$db": "shop"} if named == "events" else {"dropDatabase": 1, "$db": "shop"}
    assert told[-2:] == [cause, {"invalidate": named, "$db": "shop"}]
    assert sum("invalidate" in each for each in told) == 1
    client.shop.events.insert_one({"_id": 2})
    with opened(chosen, position) as source:
        assert [change.key for change in flat(drained(source)[0])] == [b"2"]
    with opened(replace(chosen, include_schema_changes=False), kept[0]) as source:
        assert statements(drained(source)[0]) == []


@pytest.mark.parametrize("moved", [True, False])
def test_a_collection_that_is_made_again_under_its_old_name_is_told_the_same_after_a_kill(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, moved: bool
) -> None:
    chosen = settings(server.url, tmp_path, "shop.*")
    client.shop.events.insert_many([{"_id": n, "n": 0} for n in range(3)])
    with opened(chosen) as source:
        position = drained(source)[1]
        client.shop.events.update_one({"_id": 0}, {"$inc": {"n": 1}})
        client.shop.events.delete_one({"_id": 1})
        if moved:
            client.shop.events.rename("events_old")
        else:
            client.shop.drop_collection("events")
        client.shop.events.insert_one({"_id": 2, "n": 7})
        client.shop.events.update_one({"_id": 2}, {"$inc": {"n": 1}})
        client.shop.events_old.update_one({"_id": 2}, {"$inc": {"n": 1}})
        told = flat(drained(source)[0])
    assert [(change.name, change.before, change.after) for change in told[:2]] == [
        ("shop.events", b'{"_id": 0,"n": 0}', b'{"_id": 0,"n": 1}'), ("shop.events", b'{"_id": 1,"n": 0}', None),
    ]  # fmt: skip
    assert [change.name for change in told[2:]] == ["shop.events"] * 2 + ["shop.events_old"] * moved
    for _ in range(2):  # none of it was committed
        with opened(chosen, position) as source:
            assert flat(drained(source)[0]) == told
