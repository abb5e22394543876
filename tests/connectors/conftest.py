"""Servers that tests of connectors share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pymongo
import pytest

from tests.mongo_server import MongoServer, Settings
from tests.servers.mongo import Mongo, present

VERSIONS = ((4, 4, 1), (5, 0, 0), (8, 0, 0))
MONGO_DATABASES = ("shop", "other")


@pytest.fixture(params=["a real server"] if present() else VERSIONS, ids=str)
def mongo_of_each_version(request: pytest.FixtureRequest) -> Iterator[MongoServer | Mongo]:
    """A real server where there is one, without the databases of the tests; else the stand-in as several versions."""
    if not present():
        with MongoServer(Settings(version=request.param)) as started:
            yield started
        return
    yield request.getfixturevalue("cleared_mongo")


@pytest.fixture
def server(mongo_of_each_version: MongoServer | Mongo) -> MongoServer | Mongo:
    """The MongoDB of a test that says no other."""
    return mongo_of_each_version


@pytest.fixture
def client(server: MongoServer | Mongo) -> Iterator[pymongo.MongoClient[Any]]:
    """A driver's client of ``server``."""
    with pymongo.MongoClient[Any](server.url) as connected:
        yield connected


@pytest.fixture
def cleared_mongo(mongo: Mongo) -> Iterator[Mongo]:
    """The real server, or the stand-in of the newest version, without the databases of the tests."""
    with pymongo.MongoClient[Any](mongo.url) as client:
        for name in MONGO_DATABASES:
            client.drop_database(name)
        yield mongo
        for name in MONGO_DATABASES:
            client.drop_database(name)


@pytest.fixture
def mongo_from_6_0(cleared_mongo: Mongo) -> Mongo:
    """The same if it is from 6.0 on: with images of documents, expanded events and arrays that are cut."""
    if not cleared_mongo.keeps_images:
        pytest.skip("a server before 6.0")
    return cleared_mongo


@pytest.fixture
def mongo_4_4(request: pytest.FixtureRequest, mongo_server: Callable[..., MongoServer]) -> MongoServer | Mongo:
    """A server of 4.4, which splits no events: the real one if it is of that version, else the stand-in."""
    if present():
        real: Mongo = request.getfixturevalue("cleared_mongo")
        if real.version < (5, 0):
            return real
    return mongo_server(version=(4, 4, 1))
