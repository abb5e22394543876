"""The demo's report: one HTML page that needs nothing beside itself, for somebody who was not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from streamtrain.demo.chart import NARROW, WIDE, Line, Marks, Panel, chart
from streamtrain.demo.report_style import STYLE

_CURVE_POINTS = 400
"""As many points as a chart can show; a longer curve is thinned evenly, its last point kept."""

_TABLE_ROWS = 24
_HASH_GROUP = 8


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Prequential scores over all events so far: each row was scored before it was learned. None: not yet defined."""

    events: int
    seconds: float
    auc: float | None
    log_loss: float
    baseline_auc: float | None
    baseline_log_loss: float


@dataclass(frozen=True, slots=True)
class CheckpointMark:
    """A checkpoint, and how many events had been learned by then."""

    number: int
    events: int


@dataclass(frozen=True, slots=True)
class Timing:
    """A part of the demo, and the seconds that it took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DemoReport:
    """All that the page shows. ``points`` hold at least one point, and some AUC."""

    name: str
    table: str
    seed: int
    started_at: str
    """As it is to be read, with its time zone."""
    points: Sequence[CurvePoint]
    checkpoints: Sequence[CheckpointMark]
    killed_at_events: int
    resumed_from: CheckpointMark
    inserted: int
    updated: int
    deleted: int
    slices: int
    rejected: int
    events_per_s: float
    resumed_sha256: str
    """``state_sha256`` at the end of the run that was killed and resumed."""
    undisturbed_sha256: str
    """``state_sha256`` at the end of a run over the same topic that nothing disturbed."""
    commands: Sequence[str]
    """What to type to see it again."""
    timings: Sequence[Timing]
    versions: Sequence[tuple[str, str]]

    @property
    def equal(self) -> bool:
        """Whether both runs ended in the same state."""
        return self.resumed_sha256 == self.undisturbed_sha256

    @property
    def captured(self) -> int:
        """Changes captured from the table."""
        return self.inserted + self.updated + self.deleted


def render(report: DemoReport) -> str:
    """The page, as a complete HTML document."""
    title = f"{report.name}: {_headline(report)}"
    body = "\n".join(
        (_header(report), _proof(report), _figures(report), _curves(report), _timings(report), _again(report))
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n"
        f"{_footer(report)}\n</main>\n</body>\n</html>\n"
    )


def _headline(report: DemoReport) -> str:
    if report.equal:
        return "Killed in mid-slice. Same model, bit for bit."
    return "The resumed run did not end in the same state."


def _header(report: DemoReport) -> str:
    again = report.killed_at_events - report.resumed_from.events
    return (
        f'<header>\n<p class="origin"><b>{escape(report.name)}</b> &nbsp;{escape(report.started_at)}</p>\n'
        f"<h1>{_headline(report)}</h1>\n"
        f'<p class="lead">An application wrote to the table <code>{escape(report.table)}</code> while streamtrain captured '
        f"each committed change, published it, and learned it, one slice at a time. After {report.killed_at_events:,} "
        f"events the trainer was killed with SIGKILL. It went on from checkpoint&nbsp;{report.resumed_from.number}, learned "
        f"{again:,} events again, and came to the end.</p>\n</header>"
    )


def _proof(report: DemoReport) -> str:
    verdict, style = ("✓ Both runs ended in the same state", "proof") if report.equal else (
        "✗ The runs ended in different states", "proof different")  # fmt: skip
    resumed = _hash(report.resumed_sha256, report.undisturbed_sha256)
    undisturbed = _hash(report.undisturbed_sha256, report.resumed_sha256)
    return (
        f'<div class="{style}" role="group" aria-label="Proof">\n<p class="verdict">{verdict}</p>\n<dl>\n'
        f"<dt>killed and resumed</dt><dd>{resumed}</dd>\n<dt>undisturbed</dt><dd>{undisturbed}</dd>\n</dl>\n"
        '<p class="note"><code>state_sha256</code> covers everything that decides the future: weights, optimizer, feature '
        "statistics, metrics and topic offsets.</p>\n</div>"
    )


def _hash(digest: str, other: str) -> str:
    """The digest in groups that an eye can compare; those that differ are marked. It is copied as one word."""
    groups = []
    for start in range(0, len(digest), _HASH_GROUP):
        group = digest[start : start + _HASH_GROUP]
        style = "" if group == other[start : start + _HASH_GROUP] else ' class="differs"'
        groups.append(f"<span{style}>{escape(group)}</span>")
    return f'<span class="hash">{"".join(groups)}</span>'


def _figures(report: DemoReport) -> str:
    figures = (
        ("changes captured", f"{report.captured:,}"),
        ("events learned", f"{report.points[-1].events:,}"),
        ("events a second", f"{report.events_per_s:,.0f}"),
        ("slices", f"{report.slices:,}"),
        ("checkpoints", f"{len(report.checkpoints):,}"),
        ("rejected", f"{report.rejected:,}"),
    )
    items = "\n".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    return (
        f'<dl class="figures">\n{items}\n</dl>\n<p class="kinds">Changes captured: {report.inserted:,} inserts, '
        f"{report.updated:,} updates, {report.deleted:,} deletes.</p>"
    )


def _curves(report: DemoReport) -> str:
    points = thinned(report.points, _CURVE_POINTS)
    auc = (
        Line("Model", "model", [point.auc for point in points]),
        Line("No change", "baseline", [point.baseline_auc for point in points]),
    )
    loss = (
        Line("Model", "model", [point.log_loss for point in points]),
        Line("No change", "baseline", [point.baseline_log_loss for point in points]),
    )
    draw = _Charts(report, [point.events for point in points])
    return (
        "<section>\n<h2>Learning curve</h2>\n<p>Every row is scored first and learned after, so each score is on rows the "
        "model had not seen. “No change” knows only the label before: what a model has to beat.</p>\n"
        f"{draw.figure('AUC', 'higher is better', auc)}\n{draw.figure('Log loss', 'lower is better', loss)}\n"
        f"{_LEGEND}\n{_table(report)}\n</section>"
    )


class _Charts:
    """Charts over the same events, with the same marks."""

    def __init__(self, report: DemoReport, events: list[int]) -> None:
        checkpoints = [mark.events for mark in report.checkpoints]
        self._marks = Marks(checkpoints, report.killed_at_events, report.resumed_from.events)
        self._events = events

    def figure(self, name: str, better: str, lines: Sequence[Line]) -> str:
        ends = "; ".join(f"{line.name} ends at {_score(line.last)}" for line in lines)
        described = (
            f"{name} over {self._events[-1]:,} events, {better}. {ends}. The trainer was killed after "
            f"{self._marks.killed_at:,} events and went on from {self._marks.resumed_from:,}."
        )
        identifier = name.lower().replace(" ", "-")
        panel = Panel(identifier, f"{name} over events learned", described, self._events, lines, self._marks)
        return (
            f"<figure>\n<h3>{name}<small>{better}</small></h3>\n{chart(panel, WIDE)}\n{chart(panel, NARROW)}\n</figure>"
        )


_LEGEND = """<ul class="legend">
<li><svg aria-hidden="true" viewBox="0 0 16 12"><path class="checkpoint" d="M8 1l-5 10h10z"/></svg>checkpoint</li>
<li><svg aria-hidden="true" viewBox="0 0 16 12"><path class="kill" d="M8 0v12"/></svg>SIGKILL</li>
<li><svg aria-hidden="true" viewBox="0 0 16 12"><path class="again" d="M0 0h16v12H0z"/></svg>learned again after resuming</li>
</ul>"""


def _table(report: DemoReport) -> str:
    heads = ("Events", "Seconds", "AUC", "No change", "Log loss", "No change")
    rows = "\n".join(
        f'<tr><th scope="row">{point.events:,}</th><td>{point.seconds:.1f}</td><td>{_score(point.auc)}</td>'
        f"<td>{_score(point.baseline_auc)}</td><td>{point.log_loss:.3f}</td><td>{point.baseline_log_loss:.3f}</td></tr>"
        for point in thinned(report.points, _TABLE_ROWS)
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        '<details>\n<summary>The curve as a table</summary>\n<div class="scroll" tabindex="0">\n<table>\n'
        f"<caption>Scores over all events so far</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>\n</div>\n</details>"
    )


def _timings(report: DemoReport) -> str:
    longest = max((timing.seconds for timing in report.timings), default=0.0) or 1.0
    rows = "\n".join(
        f'<tr><th scope="row">{escape(timing.name)}</th>'
        f'<td class="bar" aria-hidden="true"><span style="width:{timing.seconds / longest:.1%}"></span></td>'
        f"<td>{timing.seconds:.1f} s</td></tr>"
        for timing in report.timings
    )
    return f'<section>\n<h2>Where the time went</h2>\n<table class="timings">\n<tbody>\n{rows}\n</tbody>\n</table>\n</section>'


def _again(report: DemoReport) -> str:
    lines = "\n".join(f'<span class="prompt">$ </span>{escape(command)}' for command in report.commands)
    return (
        f"<section>\n<h2>See it again</h2>\n<p>Seed {report.seed} writes the same rows again. Slices are cut by offset, not "
        f"by arrival, so every run with this seed and these versions ends in the same state.</p>\n<pre><code>{lines}</code></pre>\n"
        "</section>"
    )


def _footer(report: DemoReport) -> str:
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(version)}</dd></div>" for name, version in report.versions
    )
    return f"<footer>\n<dl>{items}</dl>\n</footer>"


def thinned(points: Sequence[CurvePoint], most: int) -> list[CurvePoint]:
    """At most ``most`` of the points, evenly chosen, the last one among them."""
    if len(points) <= most:
        return list(points)
    return [points[(index + 1) * len(points) // most - 1] for index in range(most)]


def _score(value: float | None) -> str:
    return "none yet" if value is None else f"{value:.3f}"
