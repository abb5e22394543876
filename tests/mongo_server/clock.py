"""Cluster time: seconds of a clock that is given, and a counter inside the second."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from bson import Timestamp


class ClusterClock:
    """Hands out times, each after the one before. ``now`` gives seconds since 1970; the same ones give the same times."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.last = Timestamp(int(now()), 0)

    def next(self) -> Timestamp:
        """The time of the next entry of the oplog."""
        self.last = following(self.last, int(self._now()))
        return self.last

    def wall(self) -> dt.datetime:
        """The date of the clock, to the millisecond, naive and in UTC as the codec wants it."""
        seconds = int(self._now() * 1000) / 1000
        return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(tzinfo=None)


def following(last: Timestamp, second: int) -> Timestamp:
    """The first time in ``second`` that is after ``last``."""
    return Timestamp(second, 1) if second > last.time else Timestamp(last.time, last.inc + 1)
