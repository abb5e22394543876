"""Run benchmarks and write their reports: ``python -m benchmarks [PART ...]``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import capture, decode, freshness, latency, mongo, mongo_server, report, training
from benchmarks.contestants import CATCHING_UP, LIVE
from benchmarks.errors import BenchmarkFailed
from benchmarks.machine import ROOT, machine, versions
from benchmarks.report import Result
from benchmarks.shapes import SHAPES
from tests.servers import Broker, Database, PrivateKafka, PrivateMySQL, ServerUnavailable
from tests.servers.mongo import chosen

MYSQL = ("--innodb-buffer-pool-size=256M", "--innodb-redo-log-capacity=256M")

Options = argparse.Namespace
Part = Callable[[Options, Database, Broker, Path], Result]


def _capture(shape: str) -> Part:
    def run(options: Options, server: Database, broker: Broker, folder: Path) -> Result:
        rows = {"transactions": options.transactions, "snapshot": options.snapshot_rows}.get(shape, options.rows)
        settings = capture.CaptureSettings(
            rows, options.repeats, options.seed, _connectors(options, shape), shape=SHAPES[shape]
        )
        return capture.measure(server, broker, settings, folder)

    return run


def _latency(options: Options, server: Database, broker: Broker, folder: Path) -> Result:
    settings = latency.LatencySettings(
        options.rate, options.seconds, options.repeats, options.seed, _connectors(options, "latency")
    )
    return latency.measure(server, broker, settings, folder)


def _train(options: Options, server: Database, broker: Broker, folder: Path) -> Result:
    settings = training.TrainingSettings(options.events, options.repeats, options.seed)
    return training.measure(server, broker, settings, folder)


def _freshness(options: Options, server: Database, broker: Broker, folder: Path) -> Result:
    settings = freshness.FreshnessSettings(
        options.rates, options.seconds, options.repeats, options.seed, connectors=_connectors(options, "freshness")
    )
    return freshness.measure(server, broker, settings, folder)


def _decode(options: Options, _server: Database, _broker: Broker, _folder: Path) -> Result:
    return decode.measure(decode.DecodeSettings(options.rows // 5, options.repeats, options.seed))


def _mongo(options: Options, _server: Database, broker: Broker, folder: Path) -> Result:
    replayed = mongo.measure(broker, mongo.StreamSettings(options.change_events, options.repeats), folder)
    with chosen() as server:
        if not server.real:
            return replayed
        settings = mongo_server.ServerSettings(
            options.documents,
            seconds=options.seconds,
            repeats=options.repeats,
            connectors=_connectors(options, "mongo"),
        )
        return mongo.joined(replayed, mongo_server.measure(server, broker, settings, folder))


PARTS: dict[str, Part] = {
    "capture": _capture("capture"),
    "transactions": _capture("transactions"),
    "giant": _capture("giant"),
    "snapshot": _capture("snapshot"),
    "latency": _latency,
    "train": _train,
    "freshness": _freshness,
    "decode": _decode,
    "mongo": _mongo,
}
ALWAYS = ("capture", "train", "freshness", "decode", "mongo")
"""What runs if no part is named; the others take long, or much room."""
CONNECTORS: dict[str, tuple[str, ...]] = {
    "capture": tuple(CATCHING_UP),
    "transactions": tuple(CATCHING_UP),
    "giant": ("streamtrain", "debezium"),
    "snapshot": ("streamtrain", "debezium"),
    "latency": tuple(LIVE),
    "freshness": tuple(LIVE),
    "mongo": tuple(LIVE),
}
"""Which connectors each part measures if none is named."""
QUICKLY: dict[str, tuple[str, ...]] = {"latency": ("streamtrain",), "freshness": ("streamtrain",)}
"""The same of a trial; the others then measure the first two."""


def _connectors(options: Options, part: str) -> tuple[str, ...]:
    if options.connectors:
        return tuple(options.connectors)
    return QUICKLY.get(part, CONNECTORS[part][:2]) if options.quick else CONNECTORS[part]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="streamtrain-bench-") as folder, servers() as (server, broker):
            written = [run(part, options, server, broker, Path(folder)) for part in options.parts]
    except (BenchmarkFailed, ServerUnavailable) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\nReports:", *(path for paths in written for path in paths), sep="\n  ")
    return 0


def run(part: str, options: Options, server: Database, broker: Broker, folder: Path) -> tuple[Path, Path]:
    """Run one part, print its table, and write its report; the report's paths."""
    print(f"{part} ...", file=sys.stderr, flush=True)
    before, at = machine(), datetime.now(UTC)
    result = PARTS[part](options, server, broker, folder / part)
    document = result.document(at, before, versions(server))
    print(f"\n{result.title}\n\n{report.tables(document)}", flush=True)
    return report.write(document, options.results)


@contextmanager
def servers() -> Iterator[tuple[Database, Broker]]:
    """A MySQL and a Kafka of the benchmarks' own; gone after the block."""
    with PrivateMySQL(*MYSQL) as server, PrivateKafka() as broker:
        yield server, broker


def parse(arguments: Sequence[str] | None) -> Options:
    """The command line's options, with the sizes that ``--quick`` stands for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        choices=[*PARTS, "all", []],
        help=f"{', '.join(PARTS)}, or all; if none is named: {', '.join(ALWAYS)}",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, under two minutes: a trial, not a figure")
    parser.add_argument("--rows", type=int, help="rows to catch up with (1,000,000); a fifth of them are decoded")
    parser.add_argument("--transactions", type=int, help="rows of a transaction each to catch up with (200,000)")
    parser.add_argument("--snapshot-rows", type=int, help="rows of the table to take a snapshot of (10,000,000)")
    parser.add_argument("--rate", type=int, help="rows per second for latency (5,000)")
    parser.add_argument("--connectors", nargs="+", choices=list(CATCHING_UP), help="which to measure beside each other")
    parser.add_argument("--events", type=int, help="events to train on (300,000)")
    parser.add_argument("--documents", type=int, help="documents to catch up with on a real MongoDB (500,000)")
    parser.add_argument("--change-events", type=int, help="change events of MongoDB to publish (300,000)")
    parser.add_argument("--rates", type=int, nargs="+", help="rows per second for freshness (100 1000)")
    parser.add_argument("--seconds", type=int, help="how long each rate is held (20)")
    parser.add_argument("--repeats", type=int, help="how often each is measured, in turns (2)")
    parser.add_argument("--seed", type=int, default=7, help="of the rows' values (7)")
    parser.add_argument("--results", type=Path, help="where reports go (benchmarks/results; build/benchmarks if quick)")
    options = parser.parse_args(arguments)
    small = options.quick
    defaults = {
        "parts": list(ALWAYS),
        "rows": 20_000 if small else 1_000_000,
        "transactions": 1_000 if small else 200_000,
        "snapshot_rows": 20_000 if small else 10_000_000,
        "rate": 500 if small else 5_000,
        "connectors": None,
        "events": 10_000 if small else 300_000,
        "documents": 10_000 if small else 500_000,
        "change_events": 10_000 if small else 300_000,
        "rates": [100] if small else [100, 1_000],
        "seconds": 5 if small else 20,
        "repeats": 1 if small else 2,
        "results": ROOT / ("build/benchmarks" if small else "benchmarks/results"),
    }
    for name, value in defaults.items():
        setattr(options, name, getattr(options, name) or value)
    if "all" in options.parts:
        options.parts = list(PARTS)
    return options


if __name__ == "__main__":
    sys.exit(main())
