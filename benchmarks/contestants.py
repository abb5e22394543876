"""The connectors that are measured: streamtrain's own, and Debezium as it comes and as it is tuned for throughput."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from benchmarks import topics
from benchmarks.errors import BenchmarkFailed
from benchmarks.line import Running, run, until, write_config
from benchmarks.orders import Orders
from tests.servers import Broker
from tests.servers.debezium import Debezium

READY_S = 120.0
TUNED: Mapping[str, str] = {
    "max.batch.size": "20480",
    "max.queue.size": "81920",
    "poll.interval.ms": "50",
    "producer.override.compression.type": "lz4",
    "producer.override.batch.size": "1000000",
    "producer.override.linger.ms": "5",
}
"""Debezium with larger batches, and with the producer's settings that streamtrain uses."""

Snapshot = Literal["no_data", "initial"]
"""What a connector does about rows that are there before it: as both connectors call it."""
Make = Callable[[Orders, Broker, str, Path, Snapshot], "Contestant"]
"""Makes a contestant of a table, a broker, a prefix for topics, a folder of its own, and what it begins with."""


class Rows(Protocol):
    """What is captured: a table or a collection, whose rows have the numbers from 1 on without a gap."""

    last_id: int

    @property
    def full_name(self) -> str:
        """``database.table``, as in topics' names."""

    def insert(self, rows: int) -> None:
        """Add this many rows."""


class Contestant(ABC):
    """One connector with a topic of its own. Started once before the rows are loaded, so that it knows where to go on."""

    name: str

    def __init__(self, table: Rows, broker: Broker, prefix: str, snapshot: Snapshot) -> None:
        self.table, self.broker, self.prefix, self.snapshot = table, broker, prefix, snapshot
        self.topic = f"{prefix}.{table.full_name}"
        self.first_id = 1
        """The first row that it has yet to publish."""

    def prime(self) -> None:
        """Let it store its position in the log: it will go on with the row after the newest. Not if it is to begin anew."""
        if self.snapshot == "no_data":
            self._prime()
            self.first_id = self.table.last_id + 1

    def start(self) -> int:
        """Start it where it left off; its process id, as soon as it says that it is connected."""
        pid = self.launch()
        self.wait_until_connected()
        return pid

    @abstractmethod
    def launch(self) -> int:
        """Start it where it left off; its process id."""

    @abstractmethod
    def wait_until_connected(self) -> None:
        """Return once it says that it is connected to the log."""

    @abstractmethod
    def wait(self, records: Callable[[], int], wanted: int, timeout_s: float) -> None:
        """Return once it has published ``wanted`` rows, or has ended; ``records`` says how long the topic has grown."""

    @abstractmethod
    def stop(self) -> None:
        """End it. Safe to call twice."""

    @abstractmethod
    def last_words(self) -> str:
        """The end of its log."""

    @abstractmethod
    def _prime(self) -> None: ...


class Streamtrain(Contestant):
    """``streamtrain connect --until-caught-up`` with the configuration in ``config``, whose folder is its own."""

    name = "streamtrain"

    def __init__(self, table: Rows, broker: Broker, prefix: str, config: Path, snapshot: Snapshot = "no_data") -> None:
        super().__init__(table, broker, prefix, snapshot)
        self._config, self._folder = config, config.parent
        self._running: Running | None = None

    def launch(self) -> int:
        self._running = Running(self._folder, "streamtrain", "connect", str(self._config), *self._until_caught_up())
        return self._running.pid

    def wait_until_connected(self) -> None:
        if self._running is None:
            raise BenchmarkFailed(f"{self.name} was not started")
        self._running.wait_for_text("connected", READY_S)

    def wait(self, records: Callable[[], int], wanted: int, timeout_s: float) -> None:
        del records, wanted  # its own end tells, not the topic's: markers make that a little longer than its rows
        if self._running is None:
            raise BenchmarkFailed(f"{self.name} was not started")
        self._running.wait_for_end(timeout_s)

    def last_words(self) -> str:
        return "" if self._running is None else self._running.last_words()

    def stop(self) -> None:
        if self._running is not None:
            self._running.__exit__()

    def _until_caught_up(self) -> tuple[str, ...]:
        return ("--until-caught-up",)

    def _prime(self) -> None:
        run("connect", self._config)


