"""Private instances of the real servers that tests and benchmarks run against.

    with PrivateMySQL() as mysql:
        mysql.execute("SELECT 1")

Each is fetched once into a cache (``cache.root()``), listens on free loopback ports, and ends with the process that
started it. Where a program cannot be had, a Docker engine stands in; a server named by ``MYSQL_URL``, ``MARIADB_URL``
or ``KAFKA_BOOTSTRAP`` is used instead of a private one wherever a test does not have to stop or kill it.
"""

from __future__ import annotations

from tests.servers.database import Address, Database
from tests.servers.errors import ServerUnavailable
from tests.servers.kafka import Broker, PrivateKafka
from tests.servers.mariadb import PrivateMariaDB
from tests.servers.mysql import PrivateMySQL
from tests.servers.private_database import PrivateDatabase

__all__ = [
    "Address",
    "Broker",
    "Database",
    "PrivateDatabase",
    "PrivateKafka",
    "PrivateMariaDB",
    "PrivateMySQL",
    "ServerUnavailable",
]
