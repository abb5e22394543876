"""MongoDB's own server and Debezium beside us: catching up with its change stream, and the age of what is published."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pymongo

from benchmarks import capture, topics
from benchmarks.contestants import READY_S, TUNED, Contestant, DebeziumContestant, LiveStreamtrain, Streamtrain
from benchmarks.errors import BenchmarkFailed
from benchmarks.latency import PERCENTILES, LatencySettings, aged
from benchmarks.line import write
from benchmarks.report import Comparison, Measurement, Result, as_run, disturbed
from benchmarks.usage import Neighbours
from tests.mongo_server.replay import order
from tests.servers import Broker
from tests.servers.mongo import Mongo

COLLECTION = "orders"
DOCUMENTS_PER_COMMAND = 1_000
ANOTHER_S = 1.0
"""After a document that was not published by then the next is inserted."""
PROMISED_RATIO, PROMISED_P99_MS = 3.0, 250.0
CONNECTORS = ("streamtrain", "debezium", "debezium-tuned")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What is measured."""

    documents: int = 500_000
    rate: int = 2_000
    """Documents per second for latency."""
    seconds: int = 20
    warm_up_s: int = 5
    repeats: int = 2
    connectors: Sequence[str] = CONNECTORS
    database: str = "bench_mongo"


class Documents:
    """A collection of documents of 12 fields, whose ``_id`` count from 1 without a gap."""

    def __init__(self, client: pymongo.MongoClient[dict[str, Any]], database: str) -> None:
        self._collection = client[database].get_collection(
            COLLECTION, write_concern=pymongo.WriteConcern("majority", wtimeout=60_000)
        )
        self.full_name = f"{database}.{COLLECTION}"
        self.last_id = 0

    def create(self) -> None:
        """Make it anew, empty."""
        self._collection.drop()
        self._collection.database.create_collection(COLLECTION)
        self.last_id = 0

    def drop(self) -> None:
        self._collection.database.client.drop_database(self._collection.database)

    def insert(self, rows: int) -> None:
        """Add this many documents, which a majority then has."""
        for first in range(0, rows, DOCUMENTS_PER_COMMAND):
            self._collection.insert_many(self._next(min(DOCUMENTS_PER_COMMAND, rows - first)))

    @contextmanager
    def transactions(self, count: int, rows: int) -> Iterator[Sequence[Callable[[], object]]]:
        """So many inserts of so many documents each, made ready; they count as added from now on."""
        ready = [self._next(rows) for _ in range(count)]
        yield [partial(self._collection.insert_many, documents) for documents in ready]

    def _next(self, rows: int) -> list[dict[str, Any]]:
        first, self.last_id = self.last_id + 1, self.last_id + rows
        return [{**order(number), "_id": number} for number in range(first, first + rows)]


def measure(server: Mongo, broker: Broker, settings: ServerSettings, folder: Path) -> Result:
    """Let each connector catch up in turn, and then publish what comes at a steady rate."""
    with pymongo.MongoClient[dict[str, Any]](server.url) as client:
        documents = Documents(client, settings.database)
        try:
            documents.create()
            places = Places(server, documents, broker, folder)
            caught_up = _catch_up(places, settings)
            ages = _ages(places, settings)
        finally:
            documents.drop()
    return _result(server, settings, caught_up, ages)


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is."""

    server: Mongo
    documents: Documents
    broker: Broker
    folder: Path

    def contestant(self, name: str, prefix: str, *, live: bool) -> Contestant:
        """A connector with topics of its own, that goes on for ever or ends when it has caught up."""
        place = self.folder / prefix
        if name != "streamtrain":
            properties = {**self._properties(prefix), **(TUNED if name == "debezium-tuned" else {})}
            title = "Debezium, tuned" if name == "debezium-tuned" else "Debezium"
            return DebeziumOfMongo(title, self.documents, self.broker, place, properties)
        source = {"kind": "mongo", "url": self.server.url, "include": [self.documents.full_name], "snapshot": "no_data"}
        examples = {"from": self.documents.full_name, "label": "paid", "features": {"customer": "categorical"}}
        config = write(place, source, examples, self.broker, prefix)
        return (LiveStreamtrain if live else Streamtrain)(self.documents, self.broker, prefix, config)

    def _properties(self, prefix: str) -> dict[str, str]:
        return {
            "connector.class": "io.debezium.connector.mongodb.MongoDbConnector",
            "mongodb.connection.string": self.server.url,
            "collection.include.list": self.documents.full_name,
            "topic.prefix": prefix,
            "snapshot.mode": "no_data",
        }


class DebeziumOfMongo(DebeziumContestant):
    """Debezium's MongoDB connector."""

    connected = b"Fetcher submitted for execution"
    """Some time before the stream is open, which is not told."""

    def _prime(self) -> None:
        self.start()
        try:
            self._insert_until_published()
        finally:
            self.stop()

    def _insert_until_published(self) -> None:
        """What is inserted before its stream is open for the first time it does not see."""
        deadline = time.monotonic() + READY_S
        while topics.end_of(self.broker, self.topic) == 0:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{self.name} did not publish its first document: {self.last_words()}")
            self.table.insert(1)
            time.sleep(ANOTHER_S)


def document_of(value: bytes) -> tuple[int, Mapping[str, Any]]:
    """A message's value -> its document's number, and the document."""
    document = orjson.loads(orjson.loads(value)["after"])
    return document["_id"], document


