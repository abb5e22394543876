"""Debezium and streamtrain on the same work, and what each of them published."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, TopicPartition

from tests.conformance import workload
from tests.conformance.workload import DATABASE
from tests.line import Line
from tests.servers import Broker, Database
from tests.servers.debezium import Debezium

DEADLINE_S = 90.0
CONTEXT = "__debezium.context."
_CLASSES = {"mysql": "mysql.MySqlConnector", "mariadb": "mariadb.MariaDbConnector"}
_PLAIN = {
    "mysql": {"database.ssl.mode": "disabled", "driver.allowPublicKeyRetrieval": "true"},
    "mariadb": {"database.ssl.mode": "disable"},
}


@dataclass(frozen=True)
class Record:
    """One record, its JSON read."""

    key: Any
    value: Any
    headers: dict[str, Any]


Topics = dict[str, list[Record]]
"""By name without the prefix: ``DB.TABLE``, ``transaction``, and the empty one for changes of structure."""


@dataclass(frozen=True)
class Capture:
    """What both published of one server's work."""

    debezium: Topics
    ours: Topics


@dataclass(frozen=True)
class Pair:
    """One connector of each, with prefixes of their own."""

    kind: str
    server: Database
    schemas: bool

    @property
    def name(self) -> str:
        return f"{self.kind}-{'schemas' if self.schemas else 'plain'}"

    def prefix(self, who: str) -> str:
        return f"cf-{who}-{self.name}"

    def debezium(self, bootstrap: str, number: int) -> dict[str, str]:
        """Debezium's properties: its defaults, but that TRUNCATE is published and, with schemas, transactions are told."""
        address, schemas = self.server.address, str(self.schemas).lower()
        return {
            "name": self.name,
            "connector.class": f"io.debezium.connector.{_CLASSES[self.kind]}",
            "database.hostname": address.host,
            "database.port": str(address.port),
            "database.user": address.user,
            "database.password": address.password,
            "database.server.id": str(7_700 + number),
            "database.include.list": DATABASE,
            "topic.prefix": self.prefix("debezium"),
            "skipped.operations": "none",
            "provide.transaction.metadata": schemas,
            "poll.interval.ms": "50",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": schemas,
            "value.converter.schemas.enable": schemas,
            "schema.history.internal.kafka.bootstrap.servers": bootstrap,
            "schema.history.internal.kafka.topic": f"{self.prefix('history')}",
            **_PLAIN[self.kind],
        }

    def config(self, bootstrap: str, folder: Path) -> dict[str, Any]:
        """The same of ours."""
        return {
            "name": self.name,
            "source": {
                "kind": "mysql", "url": self.server.url, "tls": {"mode": "disabled"}, "include": [f"{DATABASE}.*"],
                "decimal_handling_mode": "precise", "bigint_unsigned_handling_mode": "long",
                "transaction_metadata": self.schemas,
            },
            "topic": {
                "kind": "kafka", "bootstrap": bootstrap, "prefix": self.prefix("ours"),
                "format": "json_with_schemas" if self.schemas else "json",
            },
            "state": {"url": f"sqlite:///{folder}/state.db"},
            "examples": {"from": f"{DATABASE}.small", "label": "v"},
        }  # fmt: skip


def capture(pairs: list[Pair], broker: Broker, folder: Path) -> dict[str, Capture]:
    """Run all pairs over the workload, once."""
    for server in {id(pair.server): pair.server for pair in pairs}.values():
        workload.prepare(server)
    lines = {}
    for pair in pairs:
        (folder / pair.name).mkdir()
        lines[pair] = Line(folder / pair.name, pair.config(broker.bootstrap, folder / pair.name))
    first, *more = [pair.debezium(broker.bootstrap, number) for number, pair in enumerate(pairs)]
    peer = Debezium.start(first, broker.bootstrap, folder / "debezium", *more)
    try:
        _connect(lines.values())
        log = peer.log_path
        _until(lambda: log.read_text().count("Connected to binlog at") == len(pairs), log)
        for server in {id(pair.server): pair.server for pair in pairs}.values():
            workload.work(server)
        _connect(lines.values())
        for pair in pairs:
            marker = f"{pair.prefix('debezium')}.{DATABASE}.marker"
            _until(lambda marker=marker: bool(_read(broker, marker)), log)  # type: ignore[misc]
    finally:
        peer.stop()
    names = list(broker.admin().list_topics(timeout=10).topics)
    return {
        pair.name: Capture(*(_topics(broker, names, pair.prefix(who)) for who in ("debezium", "ours")))
        for pair in pairs
    }


def _connect(lines: Iterable[Line]) -> None:
    """Let all of ours catch up, beside each other."""
    running = [(line, line.start("connect", "--until-caught-up")) for line in lines]
    for line, process in running:
        process.join(DEADLINE_S)
        told = "".join(file.read_text() for file in line.directory.glob("*.err"))
        assert process.exitcode == 0, told


def _until(there: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not there():
        assert time.monotonic() < deadline, f"Debezium is not there: {log.read_text()[-3000:]}"
        time.sleep(0.1)


def _topics(broker: Broker, names: list[str], prefix: str) -> Topics:
    return {
        name.removeprefix(prefix).removeprefix("."): [_unprefixed(one, prefix) for one in _read(broker, name)]
        for name in names
        if name == prefix or name.startswith(f"{prefix}.")
    }


def _unprefixed(record: Record, prefix: str) -> Record:
    """The record as if its connector's prefix were ``PREFIX``."""
    key, value = (
        orjson.loads(orjson.dumps(part).replace(prefix.encode(), b"PREFIX")) for part in (record.key, record.value)
    )
    return Record(key, value, record.headers)


def _read(broker: Broker, topic: str) -> list[Record]:
    """All records of a topic of one partition."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "conformance", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True})  # fmt: skip
    try:
        if topic not in consumer.list_topics(timeout=10).topics:
            return []
        consumer.assign([TopicPartition(topic, 0, 0)])
        found = []
        while (message := consumer.poll(10.0)) is not None and message.error() is None:
            headers = {
                name: orjson.loads(data) for name, data in message.headers() or () if not name.startswith(CONTEXT)
            }
            found.append(Record(_json(message.key()), _json(message.value()), headers))
        return found
    finally:
        consumer.close()


def _json(data: bytes | None) -> Any:
    return None if data is None else orjson.loads(data)
