"""Keeps an operation running through outages: what can be retried is begun again from its durable position.

The one place that imports tenacity. Recovery is always the same: drop everything in memory, back off, open again where
the last commit left off. So there is a single path to be right about, and it is the one that a kill takes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from streamtrain.errors import RetryableError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between tries, in seconds, and when to give up; ``deadline_s`` None is never."""

    initial_s: float = 0.5
    max_s: float = 30.0
    deadline_s: float | None = None


class Outage:
    """What is known of the outage under way. ``healthy()`` is to be called whenever work gets done: it ends the outage."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self.failures = 0

    def healthy(self) -> None:
        """Say that work got done."""
        self._since = None
        self.failures = 0

    def failed(self) -> None:
        """Count one failed try."""
        if self._since is None:
            self._since = self._clock()
        self.failures += 1

    def duration_s(self) -> float:
        """How long this outage has lasted."""
        return 0.0 if self._since is None else self._clock() - self._since


def keep_running(
    operation: Callable[[Outage], Result],
    backoff: Backoff,
    *,
    on_retry: Callable[[RetryableError, float], None],
    wait: Callable[[float], bool],
    clock: Callable[[], float],
) -> Result | None:
    """Run ``operation`` until it returns, raises what is no use retrying, or an outage outlasts the deadline.

    ``wait(seconds)`` sleeps and returns True if the process was asked to stop: then None is returned. ``on_retry`` is told
    the error and the coming wait. The error that outlasted the deadline is raised.
    """
    outage = Outage(clock)
    stopped = False

    def delay_s(_state: tenacity.RetryCallState) -> float:
        exponential = min(backoff.max_s, backoff.initial_s * 2.0 ** min(outage.failures - 1, 30))
        return exponential * random.uniform(0.5, 1.0)  # spread over time what many processes begin at once

    def give_up(_state: tenacity.RetryCallState) -> bool:
        return stopped or (backoff.deadline_s is not None and outage.duration_s() >= backoff.deadline_s)

    def sleep(seconds: float) -> None:
        nonlocal stopped
        stopped = wait(seconds)

    def before_sleep(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RetryableError):
            on_retry(error, state.upcoming_sleep)

    def attempt() -> Result | None:
        if stopped:
            return None
        try:
            return operation(outage)
        except RetryableError:
            outage.failed()
            raise

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(RetryableError),
        wait=delay_s,
        stop=give_up,
        sleep=sleep,
        before_sleep=before_sleep,
        reraise=True,
    )
    return retrying(attempt)
