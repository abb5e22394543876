"""A MySQL or MariaDB server as its clients see it, and what our private ones of both have in common."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR
from pymysql.cursors import Cursor

from tests.servers.errors import ServerUnavailable

ROOT = "root"
PASSWORD = "streamtrain"
# Root may come from everywhere, but the server listens on the loopback interface alone.
OPEN_ROOT = f"RENAME USER '{ROOT}'@'localhost' TO '{ROOT}'@'%';\nALTER USER '{ROOT}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
CANNOT_CONNECT = {CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database server is and how to log in."""

    host: str
    port: int
    user: str = ROOT
    password: str = PASSWORD

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``mysql://user:password@host:port``."""
        parts = urlsplit(url)
        if parts.scheme not in {"mysql", "mariadb"} or not parts.hostname:
            raise ServerUnavailable("a database server is named as mysql://user:password@host:port")
        return cls(parts.hostname, parts.port or 3306, unquote(parts.username or ROOT), unquote(parts.password or ""))

    @property
    def url(self) -> str:
        return f"mysql://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{self.host}:{self.port}"


class Database:
    """A database server to test against: its URL, connections as its administrator, and databases of one's own."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.port = address.port

    @property
    def url(self) -> str:
        """``mysql://user:password@host:port``."""
        return self.address.url

    def connect(self, **options: Any) -> Connection[Cursor]:
        """A PyMySQL connection as root, committing each statement; ``options`` are PyMySQL's and win."""
        settings: dict[str, Any] = {
            "host": self.address.host,
            "port": self.address.port,
            "user": self.address.user,
            "password": self.address.password,
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": 10,
        }
        return pymysql.connect(**settings | options)

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements one after the other on one connection; the rows of the last one."""
        with closing(self.connect(database=database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The name of a new, empty database, dropped at the end."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE IF EXISTS {name}")

    def answers(self) -> bool:
        """Whether it serves a client now."""
        try:
            self.execute("SELECT 1")
        except pymysql.err.OperationalError as error:
            if error.args[0] in CANNOT_CONNECT:
                return False
            raise
        return True
