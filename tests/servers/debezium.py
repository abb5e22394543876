"""The peer to measure against: Debezium 3.5 on a standalone Kafka Connect 4.3."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.errors import ServerUnavailable
from tests.servers.java import LOGGING, java, libraries, write_properties
from tests.servers.kafka import VERSION as KAFKA_VERSION
from tests.servers.ports import free_port
from tests.servers.process import Process

VERSION = "3.5.0.Final"
ARTIFACTS = (
    f"io.debezium:debezium-connector-mysql:{VERSION}",
    f"io.debezium:debezium-connector-mariadb:{VERSION}",
    f"org.apache.kafka:connect-runtime:{KAFKA_VERSION}",
    f"org.apache.kafka:connect-json:{KAFKA_VERSION}",
    LOGGING,
)
MONGODB = f"io.debezium:debezium-connector-mongodb:{VERSION}"
"""Fetched when it is first started: no test needs it."""
JVM = ("-Xmx2g",)
START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 60.0
POLL_S = 0.1

WORKER = {
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "false",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "offset.flush.interval.ms": "1000",
    "plugin.discovery": "only_scan",  # the connectors lie on the class path, not in plugin folders of their own
}
CONNECTOR = {
    "name": "peer",
    "tasks.max": "1",
    "topic.creation.default.partitions": "1",
    "topic.creation.default.replication.factor": "1",
}


class Debezium:
    """A running connector. ``pid`` is the worker's process, for readings of CPU time and memory."""

    def __init__(self, process: Process, port: int, log_path: Path) -> None:
        self._process = process
        self._port = port
        self.log_path = log_path

    @classmethod
    def fetch(cls) -> None:
        """Bring Debezium and Kafka Connect into the cache."""
        libraries("debezium", *ARTIFACTS)

    @classmethod
    def start(cls, connector: Mapping[str, str], bootstrap: str, workdir: Path, *more: Mapping[str, str]) -> Debezium:
        """Run one connector on a worker of its own, and ``more`` with other names beside it; return once their tasks run.

        ``connector`` holds its properties, at least ``connector.class`` and what that one asks for; they win over
        ``CONNECTOR``. Offsets are kept in ``workdir``: started again there, it goes on where it was.
        Raises ServerUnavailable, with the worker's reason, if the connector fails.
        """
        workdir.mkdir(parents=True, exist_ok=True)
        port, log = free_port(), workdir / "connect.log"
        worker = {
            "bootstrap.servers": bootstrap,
            "listeners": f"http://127.0.0.1:{port}",
            "offset.storage.file.filename": str(workdir / "offsets"),
        }
        write_properties(workdir / "worker.properties", WORKER | worker)
        connectors = [CONNECTOR | dict(one) for one in (connector, *more)]
        files = [f"{one['name']}.properties" for one in connectors]
        for file, one in zip(files, connectors, strict=True):
            write_properties(workdir / file, one)
        folders = [libraries("debezium", *ARTIFACTS)]
        if any("mongodb" in one["connector.class"] for one in connectors):
            folders.append(libraries("debezium-mongodb", MONGODB))
        program = (java(), *JVM, "-cp", ":".join(f"{folder}/*" for folder in folders))
        main = ("org.apache.kafka.connect.cli.ConnectStandalone", "worker.properties", *files)
        running = cls(Process((*program, *main), log=log, folder=workdir), port, log)
        running._process.start()
        for one in connectors:
            running._wait_until_running(one["name"])
        return running

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Shut the worker down in order, so that it writes its offsets."""
        self._process.terminate(STOP_DEADLINE_S)

    def _wait_until_running(self, name: str) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            status = self._status(name)
            states = [task["state"] for task in status.get("tasks", [])]
            if states and all(state == "RUNNING" for state in states):
                return
            if "FAILED" in states or not self._process.running() or time.monotonic() > deadline:
                self._process.kill()
                reason = json.dumps(status) if status else self.log_path.read_text(errors="replace")[-3000:]
                raise ServerUnavailable(f"the connector {name} does not run: {reason}")
            time.sleep(POLL_S)

    def _status(self, name: str) -> dict[str, Any]:
        """What the worker says of the connector; nothing while it is not there yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/connectors/{name}/status", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.URLError:
            return {}
