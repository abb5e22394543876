"""Tells the state database how a component stands, for ``status``; never in the way of its work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from streamtrain import log
from streamtrain.cli.build import StateParts, state_database, wall_ms
from streamtrain.config.models import Config
from streamtrain.errors import RetryableError, StreamtrainError

_log = log.get("status")
_EVERY_S = 1.0
# A report that fails may have held up the work by the timeouts below: not again for so long.
_PAUSE_S = 30.0
_TIMEOUT_S = 2


class ComponentReport:
    """Reports of one component, at most one a second. A state database that is away costs the report, nothing else.

    After a report that failed there is a pause of 30 s without any; what the component says last is always tried.
    """

    def __init__(self, config: Config, component: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._run = config.name
        self._component = component
        self._clock = clock
        self._database = state_database(config, connect_timeout_s=_TIMEOUT_S, timeout_s=_TIMEOUT_S)
        self._state: StateParts | None = None
        self._reported_s = float("-inf")
        self._paused_until_s = float("-inf")
        self._last: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._try(self._opened)  # it takes a third of a second the first time, which is not to fall into the work
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, StreamtrainError):
            self._write("failed", {**self._last, "error": error.message, "hint": error.hint})
        self._database.close()

    def running(self, detail: Mapping[str, Any]) -> None:
        """Work is being done."""
        self._last = dict(detail)
        now = self._clock()
        if now - self._reported_s >= _EVERY_S and not self._paused():
            self._reported_s = now
            self._write("running", self._last)

    def retrying(self, error: RetryableError, wait_s: float) -> None:
        """Something outside is away."""
        if not self._paused():
            again = {"error": error.message, "retry_at_ms": wall_ms() + round(wait_s * 1000)}
            self._write("retrying", {**self._last, **again})

    def stopped(self) -> None:
        """The component has ended cleanly."""
        self._write("stopped", self._last)

    def _paused(self) -> bool:
        return self._clock() < self._paused_until_s

    def _write(self, state: str, detail: Mapping[str, Any]) -> None:
        self._try(lambda: self._opened().ledger.report(self._run, self._component, state, detail))

    def _opened(self) -> StateParts:
        if self._state is None:
            self._database.migrate()
            self._state = StateParts(self._database)
        return self._state

    def _try(self, tell: Callable[[], object]) -> None:
        try:
            tell()
        except StreamtrainError as error:
            if not self._paused():
                _log.warning("status not reported", why=error.message, next_in_s=_PAUSE_S)
                self._paused_until_s = self._clock() + _PAUSE_S
