"""Latency of capture: from a commit in MySQL to the moment a reader of committed records holds the row, at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks import topics
from benchmarks.capture import RowOf, row_of_table
from benchmarks.contestants import LIVE, TUNED, Contestant
from benchmarks.errors import BenchmarkFailed
from benchmarks.line import until
from benchmarks.orders import Orders
from benchmarks.report import Comparison, Measurement, Result, disturbed
from benchmarks.usage import Neighbours, usage
from streamtrain.topic.base import TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.servers import Broker, Database

ROWS_PER_TRANSACTION = 10
READY_S = 120.0
LATE_S = 60.0
"""How long after the last commit the last row may come."""
POLL_S = 0.05
PERCENTILES = (50, 95, 99)
PROMISED_MS = {50: 50.0, 99: 250.0}


Transactions = Callable[[int, int], AbstractContextManager[Sequence[Callable[[], object]]]]
"""Makes so many transactions of so many rows each ready: functions that commit one each."""


@dataclass(frozen=True, slots=True)
class LatencySettings:
    """What is measured. ``rate`` is rows per second, ten rows to a transaction."""

    rate: int
    seconds: int
    repeats: int
    seed: int
    connectors: Sequence[str] = tuple(LIVE)
    warm_up_s: int = 5
    """Seconds at the rate before those that are counted."""
    database: str = "bench_latency"


def measure(server: Database, broker: Broker, settings: LatencySettings, folder: Path) -> Result:
    """Run each connector in turn, forth and back."""
    table = Orders(server, settings.database, settings.seed)
    table.create()
    runs = []
    for repeat in range(settings.repeats):
        for name in settings.connectors if repeat % 2 == 0 else reversed(settings.connectors):
            prefix = f"{table.database}-{name}-{repeat}"
            connector = LIVE[name](table, broker, prefix, folder / prefix, "no_data")
            neighbours = Neighbours()
            found = aged(connector, _statements(table), settings)
            runs.append({"connector": connector.name, "repeat": repeat, "other_cores": neighbours.cores()} | found)
    table.drop()
    return _result(settings, runs)


def aged(
    connector: Contestant, transactions: Transactions, settings: LatencySettings, row_of: RowOf = row_of_table
) -> dict[str, Any]:
    """Run one connector while rows are committed at the rate: how old they were when they could be read."""
    transactions_per_s = settings.rate // ROWS_PER_TRANSACTION
    count = transactions_per_s * (settings.warm_up_s + settings.seconds)
    table = connector.table
    connector.prime()
    try:
        pid = connector.start()
        table.insert(1)
        until(lambda: topics.end_of(connector.broker, connector.topic) > 0, READY_S, lambda: "no first row came")
        first_id = table.last_id + 1
        with transactions(count, ROWS_PER_TRANSACTION) as commits:
            ids = range(first_id, table.last_id + 1)
            with Arrivals(connector.broker, connector.topic, ids, row_of) as arrivals:
                before = usage(pid)
                committed = _paced(commits, transactions_per_s)
                until(arrivals.complete, LATE_S, lambda: f"{connector.name}: {arrivals.missing()} rows have not come")
                after = usage(pid)
    finally:
        connector.stop()
    ages_ms = (arrivals.at_s - np.repeat(committed, ROWS_PER_TRANSACTION)) * 1_000
    counted = ages_ms[transactions_per_s * settings.warm_up_s * ROWS_PER_TRANSACTION :]
    if before is None or after is None:
        raise BenchmarkFailed(f"{connector.name} ended early: {connector.last_words()}")
    lasted_s = float(committed[-1] - committed[0])
    return {f"p{percentile}_ms": float(np.percentile(counted, percentile)) for percentile in PERCENTILES} | {
        "rows_per_s": (len(committed) - 1) * ROWS_PER_TRANSACTION / lasted_s,
        "cores": (after.cpu_s - before.cpu_s) / lasted_s,
        "peak_rss_mib": after.peak_rss_mib,
    }


def _statements(table: Orders) -> Transactions:
    @contextmanager
    def ready(count: int, rows: int) -> Iterator[Sequence[Callable[[], object]]]:
        statements = table.statements(count, rows)
        with closing(table.server.connect(database=table.database)) as connection, connection.cursor() as cursor:
            yield [partial(cursor.execute, sql, values) for sql, values in statements]

    return ready


def _paced(commits: Sequence[Callable[[], object]], rate: int) -> NDArray[np.float64]:
    """Commit one by one, each when its time has come; when the server had answered (``time.monotonic``)."""
    committed = []
    begin = time.monotonic()
    for number, commit in enumerate(commits):
        wait_s = begin + number / rate - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        commit()
        committed.append(time.monotonic())
    return np.array(committed)


class Arrivals:
    """Reads a topic in a thread of its own, and notes when each row has come (``time.monotonic``)."""

    def __init__(self, broker: Broker, topic: str, ids: range, row_of: RowOf = row_of_table) -> None:
        self.at_s = np.full(len(ids), np.nan)
        self._source, self._ids, self._row_of = TopicPartition(topic, 0), ids, row_of
        self._reader = KafkaReader(KafkaSettings(broker.bootstrap))
        self._reader.assign({self._source: self._reader.watermarks(self._source).high})
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arrivals")
        self._came = 0
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._reader.close()

    def complete(self) -> bool:
        """Whether every row has come."""
        if self._failure is not None:
            raise BenchmarkFailed(f"reading {self._source}: {self._failure}") from self._failure
        return self._came == len(self._ids)

    def missing(self) -> int:
        return len(self._ids) - self._came

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                for records in self._reader.poll(10_000, POLL_S):
                    self._note(records.values, time.monotonic())
        except Exception as error:  # noqa: BLE001 - raised where the reader is asked
            self._failure = error

    def _note(self, values: Sequence[bytes | None], now_s: float) -> None:
        for value in values:
            index = self._row_of(value or b"{}")[0] - self._ids.start
            if not 0 <= index < len(self._ids) or not np.isnan(self.at_s[index]):
                raise BenchmarkFailed(f"row {index + self._ids.start} came twice, or was never written")
            self.at_s[index] = now_s
            self._came += 1


def _result(settings: LatencySettings, runs: Sequence[dict[str, Any]]) -> Result:
    by_name: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        by_name.setdefault(run["connector"], []).append(run)
    ours, *peers = by_name
    percentiles = tuple((f"p{percentile}_ms", f"commit to readable, p{percentile}", "ms") for percentile in PERCENTILES)
    listed = (
        *(() if peers else percentiles),
        ("rows_per_s", "rows committed", "rows/s"),
        ("cores", "processor of the connector", "cores"),
    )
    return Result(
        name="latency",
        title="Capture: from commit to readable",
        meaning=(
            f"An application commits {settings.rate:,} rows a second, {ROWS_PER_TRANSACTION} to a transaction, while a "
            "connector runs. For every row: the time from the server's answer to the commit to the moment a reader of "
            "committed records in another thread of this machine holds the row."
        ),
        settings={
            "rate": settings.rate,
            "rows_per_transaction": ROWS_PER_TRANSACTION,
            "seconds": settings.seconds,
            "seconds_before_that_are_not_counted": settings.warm_up_s,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "streamtrain": "defaults",
            "debezium_tuned": dict(TUNED),
        },
        comparisons=[
            Comparison(
                f"commit to readable, p{percentile}",
                "ms",
                Measurement(ours, "ms", [run[f"p{percentile}_ms"] for run in by_name[ours]]),
                Measurement(peer, "ms", [run[f"p{percentile}_ms"] for run in by_name[peer]]),
                higher_is_better=False,
            )
            for peer in peers
            for percentile in PERCENTILES
        ],
        measurements=[
            Measurement(f"{name}: {what}", unit, [run[key] for run in found])
            for name, found in by_name.items()
            for key, what, unit in listed
        ],
        notes=[_promise(by_name[ours], percentile) for percentile in PROMISED_MS] + disturbed(runs),
        runs=runs,
    )


def _promise(runs: Sequence[dict[str, Any]], percentile: int) -> str:
    worst, promised = max(run[f"p{percentile}_ms"] for run in runs), PROMISED_MS[percentile]
    kept = "kept" if worst <= promised else "BROKEN"
    return f"The promise is a p{percentile} of {promised:,.0f} ms: {kept} ({worst:,.0f} ms in the slowest run)."
