"""The server that a test run works on: the one named by the environment, else a private one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.servers.database import Address, Database
from tests.servers.errors import ServerUnavailable
from tests.servers.kafka import Broker, PrivateKafka
from tests.servers.private_database import PrivateDatabase

Server = TypeVar("Server", Database, Broker)


@contextmanager
def database(private: type[PrivateDatabase]) -> Iterator[Database]:
    """The server that ``private.variable`` names, or a private one for as long as the context lasts."""
    if url := os.environ.get(private.variable):
        yield _answering(Database(Address.parse(url)), private.variable)
    else:
        with private() as server:
            yield server


@contextmanager
def broker() -> Iterator[Broker]:
    """The broker that ``KAFKA_BOOTSTRAP`` names, or a private one for as long as the context lasts."""
    if bootstrap := os.environ.get(PrivateKafka.variable):
        yield _answering(Broker(bootstrap), PrivateKafka.variable)
    else:
        with PrivateKafka() as server:
            yield server


def _answering(server: Server, variable: str) -> Server:
    if not server.answers():
        raise ServerUnavailable(f"{variable} names a server that does not answer: start it, or unset {variable}")
    return server
