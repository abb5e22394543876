"""``streamtrain status``: lag, freshness, last checkpoint, metrics, rejected records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from streamtrain.cli import build
from streamtrain.cli.existing import require_state_database
from streamtrain.cli.options import AsJson, ConfigFile, print_json
from streamtrain.config.models import Config
from streamtrain.errors import StreamtrainError
from streamtrain.state.records import Checkpoint, iso_time
from streamtrain.topic.base import TopicPartition

# A component that has said nothing for this long is gone, whatever it said last: at work it reports each second, in an
# outage at each try, which may take as long as the timeouts of whatever is away.
_SILENT_AFTER_MS = {"running": 30_000, "waiting": 30_000, "retrying": 120_000}

_BROKER_S = 5.0
"""How long the broker has to answer: who asks for the status of an outage wants to know it now."""

_READING = frozenset({"snapshot", "kind", "paused", "reading", "table_rows", "percent", "tables_left", "rows_per_s"})


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(config: ConfigFile, as_json: AsJson = False) -> None:
    """Show how the run stands: components, lag, freshness, last checkpoint, metrics, rejected records.

    Exit code 1 if a component has failed.
    """
    loaded = build.load(config)
    require_state_database(loaded)
    document = read_status(loaded)
    if as_json:
        print_json(document)
    else:
        _print(document)
    if any(part["state"] == "failed" for part in document["components"].values()):
        raise typer.Exit(1)


def read_status(config: Config) -> dict[str, Any]:
    """The status as one JSON document."""
    with build.state(config) as state:
        found = state.checkpoints.list(config.name)
        components = state.ledger.components(config.name)
        rejected = state.ledger.count_letters(config.name)
    now = build.wall_ms()
    last = found[-1] if found else None
    trainer = components.get("trainer", {})
    return {
        "run": config.name,
        "components": {name: _component(part, now) for name, part in components.items()},
        "events": trainer.get("events", last.events if last else 0),
        "lag": _lag(config, last, trainer),
        "freshness_ms": trainer.get("freshness_ms"),
        "last_checkpoint": None
        if last is None
        else {**last.as_json(), "age_s": round((now - last.created_ms) / 1000, 1)},
        "metrics": trainer.get("metrics") or (dict(last.metrics) if last else {}),
        "rejected": {"total": sum(rejected.values()), "by_reason": rejected},
    }


def _component(part: Mapping[str, Any], now: int) -> dict[str, Any]:
    shown = {name: value for name, value in part.items() if name not in {"metrics", "offsets"}}
    # A pause between tries may be as long as retry.max_s: silence counts from the try that was announced.
    heard_ms = max(part["updated_ms"], part.get("retry_at_ms", 0))
    allowed_ms = _SILENT_AFTER_MS.get(part["state"])
    if allowed_ms is not None and now - heard_ms > allowed_ms:
        shown["state"] = "silent"
    shown["updated_at"] = iso_time(shown.pop("updated_ms"))
    return shown


def _snapshot(part: Mapping[str, Any]) -> str:
    """How far a connector has come with rows that were there before."""
    if "reading" not in part:
        return "under way"
    percent = "" if part["percent"] is None else f" ({part['percent']} %)"
    shown = (
        f"{part['kind']}: {part['table_rows']:,} rows of {part['reading']}{percent}, tables left: {part['tables_left']}"
    )
    return f"{shown}, paused" if part["paused"] else f"{shown}, {part['rows_per_s']:,} rows/s"


def _lag(config: Config, last: Checkpoint | None, trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Records between what has been learned and the end of the topic, asked now; with the error if it cannot be asked."""
    learned = dict(last.offsets) if last else {}
    reported = trainer.get("offsets", {})
    try:
        reader = build.reader(config, timeout_s=_BROKER_S)
        try:
            lag = 0
            for partition in reader.partitions(config.topic_name):
                source = TopicPartition(config.topic_name, partition)
                told = reported.get(source.topic, {}).get(str(partition), 0)
                marks = reader.watermarks(source)
                lag += max(0, marks.high - max(learned.get(source, marks.low), told))
        finally:
            reader.close()
    except StreamtrainError as error:
        return {"records": None, "error": error.message}
    return {"records": lag}


def _print(document: Mapping[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("run", document["run"])
    for name, part in document["components"].items():
        shown = {key: value for key, value in part.items() if key not in {"state", *_READING} and value is not None}
        table.add_row(name, "  ".join([part["state"], *(f"{key} {value}" for key, value in shown.items())]))
        if part.get("snapshot"):
            table.add_row("snapshot", _snapshot(part))
    lag = document["lag"]
    table.add_row("lag", f"{lag['records']:,} records" if lag["records"] is not None else f"unknown: {lag['error']}")
    table.add_row("events", f"{document['events']:,}")
    last = document["last_checkpoint"]
    if last:
        table.add_row("last checkpoint", f"{last['id']}, {last['age_s']} s ago, state {last['state_sha256'][:16]}")
    for name, value in document["metrics"].items():
        table.add_row(name, f"{value:.6g}")
    reasons = ", ".join(f"{reason} {count}" for reason, count in document["rejected"]["by_reason"].items())
    table.add_row("rejected", f"{document['rejected']['total']}" + (f" ({reasons})" if reasons else ""))
    Console().print(table)
