"""A MongoDB of our own in a process of its own, to be frozen and hung up on: ``mongod`` where it is on the path, else the stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pymongo
from pymongo.errors import PyMongoError

from tests.servers.instances import InstanceFolder
from tests.servers.mongo import VARIABLE, initiate
from tests.servers.ports import free_port
from tests.servers.process import Process
from tests.servers.server import PrivateServer

ROOT = Path(__file__).parent.parent.parent
ANSWER_MS = 2_000
TRANSACTION_LIFETIME_S = 5
Reply = dict[str, Any]


def administer(url: str, command: Mapping[str, Any]) -> Reply:
    """Run a command of an administrator on the member itself, primary or not. Raises PyMongoError."""
    with pymongo.MongoClient[Reply](
        url.partition("?")[0], directConnection=True, serverSelectionTimeoutMS=ANSWER_MS, socketTimeoutMS=20_000
    ) as client:
        return client.admin.command(dict(command))


class PrivateMongo(PrivateServer):
    """A replica set of one member. ``version`` is what a stand-in is to be; a real one is what it is."""

    name = "mongo"
    variable = VARIABLE

    def __init__(self, version: str = "8.0.0") -> None:
        folder, port = InstanceFolder(self.name), free_port()
        log = folder.path / "server.log"
        program = shutil.which("mongod")
        self.real = program is not None
        self.durable = self.real
        """Whether it has its documents again after a kill."""
        if program is None:
            lifetime = ("--transaction-lifetime", str(TRANSACTION_LIFETIME_S))
            stand_in = (sys.executable, "-m", "tests.mongo_server", "--port", str(port), "--version", version)
            runner = Process((*stand_in, *lifetime), log=log, folder=ROOT)
        else:
            data = folder.path / "data"
            data.mkdir()
            options = ("--replSet", "rs0", "--port", str(port), "--bind_ip", "127.0.0.1", "--dbpath", str(data))
            limits = (f"--setParameter=transactionLifetimeLimitSeconds={TRANSACTION_LIFETIME_S}",)
            tests = ("--setParameter", "enableTestCommands=1")
            runner = Process((program, *options, *limits, *tests), log=log, folder=folder.path)
        super().__init__(runner, folder, port=port, log_path=log)
        self.url = f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"

    def start(self) -> None:
        super().start()
        if self.real:
            initiate(self.port)

    def answers(self) -> bool:
        """Whether it serves a client now."""
        try:
            administer(self.url, {"ping": 1})
        except PyMongoError:
            return False
        return True


class NamedMongo:
    """The server that ``MONGODB_URL`` names: neither started nor ended here."""

    name = "mongo"
    real, durable = True, False

    def __init__(self) -> None:
        self.url = os.environ[VARIABLE]
        self.log_path: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it is ours."""


def given_version() -> str | None:
    """The version of the server that ``MONGODB_URL`` names, or else of the ``mongod`` of the path; None if there is none."""
    if url := os.environ.get(VARIABLE):
        with pymongo.MongoClient[Reply](url, serverSelectionTimeoutMS=10_000) as client:
            return str(client.server_info()["version"])
    program = shutil.which("mongod")
    if program is None:
        return None
    told = subprocess.run((program, "--version"), check=True, capture_output=True, text=True).stdout
    return told.partition("db version v")[2].split(maxsplit=1)[0]


def chosen(version: str) -> PrivateMongo | NamedMongo:
    """The server that ``MONGODB_URL`` names, else one of our own."""
    return NamedMongo() if os.environ.get(VARIABLE) else PrivateMongo(version)
