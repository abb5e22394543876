"""Progress of long work: one live line on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.status import Status

from streamtrain import log

_LOG_EVERY_S = 10.0


class Display:
    """Shows the newest values of a component while it runs; standard output is left alone."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._log = log.get(component)
        self._status: Status | None = None
        self._logged_s = time.monotonic()
        if sys.stderr.isatty():
            self._status = Console(stderr=True).status(f"{component}: starting")

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
            shown = "  ".join(f"{name} {_short(value)}" for name, value in values.items() if value is not None)
            self._status.update(f"{self._component}: {shown}")
            return
        now = time.monotonic()
        if now - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = now
            self._log.info("progress", **{name: value for name, value in values.items() if value is not None})


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
