"""One round: a source, a broker and a connector of its own, a random schema, work and faults for a while, and the judgement."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import NewTopic

from tests.chaos.alterations import Alterations
from tests.chaos.checker import Verdict, check
from tests.chaos.connector import Connector, ConnectorEnded, ConnectorFaults
from tests.chaos.evidence import keep
from tests.chaos.features import FEATURES, Features
from tests.chaos.formats import avro_decoder
from tests.chaos.history import History
from tests.chaos.kinds import DOCUMENT
from tests.chaos.metadata import misfits
from tests.chaos.schema import CREATE_JOURNAL, CREATE_NOISE, DATABASE, FIRST_KEYS, JOURNAL, Catalog
from tests.chaos.servers import ServerFaults, SourceActs, broker_acts
from tests.chaos.signals import Operator
from tests.chaos.topics import read_topics, read_transactions
from tests.chaos.truth import read_truth
from tests.chaos.writer import Pace, Writer
from tests.servers import PrivateDatabase, PrivateKafka, PrivateMariaDB, PrivateMySQL
from tests.servers.registry import SmallRegistry

SOURCES: dict[str, type[PrivateDatabase]] = {"mysql": PrivateMySQL, "mariadb": PrivateMariaDB}
PREFIX = "chaos"
JOIN_S = 120.0
SNAPSHOT_S = 240.0
CALM_IN_SNAPSHOT = 4


class RoundFailed(Exception):
    """A round that says nothing about the connector: the workload or a server did what it should not."""


@dataclass(frozen=True)
class Plan:
    """What a round is to be. All that is random in it comes from ``seed``."""

    seed: str
    source: str
    seconds: float
    writers: int = 3
    connector_calm_s: float = 1.5
    source_calm_s: float = 3.0
    broker_calm_s: float = 12.0
    alteration_pause_s: float = 1.0
    signal_pause_s: float = 4.0
    largest: int = 25_000
    """Rows of the largest transactions."""

    def chance(self, actor: str) -> random.Random:
        """The random stream of one actor: what others draw does not move it."""
        return random.Random(f"{self.seed}/{actor}")


@dataclass
class Outcome:
    """What a round came to."""

    plan: Plan
    version: str = ""
    features: list[str] = field(default_factory=list)
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    faults: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    alterations: int = 0
    kept: Path | None = None
    """Where logs, topics and tables of a failed round lie."""

    @property
    def passed(self) -> bool:
        return self.verdict.found == 0

    def to_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "seed": self.plan.seed, "source": self.plan.source, "version": self.version, "passed": self.passed,
            "seconds": round(self.seconds, 1), "rows": verdict.rows, "transactions": verdict.transactions,
            "alterations": self.alterations, "records": verdict.records, "tables": verdict.tables,
            "features": self.features, "reread": verdict.reread,
            "faults": dict(sorted(self.faults.items())), "statements": dict(sorted(self.statements.items())),
            "differences": verdict.found, "first": [str(one) for one in verdict.differences[:5]],
            "kept": None if self.kept is None else str(self.kept),
        }  # fmt: skip


def play(plan: Plan, directory: Path, say: Callable[[str], None], *, keep_files: bool = False) -> Outcome:
    """Play a round. ``directory`` is for its files; it is left there if the round fails, or if it is to be kept."""
    directory.mkdir(parents=True)
    outcome = _Round(plan, directory, say).play()
    if outcome.passed and not keep_files:
        shutil.rmtree(directory, ignore_errors=True)
    return outcome


class _Round:
    def __init__(self, plan: Plan, directory: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._directory = directory
        self._say = say
        shape = plan.chance("shape")
        self._features = FEATURES[plan.source].some(plan.chance("features"))
        say(f"  with {', '.join(self._features.names()) or 'plain transactions'}")
        self._source = SOURCES[plan.source](*_server_settings(shape, plan.source, self._features))
        self._kafka = PrivateKafka({"transaction.max.timeout.ms": "900000"})
        self._registry = SmallRegistry()
        self._registry.schemas.level = "NONE"  # columns come back with other types
        self._decode = avro_decoder(self._registry.schemas) if self._features.avro else json.loads
        config = _config(shape, self._source.url, self._kafka.bootstrap, self._features)
        if self._features.avro:
            config["topic"] |= {"format": "avro", "registry": {"url": self._registry.url}}
            config["source"]["bigint_unsigned_handling_mode"] = "precise"  # Avro's long ends at 2^63 - 1
        self._commit_rows: int = config["source"]["commit_rows"]
        self._history = History()
        favoured = (DOCUMENT,) if self._features.partial_json else ()
        self._catalog = Catalog(plan.chance("schema"), plan.source, favoured)
        self._writers = [self._writer(f"writer{index}") for index in range(plan.writers)]
        self._alterations = Alterations(
            plan.chance("alterations"), self._source, self._catalog, self._history, plan.alteration_pause_s
        )
        self._operator = Operator(
            plan.chance("operator"), self._kafka, PREFIX, self._catalog, self._history, plan.signal_pause_s
        )
        self._connector = Connector(directory, config)
        acts = SourceActs(self._source, plan.chance("source acts"), self._catalog, self._writers)
        self._source_faults = ServerFaults(
            plan.chance("source"), self._source, acts.all(), self._calm(plan.source_calm_s)
        )
        self._broker_faults = ServerFaults(
            plan.chance("broker"),
            self._kafka,
            broker_acts(self._kafka, plan.chance("broker acts")),
            self._calm(plan.broker_calm_s),
        )
        self._connector_faults = ConnectorFaults(
            plan.chance("connector"), self._connector, self._calm(plan.connector_calm_s)
        )
        self._shape = shape

    def _calm(self, seconds: float) -> Callable[[], float]:
        """The mean time between two faults."""
        return lambda: seconds if self._catalog.captured.is_set() else seconds * CALM_IN_SNAPSHOT

    def _writer(self, name: str) -> Writer:
        writer = Writer(name, self._plan.chance(name), self._source, self._catalog, self._history)
        writer.features = self._features
        writer.pace = Pace(large_rows=min(self._plan.largest, 3 * self._commit_rows))
        return writer

    def play(self) -> Outcome:
        outcome = Outcome(self._plan, features=self._features.names())
        begun = time.monotonic()
        with self._registry, self._servers() as (begin, no_more_faults):
            outcome.version = str(self._source.execute("SELECT VERSION()")[0][0])
            try:
                self._prepare()
                self._disturb(begin, no_more_faults)
                outcome.verdict = self._judge()
            except BaseException:
                self._keep_logs()
                raise
            outcome.kept = self._settle(outcome.verdict)
        outcome.seconds = time.monotonic() - begun
        for faults in (self._connector_faults, self._source_faults, self._broker_faults):
            outcome.faults += faults.survived
        outcome.statements = Counter(self._history.statements)
        outcome.alterations = self._alterations.done
        return outcome

    @contextmanager
    def _servers(self) -> Iterator[tuple[threading.Event, threading.Event]]:
        begin, stop = threading.Event(), threading.Event()
        faults = (self._source_faults, self._broker_faults)
        threads = [threading.Thread(target=one.run, args=(begin, stop)) for one in faults]
        for thread in threads:
            thread.start()
        try:
            for one in faults:
                one.started.wait()
                if one.failure is not None:
                    raise one.failure
            yield begin, stop
        finally:
            stop.set()
            begin.set()
            for one, thread in zip(faults, threads, strict=True):
                one.over.set()
                thread.join(JOIN_S)

    def _prepare(self) -> None:
        self._source.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4", CREATE_JOURNAL, CREATE_NOISE)
        # One partition, whatever the others get: its order is the order of commits.
        topics = [NewTopic(name, 1, 1) for name in (f"{PREFIX}.{DATABASE}.{JOURNAL}", f"{PREFIX}-signal")]
        admin = self._kafka.admin()  # held: it must outlive its answer
        for answer in admin.create_topics(topics).values():
            answer.result(60)
        self._alterations.create_all(FIRST_KEYS)
        for _ in range(self._shape.choice([0, 20, 200])):
            self._writers[0].turn()

    def _disturb(self, begin: threading.Event, no_more_faults: threading.Event) -> None:
        """Work and faults, side by side. Capture begins when the work is under way, with its snapshot."""
        no_more_work = threading.Event()
        working = (*self._writers, self._alterations, *([self._operator] if self._features.signals else []))
        workers = [threading.Thread(target=one.run, args=(no_more_work,)) for one in working]
        connecting = threading.Thread(target=self._connector_faults.run, args=(no_more_faults,))
        for worker in workers:
            worker.start()
        try:
            no_more_faults.wait(self._shape.choice([0.0, 1.0, 3.0]))
            connecting.start()
            no_more_faults.wait(1.0)
            begin.set()
            self._last()
        finally:
            no_more_faults.set()
            begin.set()
            for faults in (self._source_faults, self._broker_faults):
                faults.healed.wait(JOIN_S)
            no_more_work.set()
            for thread in (connecting, *workers):
                if thread.ident is not None:
                    thread.join(JOIN_S)
        if not self._catalog.captured.is_set() and not self._failed():
            raise RoundFailed(f"no snapshot was captured within {SNAPSHOT_S:.0f} s, seed {self._plan.seed}")

    def _last(self) -> None:
        """Let it all go on until the snapshot is captured, and for the round's time from then on."""
        begun = ends = time.monotonic()
        ends += SNAPSHOT_S
        while time.monotonic() < ends and not self._failed():
            if not self._catalog.captured.is_set() and self._connector.captured():
                self._history.captured()
                self._catalog.captured.set()
                ends = time.monotonic() + self._plan.seconds
                self._say(f"  captured the snapshot after {time.monotonic() - begun:.0f} s")
            time.sleep(0.2)

    def _actors(self) -> list[tuple[str, BaseException | None]]:
        return [
            *((writer.name, writer.failure) for writer in self._writers),
            ("alterations", self._alterations.failure),
            ("operator", self._operator.failure),
            ("connector", self._connector_faults.failure),
            ("source", self._source_faults.failure),
            ("broker", self._broker_faults.failure),
        ]

    def _failed(self) -> bool:
        return any(failure is not None for _, failure in self._actors())

    def _judge(self) -> Verdict:
        verdict = Verdict()
        unforeseen = []
        for actor, failure in self._actors():
            if isinstance(failure, ConnectorEnded):
                verdict.add("stopped", actor, str(failure))
            elif failure is not None:
                unforeseen.append((actor, failure))
        if unforeseen:
            said = "; ".join(f"{actor}: {failure!r}" for actor, failure in unforeseen)
            raise RoundFailed(f"the round itself failed, seed {self._plan.seed}: {said}") from unforeseen[-1][1]
        for writer in self._writers:
            writer.finish()
        if self._features.signals:
            self._operator.finish()
        begun = time.monotonic()
        try:
            self._connector.catch_up()
        except ConnectorEnded as ended:
            verdict.add("stopped", "the end", str(ended))
        self._say(f"  caught up after another {time.monotonic() - begun:.0f} s")
        self._partitions = read_topics(self._kafka, PREFIX, self._decode)
        self._truth = read_truth(self._source, self._alterations.there_are())
        found = check(self._partitions, self._history, self._truth, self._catalog.models)
        told = read_transactions(self._kafka, PREFIX, self._decode)
        for misfit in misfits(told, self._partitions, found.streamed):
            found.add(*misfit)
        found.differences[:0] = verdict.differences
        found.found += verdict.found
        return found

    def _settle(self, verdict: Verdict) -> Path | None:
        """Keep all that a failure can be understood from."""
        if verdict.found == 0:
            return None
        keep(self._directory, self._partitions, self._truth, self._history)
        self._keep_logs()
        return self._directory

    def _keep_logs(self) -> None:
        for server in (self._source, self._kafka):
            (self._directory / f"{server.name}.log").write_bytes(server.log_path.read_bytes())


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


def _config(chance: random.Random, url: str, bootstrap: str, features: Features) -> dict[str, Any]:
    return {
        "name": "chaos",
        "source": {
            "kind": "mysql", "url": url, "include": [f"{DATABASE}.t*", f"{DATABASE}.{JOURNAL}"],
            "transaction_metadata": chance.random() < 0.5, "commit_rows": chance.choice([100, 1_000, 8_000]), "commit_ms": chance.choice([5, 20, 50]),
            "signals": features.signals,
        },
        "topic": {
            "kind": "kafka", "bootstrap": bootstrap, "prefix": PREFIX, "partitions": chance.choice([1, 1, 3]),
        },
        "examples": {"from": f"{DATABASE}.{JOURNAL}", "label": "low", "features": {"high": "numeric"}},
        "retry": {"initial_s": 0.1, "max_s": 1},
    }  # fmt: skip
