"""What a benchmark gives: figures beside their peers', as JSON for machines and as Markdown for people."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

QUIET_CORES = 0.15
"""What a machine at rest does besides."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure, measured several times."""

    what: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def document(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "unit": self.unit,
            "min": min(self.values),
            "median": self.median,
            "max": max(self.values),
            "values": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of ours and the same figure of a peer, measured in turns in the same run."""

    what: str
    unit: str
    ours: Measurement
    peer: Measurement
    higher_is_better: bool = True

    @property
    def ratios(self) -> list[float]:
        """How many times as good ours is as the peer's, of each repeat: below 1 the peer is better."""
        pairs = zip(self.ours.values, self.peer.values, strict=True)
        return [ours / peer if self.higher_is_better else peer / ours for ours, peer in pairs]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def lost(self) -> bool:
        """Whether the peer is better."""
        return self.ratio < 1

    def document(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "unit": self.unit,
            "higher_is_better": self.higher_is_better,
            "ours": self.ours.document(),
            "peer": self.peer.document(),
            "ratio": {"min": min(self.ratios), "median": self.ratio, "max": max(self.ratios)},
        }


@dataclass(frozen=True, slots=True)
class Result:
    """All that one benchmark found. ``runs`` are its raw readings."""

    name: str
    title: str
    meaning: str
    settings: Mapping[str, Any]
    comparisons: Sequence[Comparison] = ()
    measurements: Sequence[Measurement] = ()
    notes: Sequence[str] = ()
    runs: Sequence[Mapping[str, Any]] = field(default=())

    def document(self, at: datetime, machine: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, Any]:
        """The whole report as JSON values. ``machine`` is the state of the machine before the benchmark began."""
        return {
            "name": self.name,
            "title": self.title,
            "meaning": self.meaning,
            "at": at.isoformat(timespec="seconds"),
            "machine": dict(machine),
            "versions": dict(versions),
            "settings": dict(self.settings),
            "comparisons": [comparison.document() for comparison in self.comparisons],
            "where_we_lose": [_sentence(comparison) for comparison in self.comparisons if comparison.lost],
            "measurements": [measurement.document() for measurement in self.measurements],
            "notes": list(self.notes),
            "runs": [dict(run) for run in self.runs],
        }


def write(document: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write ``DATE-NAME.json`` and ``DATE-NAME.md``; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{document['at'][:10]}-{document['name']}"
    data, text = stem.with_suffix(".json"), stem.with_suffix(".md")
    data.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    text.write_text(markdown(document))
    return data, text


def markdown(document: Mapping[str, Any]) -> str:
    """The report for people."""
    lost = document["where_we_lose"]
    parts = [
        f"# {document['title']}",
        document["meaning"],
        comparison_table(document),
        "## Where we lose" if document["comparisons"] else "",
        "\n".join(f"- {sentence}" for sentence in lost) or ("Nowhere in this run." if document["comparisons"] else ""),
        "## Measured besides" if document["comparisons"] and document["measurements"] else "",
        _measurements(document["measurements"]),
        "## Notes" if document["notes"] else "",
        "\n".join(f"- {note}" for note in document["notes"]),
        "## How",
        f"Measured at {document['at']}; median [min, max] of the repeats.",
        _listing("Settings", document["settings"]),
        _listing("Machine", document["machine"]),
        _listing("Versions", document["versions"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tables(document: Mapping[str, Any]) -> str:
    """The comparisons and the other measurements, without all that explains them."""
    return "\n\n".join(part for part in (comparison_table(document), _measurements(document["measurements"])) if part)


def comparison_table(document: Mapping[str, Any]) -> str:
    """Every comparison as a row of a Markdown table; nothing if there is none."""
    if not document["comparisons"]:
        return ""
    rows = ["| figure | ours | peer | ratio |", "|---|--:|--:|--:|"]
    for one in document["comparisons"]:
        ours, peer, ratio = one["ours"], one["peer"], one["ratio"]
        rows.append(
            f"| {one['what']}, {one['unit']} | {ours['what']}: {_spread(ours)} | {peer['what']}: {_spread(peer)} "
            f"| **{_number(ratio['median'])}x** {_range(ratio)} |"
        )
    return "\n".join(rows)


def _measurements(measurements: Sequence[Mapping[str, Any]]) -> str:
    if not measurements:
        return ""
    rows = ["| figure | value |", "|---|--:|"]
    return "\n".join([*rows, *(f"| {one['what']}, {one['unit']} | {_spread(one)} |" for one in measurements)])


def _sentence(comparison: Comparison) -> str:
    return (
        f"{comparison.what}: {comparison.ours.what} {_number(comparison.ours.median)} {comparison.unit}, "
        f"{comparison.peer.what} {_number(comparison.peer.median)} ({_number(comparison.ratio)}x)"
    )


def _listing(title: str, values: Mapping[str, Any]) -> str:
    return f"{title}: " + "; ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_shown(one)}" for name, one in value.items()) + ")"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(one) for one in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _spread(one: Mapping[str, Any]) -> str:
    return f"{_number(one['median'])} {_range(one)}".rstrip()


def _range(one: Mapping[str, Any]) -> str:
    return "" if one["min"] == one["max"] else f"[{_number(one['min'])}, {_number(one['max'])}]"


def _number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def disturbed(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A note if other work on the machine took part in the runs (their ``other_cores``); empty if it did not."""
    taken = [run["other_cores"] for run in runs if run["other_cores"] > QUIET_CORES]
    if not taken:
        return []
    note = (
        f"{len(taken)} of {len(runs)} runs were disturbed: other work kept up to {max(taken):.1f} cores busy meanwhile. "
        "Figures by CPU time and memory hold; figures by the clock are lower than on a quiet machine, and their ratios "
        "as uneven as the disturbance (`other_cores` of each run)."
    )
    return [note]


def as_run(run: Any) -> dict[str, Any]:
    """A dataclass of raw readings as JSON values."""
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(run).items()}
