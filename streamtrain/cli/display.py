"""Progress of long work: one live line on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.status import Status
from rich.table import Table

from streamtrain import log

_LOG_EVERY_S = 10.0
_BAR_WIDTH = 24


class Display:
    """Shows the newest values of a component while it runs; standard output is left alone.

    The value ``percent``, where there is one, is a bar on a terminal. ``console``: in place of standard error.
    """

    def __init__(self, component: str, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._component = component
        self._log = log.get(component)
        self._status: Status | None = None
        self._logged_s = time.monotonic()
        if console.is_terminal:
            self._status = console.status(f"{component}: starting")

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, values: Mapping[str, Any]) -> None:
        """Replace what is shown."""
        if self._status is not None:
            self._status.update(_line(self._component, values))
            return
        now = time.monotonic()
        if now - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = now
            self._log.info("progress", **{name: value for name, value in values.items() if value is not None})


def _line(component: str, values: Mapping[str, Any]) -> RenderableType:
    percent = values.get("percent")
    texts = [f"{name} {_short(value)}" for name, value in values.items() if value is not None and name != "percent"]
    line = f"{component}: {'  '.join(texts)}"
    if percent is None:
        return line
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=100, completed=percent, width=_BAR_WIDTH), f"{percent} %", line)
    return row


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
