"""What is particular to one kind of source: its server, its workload, and how its topics are judged."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tests.chaos.acting import Actor
from tests.chaos.checker import Verdict
from tests.chaos.connector import Connector
from tests.chaos.formats import Decode
from tests.chaos.history import History
from tests.chaos.metadata import Told
from tests.chaos.servers import Act
from tests.chaos.topics import Partitions


class Scene(Protocol):
    """One source in one round. Nothing of it is used before its server runs."""

    history: History

    @property
    def server(self) -> AbstractContextManager[Any]:
        """The source's server, which runs within its context."""

    @property
    def server_log(self) -> Path | None: ...

    @property
    def features(self) -> list[str]:
        """What this round does beyond plain transactions."""

    @property
    def captured(self) -> threading.Event:
        """Set by the round when the initial snapshot is captured."""

    @property
    def config(self) -> Mapping[str, Mapping[str, Any]]:
        """The parts ``source``, ``topic`` and ``examples`` of the connector's configuration, without the broker."""

    @property
    def decode(self) -> Decode:
        """Reads a message's key or value."""

    @property
    def journal_topics(self) -> Sequence[str]:
        """Topics that get one partition: their order is the order of commits."""

    def prepare(self) -> None:
        """What is there before anybody works."""

    def workers(self) -> Sequence[Actor]:
        """The workload."""

    def acts(self, connector: Connector) -> list[tuple[float, str, Act]]:
        """What happens to the source, with its weight and name."""

    def version(self) -> str: ...

    def alterations(self) -> int:
        """How many changes of structure there were."""

    def finish(self) -> None:
        """The last work, when nothing is hindered any more."""

    def judge(self, partitions: Partitions, told: Told) -> Verdict:
        """Compare the topics with the source."""

    def epilogue(self, connector: Connector, verdict: Verdict) -> Counter[str]:
        """What is tried when all else is judged, and how often."""

    def keep(self, directory: Path, partitions: Partitions) -> None:
        """Write down what a failure can be understood from."""
