"""What the demo shows while it runs: one screen that is redrawn on a terminal, a line a second elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text


@dataclass(slots=True)
class View:
    """The newest figures, and what has happened."""

    captured: int = 0
    slices: int = 0
    events: int = 0
    lag: int = 0
    checkpoints: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)


class Screen:
    """Shows a ``View``. Use as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        self._told = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, view: View) -> None:
        """Draw the view; elsewhere than on a terminal, print what is new."""
        if self._live is not None:
            self._live.update(_drawn(view), refresh=True)
            return
        for line in view.happened[self._told :]:
            self._console.print(line, soft_wrap=True)
        self._told = len(view.happened)

    def tell(self, view: View) -> None:
        """Elsewhere than on a terminal: print the figures as a line."""
        if self._live is None:
            figures = "  ".join(f"{name} {value}" for name, value in _figures(view))
            self._console.print(figures, soft_wrap=True)


def _figures(view: View) -> list[tuple[str, str]]:
    return [
        ("captured", f"{view.captured:,}"),
        ("learned", f"{view.events:,}"),
        ("slices", f"{view.slices:,}"),
        ("lag", f"{view.lag:,}"),
        ("checkpoints", f"{view.checkpoints:,}"),
        ("AUC", _pair(view.metrics, "auc")),
        ("log loss", _pair(view.metrics, "log_loss")),
    ]


def _pair(metrics: dict[str, Any], name: str) -> str:
    ours, baseline = metrics.get(name), metrics.get(f"baseline_{name}")
    if ours is None or baseline is None:
        return "-"
    return f"{ours:.4f} (no change: {baseline:.4f})"


def _drawn(view: View) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in _figures(view):
        table.add_row(name, value)
    return Group(table, *(Text(line) for line in view.happened))