def _catch_up(places: Places, settings: ServerSettings) -> list[capture.Run]:
    rounds = [
        [places.contestant(name, f"{settings.database}-{name}-{repeat}", live=False) for name in settings.connectors]
        for repeat in range(settings.repeats)
    ]
    for contestant in (each for contestants in rounds for each in contestants):
        contestant.prime()
    places.documents.insert(settings.documents)
    turns = [contestants if repeat % 2 == 0 else contestants[::-1] for repeat, contestants in enumerate(rounds)]
    runs = [
        capture.catch_up(contestant, repeat, document_of) for repeat, turn in enumerate(turns) for contestant in turn
    ]
    if len({run.content_sha256 for run in runs}) != 1:
        raise BenchmarkFailed(f"the connectors published different documents: {runs}")
    return runs


def _ages(places: Places, settings: ServerSettings) -> list[dict[str, Any]]:
    how = LatencySettings(settings.rate, settings.seconds, settings.repeats, 0, warm_up_s=settings.warm_up_s)
    runs = []
    for repeat in range(settings.repeats):
        for name in settings.connectors if repeat % 2 == 0 else reversed(settings.connectors):
            connector = places.contestant(name, f"{settings.database}-live-{name}-{repeat}", live=True)
            neighbours = Neighbours()
            found = aged(connector, places.documents.transactions, how, document_of)
            runs.append({"connector": connector.name, "repeat": repeat, "other_cores": neighbours.cores()} | found)
    return runs


def _result(
    server: Mongo, settings: ServerSettings, runs: Sequence[capture.Run], ages: Sequence[Mapping[str, Any]]
) -> Result:
    runs = sorted(runs, key=lambda run: run.repeat)
    ours = [run for run in runs if run.contestant == Streamtrain.name]
    peers = list(dict.fromkeys(run.contestant for run in runs if run.contestant != Streamtrain.name))
    by_peer = {name: [run for run in runs if run.contestant == name] for name in peers}
    comparisons = [one for peer in by_peer.values() for one in capture.compared(ours, peer)]
    kind = "a MongoDB server" if server.real else "the stand-in for MongoDB, whose speed says nothing"
    found = [as_run(run) | {"rows_per_s": run.rows_per_s} for run in runs]
    return Result(
        name="mongo-server",
        title="Capture: catching up with MongoDB, and from commit to readable",
        meaning=(
            f"{settings.documents:,} documents of 12 fields were inserted into {kind} {'.'.join(map(str, server.version))}; each "
            "connector has stored its position before them and is started anew. Timed is from the moment it says that it is "
            "connected to the moment its last record can be read. Every topic is then read back: each document once, in order, "
            f"and the same from every connector. Then {settings.rate:,} documents a second are inserted, with write concern "
            "`majority`, while a connector runs: the age of each is the time from the server's answer to the moment a reader "
            "of committed records holds it."
        ),
        settings={
            "documents": settings.documents,
            "documents_per_s": settings.rate,
            "seconds": settings.seconds,
            "seconds_before_that_are_not_counted": settings.warm_up_s,
            "repeats": settings.repeats,
            "streamtrain": "defaults, snapshot: no_data",
            "debezium": "defaults, snapshot.mode=no_data, -Xmx2g as connect-standalone.sh has it",
            "debezium_tuned": dict(TUNED),
        },
        comparisons=[*comparisons, *_aged_comparisons(ages)],
        measurements=[] if peers else [*capture.measured(ours), *_aged(ages, Streamtrain.name)],
        notes=[*_promises(comparisons, ages), *disturbed([*found, *ages])],
        runs=[*found, *ages],
    )


def _aged(ages: Sequence[Mapping[str, Any]], name: str) -> list[Measurement]:
    runs = sorted((run for run in ages if run["connector"] == name), key=lambda run: run["repeat"])
    return [Measurement(name, "ms", [run[f"p{percentile}_ms"] for run in runs]) for percentile in PERCENTILES if runs]


def _aged_comparisons(ages: Sequence[Mapping[str, Any]]) -> list[Comparison]:
    peers = dict.fromkeys(run["connector"] for run in ages if run["connector"] != Streamtrain.name)
    return [
        Comparison(f"commit to readable, p{percentile}", "ms", ours, theirs, higher_is_better=False)
        for peer in peers
        for percentile, ours, theirs in zip(PERCENTILES, _aged(ages, Streamtrain.name), _aged(ages, peer), strict=True)
    ]


def _promises(comparisons: Sequence[Comparison], ages: Sequence[Mapping[str, Any]]) -> list[str]:
    worst = max(run["p99_ms"] for run in ages if run["connector"] == Streamtrain.name)
    kept = "kept" if worst <= PROMISED_P99_MS else "BROKEN"
    told = [f"The promise is a p99 of {PROMISED_P99_MS:,.0f} ms: {kept} ({worst:,.0f} ms in the slowest run)."]
    ratios = [min(one.ratios) for one in comparisons if one.what == "catch-up" and one.peer.what == "Debezium"]
    if ratios:
        kept = "kept" if min(ratios) >= PROMISED_RATIO else "BROKEN"
        told.append(
            f"The promise is {PROMISED_RATIO:g} times Debezium's catch-up: {kept} ({min(ratios):.2f}x at least)."
        )
    return told
