"""The process of a single Kafka node, which is broker and controller in one."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.java import write_properties
from tests.servers.process import Process

FENCED = re.compile(rb"Fencing broker 1 .*Replayed BrokerRegistrationChangeRecord", re.DOTALL)
FENCE_DEADLINE_S = 15.0
POLL_S = 0.05


class KafkaProcess(Process):
    """Starts a node again after a crash as a cluster would: its controller fences the broker first.

    A node that comes back sooner than its broker's session ends takes itself for the leader that it was, until its own
    controller fences it. A transaction committed just before the crash, whose markers were not written yet, is taken up
    by the coordinator in that moment; it finds no leader, takes the partitions for deleted ones, and completes the
    transaction without markers. Committed readers then wait at it for ever (seen with 4.3.0). A controller that runs
    alone until the broker is fenced keeps the node out of that state.
    """

    def __init__(self, program: Sequence[str], settings: Mapping[str, str], *, log: Path) -> None:
        self._program = tuple(program)
        self._settings = dict(settings)
        properties = log.with_name("server.properties")
        write_properties(properties, settings)
        super().__init__((*program, "kafka.Kafka", str(properties)), log=log, folder=log.parent)

    def start(self) -> None:
        if self._crashed():
            self._fence()
        super().start()

    def _crashed(self) -> bool:
        data = Path(self._settings["log.dirs"])
        return (data / "__cluster_metadata-0").exists() and not (data / ".kafka_cleanshutdown").exists()

    def _fence(self) -> None:
        folder = Path(self._settings["log.dirs"]).parent
        properties, log = folder / "controller.properties", folder / "controller.log"
        alone = {
            "process.roles": "controller",
            "listeners": self._settings["listeners"].rpartition(",")[2],
            "broker.session.timeout.ms": "100",
            "broker.heartbeat.interval.ms": "50",
        }
        write_properties(
            properties,
            {name: value for name, value in (self._settings | alone).items() if name != "advertised.listeners"},
        )
        log.unlink(missing_ok=True)
        controller = Process((*self._program, "kafka.Kafka", str(properties)), log=log, folder=folder)
        controller.start()
        deadline = time.monotonic() + FENCE_DEADLINE_S
        while controller.running() and not FENCED.search(log.read_bytes()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        controller.terminate(FENCE_DEADLINE_S)
