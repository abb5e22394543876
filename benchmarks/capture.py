"""How fast rows that lie in the binary log, or in the table, reach the topic, and what that takes of the machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks import topics
from benchmarks.contestants import CATCHING_UP, TUNED, Contestant, Streamtrain
from benchmarks.errors import BenchmarkFailed
from benchmarks.orders import Orders
from benchmarks.report import Comparison, Measurement, Result, as_run, disturbed
from benchmarks.shapes import SHAPES, Shape
from benchmarks.usage import Neighbours, usage
from benchmarks.watch import INTERVAL_S, Watch
from tests.servers import Broker, Database

SLOWEST_ROWS_PER_S = 500
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
    shape: Shape = SHAPES["capture"]


@dataclass(frozen=True, slots=True)
class Run:
    """One catch-up. ``ready`` is when the connector says that it is connected, ``last`` when the last row is readable.

    A snapshot counts from the start of the process: ``ready`` is then as soon as it runs.
    """

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


RowOf = Callable[[bytes], tuple[int, Mapping[str, Any]]]
"""A message's value -> its row's number, and the row."""


def row_of_table(value: bytes) -> tuple[int, Mapping[str, Any]]:
    row = orjson.loads(value)["after"]
    return row["id"], row


def measure(server: Database, broker: Broker, settings: CaptureSettings, folder: Path) -> Result:
    """Load the rows, then let each connector catch up in turn, forth and back."""
    table = Orders(server, settings.database, settings.seed)
    table.create()
    rounds = [
        [_contestant(name, table, broker, repeat, folder, shape=settings.shape) for name in settings.contestants]
        for repeat in range(settings.repeats)
    ]
    for contestants in rounds:
        for contestant in contestants:
            contestant.prime()
    table.insert(settings.rows, settings.shape.rows_per_transaction or settings.rows)
    # Every second round goes backwards: what drifts in the machine then hits all alike.
    turns = [contestants if repeat % 2 == 0 else contestants[::-1] for repeat, contestants in enumerate(rounds)]
    runs = [catch_up(contestant, repeat) for repeat, turn in enumerate(turns) for contestant in turn]
    table.drop()
    if len({run.content_sha256 for run in runs}) != 1:
        raise BenchmarkFailed(f"the connectors published different rows: {runs}")
    return _result(settings, runs)


def _contestant(name: str, table: Orders, broker: Broker, repeat: int, folder: Path, *, shape: Shape) -> Contestant:
    prefix = f"{table.database}-{name}-{repeat}"
    return CATCHING_UP[name](table, broker, prefix, folder / prefix, shape.snapshot)


def catch_up(contestant: Contestant, repeat: int, row_of: RowOf = row_of_table) -> Run:
    """Let one connector catch up with all that it has not published."""
    rows = contestant.table.last_id - contestant.first_id + 1
    with Watch(contestant.broker.bootstrap, contestant.topic) as watch:
        begin = _settled_end(watch)
        neighbours, started = Neighbours(), time.monotonic()
        try:
            watch.pid = pid = contestant.launch()
            if contestant.snapshot == "no_data":
                contestant.wait_until_connected()
            ready, used = time.monotonic(), usage(pid)
            contestant.wait(lambda: watch.end - begin, rows, 120 + rows / SLOWEST_ROWS_PER_S)
            other_cores = neighbours.cores()
        finally:
            contestant.stop()
        end = _settled_end(watch)
    if used is None or end - begin < rows:
        raise BenchmarkFailed(f"{contestant.name} ended early: {contestant.last_words()}")
    ids = range(contestant.first_id, contestant.table.last_id + 1)
    published = _values(contestant.broker, contestant.topic, begin, end)
    in_order = contestant.snapshot == "no_data"
    content = check(contestant.name, published, ids, in_order=in_order, row_of=row_of)
    admin = contestant.broker.admin()
    admin.delete_topics([contestant.topic])[contestant.topic].result()
    first, last = watch.first_at(begin + 1), watch.first_at(end)
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


def check(
    name: str, published: Iterable[bytes], ids: range, *, in_order: bool = True, row_of: RowOf = row_of_table
) -> str:
    """Every row was published once, in order if that was asked for; a hash of every hundredth, as it lies in ``after``.

    Raises BenchmarkFailed if it is not so.
    """
    seen, compared, expected = bytearray(len(ids)), {}, iter(ids)
    for value in published:
        identity, row = row_of(value)
        wanted = next(expected, None)
        if identity not in ids or seen[identity - ids.start] or (in_order and identity != wanted):
            raise BenchmarkFailed(f"{name}: row {identity} came where {wanted} belongs")
        seen[identity - ids.start] = 1
        if identity % COMPARE_EVERY == 0:
            compared[identity] = hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).digest()
    if (missing := seen.find(0)) >= 0:
        raise BenchmarkFailed(f"{name}: {seen.count(0)} rows are missing, the first of them {ids[missing]}")
    return hashlib.sha256(b"".join(digest for _, digest in sorted(compared.items()))).hexdigest()


def _values(broker: Broker, topic: str, begin: int, end: int) -> Iterable[bytes]:
    for records in topics.read(broker, topic, begin, end):
        yield from (value for value in records.values if value is not None)


def _result(settings: CaptureSettings, runs: Sequence[Run]) -> Result:
    by_name: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.repeat):
        by_name.setdefault(run.contestant, []).append(run)
    ours = by_name.pop(Streamtrain.name)
    shape = settings.shape
    found = [as_run(run) | {"rows_per_s": run.rows_per_s} for run in runs]
    return Result(
        name=shape.name,
        title=shape.title,
        meaning=_meaning(settings.rows, shape),
        settings={
            "rows": settings.rows,
            "rows_per_transaction": shape.rows_per_transaction or settings.rows,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "streamtrain": "defaults",
            "debezium": "defaults, -Xmx2g as connect-standalone.sh has it, decimal.handling.mode=string",
            "debezium_tuned": dict(TUNED),
            "clock_resolution_s": INTERVAL_S,
        },
        comparisons=[comparison for runs in by_name.values() for comparison in compared(ours, runs)],
        measurements=[] if by_name else measured(ours),
        notes=[*NOTES, *disturbed(found)],
        runs=found,
    )


def _meaning(rows: int, shape: Shape) -> str:
    began = (
        "Each connector has never run before, and begins with a snapshot; its rows"
        if shape.snapshot == "initial"
        else "Each connector has stored its position before them and is started anew; its rows"
    )
    timed = "its process runs" if shape.snapshot == "initial" else "it says that it is connected"
    order = "once" if shape.snapshot == "initial" else "once, in order"
    return (
        f"{rows:,} rows of a table of twelve columns {shape.lie}. {began} go to a topic of its own on the same broker, as "
        f"JSON without schemas. Timed is from the moment {timed} to the moment its last row can be read. Every topic is "
        f"then read back: each row {order}, and the same values from every connector."
    )


def _each(read: Callable[[Run], float]) -> Callable[[Sequence[Run]], list[float]]:
    return lambda runs: [read(run) for run in runs]


# What it is, its unit, its value in each run, and whether more of it is better.
_FIGURES = (
    ("catch-up", "rows/s", _each(lambda run: run.rows_per_s), True),
    ("catch-up with the start of the process", "rows/s", _each(lambda run: run.rows_per_s_with_start), True),
    ("CPU", "s per million rows", _each(lambda run: run.cpu_s_per_million), False),
    (
        "CPU with the start of the process",
        "s per million rows",
        _each(lambda run: run.cpu_s_per_million_with_start),
        False,
    ),
    ("peak resident memory", "MiB", _each(lambda run: run.peak_rss_mib), False),
)


def measured(runs: Sequence[Run]) -> list[Measurement]:
    """Every figure of one connector."""
    return [Measurement(what, unit, values(runs)) for what, unit, values, _ in _FIGURES]


def compared(ours: Sequence[Run], peer: Sequence[Run]) -> list[Comparison]:
    """Every figure of ours beside the peer's."""
    return [
        Comparison(
            what,
            unit,
            Measurement(ours[0].contestant, unit, values(ours)),
            Measurement(peer[0].contestant, unit, values(peer)),
            higher_is_better,
        )
        for what, unit, values, higher_is_better in _FIGURES
    ]
