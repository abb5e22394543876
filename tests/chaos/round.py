"""One round: a source, a broker and a connector of its own, random work and faults for a while, and the judgement."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import NewTopic

from tests.chaos.checker import Verdict
from tests.chaos.connector import Connector, ConnectorEnded, ConnectorFaults
from tests.chaos.mongo.scene import MongoScene
from tests.chaos.plan import PREFIX, Outcome, Plan, RoundFailed
from tests.chaos.scene import Scene
from tests.chaos.servers import ServerFaults, broker_acts
from tests.chaos.sql_scene import SqlScene
from tests.chaos.topics import Partitions, read_topics, read_transactions
from tests.servers import PrivateKafka
from tests.servers.registry import SmallRegistry

SOURCES: dict[str, Callable[[Plan, PrivateKafka, SmallRegistry, Path], Scene]] = {
    "mysql": SqlScene,
    "mariadb": SqlScene,
    "mongo": MongoScene,
}
JOIN_S = 120.0
SNAPSHOT_S = 240.0
CALM_IN_SNAPSHOT = 4
CALM_DOUBLES_S = 30.0
"""On a slow machine no life that is as short as on a quick one comes to the rows."""


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
        self._shape = plan.chance("start")
        self._kafka = PrivateKafka({"transaction.max.timeout.ms": "900000"})
        self._registry = SmallRegistry()
        self._registry.schemas.level = "NONE"  # columns come back with other types
        self._scene = scene = SOURCES[plan.source](plan, self._kafka, self._registry, directory)
        say(f"  with {', '.join(scene.features) or 'plain transactions'}")
        self._connector = Connector(directory, _config(scene, self._kafka.bootstrap))
        self._source_faults = ServerFaults(
            plan.chance("source"), scene.server, scene.acts(self._connector), self._calm(plan.source_calm_s)
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
        self._partitions: Partitions = {}
        self._begun = time.monotonic()

    def _calm(self, seconds: float) -> Callable[[], float]:
        """The mean time between two faults: the longer the snapshot takes, the longer."""

        def mean() -> float:
            if self._scene.captured.is_set():
                return seconds
            taken_s = time.monotonic() - self._begun
            return float(seconds * CALM_IN_SNAPSHOT * 2 ** (taken_s / CALM_DOUBLES_S))

        return mean

    def play(self) -> Outcome:
        outcome = Outcome(self._plan, features=self._scene.features)
        begun = time.monotonic()
        with self._registry, self._servers() as (begin, no_more_faults):
            outcome.version = self._scene.version()
            try:
                self._prepare()
                self._disturb(begin, no_more_faults)
                outcome.verdict = self._judge()
                outcome.faults += self._scene.epilogue(self._connector, outcome.verdict)
            except BaseException:
                self._keep_logs()
                raise
            outcome.kept = self._settle(outcome.verdict)
        outcome.seconds = time.monotonic() - begun
        for faults in (self._connector_faults, self._source_faults, self._broker_faults):
            outcome.faults += faults.survived
        outcome.statements = Counter(self._scene.history.statements)
        outcome.alterations = self._scene.alterations()
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
        # One partition, whatever the others get: its order is the order of commits.
        topics = [NewTopic(name, 1, 1) for name in (*self._scene.journal_topics, f"{PREFIX}-signal")]
        admin = self._kafka.admin()  # held: it must outlive its answer
        for answer in admin.create_topics(topics).values():
            answer.result(60)
        self._scene.prepare()

    def _disturb(self, begin: threading.Event, no_more_faults: threading.Event) -> None:
        """Work and faults, side by side. Capture begins when the work is under way, with its snapshot."""
        no_more_work = threading.Event()
        workers = [threading.Thread(target=one.run, args=(no_more_work,)) for one in self._scene.workers()]
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
        if not self._scene.captured.is_set() and not self._failed():
            last = self._connector.last_words()
            raise RoundFailed(f"no snapshot was captured within {SNAPSHOT_S:.0f} s, seed {self._plan.seed}: {last}")

    def _last(self) -> None:
        """Let it all go on until the snapshot is captured, and for the round's time from then on."""
        self._begun = time.monotonic()
        ends = self._begun + SNAPSHOT_S
        while time.monotonic() < ends and not self._failed():
            if not self._scene.captured.is_set() and self._connector.captured():
                self._scene.history.captured()
                self._scene.captured.set()
                ends = time.monotonic() + self._plan.seconds
                self._say(f"  captured the snapshot after {time.monotonic() - self._begun:.0f} s")
            time.sleep(0.2)

    def _actors(self) -> list[tuple[str, BaseException | None]]:
        return [
            *((actor.name, actor.failure) for actor in self._scene.workers()),
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
        self._scene.finish()
        begun = time.monotonic()
        try:
            self._connector.catch_up()
        except ConnectorEnded as ended:
            verdict.add("stopped", "the end", str(ended))
        self._say(f"  caught up after another {time.monotonic() - begun:.0f} s")
        self._partitions = read_topics(self._kafka, PREFIX, self._scene.decode)
        found = self._scene.judge(self._partitions, read_transactions(self._kafka, PREFIX, self._scene.decode))
        found.differences[:0] = verdict.differences
        found.found += verdict.found
        return found

    def _settle(self, verdict: Verdict) -> Path | None:
        """Keep all that a failure can be understood from."""
        if verdict.found == 0:
            return None
        self._scene.keep(self._directory, self._partitions)
        self._keep_logs()
        return self._directory

    def _keep_logs(self) -> None:
        for name, log in ((self._plan.source, self._scene.server_log), (self._kafka.name, self._kafka.log_path)):
            if log is not None:
                (self._directory / f"{name}.log").write_bytes(log.read_bytes())


def _config(scene: Scene, bootstrap: str) -> dict[str, Any]:
    parts = {name: dict(part) for name, part in scene.config.items()}
    parts["topic"] |= {"kind": "kafka", "bootstrap": bootstrap, "prefix": PREFIX}
    return {"name": "chaos", **parts, "retry": {"initial_s": 0.1, "max_s": 1}}
