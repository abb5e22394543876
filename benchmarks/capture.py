"""Catch-up: how fast rows that lie in the binary log reach the topic, and what that takes of the machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks import orders, topics
from benchmarks.contestants import CATCHING_UP, TUNED, Contestant, Streamtrain
from benchmarks.errors import BenchmarkFailed
from benchmarks.orders import Orders
from benchmarks.report import Comparison, Measurement, Result, as_run, disturbed
from benchmarks.usage import Neighbours, usage
from benchmarks.watch import INTERVAL_S, Watch
from tests.servers import Broker, Database

SLOWEST_ROWS_PER_S = 2_000
"""A connector that is slower is given up."""
COMPARE_EVERY = 100
NOTES = (
    (
        "streamtrain publishes in transactions: exactly once for readers of committed records. Debezium on Kafka Connect "
        "is at least once."
    ),
    (
        "CPU and memory are of one process each: `streamtrain connect`, and the Kafka Connect worker. Broker and MySQL "
        "share the machine with either."
    ),
)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What is measured."""

    rows: int
    repeats: int
    seed: int
    contestants: Sequence[str] = tuple(CATCHING_UP)
    database: str = "bench_capture"


@dataclass(frozen=True, slots=True)
class Run:
    """One catch-up. ``ready`` is when the connector says that it is connected, ``last`` when the last row is readable."""

    contestant: str
    repeat: int
    rows: int
    start_to_ready_s: float
    ready_to_last_s: float
    first_to_last_s: float
    cpu_start_to_ready_s: float
    cpu_ready_to_last_s: float
    peak_rss_mib: float
    other_cores: float
    """Cores that the rest of the machine kept busy meanwhile."""
    content_sha256: str

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.ready_to_last_s

    @property
    def rows_per_s_with_start(self) -> float:
        return self.rows / (self.start_to_ready_s + self.ready_to_last_s)

    @property
    def cpu_s_per_million(self) -> float:
        return self.cpu_ready_to_last_s / self.rows * 1e6

    @property
    def cpu_s_per_million_with_start(self) -> float:
        return (self.cpu_start_to_ready_s + self.cpu_ready_to_last_s) / self.rows * 1e6


def measure(server: Database, broker: Broker, settings: CaptureSettings, folder: Path) -> Result:
    """Load the rows, then let each connector catch up in turn, forth and back."""
    table = Orders(server, settings.database, settings.seed)
    table.create()
    rounds = [
        [_contestant(name, table, broker, repeat, folder) for name in settings.contestants]
        for repeat in range(settings.repeats)
    ]
    for contestants in rounds:
        for contestant in contestants:
            contestant.prime()
    table.insert(settings.rows)
    # Every second round goes backwards: what drifts in the machine then hits all alike.
    turns = [contestants if repeat % 2 == 0 else contestants[::-1] for repeat, contestants in enumerate(rounds)]
    runs = [_catch_up(contestant, repeat) for repeat, turn in enumerate(turns) for contestant in turn]
    table.drop()
    if len({run.content_sha256 for run in runs}) != 1:
        raise BenchmarkFailed(f"the connectors published different rows: {runs}")
    return _result(settings, runs)


def _contestant(name: str, table: Orders, broker: Broker, repeat: int, folder: Path) -> Contestant:
    prefix = f"{table.database}-{name}-{repeat}"
    return CATCHING_UP[name](table, broker, prefix, folder / prefix)


def _catch_up(contestant: Contestant, repeat: int) -> Run:
    rows = contestant.table.last_id - contestant.first_id + 1
    with Watch(contestant.broker.bootstrap, contestant.topic) as watch:
        begin = _settled_end(watch)
        neighbours, started = Neighbours(), time.monotonic()
        try:
            watch.pid = pid = contestant.start()
            ready, used = time.monotonic(), usage(pid)
            contestant.wait(lambda: watch.end - begin, rows, 120 + rows / SLOWEST_ROWS_PER_S)
            other_cores = neighbours.cores()
        finally:
            contestant.stop()
        end = _settled_end(watch)
    if used is None or end - begin < rows:
        raise BenchmarkFailed(f"{contestant.name} ended early: {contestant.last_words()}")
    first, last = watch.first_at(begin + 1), watch.first_at(end)
    published = _values(contestant.broker, contestant.topic, begin, end)
    content = check(contestant.name, published, range(contestant.first_id, contestant.table.last_id + 1))
    admin = contestant.broker.admin()
    admin.delete_topics([contestant.topic])[contestant.topic].result()
    return Run(
        contestant=contestant.name,
        repeat=repeat,
        rows=rows,
        start_to_ready_s=ready - started,
        ready_to_last_s=last.at_s - ready,
        first_to_last_s=last.at_s - first.at_s,
        cpu_start_to_ready_s=used.cpu_s,
        cpu_ready_to_last_s=max(0.0, watch.cpu_s_until(last) - used.cpu_s),
        peak_rss_mib=watch.peak_rss_mib(),
        other_cores=other_cores,
        content_sha256=content,
    )


