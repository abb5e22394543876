"""Documents that are taken into the store without being published: ``snapshot: no_data`` with ``after: held``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.mongo.source import MongoSource
from tests.connectors.mongo_capture import drained, flat, opened, settings
from tests.connectors.test_mongo_source import stored
from tests.mongo_server import MongoServer
from tests.servers.mongo import Mongo

Server = MongoServer | Mongo
Database = Any
COUNT = 20


def _made_anew(database: Database) -> None:
    database.b.drop()
    database.b.insert_one({"_id": 3, "anew": 1})


def _replaced(database: Database) -> None:
    database.b.drop()
    database.d.rename("b")


FATES: dict[str, Callable[[Database], object]] = {
    "dropped": lambda database: database.b.drop(),
    "renamed to a name that is captured": lambda database: database.b.rename("bb"),
    "renamed to a name that is not": lambda database: database.b.rename("other"),
    "made anew": _made_anew,
    "another has its name": _replaced,
    "the database dropped": lambda database: database.client.drop_database("shop"),
}


@pytest.fixture
def database(server: Server, client: pymongo.MongoClient[Any]) -> Database:
    """Of which ``a``, ``b`` and ``c`` are captured, in this order, and everything whose name begins with ``b``."""
    del server
    for name in ("a", "b", "c", "d"):
        client.shop[name].insert_many([{"_id": n} for n in range(COUNT)])
    return client.shop


@pytest.mark.parametrize("begun", [False, True], ids=["before it is read", "while it is read"])
@pytest.mark.parametrize("fate", FATES)
def test_a_collection_that_loses_its_name_before_it_is_held_stops_nothing(
    server: Server, database: Database, tmp_path: Path, fate: str, *, begun: bool
) -> None:
    chosen = settings(server.url, tmp_path, "shop.a", "shop.b*", "shop.c", snapshot="no_data")
    with opened(chosen) as source:
        _read_up_to(source, "shop.b" if begun else "shop.a")
        for name in ("b", "c"):
            database[name].update_one({"_id": COUNT - 1}, {"$set": {"v": 1}})
        FATES[fate](database)
        first, position = drained(source)
    with opened(chosen, position) as source:
        for name in ("a", "bb", "b", "c"):
            database[name].update_many({}, {"$set": {"w": 1}})
        second = flat(drained(source)[0])
    if fate != "the database dropped":
        assert [change.after for change in flat(first) if change.name == "shop.c"] == [b'{"_id": 19,"v": 1}']
    held = stored(database.client, "shop.a", "shop.bb", "shop.b", "shop.c")
    assert {(change.name, change.key): change.after for change in second} == held


def _read_up_to(source: MongoSource, name: str) -> None:
    """Read so far that the first chunk of this collection is held, and no more of it."""
    for _ in range(20):
        job = source.read(0.0).position["snapshots"][0]
        if job["collections"][0] == name and job["after"] is not None:
            return
    raise AssertionError(f"{name} is not read")
