"""When an outage of capture ends, and when it is given up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from connectors.relay import CaptureProgress, Clocks, Relay, RelaySettings
from connectors.serializing import JsonSerializer
from connectors.source import NO_NOTES, Change, Position, SourceBatch, Table
from streamtrain.cli.connect import ending_outage
from streamtrain.envelope import Op
from streamtrain.errors import TopicUnavailable
from streamtrain.retrying import Backoff, Outage, keep_running
from streamtrain.testing import ManualClock
from streamtrain.topic.base import Messages
from streamtrain.topic.file import FileWriter

TABLE = Table("shop", "events", ("id",), key=(0,))


class EndlessSource:
    """A new row at each read, 10 ms after the one before; the first may give nothing for a while."""

    def __init__(self, clock: ManualClock, first_waits_s: float) -> None:
        self._clock = clock
        self._waits_s = first_waits_s
        self._at = 0

    def open(self, position: Position | None, notes: Mapping[str, bytes] = NO_NOTES) -> None:
        self._at = 0 if position is None else int(position["at"])

    def read(self, timeout_s: float) -> SourceBatch:
        del timeout_s
        if self._waits_s:
            self._clock.advance(self._waits_s)
            self._waits_s = 0.0
            return SourceBatch((), {"at": self._at})
        self._clock.advance(0.01)
        self._at += 1
        row = Change(TABLE, Op.CREATE, None, [(self._at,)], {"ts_ms": 0})
        return SourceBatch([row], {"at": self._at})

    def confirm(self, position: Position) -> None:
        """Nothing is held."""

    def end(self) -> Position:
        return {"at": 1}

    def reached(self, end: Position) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held."""


class FailingWriter(FileWriter):
    """Takes every message; only the commits that are listed, by their number from 0, succeed."""

    def __init__(self, directory: Path, succeeding: Iterable[int]) -> None:
        super().__init__(directory, "shop", fsync=False)
        self._succeeding = set(succeeding)
        self.commits = 0

    def send(self, topic: str, messages: Messages) -> None:
        list(messages)

    def commit(self, position: bytes, notes: Mapping[str, bytes | None] = NO_NOTES) -> None:
        self.commits += 1
        if self.commits - 1 not in self._succeeding:
            raise TopicUnavailable(f"commit {self.commits - 1}")


def run(
    tmp_path: Path, succeeding: Iterable[int], deadline_s: float, first_waits_s: float = 0.0
) -> tuple[float, FailingWriter]:
    """Seconds until the deadline ended it."""
    clock, writer = ManualClock(), FailingWriter(tmp_path, succeeding)
    began = clock.monotonic_s()

    def attempt(outage: Outage) -> None:
        clocks = Clocks(clock.monotonic_s, lambda: clock.wall_ms() * 1_000_000)
        relay = Relay(EndlessSource(clock, first_waits_s), writer, JsonSerializer("shop"), RelaySettings(), clocks)
        relay.open()
        relay.run(lambda: False, ending_outage(outage, lambda _: None, clock.monotonic_s), until_caught_up=False)

    def wait(seconds: float) -> bool:
        clock.advance(seconds)
        return False

    with pytest.raises(TopicUnavailable):
        keep_running(attempt, Backoff(1.0, 1.0, deadline_s), on_retry=lambda *_: None, wait=wait,
                     clock=clock.monotonic_s)  # fmt: skip
    writer.close()
    return clock.monotonic_s() - began, writer


@pytest.mark.timeout(20)
def test_commits_that_fail_end_at_the_deadline_though_every_read_succeeds(tmp_path: Path) -> None:
    seconds, writer = run(tmp_path, (), deadline_s=10)
    assert 10 <= seconds < 13
    assert writer.commits > 5


@pytest.mark.timeout(20)
def test_a_commit_that_succeeds_ends_the_outage(tmp_path: Path) -> None:
    seconds, _ = run(tmp_path, (5,), deadline_s=10)
    assert seconds > 12


def test_having_nothing_to_commit_for_a_while_ends_the_outage_too() -> None:
    clock, outage = ManualClock(), Outage(lambda: 0.0)
    outage.failed()
    working = ending_outage(outage, lambda _: None, clock.monotonic_s)
    for unpublished, seconds, failures in ((0, 29, 1), (3, 29, 1), (0, 29, 1), (0, 2, 0)):
        clock.advance(seconds)
        working(CaptureProgress(rows=0, transactions=0, snapshot=False, lag_ms=None, unpublished=unpublished))
        assert outage.failures == failures


@pytest.mark.timeout(20)
def test_commits_that_fail_end_at_the_deadline_though_the_first_read_gives_nothing(tmp_path: Path) -> None:
    seconds, writer = run(tmp_path, (), deadline_s=10, first_waits_s=0.2)
    assert 10 <= seconds < 13
    assert writer.commits > 5
