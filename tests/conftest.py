"""Servers and names that the tests share."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import settings

from tests.mongo_server import MongoServer, Settings
from tests.servers import Broker, Database, PrivateKafka, PrivateMariaDB, PrivateMySQL, chosen
from tests.servers import mongo as mongo_servers
from tests.servers.mongo import Mongo

SERVER_FIXTURES = {"mysql", "mariadb", "kafka", "sql_server", "private_mysql", "private_mariadb", "private_kafka"}

# How long an example takes says how busy the machine is; what never ends is ended by the test's own time limit.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, so that ``-m "not servers"`` leaves it out."""
    for item in items:
        if isinstance(item, pytest.Function) and not SERVER_FIXTURES.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="session")
def mysql() -> Iterator[Database]:
    with chosen.database(PrivateMySQL) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Database]:
    with chosen.database(PrivateMariaDB) as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    with chosen.broker() as server:
        yield server


@pytest.fixture(params=["mysql", "mariadb"], scope="session")
def sql_server(request: pytest.FixtureRequest) -> Database:
    """Each kind of database server in turn."""
    server: Database = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def mysql_database(mysql: Database) -> Iterator[str]:
    """The name of an empty database of ``mysql``."""
    with mysql.fresh_database() as name:
        yield name


@pytest.fixture
def mariadb_database(mariadb: Database) -> Iterator[str]:
    """The name of an empty database of ``mariadb``."""
    with mariadb.fresh_database() as name:
        yield name


@pytest.fixture
def sql_database(sql_server: Database) -> Iterator[str]:
    """The name of an empty database of ``sql_server``."""
    with sql_server.fresh_database() as name:
        yield name


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test's topics have."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def private_mysql() -> Iterator[Callable[..., PrivateMySQL]]:
    """Starts a MySQL of the test's own, to be stopped and killed at will; takes options of mysqld."""
    with ExitStack() as started:
        yield lambda *settings: started.enter_context(PrivateMySQL(*settings))


@pytest.fixture
def private_mariadb() -> Iterator[Callable[..., PrivateMariaDB]]:
    """Starts a MariaDB of the test's own, to be stopped and killed at will; takes options of mariadbd."""
    with ExitStack() as started:
        yield lambda *settings: started.enter_context(PrivateMariaDB(*settings))


@pytest.fixture
def private_kafka() -> Iterator[Callable[..., PrivateKafka]]:
    """Starts a broker of the test's own, to be stopped and killed at will; takes a mapping of broker settings."""
    with ExitStack() as started:
        yield lambda settings=None: started.enter_context(PrivateKafka(settings))


@pytest.fixture(scope="session")
def mongo() -> Iterator[Mongo]:
    """A replica set: a real one where there is one, else the stand-in of ``tests/mongo_server``."""
    with mongo_servers.chosen() as server:
        yield server


@pytest.fixture
def mongo_database(mongo: Mongo) -> Iterator[str]:
    """The name of an empty database of ``mongo``."""
    with mongo.fresh_database() as name:
        yield name


@pytest.fixture
def mongo_server() -> Iterator[Callable[..., MongoServer]]:
    """Starts a stand-in for MongoDB of the test's own, to be stepped down, rolled and killed at will.

    Takes the fields of ``Settings``: ``mongo_server(version=(4, 4, 1), oplog_entries=100)``.
    """
    with ExitStack() as started:
        yield lambda **settings: started.enter_context(MongoServer(Settings(**settings)))
