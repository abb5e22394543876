"""A MongoDB to test against: a real one where there is one, else the stand-in."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from tests.mongo_server import MongoServer
from tests.servers.errors import ServerUnavailable
from tests.servers.instances import InstanceFolder
from tests.servers.ports import free_port
from tests.servers.process import Process

VARIABLE = "MONGODB_URL"
START_S = 60.0
FIRST_WITH_IMAGES = (6, 0)


@dataclass(frozen=True, slots=True)
class Mongo:
    """A replica set, and what it is."""

    url: str
    version: tuple[int, ...]
    real: bool
    """False for the stand-in, whose answers are not proof of what a server does."""

    def database_url(self, name: str) -> str:
        """The URL with a database in it."""
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    @property
    def keeps_images(self) -> bool:
        """Whether it has ``changeStreamPreAndPostImages`` and expanded events."""
        return self.version >= FIRST_WITH_IMAGES

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The name of a database that is not there yet; it is dropped at the end."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        try:
            yield name
        finally:
            with pymongo.MongoClient[dict[str, object]](self.url) as client:
                client.drop_database(name)


def present() -> bool:
    """Whether there is a real server."""
    return bool(os.environ.get(VARIABLE) or shutil.which("mongod"))


@contextmanager
def chosen() -> Iterator[Mongo]:
    """The server that ``MONGODB_URL`` names, else a ``mongod`` of the path as a one-node replica set, else a stand-in."""
    with ExitStack() as started:
        if url := os.environ.get(VARIABLE):
            yield _described(url, real=True)
        elif program := shutil.which("mongod"):
            yield _described(started.enter_context(_mongod(program)), real=True)
        else:
            yield _described(started.enter_context(MongoServer()).url, real=False)


def _described(url: str, *, real: bool) -> Mongo:
    try:
        with pymongo.MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=10_000) as client:
            numbers = client.server_info()["versionArray"]
    except PyMongoError as error:
        raise ServerUnavailable(f"the MongoDB at {VARIABLE} does not answer: start it, or unset {VARIABLE}") from error
    return Mongo(url, tuple(numbers[:3]), real)


@contextmanager
def _mongod(program: str) -> Iterator[str]:
    """The URL of a one-node replica set in a folder of its own."""
    folder, port = InstanceFolder("mongo"), free_port()
    data = folder.path / "data"
    data.mkdir()
    options = ("--replSet", "rs0", "--port", str(port), "--bind_ip", "127.0.0.1", "--dbpath", str(data))
    test_commands = ("--setParameter", "enableTestCommands=1")
    process = Process((program, *options, *test_commands), log=folder.path / "server.log", folder=folder.path)
    process.start()
    try:
        initiate(port)
        yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
    finally:
        process.terminate(timeout_s=20)
        folder.remove()


def initiate(port: int) -> None:
    """Make the server on that port a replica set of one node, and wait until it is primary."""
    address = f"127.0.0.1:{port}"
    members = {"_id": "rs0", "members": [{"_id": 0, "host": address}]}
    with pymongo.MongoClient[dict[str, object]](
        address, directConnection=True, serverSelectionTimeoutMS=int(START_S * 1000)
    ) as client:
        try:
            client.admin.command("replSetInitiate", members)
        except OperationFailure as error:
            if error.code != 23:  # already initialised
                raise
        _wait(lambda: bool(client.admin.command("hello").get("isWritablePrimary")))


def _wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not happened():
        if time.monotonic() > deadline:
            raise ServerUnavailable(f"mongod has not become primary within {START_S:.0f} s")
        time.sleep(0.1)
