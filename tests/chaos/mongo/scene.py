"""A round on MongoDB: random documents, and the application that writes them."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo

from tests.chaos.acting import Actor
from tests.chaos.checker import Verdict
from tests.chaos.connector import Connector, end
from tests.chaos.evidence import keep
from tests.chaos.formats import Decode, avro_decoder
from tests.chaos.history import History
from tests.chaos.metadata import Told, misfits
from tests.chaos.mongo import text
from tests.chaos.mongo.acts import SourceActs
from tests.chaos.mongo.alterations import Alterations
from tests.chaos.mongo.catalog import DATABASE, JOURNAL, SECOND, Catalog
from tests.chaos.mongo.checker import check
from tests.chaos.mongo.features import Features
from tests.chaos.mongo.fold import Terms
from tests.chaos.mongo.truth import Truth, read_truth
from tests.chaos.mongo.writer import Pace, Writer
from tests.chaos.plan import PREFIX, Plan, RoundFailed
from tests.chaos.servers import Act
from tests.chaos.signals import Operator
from tests.chaos.topics import Partitions
from tests.servers import PrivateKafka
from tests.servers.private_mongo import chosen, given_version
from tests.servers.registry import SmallRegistry

LOST_AGAIN = "position lost, reading all documents again"
STOP_S = 60.0


@dataclass(frozen=True)
class _Targets:
    """The collections, for signals."""

    catalog: Catalog
    everything: str = r"chaos.*[.].*"
    journal: str = f"{DATABASE}.{JOURNAL}"
    condition: tuple[str, str] = (r"chaos.*[.]t.*", '{"bits": {"$lt": 100}}')

    @property
    def captured(self) -> threading.Event:
        return self.catalog.captured

    def homes(self) -> Mapping[str, int]:
        journal = {self.journal: 0} if self.catalog.captures(self.journal) else {}
        return self.catalog.names() | journal


class MongoScene:
    """A ``Scene`` of documents."""

    def __init__(self, plan: Plan, kafka: PrivateKafka, registry: SmallRegistry, directory: Path) -> None:
        self.history = History()
        self._plan = plan
        self._shape = plan.chance("shape")
        self._features = features = Features.some(plan.chance("features"), given_version())
        self.server = chosen(features.version)
        self._directory = directory
        self.decode = decoder(features.format, registry)
        self.config = self._config(registry.url)
        self._catalog = Catalog(features.patterns)
        self._writers = [self._writer(f"writer{index}") for index in range(plan.writers)]
        self._alterations = self._altering()
        self._operator = Operator(
            plan.chance("operator"), kafka, PREFIX, _Targets(self._catalog), self.history, plan.signal_pause_s
        )
        self._acts = SourceActs(self.server, plan.chance("source acts"), reads_again=features.reads_again)
        self._truth = Truth({}, {})

    @property
    def server_log(self) -> Path | None:
        return self.server.log_path

    @property
    def features(self) -> list[str]:
        return self._features.names()

    @property
    def captured(self) -> threading.Event:
        return self._catalog.captured

    @property
    def journal_topics(self) -> Sequence[str]:
        return [f"{PREFIX}.{DATABASE}.{JOURNAL}"] if self._features.scope != "collection" else []

    def _config(self, registry_url: str) -> dict[str, dict[str, Any]]:
        chance, features = self._shape, self._features
        source = {
            "kind": "mongo", "url": self.server.url, "include": list(features.patterns), "after": features.after,
            "snapshot": "when_needed" if features.reads_again else "initial", "signals": features.signals,
            "transaction_metadata": features.transaction_metadata, "store": str(self._directory / "documents.db"),
            "commit_rows": chance.choice([20, 300, 8_000]), "commit_ms": chance.choice([5, 20, 50]),
        }  # fmt: skip
        topic: dict[str, Any] = {"partitions": chance.choice([1, 1, 3]), "format": features.format}
        if features.format == "avro":
            topic["registry"] = {"url": registry_url}
        of = features.patterns[-1] if features.scope == "collection" else f"{DATABASE}.{JOURNAL}"
        return {
            "source": source,
            "topic": topic,
            "examples": {"from": of, "label": "low", "features": {"high": "numeric"}},
        }

    def _writer(self, name: str) -> Writer:
        writer = Writer(name, self._plan.chance(name), self.server.url, self._catalog, self.history)
        writer.pace = Pace(large=min(self._plan.largest, 3 * int(self.config["source"]["commit_rows"])))
        return writer

    def _altering(self) -> Alterations:
        altering = Alterations(
            self._plan.chance("alterations"),
            self.server.url,
            self._catalog,
            self.history,
            self._plan.alteration_pause_s,
        )
        altering.images, altering.always_images = self._features.keeps_images, self._features.always_images
        altering.renames = self._features.tells_before
        return altering

    def prepare(self) -> None:
        with pymongo.MongoClient[dict[str, Any]](self.server.url) as client:
            if self.server.real:  # one that is not ours still has what the round before left
                for name in (DATABASE, SECOND):
                    client.drop_database(name)
            client[DATABASE].create_collection(JOURNAL)
            client[DATABASE].create_collection("noise")
        for name in [f"{DATABASE}.t0", f"{DATABASE}.t1", f"{DATABASE}.out0"]:
            self._alterations.create(name)
        for _ in range(self._shape.choice([0, 20, 200])):
            self._writers[0].turn()

    def workers(self) -> Sequence[Actor]:
        return (*self._writers, self._alterations, *([self._operator] if self._features.signals else []))

    def acts(self, _connector: Connector) -> list[tuple[float, str, Act]]:
        return self._acts.all()

    def version(self) -> str:
        with pymongo.MongoClient[dict[str, Any]](self.server.url) as client:
            version = client.server_info()["version"]
        return f"MongoDB {version}" if self.server.real else f"stand-in for MongoDB {version}"

    def alterations(self) -> int:
        return self._alterations.done

    def finish(self) -> None:
        self._acts.heal()
        log = self.server.log_path
        if log is not None and not self.server.real and b"Traceback" in log.read_bytes():
            raise RoundFailed("the stand-in for MongoDB failed; its log says how")
        if self._features.signals:
            self._operator.finish()

    def judge(self, partitions: Partitions, told: Told) -> Verdict:
        self._truth = read_truth(self.server.url, self._alterations.there_are())
        losses_ms = losses(self._directory / "connector.log")
        terms = Terms(self._features.after, losses_ms, None if losses_ms else self.history.captured_at)
        found = check(partitions, self.history, self._truth, self._catalog.models, terms)
        for misfit in misfits(told, partitions):
            # What is read again has no place in a transaction, nor do changes that are lost.
            if not losses_ms:
                found.add(*misfit)
        return found

    def epilogue(self, connector: Connector, verdict: Verdict) -> Counter[str]:
        """One of the codes that stop capture has to; with the default for snapshots, a log that begins behind the position."""
        code = self._acts.stop_capture()
        if not self._stopped(connector, f"(error {code})"):
            verdict.add("lost", "the end", f"capture went on over error {code}; {connector.last_words()}")
        self._acts.heal()
        survived = Counter({f"error {code}, and capture stopped": 1})
        if self.server.real or self._features.reads_again:
            return survived
        for _ in range(5):
            self._writers[0].turn()
        self._acts.administer({"standIn": "rollOplog", "keep": 0})
        self._writers[0].turn()
        self._writers[0].close()
        if not self._stopped(connector, "changes are lost that are in no topic"):
            verdict.add("lost", "the end", f"capture went on behind a gap in the log; {connector.last_words()}")
        return survived + Counter({"log rolled, and capture stopped": 1})

    def _stopped(self, connector: Connector, words: str) -> bool:
        """Whether a connector that is started now ends with an error, and says these words."""
        begun = connector.log.stat().st_size
        process = connector.start()
        deadline = time.monotonic() + STOP_S
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        code = process.poll()
        end(process)
        return code not in {None, 0} and words in connector.said(begun)

    def keep(self, directory: Path, partitions: Partitions) -> None:
        rows = (
            {"collection": one.model.name, "key": key, **document}
            for one in self._truth.collections.values()
            for key, document in one.documents.items()
        )
        keep(directory, partitions, rows, self._truth.journal, self.history)


def decoder(form: str, registry: SmallRegistry) -> Decode:
    """Reads keys and envelopes; documents in them become what the checker looks at."""
    avro = avro_decoder(registry.schemas)

    def decode(message: bytes) -> Any:
        value = avro(message) if form == "avro" else json.loads(message)
        if form == "json_with_schemas":
            value = value["payload"]
        if "op" in value:
            value |= {"before": text.marks(value["before"]), "after": text.marks(value["after"])}
        return value

    return decode


def losses(log: Path) -> tuple[int, ...]:
    """When a connector has found its position lost, in milliseconds since 1970."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if LOST_AGAIN in line]
    return tuple(int(dt.datetime.fromisoformat(line.split()[0]).timestamp() * 1000) for line in lines)
