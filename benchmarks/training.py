"""Training: how much of the speed of the model in memory is left when its examples come from Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.errors import BenchmarkFailed
from benchmarks.line import Running, run, write_config
from benchmarks.orders import FEATURES, LABEL, Orders
from benchmarks.report import Comparison, Measurement, Result, disturbed
from benchmarks.usage import Neighbours
from tests.servers import Broker, Database

MODELS = ("logistic", "ftrl", "mlp")
SLOWEST_EVENTS_PER_S = 500


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What is measured."""

    events: int
    repeats: int
    seed: int
    models: Sequence[str] = MODELS
    database: str = "bench_train"


def measure(server: Database, broker: Broker, settings: TrainingSettings, folder: Path) -> Result:
    """Fill a topic with `streamtrain connect`, then train every model on it from Kafka and from memory in turns."""
    table = Orders(server, settings.database, settings.seed)
    table.create()
    config = write_config(folder / "connect", table, broker, settings.database)
    run("connect", config)
    table.insert(settings.events)
    run("connect", config)
    runs = []
    for repeat in range(settings.repeats):
        for model in settings.models:
            modes = ("kafka", "memory") if repeat % 2 == 0 else ("memory", "kafka")
            places = [folder / f"{model}-{mode}-{repeat}" for mode in modes]
            configs = [write_config(place, table, broker, settings.database, model) for place in places]
            pair = [_train(mode, config, settings.events) for mode, config in zip(modes, configs, strict=True)]
            _check(pair, settings.events)
            runs += [{"model": model, "repeat": repeat, **run} for run in pair]
    table.drop()
    return _result(settings, runs)


def _train(mode: str, config: Path, events: int) -> dict[str, Any]:
    output = config.parent / "readings.json"
    neighbours = Neighbours()
    with Running(config.parent, "benchmarks.trainer", mode, str(config), str(output)) as running:
        running.wait_for_end(120 + events / SLOWEST_EVENTS_PER_S)
        other_cores = neighbours.cores()
    if not output.exists():
        raise BenchmarkFailed(f"training from {mode}: {running.last_words()}")
    readings = orjson.loads(output.read_bytes())
    readings.pop("reached", None)
    return {
        "mode": mode,
        "events_per_s": readings["events"] / readings["elapsed_s"],
        "events_per_cpu_s": readings["events"] / readings["cpu_s"],
        "other_cores": other_cores,
        **readings,
    }


def _check(pair: Sequence[dict[str, Any]], events: int) -> None:
    """Both learned all the events, none was rejected, and they ended with the same weights."""
    counts = {(run["events"], run["rejected"]) for run in pair}
    if counts != {(events, 0)}:
        raise BenchmarkFailed(f"{events} events were to be learned: {pair}")
    if len({run["weights_sha256"] for run in pair}) != 1:
        raise BenchmarkFailed(f"the same slices gave different weights: {pair}")


def _result(settings: TrainingSettings, runs: Sequence[dict[str, Any]]) -> Result:
    return Result(
        name="train",
        title="Training: from Kafka, and from memory",
        meaning=(
            f"A topic holds {settings.events:,} changes of a table of twelve columns, as `streamtrain connect` wrote them. "
            "*From Kafka* is the trainer as `streamtrain train` runs it, from opening the topic to the last checkpoint: "
            "polling, cutting slices, learning, looking ahead, storing checkpoints in SQLite. *From memory* is the same "
            "pipeline on the same slices, which were read before: learning alone. Both end with the same weights, bit "
            "for bit. Interpreter start and imports are not in it."
        ),
        settings={
            "events": settings.events,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "features": FEATURES,
            "label": LABEL,
            "all_else": "defaults: slices of 64, one thread, a checkpoint every 200 slices",
        },
        comparisons=[
            Comparison(
                model,
                unit,
                _measurement("from Kafka", unit, key, runs, (model, "kafka")),
                _measurement("from memory", unit, key, runs, (model, "memory")),
            )
            for model in settings.models
            for key, unit in (("events_per_s", "events/s"), ("events_per_cpu_s", "events per CPU second"))
        ],
        measurements=[
            Measurement(f"{model} from Kafka: {part}", "s", values)
            for model in settings.models
            for part, values in _parts(runs, model).items()
        ],
        notes=[
            "Memory is no rival but the ceiling: a ratio of 1 would mean that Kafka and the checkpoints are free.",
            *disturbed(runs),
        ],
        runs=runs,
    )


def _measurement(
    what: str, unit: str, key: str, runs: Sequence[dict[str, Any]], wanted: tuple[str, str]
) -> Measurement:
    chosen = [run for run in runs if (run["model"], run["mode"]) == wanted]
    return Measurement(what, unit, [run[key] for run in chosen])


def _parts(runs: Sequence[dict[str, Any]], model: str) -> dict[str, list[float]]:
    """Where the time from Kafka went, by part, a value for each repeat."""
    chosen = [run for run in runs if run["model"] == model and run["mode"] == "kafka"]
    parts = sorted({part for run in chosen for part in run["seconds"]})
    found = {part: [run["seconds"].get(part, 0.0) for run in chosen] for part in parts}
    rest = [run["elapsed_s"] - sum(run["seconds"].values()) for run in chosen]
    return found | {"opening, cutting slices, reporting": rest, "all": [run["elapsed_s"] for run in chosen]}
