"""How fast change events of MongoDB reach the topic: a stand-in sends events that it has encoded beforehand.

The stand-in (``tests/mongo_server``) is a process of its own that copies bytes, so that what is measured is the connector.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks import topics
from benchmarks.errors import BenchmarkFailed
from benchmarks.line import Running, write
from benchmarks.report import Measurement, Result, as_run, disturbed
from benchmarks.usage import Neighbours, usage
from benchmarks.watch import INTERVAL_S, Watch
from tests.servers import Broker

READY_S = 120.0
SLOWEST_EVENTS_PER_S = 500
SETTLED_S = 2.0
"""The topic has its last record when it has not grown for this long."""
NAMESPACE = "bench.orders"
EVENTS_PER_BATCH = 5_000
PROMISED_EVENTS_PER_S, PROMISED_CPU_US, PROMISED_MIB = 60_000, 16.0, 190.0
EXAMPLES = {"from": NAMESPACE, "label": "paid", "features": {"customer": "categorical", "price": "numeric"}}
_URL = re.compile(r"mongodb://\S+")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the events are."""

    name: str
    meaning: str
    of_stand_in: tuple[str, ...]
    """What the stand-in is told."""
    share: float = 1.0
    """Of the events that are asked for."""
    deletes: float = 0.0
    """Of its events: a tombstone comes behind each."""
    promised_rate: bool = True
    """Whether the promises of speed and CPU are for it too; that of memory is for all."""

    def records(self, events: int) -> int:
        """How many come of so many events."""
        return events + round(events * self.deletes)

    def events(self, asked: int) -> int:
        """How many, in whole batches."""
        return max(1, round(asked * self.share / EVENTS_PER_BATCH)) * EVENTS_PER_BATCH


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("inserts", "documents of 12 fields, each inserted", ("--shape", "inserts")),
        Shape(
            "changes",
            "of ten, five inserts of such documents, four updates of three fields of any of them, and a delete",
            ("--shape", "changes"),
            deletes=0.1,
        ),
        Shape(
            "large batches",
            "inserts of documents of 12 fields and 3 KB, so that each batch has the 16 MB that a server sends at most",
            ("--shape", "inserts", "--text", "2700"),
            share=0.2,
            promised_rate=False,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What is measured."""

    events: int
    repeats: int
    shapes: Sequence[str] = tuple(SHAPES)
    prefix: str = "bench-mongo"


class Readings(NamedTuple):
    """One stream, from ``ready``, when the connector says that it is connected, to when its last record is readable."""

    events: int
    records: int
    """Those of events, and a tombstone behind each delete."""
    ready_to_last_s: float
    cpu_ready_to_last_s: float
    peak_rss_mib: float
    other_cores: float
    """Cores that the rest of the machine kept busy meanwhile, without the stand-in and the broker."""


@dataclass(frozen=True, slots=True)
class Run:
    """The readings of one stream, in the order of ``Readings``."""

    shape: str
    repeat: int
    events: int
    records: int
    ready_to_last_s: float
    cpu_ready_to_last_s: float
    peak_rss_mib: float
    other_cores: float

    @property
    def events_per_s(self) -> float:
        return self.events / self.ready_to_last_s

    @property
    def cpu_us_per_event(self) -> float:
        return self.cpu_ready_to_last_s / self.events * 1e6


def measure(broker: Broker, settings: StreamSettings, folder: Path) -> Result:
    """Let a connector that has never run read each stream to its end."""
    runs = []
    for shape in (SHAPES[name] for name in settings.shapes):
        with stand_in(shape, shape.events(settings.events), folder) as url:
            for repeat in range(settings.repeats):
                prefix = f"{settings.prefix}-{shape.name.replace(' ', '-')}-{repeat}"
                config = write(folder / prefix, mongo_source(url), EXAMPLES, broker, prefix)
                found = _published(config, broker, f"{prefix}.{NAMESPACE}", shape, shape.events(settings.events))
                runs.append(Run(shape.name, repeat, *found))
    return _result(settings, runs)


@contextmanager
def stand_in(shape: Shape, events: int, folder: Path) -> Iterator[str]:
    """The URL of a stand-in that has its events ready."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ("--replay", NAMESPACE, "--events", str(events), "--batch", str(EVENTS_PER_BATCH), *shape.of_stand_in)
    with Running(folder, "tests.mongo_server", *words) as running:
        running.wait_for_text("mongodb://", READY_S)
        found = _URL.search(running.log.read_text())
        if found is None:
            raise BenchmarkFailed(f"the stand-in does not say where it is: {running.last_words()}")
        yield found[0]


def mongo_source(url: str, snapshot: str = "no_data") -> dict[str, object]:
    """The source's part of a configuration; all that is not named has its default."""
    return {"kind": "mongo", "url": url, "include": [NAMESPACE], "snapshot": snapshot}


def _published(config: Path, broker: Broker, topic: str, shape: Shape, events: int) -> Readings:
    wanted = shape.records(events)
    neighbours = Neighbours()
    with Watch(broker.bootstrap, topic) as watch, Running(config.parent, "streamtrain", "connect", str(config)) as ours:
        watch.pid = ours.pid
        ours.wait_for_text("connected", READY_S)
        ready, used = time.monotonic(), usage(ours.pid)
        ours.wait_until(lambda: watch.end >= wanted, "all came", READY_S + events / SLOWEST_EVENTS_PER_S)
        end = _settled_end(watch)
        other_cores = neighbours.cores()
    if used is None:
        raise BenchmarkFailed(f"it ended early: {ours.last_words()}")
    last = watch.first_at(end)
    records = check(topic, _records(broker, topic, end), events)
    admin = broker.admin()
    admin.delete_topics([topic])[topic].result()
    cpu_s = watch.cpu_s_until(last) - used.cpu_s
    return Readings(events, records, last.at_s - ready, cpu_s, watch.peak_rss_mib(), other_cores)


def _settled_end(watch: Watch) -> int:
    end, since = watch.end, time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        time.sleep(INTERVAL_S)
        if watch.end > end:
            end, since = watch.end, time.monotonic()
    return end


def _records(broker: Broker, topic: str, end: int) -> Iterator[tuple[bytes, bytes | None]]:
    for records in topics.read(broker, topic, 0, end):
        for key, value in zip(records.keys, records.values, strict=True):
            yield key or b"", value


def check(name: str, published: Iterator[tuple[bytes, bytes | None]], events: int) -> int:
    """Every event came once, and each says as ``before`` what the one before it has left; how many records there are.

    Raises BenchmarkFailed if it is not so.
    """
    held: dict[bytes, str] = {}
    counted = Counter[str]()
    for key, value in published:
        if value is None:
            counted["tombstone"] += 1
            continue
        envelope = orjson.loads(value)
        before, after = envelope["before"], envelope["after"]
        counted[envelope["op"]] += 1
        if held.pop(key, None) != before or (after is None) != (envelope["op"] == "d"):
            raise BenchmarkFailed(f"{name}: {key.decode()} was published as {before!r} -> {after!r}")
        if after is not None:
            held[key] = after
    came = counted.total() - counted["tombstone"]
    if came != events or counted["tombstone"] != counted["d"]:
        raise BenchmarkFailed(f"{name}: {events} events were sent, and these published: {dict(counted)}")
    return counted.total()


def _result(settings: StreamSettings, runs: Sequence[Run]) -> Result:
    by_shape: dict[str, list[Run]] = {}
    for run in runs:
        by_shape.setdefault(run.shape, []).append(run)
    found = [as_run(run) | {"events_per_s": run.events_per_s} for run in runs]
    return Result(
        name="mongo",
        title="Capture: change events of MongoDB",
        meaning=(
            "A stand-in for MongoDB, in a process of its own, sends change events that it has encoded beforehand, as fast as "
            "they are read; `streamtrain connect` publishes them as JSON without schemas, with the document before and after "
            "each from its store (`after: held`, the default). Timed is from the moment it says that it is connected to the "
            "moment its last record can be read. Every topic is then read back: each event once, and before each what the "
            "one before it has left."
        ),
        settings={
            "events": {shape: found[0].events for shape, found in by_shape.items()},
            "events_per_batch": EVENTS_PER_BATCH,
            "repeats": settings.repeats,
            "shapes": {shape: SHAPES[shape].meaning for shape in by_shape},
            "streamtrain": "defaults",
            "clock_resolution_s": INTERVAL_S,
        },
        measurements=[
            Measurement(f"{shape}: {what}", unit, [read(run) for run in found])
            for shape, found in by_shape.items()
            for what, unit, read in (
                ("published", "events/s", lambda run: run.events_per_s),
                ("CPU of the connector", "microseconds per event", lambda run: run.cpu_us_per_event),
                ("peak resident memory", "MiB", lambda run: run.peak_rss_mib),
            )
        ],
        notes=[
            "No real server took part: the stand-in answers as MongoDB does (`tests/mongo_server/README.md`), and only copies bytes.",
            *(_promises(SHAPES[shape], found) for shape, found in by_shape.items()),
            *disturbed(found),
        ],
        runs=found,
    )


def joined(replayed: Result, real: Result) -> Result:
    """One report of both: what a stand-in sent, and what a server did."""
    return replace(
        replayed,
        meaning=f"{replayed.meaning}\n\n{real.meaning}",
        settings={**replayed.settings, "on a server": dict(real.settings)},
        comparisons=real.comparisons,
        measurements=[*replayed.measurements, *real.measurements],
        notes=[*replayed.notes, *real.notes],
        runs=[*replayed.runs, *real.runs],
    )


def _promises(shape: Shape, runs: Sequence[Run]) -> str:
    slowest, dearest = min(run.events_per_s for run in runs), max(run.cpu_us_per_event for run in runs)
    largest = max(run.peak_rss_mib for run in runs)
    promised = [_kept(largest <= PROMISED_MIB, f"{PROMISED_MIB:g} MiB at most", f"{largest:.0f}")]
    if shape.promised_rate:
        rate_kept, cpu_kept = slowest >= PROMISED_EVENTS_PER_S, dearest <= PROMISED_CPU_US
        promised = [
            _kept(rate_kept, f"{PROMISED_EVENTS_PER_S:,} events/s at least", f"{slowest:,.0f}"),
            _kept(cpu_kept, f"{PROMISED_CPU_US:g} microseconds of CPU an event at most", f"{dearest:.1f}"),
            *promised,
        ]
    return f"Promised of {shape.name}: {'; '.join(promised)}."


def _kept(kept: bool, promise: str, worst: str) -> str:
    return f"{promise}: {'kept' if kept else 'BROKEN'} ({worst} in the worst run)"