class LiveStreamtrain(Streamtrain):
    """``streamtrain connect``, which goes on for ever."""

    def _until_caught_up(self) -> tuple[str, ...]:
        return ()


class DebeziumContestant(Contestant):
    """One of Debezium's connectors, with these ``properties``, on a Kafka Connect worker of its own."""

    connected = b"Connected to binlog at"
    """What it logs where streamtrain logs "connected"; its task is reported as running some time before."""

    def __init__(self, name: str, table: Rows, broker: Broker, folder: Path, properties: Mapping[str, str]) -> None:
        snapshot: Snapshot = "initial" if properties["snapshot.mode"] == "initial" else "no_data"
        super().__init__(table, broker, properties["topic.prefix"], snapshot)
        self.name = name
        self._folder = folder
        self._properties = properties
        self._log = folder / "connect.log"
        self._logged = 0
        """Bytes of the log from earlier runs."""
        self._running: Debezium | None = None

    def launch(self) -> int:
        self._logged = self._log.stat().st_size if self._log.exists() else 0
        self._running = Debezium.start(self._properties, self.broker.bootstrap, self._folder)
        return self._running.pid

    def wait_until_connected(self) -> None:
        until(
            lambda: self.connected in self._log.read_bytes()[self._logged :],
            READY_S,
            lambda: f"{self.name} did not connect to the log: {self.last_words()}",
        )

    def wait(self, records: Callable[[], int], wanted: int, timeout_s: float) -> None:
        until(
            lambda: records() >= wanted,
            timeout_s,
            lambda: f"{self.name} published {records()} of {wanted} rows in {timeout_s:.0f} s",
        )

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    def stop(self) -> None:
        if self._running is not None:
            self._running.stop()

    def _prime(self) -> None:
        # It stores an offset only with a record: one row is written while it runs.
        self.start()
        try:
            self.table.insert(1)
            until(
                lambda: topics.end_of(self.broker, self.topic) > 0,
                READY_S,
                lambda: f"{self.name} did not publish its first row",
            )
        finally:
            self.stop()


def _properties(table: Orders, broker: Broker, prefix: str, snapshot: Snapshot) -> dict[str, str]:
    """Of Debezium's MySQL connector."""
    address = table.server.address
    return {
        "connector.class": "io.debezium.connector.mysql.MySqlConnector",
        "database.hostname": address.host,
        "database.port": str(address.port),
        "database.user": address.user,
        "database.password": address.password,
        "database.ssl.mode": "disabled",  # streamtrain's connection to this server is a plain one too
        "driver.allowPublicKeyRetrieval": "true",
        "database.server.id": str(100_000 + sum(prefix.encode())),
        "database.include.list": table.database,
        "table.include.list": table.full_name,
        "topic.prefix": prefix,
        "snapshot.mode": snapshot,
        "decimal.handling.mode": "string",  # as streamtrain writes them
        "schema.history.internal.kafka.bootstrap.servers": broker.bootstrap,
        "schema.history.internal.kafka.topic": f"{prefix}-schema-history",
    }


def _streamtrain(table: Orders, broker: Broker, prefix: str, folder: Path, snapshot: Snapshot) -> Contestant:
    return Streamtrain(table, broker, prefix, write_config(folder, table, broker, prefix, snapshot=snapshot), snapshot)


def _live(table: Orders, broker: Broker, prefix: str, folder: Path, snapshot: Snapshot) -> Contestant:
    return LiveStreamtrain(
        table, broker, prefix, write_config(folder, table, broker, prefix, snapshot=snapshot), snapshot
    )


def _debezium(table: Orders, broker: Broker, prefix: str, folder: Path, snapshot: Snapshot) -> Contestant:
    return DebeziumContestant("Debezium", table, broker, folder, _properties(table, broker, prefix, snapshot))


def _tuned(table: Orders, broker: Broker, prefix: str, folder: Path, snapshot: Snapshot) -> Contestant:
    properties = {**_properties(table, broker, prefix, snapshot), **TUNED}
    return DebeziumContestant("Debezium, tuned", table, broker, folder, properties)


PEERS: dict[str, Make] = {"debezium": _debezium, "debezium-tuned": _tuned}
CATCHING_UP: dict[str, Make] = {"streamtrain": _streamtrain, **PEERS}
LIVE: dict[str, Make] = {"streamtrain": _live, **PEERS}
