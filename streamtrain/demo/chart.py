"""One line chart as inline SVG: a model's score against a baseline's over the events of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Line:
    """A named series; None where there is no value yet."""

    name: str
    style: str
    """CSS class: ``model`` or ``baseline``."""
    values: Sequence[float | None]

    @property
    def last(self) -> float | None:
        """The newest value there is."""
        return next((value for value in reversed(self.values) if value is not None), None)


@dataclass(frozen=True, slots=True)
class Marks:
    """What happened at which event."""

    checkpoints: Sequence[int]
    killed_at: int
    resumed_from: int


@dataclass(frozen=True, slots=True)
class Panel:
    """What one chart shows. ``identifier`` is unique on the page."""

    identifier: str
    title: str
    description: str
    events: Sequence[int]
    lines: Sequence[Line]
    marks: Marks


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawing's size in pixels, the room around its plot, and how many steps fit on the horizontal axis."""

    name: str
    width: int
    height: int
    x_steps: int
    left: int = 38
    right: int = 88
    top: int = 26
    bottom: int = 40


WIDE = Frame("wide", 880, 300, 7)
NARROW = Frame("narrow", 400, 270, 4, right=76)
"""The same chart drawn twice, for text that is as large on a phone as on a desk; style sheets show one of them."""

_LABEL_PX = 34
"""Height of a line's label, of two rows of text: labels stand at least so far apart."""


def chart(panel: Panel, frame: Frame) -> str:
    """The ``<svg>`` of ``panel``, with title and description for those who do not see it."""
    return _Drawing(panel, frame).svg()


def ticks(low: float, high: float, steps: int) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``, about ``steps`` of them apart by 1, 2, 2.5 or 5 * 10^n."""
    rough = (high - low) / steps or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, max(last, first + 1) + 1)]


class _Drawing:
    def __init__(self, panel: Panel, frame: Frame) -> None:
        self._panel = panel
        self._frame = frame
        values = [value for line in panel.lines for value in line.values if value is not None]
        self._y_ticks = ticks(min(values), max(values), 4)
        self._last_event = max(panel.events)
        self._x_ticks = [tick for tick in ticks(0, self._last_event, frame.x_steps) if tick <= self._last_event]
        self._floor = frame.height - frame.bottom

    def svg(self) -> str:
        panel, frame = self._panel, self._frame
        names = f"{panel.identifier}-{frame.name}"
        labelled = f'role="img" aria-labelledby="{names}-title {names}-description"'
        parts = [
            f'<svg class="chart {frame.name}" viewBox="0 0 {frame.width} {frame.height}" {labelled}>',
            f'<title id="{names}-title">{escape(panel.title)}</title>',
            f'<desc id="{names}-description">{escape(panel.description)}</desc>',
            *self._grid(), *self._kill(), *self._checkpoints(),
            *(self._path(line) for line in reversed(panel.lines)), *self._labels(), "</svg>",
        ]  # fmt: skip
        return "\n".join(parts)

    def _x(self, events: float) -> float:
        frame = self._frame
        return frame.left + events / self._last_event * (frame.width - frame.left - frame.right)

    def _y(self, value: float) -> float:
        low, high = self._y_ticks[0], self._y_ticks[-1]
        return self._floor - (value - low) / (high - low) * (self._floor - self._frame.top)

    def _grid(self) -> Iterator[str]:
        frame = self._frame
        end = frame.width - frame.right
        decimals = max(1, _decimals(self._y_ticks))
        for tick in self._y_ticks:
            y = self._y(tick)
            style = "axis" if tick == self._y_ticks[0] else "grid"
            yield f'<line class="{style}" x1="{frame.left}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="tick" x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.{decimals}f}</text>'
        for tick in self._x_ticks:
            anchor = "start" if tick == 0 else "middle"
            yield f'<text class="tick" x="{self._x(tick):.1f}" y="{self._floor + 20}" text-anchor="{anchor}">{tick:,.0f}</text>'
        yield f'<text class="tick" x="{end}" y="{frame.height - 3}" text-anchor="end">events learned</text>'

    def _kill(self) -> Iterator[str]:
        """The line at which the trainer died, and the band from the checkpoint it went on from."""
        marks, top = self._panel.marks, self._frame.top
        x, start = self._x(marks.killed_at), self._x(marks.resumed_from)
        yield f'<rect class="again" x="{start:.1f}" y="{top}" width="{max(0.0, x - start):.1f}" height="{self._floor - top}"/>'
        yield f'<line class="kill" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 4}" y2="{self._floor}"/>'
        anchor = "end" if x > self._frame.width / 2 else "start"
        yield (
            f'<text class="kill-label" x="{x:.1f}" y="{top - 10}" text-anchor="{anchor}">'
            f"SIGKILL at {marks.killed_at:,}</text>"
        )

    def _checkpoints(self) -> Iterator[str]:
        for events in self._panel.marks.checkpoints:
            x = self._x(events)
            yield f'<path class="checkpoint" d="M{x:.1f} {self._floor - 1}l-3.5 7h7z"/>'

    def _path(self, line: Line) -> str:
        steps, pen = [], "M"
        for events, value in zip(self._panel.events, line.values, strict=True):
            if value is None:
                pen = "M"
                continue
            steps.append(f"{pen}{self._x(events):.1f} {self._y(value):.1f}")
            pen = "L"
        return f'<path class="line {line.style}" d="{"".join(steps)}"/>'

    def _labels(self) -> Iterator[str]:
        """Name and last value at each line's end, moved apart where they would touch."""
        ends = [(line.last, line) for line in self._panel.lines]
        placed = sorted((self._y(value), line.name, line.style, value) for value, line in ends if value is not None)
        x, floor = self._x(self._last_event), self._floor - _LABEL_PX / 2 + 6
        heights = _spread([y for y, *_ in placed], self._frame.top + _LABEL_PX / 2 - 8, floor)
        for (y, name, style, value), height in zip(placed, heights, strict=True):
            yield f'<circle class="end {style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
            yield f'<text class="name {style}" x="{x + 10:.1f}" y="{height - 2:.1f}">{escape(name)}</text>'
            yield f'<text class="value {style}" x="{x + 10:.1f}" y="{height + 14:.1f}">{value:.3f}</text>'


def _spread(heights: list[float], top: float, floor: float) -> list[float]:
    """Ascending heights, each at least a label below the one before, within the plot where that is possible."""
    spread: list[float] = []
    for height in heights:
        least = spread[-1] + _LABEL_PX if spread else top
        spread.append(max(height, least))
    for index in range(len(spread) - 1, -1, -1):
        spread[index] = min(spread[index], floor)
        floor = spread[index] - _LABEL_PX
    return spread


def _decimals(numbers: Sequence[float]) -> int:
    return max(len(f"{number:.10f}".rstrip("0").partition(".")[2]) for number in numbers)
