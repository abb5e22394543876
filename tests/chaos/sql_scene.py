"""A round on MySQL or MariaDB: random tables, and the application that writes to them."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.acting import Actor
from tests.chaos.alterations import Alterations
from tests.chaos.checker import Verdict, check
from tests.chaos.connector import Connector
from tests.chaos.evidence import keep
from tests.chaos.features import FEATURES, Features
from tests.chaos.formats import avro_decoder
from tests.chaos.history import History
from tests.chaos.kinds import DOCUMENT
from tests.chaos.metadata import Told, misfits
from tests.chaos.plan import PREFIX, Plan
from tests.chaos.schema import CREATE_JOURNAL, CREATE_NOISE, DATABASE, FIRST_KEYS, JOURNAL, Catalog
from tests.chaos.servers import Act
from tests.chaos.signals import Operator
from tests.chaos.sql_acts import SourceActs
from tests.chaos.topics import Partitions
from tests.chaos.truth import Truth, read_truth
from tests.chaos.writer import Pace, Writer
from tests.servers import PrivateDatabase, PrivateKafka, PrivateMariaDB, PrivateMySQL
from tests.servers.registry import SmallRegistry

SERVERS: dict[str, type[PrivateDatabase]] = {"mysql": PrivateMySQL, "mariadb": PrivateMariaDB}


@dataclass(frozen=True)
class _Targets:
    """The tables, for signals."""

    catalog: Catalog
    everything: str = f"{DATABASE}[.].*"
    journal: str = f"{DATABASE}.{JOURNAL}"
    # The journal has no such column.
    condition: tuple[str, str] = (f"{DATABASE}[.]t.*", "born % 2 = 0")

    @property
    def captured(self) -> threading.Event:
        return self.catalog.captured

    def homes(self) -> Mapping[str, int]:
        return {f"{DATABASE}.{name}": home for name, home in (self.catalog.names() | {JOURNAL: 0}).items()}


class SqlScene:
    """A ``Scene`` of tables."""

    def __init__(self, plan: Plan, kafka: PrivateKafka, registry: SmallRegistry, _directory: Path) -> None:
        self.history = History()
        self._plan = plan
        self._shape = shape = plan.chance("shape")
        self._features = FEATURES[plan.source].some(plan.chance("features"))
        self.server = SERVERS[plan.source](*_server_settings(shape, plan.source, self._features))
        self.decode = avro_decoder(registry.schemas) if self._features.avro else json.loads
        self.config = self._config(registry.url)
        self._commit_rows: int = self.config["source"]["commit_rows"]
        favoured = (DOCUMENT,) if self._features.partial_json else ()
        self._catalog = Catalog(plan.chance("schema"), plan.source, favoured)
        self._writers = [self._writer(f"writer{index}") for index in range(plan.writers)]
        self._alterations = Alterations(
            plan.chance("alterations"), self.server, self._catalog, self.history, plan.alteration_pause_s
        )
        self._operator = Operator(
            plan.chance("operator"), kafka, PREFIX, _Targets(self._catalog), self.history, plan.signal_pause_s
        )
        self._truth = Truth({}, frozenset())

    @property
    def server_log(self) -> Path:
        return self.server.log_path

    @property
    def features(self) -> list[str]:
        return [*self._features.names(), f"{self.config['source']['snapshot_sessions']} tables read at once"]

    @property
    def captured(self) -> threading.Event:
        return self._catalog.captured

    @property
    def journal_topics(self) -> Sequence[str]:
        return [f"{PREFIX}.{DATABASE}.{JOURNAL}"]

    def _config(self, registry_url: str) -> dict[str, dict[str, Any]]:
        chance, features = self._shape, self._features
        source = {
            "kind": "mysql", "url": self.server.url, "include": [f"{DATABASE}.t*", f"{DATABASE}.{JOURNAL}"],
            "transaction_metadata": chance.random() < 0.5, "commit_rows": chance.choice([100, 1_000, 8_000]), "commit_ms": chance.choice([5, 20, 50]),
            "signals": features.signals, "snapshot_sessions": self._plan.chance("sessions").choice([1, 2, 4]),
        }  # fmt: skip
        topic: dict[str, Any] = {"partitions": chance.choice([1, 1, 3])}
        if features.avro:
            topic |= {"format": "avro", "registry": {"url": registry_url}}
            source["bigint_unsigned_handling_mode"] = "precise"  # Avro's long ends at 2^63 - 1
        examples = {"from": f"{DATABASE}.{JOURNAL}", "label": "low", "features": {"high": "numeric"}}
        return {"source": source, "topic": topic, "examples": examples}

    def _writer(self, name: str) -> Writer:
        writer = Writer(name, self._plan.chance(name), self.server, self._catalog, self.history)
        writer.features = self._features
        writer.pace = Pace(large_rows=min(self._plan.largest, 3 * self._commit_rows))
        return writer

    def prepare(self) -> None:
        self.server.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4", CREATE_JOURNAL, CREATE_NOISE)
        self._alterations.create_all(FIRST_KEYS)
        for _ in range(self._shape.choice([0, 20, 200])):
            self._writers[0].turn()

    def workers(self) -> Sequence[Actor]:
        return (*self._writers, self._alterations, *([self._operator] if self._features.signals else []))

    def acts(self, _connector: Connector) -> list[tuple[float, str, Act]]:
        return SourceActs(self.server, self._plan.chance("source acts"), self._catalog, self._writers).all()

    def version(self) -> str:
        return str(self.server.execute("SELECT VERSION()")[0][0])

    def alterations(self) -> int:
        return self._alterations.done

    def finish(self) -> None:
        for writer in self._writers:
            writer.finish()
        if self._features.signals:
            self._operator.finish()

    def judge(self, partitions: Partitions, told: Told) -> Verdict:
        self._truth = read_truth(self.server, self._alterations.there_are())
        found = check(partitions, self.history, self._truth, self._catalog.models)
        for misfit in misfits(told, partitions):
            found.add(*misfit)
        return found

    def epilogue(self, _connector: Connector, _verdict: Verdict) -> Counter[str]:
        return Counter()

    def keep(self, directory: Path, partitions: Partitions) -> None:
        rows = ({"table": one.model.name, **row} for one in self._truth.tables.values() for row in one.rows)
        keep(directory, partitions, rows, self._truth.journal, self.history)


def _server_settings(chance: random.Random, source: str, features: Features) -> list[str]:
    """Options that change how the log looks."""
    settings = [f"--max-binlog-size={chance.choice([4096, 65_536, 1_048_576, 104_857_600])}"]
    settings.append(f"--binlog-row-event-max-size={chance.choice([256, 8192, 65_536])}")
    settings.append(f"--binlog-row-metadata={chance.choice(['FULL', 'MINIMAL'])}")
    settings.append(f"--binlog-checksum={chance.choice(['CRC32', 'NONE'])}")
    if source == "mysql":
        settings.append(f"--binlog-rows-query-log-events={chance.choice(['ON', 'OFF'])}")
    else:
        settings.append(f"--binlog-annotate-row-events={chance.choice(['ON', 'OFF'])}")
    if features.compressed_events:
        settings += ["--log-bin-compress=ON", "--log-bin-compress-min-len=10"]
    return settings
