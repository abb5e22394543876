"""What happens to a MySQL or MariaDB that changes are captured from."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from contextlib import closing, suppress

import pymysql

from tests.chaos.schema import Catalog
from tests.chaos.servers import Act, freeze
from tests.chaos.writer import Writer, require_foreseen
from tests.servers import PrivateDatabase


class SourceActs:
    """What happens to the source."""

    def __init__(
        self, source: PrivateDatabase, chance: random.Random, catalog: Catalog, writers: Sequence[Writer]
    ) -> None:
        self._source = source
        self._chance = chance
        self._catalog = catalog
        self._writers = writers

    def all(self) -> list[tuple[float, str, Act]]:
        """Each with its weight and name."""
        return [
            (1, "source killed", self._kill),
            (0.5, "source restarted", self._restart),
            (1, "source frozen", lambda stop: freeze(self._source, self._chance.choice([0.2, 1.0, 3.0]), stop)),
            (6, "dump thread killed", self._kill_dump),
            (3, "writer's connection killed", self._kill_writer),
            (2, "log rotated", lambda _stop: self._administer("FLUSH BINARY LOGS")),
            (1, "checksum switched", self._switch_checksum),
        ]

    def _kill(self, _stop: threading.Event) -> None:
        # MariaDB's ALTER and TRUNCATE are not atomic against a crash: log and table may then differ for good.
        if self._source.name == "mariadb":
            with self._catalog.altering:
                self._source.kill()
                self._source.start()
        else:
            self._source.kill()
            self._source.start()

    def _restart(self, _stop: threading.Event) -> None:
        with self._catalog.altering:
            self._source.restart()

    def _kill_dump(self, _stop: threading.Event) -> None:
        find = "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
        with suppress(pymysql.err.MySQLError):
            for (identity,) in self._source.execute(find):
                self._administer(f"KILL {identity}")

    def _kill_writer(self, _stop: threading.Event) -> None:
        identity = self._chance.choice(self._writers).thread_id
        if identity is not None:
            self._administer(f"KILL {self._chance.choice(['', 'QUERY '])}{identity}")

    def _switch_checksum(self, _stop: threading.Event) -> None:
        self._administer(f"SET GLOBAL binlog_checksum = {self._chance.choice(['NONE', 'CRC32'])}")

    def _administer(self, statement: str) -> None:
        try:
            with closing(self._source.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SET SESSION lock_wait_timeout = 5")
                cursor.execute(statement)
        except pymysql.err.MySQLError as error:
            if error.args[0] not in {1094, 1205}:
                require_foreseen(error)
