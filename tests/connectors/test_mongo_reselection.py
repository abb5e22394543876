"""Other collections captured than at the start before: what is left out is forgotten, and what is added is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.source import Position
from streamtrain.envelope import Op
from tests.connectors.mongo_capture import Seen, drained, flat, opened, settings
from tests.mongo_server import MongoServer
from tests.servers.mongo import Mongo

Server = MongoServer | Mongo

WITHOUT: list[dict[str, Any]] = [
    {"include": ["shop.a"]},
    {"include": ["shop.a", "shop.b"], "exclude": ("shop.b",)},
]
"""Two ways to leave out ``shop.b``."""


def captured(server: Server, directory: Path, position: Position | None, **chosen: Any) -> tuple[list[Seen], Position]:
    """What comes to the present end, and the position after it."""
    include = chosen.pop("include", ["shop.a", "shop.b"])
    with pymongo.MongoClient[Any](server.url) as client:
        client.elsewhere.log.insert_one({})  # the position may lie a moment ahead of the log: that moves on
    with opened(settings(server.url, directory, *include, **chosen), position) as source:
        events, reached = drained(source)
    return flat(events), reached


@pytest.mark.parametrize("without", WITHOUT)
def test_what_was_left_out_for_a_while_is_read_anew_and_told_as_it_is(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, without: dict[str, Any]
) -> None:
    for name in ("a", "b"):
        client.shop[name].insert_many([{"_id": n, "v": "old", "n": 0} for n in range(3)])
    _, position = captured(server, tmp_path, None)
    client.shop.b.update_one({"_id": 0}, {"$set": {"v": "unseen"}})
    changes, position = captured(server, tmp_path, position, **without)
    assert changes == []
    client.shop.b.update_one({"_id": 1}, {"$set": {"v": "unseen"}})
    client.shop.b.delete_one({"_id": 2})
    client.shop.a.update_one({"_id": 0}, {"$set": {"v": "seen"}})
    changes, position = captured(server, tmp_path, position, **without)
    assert [(each.name, each.key) for each in changes] == [("shop.a", b"0")]
    client.shop.b.update_one({"_id": 1}, {"$inc": {"n": 1}})
    changes, position = captured(server, tmp_path, position)
    assert [(each.name, each.op, each.after) for each in changes] == [
        ("shop.b", Op.READ, b'{"_id": 0,"v": "unseen","n": 0}'),
        ("shop.b", Op.READ, b'{"_id": 1,"v": "unseen","n": 1}'),
    ]
    client.shop.b.update_one({"_id": 1}, {"$inc": {"n": 1}})
    changes, _ = captured(server, tmp_path, position)
    assert [(each.before, each.after) for each in changes] == [
        (b'{"_id": 1,"v": "unseen","n": 1}', b'{"_id": 1,"v": "unseen","n": 2}')
    ]


@pytest.mark.parametrize("without", WITHOUT)
def test_a_collection_that_is_left_out_before_it_was_read_is_not_read(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, without: dict[str, Any]
) -> None:
    for name in ("a", "b"):
        client.shop[name].insert_many([{"_id": n} for n in range(20)])
    with opened(settings(server.url, tmp_path, "shop.a", "shop.b")) as source:
        first = source.read(0.05)
    assert first.position is not None
    changes, _ = captured(server, tmp_path, first.position, **without)
    told = [*flat(first.changes), *changes]
    assert sorted((each.name, int(each.key)) for each in told) == [("shop.a", n) for n in range(20)]


def test_a_collection_that_is_captured_now_and_was_gone_before_the_start_stops_nothing(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.a.insert_one({"_id": 1})
    client.shop.gone.insert_one({"_id": 1})
    client.shop.moved.insert_one({"_id": 1})
    _, position = captured(server, tmp_path, None, include=["shop.a"])
    client.shop.gone.update_one({"_id": 1}, {"$set": {"v": 1}})
    client.shop.gone.insert_one({"_id": 2})
    client.shop.gone.update_one({"_id": 2}, {"$set": {"v": 1}})
    client.shop.gone.drop()
    client.shop.moved.update_one({"_id": 1}, {"$set": {"v": 1}})
    client.shop.moved.rename("there")
    chosen = settings(server.url, tmp_path, "shop.*")
    with opened(chosen, position) as source:  # killed before it has come to anything
        kept = source.read(0.0).position
    told = list[Seen]()
    with opened(chosen, position) as source:
        for _ in range(2):
            batch = source.read(0.05)
            told += flat(batch.changes)
            kept = batch.position
    changes, position = captured(server, tmp_path, kept, include=["shop.*"])
    told += changes
    assert [(each.name, each.op, each.key) for each in told] == [
        ("shop.gone", Op.CREATE, b"2"),
        ("shop.gone", Op.UPDATE, b"2"),
        ("shop.there", Op.READ, b"1"),
    ]
    client.shop.there.update_one({"_id": 1}, {"$set": {"v": 2}})
    changes, position = captured(server, tmp_path, position, include=["shop.*"])
    assert [each.after for each in changes] == [b'{"_id": 1,"v": 2}']
    assert "reselection" not in position
