"""From the state database to the report: everything on the page is a row that can be queried."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamtrain.demo.report import CheckpointMark, CurvePoint, DemoReport, Timing
from streamtrain.demo.traffic import TABLE, Written
from streamtrain.state.checkpoints import CheckpointStore
from streamtrain.state.database import Database
from streamtrain.state.ledger import Ledger
from streamtrain.state.records import Checkpoint, MetricPoint
from streamtrain.topic.base import TopicPartition
from streamtrain.topic.file import FileReader


@dataclass(frozen=True, slots=True)
class Kill:
    """Where the trainer stood when it was killed, and the checkpoint that the next one went on from."""

    at_events: int
    resumed_from: Checkpoint


def events_before(topics: Path, offset: int) -> int:
    """How many change records of the table lie before an offset of its topic; tombstones are none."""
    reader, source, count = FileReader(topics), TopicPartition(f"shop.main.{TABLE}", 0), 0
    try:
        reader.assign({source: 0})
        position = 0
        while position < offset:
            for records in reader.poll(offset - position, 1.0):
                position = records.next_offset
                count += sum(
                    1 for at, value in zip(records.offsets, records.values, strict=True) if at < offset and value
                )
    finally:
        reader.close()
    return count


def report_of(
    database: Database, runs: tuple[str, str], kill: Kill, written: Written, timings: Sequence[Timing]
) -> Callable[[str, int, Sequence[str]], DemoReport]:
    """Read everything now; the report is made when its time, seed and commands are given."""
    store, ledger = CheckpointStore(database, lambda: 0), Ledger(database, lambda: 0)
    disturbed, undisturbed = store.list(runs[0]), store.list(runs[1])
    last = disturbed[-1]
    points = _curve(ledger.metric_history(runs[0]))
    letters = sum(ledger.count_letters(runs[0]).values())

    def make(started_at: str, seed: int, commands: Sequence[str]) -> DemoReport:
        return DemoReport(
            name="streamtrain demo",
            table=f"main.{TABLE}",
            seed=seed,
            started_at=started_at,
            points=points,
            checkpoints=[CheckpointMark(one.id, one.events) for one in disturbed],
            killed_at_events=max(kill.at_events, kill.resumed_from.events),
            resumed_from=CheckpointMark(kill.resumed_from.id, kill.resumed_from.events),
            inserted=written.inserted,
            updated=written.updated,
            deleted=written.deleted,
            slices=last.slice,
            rejected=letters,
            events_per_s=_rate(timings, undisturbed[-1].events),
            resumed_sha256=last.state_sha256,
            undisturbed_sha256=undisturbed[-1].state_sha256,
            commands=commands,
            timings=timings,
            versions=[*sorted(last.versions.items()), ("system", platform.platform())],
        )

    return make


def _curve(history: Sequence[MetricPoint]) -> list[CurvePoint]:
    at: dict[int, dict[str, float]] = {}
    when: dict[int, int] = {}
    for point in history:
        at.setdefault(point.events, {})[point.name] = point.value
        when[point.events] = point.created_ms
    first = min(when.values(), default=0)
    return [
        CurvePoint(
            events=events,
            seconds=(when[events] - first) / 1000,
            auc=metrics.get("auc"),
            log_loss=metrics["log_loss"],
            baseline_auc=metrics.get("baseline_auc"),
            baseline_log_loss=metrics["baseline_log_loss"],
        )
        for events, metrics in sorted(at.items())
        if "log_loss" in metrics and "baseline_log_loss" in metrics
    ]


def _rate(timings: Sequence[Timing], events: int) -> float:
    """Events a second of the whole demo's live part."""
    seconds = timings[0].seconds if timings else 0.0
    return events / seconds if seconds else 0.0
