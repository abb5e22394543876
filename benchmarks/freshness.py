"""Freshness: the time from a row's commit in MySQL to the moment the model has learned it, at steady rates."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks import topics, trainer
from benchmarks.contestants import LIVE, TUNED, Contestant
from benchmarks.errors import BenchmarkFailed
from benchmarks.line import Running, until, write_config
from benchmarks.orders import Orders
from benchmarks.report import Comparison, Measurement, Result, disturbed
from benchmarks.usage import Neighbours
from tests.servers import Broker, Database

Moments = NDArray[np.float64]

COOL_DOWN_S = 1
"""The last rows are learned as soon as the run ends, which is earlier than they would be: they are not counted."""
READY_S = 120.0
PERCENTILES = (50, 95, 99)
PROMISED_P95_MS = 1_000.0
LISTED = (
    ("rows_per_s", "rows committed", "rows/s"),
    *((f"written_p{percentile}_ms", f"commit to envelope made, p{percentile}", "ms") for percentile in PERCENTILES),
    *((f"learned_p{percentile}_ms", f"commit to trained, p{percentile}", "ms") for percentile in PERCENTILES),
)
"""What is listed of each run: its key, what it is, its unit."""


@dataclass(frozen=True, slots=True)
class FreshnessSettings:
    """What is measured. ``rates`` are rows per second, one row to a transaction."""

    rates: Sequence[int]
    seconds: int
    repeats: int
    seed: int
    model: str = "logistic"
    connectors: Sequence[str] = tuple(LIVE)
    warm_up_s: int = 3
    """Seconds at the rate before those that are counted."""
    database: str = "bench_fresh"


@dataclass(frozen=True, slots=True)
class Ages:
    """Milliseconds since the commit of each counted row: when its envelope was made, and when it had been learned."""

    rows_per_s: float
    written_ms: Moments
    learned_ms: Moments


def measure(server: Database, broker: Broker, settings: FreshnessSettings, folder: Path) -> Result:
    """Run the line with each connector in turn at each rate, forth and back."""
    table = Orders(server, settings.database, settings.seed)
    table.create()
    places = [(rate, name) for rate in settings.rates for name in settings.connectors]
    runs = []
    for repeat in range(settings.repeats):
        for rate, name in places if repeat % 2 == 0 else reversed(places):
            prefix = f"{table.database}-{name}-{rate}-{repeat}"
            connector = LIVE[name](table, broker, prefix, folder / prefix, "no_data")
            neighbours = Neighbours()
            found = _percentiles(_run(connector, table, rate, settings, folder / f"{prefix}-trainer"))
            told = {"connector": connector.name, "rate": rate, "repeat": repeat, "other_cores": neighbours.cores()}
            runs.append(told | found)
    table.drop()
    return _result(settings, runs)


def _run(connector: Contestant, table: Orders, rate: int, settings: FreshnessSettings, folder: Path) -> Ages:
    rows = rate * (settings.warm_up_s + settings.seconds + COOL_DOWN_S)
    config = write_config(folder, table, connector.broker, connector.prefix, settings.model)
    output = folder / "readings.json"
    connector.prime()
    try:
        connector.start()
        before = _publish_one(connector)
        changes = table.single_row_changes(rows)
        words = ("follow", str(config), str(output), str(before + rows))
        with Running(folder, "benchmarks.trainer", *words) as running:
            running.wait_for_text(trainer.READY, READY_S)
            _write(table, changes, rate)
            running.wait_for_end(READY_S)
    finally:
        connector.stop()
    if not output.exists():
        raise BenchmarkFailed(f"the trainer gave up: {running.last_words()}")
    reached = orjson.loads(output.read_bytes())["reached"]
    counted = slice(before + rate * settings.warm_up_s, before + rate * (settings.warm_up_s + settings.seconds))
    return _ages(_moments(connector, reached)[counted])


def _publish_one(connector: Contestant) -> int:
    """Let the connector publish a row, so that there is a topic to train from; how many records it then holds."""
    topic, broker = connector.topic, connector.broker
    before = topics.end_of(broker, topic)
    connector.table.insert(1)
    until(lambda: topics.end_of(broker, topic) > before, READY_S, lambda: f"{connector.name} published nothing")
    return sum(len(records) for records in topics.read(broker, topic, 0, topics.end_of(broker, topic)))


def _write(table: Orders, changes: Sequence[tuple[str, tuple[Any, ...]]], rate: int) -> None:
    """Commit the changes one by one, each when its time has come."""
    with closing(table.server.connect(database=table.database)) as connection, connection.cursor() as cursor:
        begin = time.monotonic()
        for number, (sql, values) in enumerate(changes):
            wait_s = begin + number / rate - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            cursor.execute(sql, values)


def _moments(connector: Contestant, reached: Sequence[tuple[int, int]]) -> Moments:
    """When each record of the topic was committed, written and learned, by its place in the topic.

    ``reached`` are (offset up to which the trainer had learned, nanoseconds since 1970), both rising.
    """
    ends, times = np.array(reached, np.int64).T
    moments = []
    for records in topics.read(connector.broker, connector.topic, 0, topics.end_of(connector.broker, connector.topic)):
        learned = times[np.searchsorted(ends, np.array(records.offsets, np.int64), side="right")]
        for value, learned_ns in zip(records.values, learned, strict=True):
            envelope = orjson.loads(value or b"{}")
            moments.append((envelope["source"]["ts_us"], envelope["ts_us"], learned_ns / 1_000))
    return np.array(moments, np.float64)


def _ages(moments: Moments) -> Ages:
    committed, written, learned = moments.T
    return Ages(
        rows_per_s=float((len(committed) - 1) / (committed[-1] - committed[0]) * 1e6),
        written_ms=(written - committed) / 1_000,
        learned_ms=(learned - committed) / 1_000,
    )


def _percentiles(ages: Ages) -> dict[str, float]:
    return {"rows_per_s": ages.rows_per_s} | {
        f"{what}_p{percentile}_ms": float(np.percentile(values, percentile))
        for what, values in (("written", ages.written_ms), ("learned", ages.learned_ms))
        for percentile in PERCENTILES
    }


def _result(settings: FreshnessSettings, runs: Sequence[dict[str, Any]]) -> Result:
    by_place: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for run in runs:
        by_place.setdefault((run["connector"], run["rate"]), []).append(run)
    ours, *peers = dict.fromkeys(run["connector"] for run in runs)
    comparisons = [
        Comparison(
            f"commit to trained, {rate:,} rows/s, p{percentile}",
            "ms",
            Measurement(ours, "ms", _values(by_place[ours, rate], f"learned_p{percentile}_ms")),
            Measurement(peer, "ms", _values(by_place[peer, rate], f"learned_p{percentile}_ms")),
            higher_is_better=False,
        )
        for peer in peers
        for rate in settings.rates
        for percentile in PERCENTILES
    ]
    return Result(
        name="freshness",
        title="Freshness: from commit to trained",
        meaning=(
            "An application commits single-row transactions (four inserts to one update) at a steady rate, while a "
            "connector and the trainer run as processes of their own. For every row: the time from its commit, by MySQL's "
            "clock in the record, to the moment the trainer's newest state has learned it. The peer is the same trainer "
            "behind Debezium, with its defaults and tuned."
        ),
        settings={
            "rates": list(settings.rates),
            "seconds": settings.seconds,
            "repeats": settings.repeats,
            "seconds_before_that_are_not_counted": settings.warm_up_s,
            "seconds_after_that_are_not_counted": COOL_DOWN_S,
            "seed": settings.seed,
            "model": settings.model,
            "debezium_tuned": dict(TUNED),
            "all_else": "defaults: commit_ms 50, max_wait_ms 200, slices of 64, a checkpoint every 200 slices or 10 s",
        },
        comparisons=comparisons,
        measurements=[
            Measurement(f"{connector}, {rate:,} rows/s: {what}", unit, _values(found, key))
            for (connector, rate), found in by_place.items()
            for key, what, unit in LISTED
        ],
        notes=[_promise(by_place[ours, rate]) for rate in settings.rates] + disturbed(runs),
        runs=runs,
    )


def _values(runs: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [run[key] for run in runs]


def _promise(runs: Sequence[Mapping[str, Any]]) -> str:
    worst = max(runs, key=lambda run: run["learned_p95_ms"])
    kept = "kept" if worst["learned_p95_ms"] <= PROMISED_P95_MS else "BROKEN"
    return (
        f"The promise is a p95 of {PROMISED_P95_MS:,.0f} ms: {kept} at {worst['rate']:,} rows/s "
        f"({worst['learned_p95_ms']:,.0f} ms in the slowest run, {worst['rows_per_s']:,.0f} rows/s committed)."
    )