def _settled_end(watch: Watch) -> int:
    """The topic's end after a look at it that began now."""
    seen = len(watch.samples)
    while len(watch.samples) < seen + 2:
        time.sleep(INTERVAL_S)
        _ = watch.end
    return watch.end


def check(name: str, published: Iterable[bytes], ids: range) -> str:
    """Every row was published once and in order; a hash of every hundredth, as it lies in ``after``.

    Raises BenchmarkFailed if it is not so.
    """
    digest, expected = hashlib.sha256(), iter(ids)
    for value in published:
        row = orjson.loads(value)["after"]
        if row["id"] != (wanted := next(expected, None)):
            raise BenchmarkFailed(f"{name}: row {row['id']} came where {wanted} belongs")
        if row["id"] % COMPARE_EVERY == 0:
            digest.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
    if (missing := next(expected, None)) is not None:
        raise BenchmarkFailed(f"{name}: the rows from {missing} on are missing")
    return digest.hexdigest()


def _values(broker: Broker, topic: str, begin: int, end: int) -> Iterable[bytes]:
    for records in topics.read(broker, topic, begin, end):
        yield from (value for value in records.values if value is not None)


def _result(settings: CaptureSettings, runs: Sequence[Run]) -> Result:
    by_name: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.repeat):
        by_name.setdefault(run.contestant, []).append(run)
    ours = by_name.pop(Streamtrain.name)
    found = [as_run(run) | {"rows_per_s": run.rows_per_s} for run in runs]
    return Result(
        name="capture",
        title="Capture: catching up with the binary log",
        meaning=(
            f"{settings.rows:,} rows of a table of twelve columns lie in MySQL's binary log, {orders.ROWS_PER_TRANSACTION:,} "
            "to a transaction. Each connector has stored its position before them and is started anew; its rows go to a "
            "topic of its own on the same broker, as JSON without schemas. Timed is from the moment it says that it is "
            "connected to the moment its last row can be read. Every topic is then read back: each row once, in order, "
            "and the same values from every connector."
        ),
        settings={
            "rows": settings.rows,
            "rows_per_transaction": orders.ROWS_PER_TRANSACTION,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "streamtrain": "defaults",
            "debezium": "defaults, -Xmx2g as connect-standalone.sh has it, decimal.handling.mode=string",
            "debezium_tuned": dict(TUNED),
            "clock_resolution_s": INTERVAL_S,
        },
        comparisons=[comparison for runs in by_name.values() for comparison in _comparisons(ours, runs)],
        notes=[*NOTES, *disturbed(found)],
        runs=found,
    )


def _comparisons(ours: Sequence[Run], peer: Sequence[Run]) -> list[Comparison]:
    figures: list[tuple[str, str, Callable[[Run], float], bool]] = [
        ("catch-up", "rows/s", lambda run: run.rows_per_s, True),
        ("catch-up with the start of the process", "rows/s", lambda run: run.rows_per_s_with_start, True),
        ("CPU", "s per million rows", lambda run: run.cpu_s_per_million, False),
        (
            "CPU with the start of the process",
            "s per million rows",
            lambda run: run.cpu_s_per_million_with_start,
            False,
        ),
        ("peak resident memory", "MiB", lambda run: run.peak_rss_mib, False),
    ]
    return [
        Comparison(
            what,
            unit,
            Measurement(ours[0].contestant, unit, [read(run) for run in ours]),
            Measurement(peer[0].contestant, unit, [read(run) for run in peer]),
            higher_is_better,
        )
        for what, unit, read, higher_is_better in figures
    ]
