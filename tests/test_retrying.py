"""Outages are waited out, and given up only by the configured deadline."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamtrain.errors import PositionLost, RetryableError, SourceUnavailable
from streamtrain.retrying import Backoff, Outage, keep_running


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.stop_after: int | None = None

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.waits.append(seconds)
        return self.stop_after is not None and len(self.waits) >= self.stop_after

    def clock(self) -> float:
        return self.now


def run(time: Time, operation: Callable[[Outage], object], backoff: Backoff | None = None) -> tuple[object, list[str]]:
    told: list[str] = []

    def on_retry(error: RetryableError, _wait: float) -> None:
        told.append(error.message)

    result = keep_running(operation, backoff or Backoff(), on_retry=on_retry, wait=time.wait, clock=time.clock)
    return result, told


def test_an_operation_is_begun_again_until_it_succeeds_and_waits_grow_up_to_a_maximum() -> None:
    failures = iter(range(9))
    time = Time()

    def operation(_outage: Outage) -> str:
        for number in failures:
            raise SourceUnavailable(f"down {number}")
        return "done"

    result, told = run(time, operation, Backoff(initial_s=1, max_s=8))
    assert result == "done"
    assert told == [f"down {number}" for number in range(9)]
    assert all(0.5 * full <= wait <= full for wait, full in zip(time.waits, [1, 2, 4, 8, 8, 8, 8, 8, 8], strict=True))


def test_an_outage_longer_than_the_deadline_raises_what_it_was() -> None:
    def operation(_outage: Outage) -> None:
        raise SourceUnavailable("down")

    time = Time()
    with pytest.raises(SourceUnavailable, match="down"):
        run(time, operation, Backoff(initial_s=1, max_s=1, deadline_s=10))
    assert 10 <= time.now <= 12


def test_work_that_gets_done_ends_the_outage() -> None:
    tries = iter(range(100))

    def operation(outage: Outage) -> str:
        for number in tries:
            if number == 99:
                return "done"
            if number % 2:
                outage.healthy()
            raise SourceUnavailable("down")
        return "never"

    result, _ = run(Time(), operation, Backoff(initial_s=1, max_s=1, deadline_s=10))
    assert result == "done"


def test_what_must_stop_is_not_tried_again() -> None:
    time = Time()

    def operation(_outage: Outage) -> None:
        raise PositionLost("gone")

    with pytest.raises(PositionLost):
        run(time, operation)
    assert time.waits == []


def test_being_asked_to_stop_ends_the_waiting() -> None:
    time = Time()
    time.stop_after = 2

    def operation(_outage: Outage) -> None:
        raise SourceUnavailable("down")

    try:
        result, _ = run(time, operation)
    except SourceUnavailable:
        result = None
    assert result is None
    assert len(time.waits) == 2
