"""The capture loop: when it commits, what it commits, and where it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import orjson

from connectors.relay import CaptureProgress, Clocks, Relay, RelaySettings
from connectors.serializing import JsonSerializer
from connectors.source import NO_NOTES, Change, Position, SnapshotProgress, SourceBatch, Table
from streamtrain.envelope import Op
from streamtrain.testing import ManualClock
from streamtrain.topic.base import Messages, TopicPartition
from streamtrain.topic.file import FileReader, FileWriter

TABLE = Table("shop", "events", ("id",), key=(0,))


def rows(*identities: int) -> Change:
    return Change(TABLE, Op.CREATE, None, [(identity,) for identity in identities], {"ts_ms": 0})


class ScriptedSource:
    """Gives these batches, then empty ones; time passes with each read."""

    def __init__(self, clock: ManualClock, batches: Iterable[tuple[float, SourceBatch]]) -> None:
        self._clock = clock
        self._batches = list(batches)
        self._position: Position | None = None
        self.opened_at: Position | None = None
        self.confirmed: list[Position] = []

    def open(self, position: Position | None, notes: Mapping[str, bytes] = NO_NOTES) -> None:
        self.opened_at = self._position = position

    def read(self, timeout_s: float) -> SourceBatch:
        if not self._batches:
            self._clock.advance(timeout_s)
            return SourceBatch((), self._position)
        seconds, batch = self._batches.pop(0)
        self._clock.advance(seconds)
        self._position = batch.position
        return batch

    def confirm(self, position: Position) -> None:
        self.confirmed.append(position)

    def end(self) -> Position:
        return {"at": 99}

    def reached(self, end: Position) -> bool:
        return not self._batches and self._position is not None

    def close(self) -> None:
        """Nothing is held."""


class CountingWriter(FileWriter):
    """A real writer that remembers what each of its transactions held."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "shop", fsync=False)
        self.transactions: list[tuple[int, bytes]] = []
        self._sent = 0

    def send(self, topic: str, messages: Messages) -> None:
        self._sent += len(messages)
        super().send(topic, messages)

    def commit(self, position: bytes, notes: Mapping[str, bytes | None] = NO_NOTES) -> None:
        super().commit(position, notes)
        self.transactions.append((self._sent, position))
        self._sent = 0


def relay(
    tmp_path: Path, batches: Iterable[tuple[float, SourceBatch]], **settings: float
) -> tuple[ScriptedSource, CountingWriter]:
    clock = ManualClock()
    source, writer = ScriptedSource(clock, batches), CountingWriter(tmp_path)
    clocks = Clocks(clock.monotonic_s, lambda: clock.wall_ms() * 1_000_000)
    loop = Relay(source, writer, JsonSerializer("shop"), RelaySettings(**settings), clocks)  # type: ignore[arg-type]
    loop.open()
    loop.run(lambda: False, lambda _: None, until_caught_up=True)
    writer.close()
    return source, writer


def committed(writer: CountingWriter) -> list[tuple[int, int]]:
    return [(count, orjson.loads(position)["at"]) for count, position in writer.transactions]


def test_changes_wait_for_others_up_to_the_time_and_the_number_that_are_set(tmp_path: Path) -> None:
    batches = [
        (0.00, SourceBatch([rows(1)], {"at": 1})),
        (0.01, SourceBatch([rows(2)], {"at": 2})),
        (0.06, SourceBatch([rows(3)], {"at": 3})),
        (0.01, SourceBatch([rows(4, 5, 6, 7, 8)], {"at": 4})),
        (0.01, SourceBatch([rows(9)], {"at": 5})),
        (0.01, SourceBatch([], {"at": 5})),
    ]
    _, writer = relay(tmp_path, batches, commit_s=0.05, commit_rows=5)
    assert committed(writer) == [(3, 3), (5, 4), (1, 5)]


def test_changes_that_are_late_anyhow_wait_four_times_as_long_for_others(tmp_path: Path) -> None:
    late = [(0.03, SourceBatch([rows(at)], {"at": at}, lag_ms=1_001)) for at in range(1, 9)]
    batches = [*late, (0.03, SourceBatch([rows(9)], {"at": 9}, lag_ms=20)), (0.01, SourceBatch([], {"at": 9}))]
    _, writer = relay(tmp_path, batches, commit_s=0.05)
    assert committed(writer) == [(8, 8), (1, 9)]


def test_a_transaction_of_many_bytes_is_committed_at_once(tmp_path: Path) -> None:
    large = replace(rows(2), after=[("x" * (25 << 20),)])
    batches = [
        (0.00, SourceBatch([rows(1)], {"at": 1})),
        (0.01, SourceBatch([large], {"at": 2})),
        (0.01, SourceBatch([rows(3)], {"at": 3})),
        (0.01, SourceBatch([], {"at": 3})),
    ]
    _, writer = relay(tmp_path, batches, commit_s=60.0)
    assert committed(writer) == [(2, 2), (1, 3)]


def test_a_snapshot_is_one_transaction_whatever_its_size_and_time(tmp_path: Path) -> None:
    batches = [
        (9.0, SourceBatch([rows(1, 2, 3)], None)),
        (9.0, SourceBatch([rows(4, 5, 6)], None)),
        (9.0, SourceBatch([], None)),
        (0.0, SourceBatch([rows(7)], {"at": 1})),
    ]
    _, writer = relay(tmp_path, batches, commit_s=0.05, commit_rows=2)
    assert committed(writer) == [(7, 1)]


def test_a_position_that_moves_without_changes_is_kept_now_and_then(tmp_path: Path) -> None:
    batches = [(1.0, SourceBatch([], {"at": moment})) for moment in range(1, 12)]
    _, writer = relay(tmp_path, batches)
    assert committed(writer) == [(0, 1), (0, 6), (0, 11)]


def test_while_a_snapshot_is_read_it_is_kept_each_second(tmp_path: Path) -> None:
    reading = SnapshotProgress("initial", "shop.events", 0, 0, 0, tables_left=1, rows_per_s=0.0, paused=False)
    before = [(0.5, SourceBatch([], {"at": moment}, snapshot=reading)) for moment in range(1, 7)]
    after = [(1.0, SourceBatch([], {"at": moment})) for moment in range(7, 11)]
    _, writer = relay(tmp_path, [*before, *after])
    assert committed(writer) == [(0, 1), (0, 3), (0, 5), (0, 10)]


def test_the_source_is_opened_at_the_last_committed_position_and_told_of_each(tmp_path: Path) -> None:
    first, _ = relay(tmp_path, [(0.0, SourceBatch([rows(1)], {"at": 1}))])
    assert first.opened_at is None
    assert first.confirmed == [{"at": 1}]
    second, _ = relay(tmp_path, [(0.0, SourceBatch([rows(2)], {"at": 2}))])
    assert second.opened_at == {"at": 1}
    reader = FileReader(tmp_path)
    reader.assign({TopicPartition("shop.shop.events", 0): 0})
    assert [key for records in reader.poll(10, 1.0) for key in records.keys] == [b'{"id":1}', b'{"id":2}']
    reader.close()


def test_a_stop_in_the_middle_of_a_snapshot_publishes_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    source = ScriptedSource(clock, [(0.0, SourceBatch([rows(1)], None))] * 5)
    writer = CountingWriter(tmp_path)
    loop = Relay(source, writer, JsonSerializer("shop"), RelaySettings(), Clocks(clock.monotonic_s, lambda: 0))
    loop.open()
    looks = iter([False, False, True])
    told: list[CaptureProgress] = []
    loop.run(lambda: next(looks), told.append, until_caught_up=False)
    writer.close()
    assert writer.transactions == []
    assert told[-1].snapshot
    again = CountingWriter(tmp_path)
    assert again.position() is None
    again.close()


def heartbeats(tmp_path: Path) -> list[tuple[object, object]]:
    with closing(FileReader(tmp_path)) as reader:
        source = TopicPartition("__debezium-heartbeat.shop", 0)
        if not reader.partitions(source.topic):
            return []
        reader.assign({source: 0})
        return [
            (orjson.loads(key or b""), orjson.loads(value or b"")["ts_ms"])
            for records in reader.poll(1_000, 0.1)
            for key, value in zip(records.keys, records.values, strict=True)
        ]


def test_heartbeats_come_as_often_as_is_set_whether_or_not_anything_changes(tmp_path: Path) -> None:
    still = [(0.5, SourceBatch([], {"at": 1})) for _ in range(6)]
    busy = [(0.5, SourceBatch([rows(number)], {"at": 2 + number})) for number in range(6)]
    _, writer = relay(tmp_path, [*still, *busy], heartbeat_s=1.0)
    beats = heartbeats(tmp_path)
    assert [key for key, _ in beats] == [{"serverName": "shop"}] * 6
    times = [time for _, time in beats]
    assert [later - earlier for earlier, later in pairwise(times)] == [1000] * 5  # type: ignore[operator] # of JSON
    assert orjson.loads(writer.transactions[-1][1]) == {"at": 7}


def test_no_heartbeat_comes_while_a_snapshot_is_read_or_where_none_is_wanted(tmp_path: Path) -> None:
    reading = [(5.0, SourceBatch([rows(number)], None)) for number in range(4)]
    relay(tmp_path, [*reading, (0.0, SourceBatch([], {"at": 1}))], heartbeat_s=6.0)
    assert len(heartbeats(tmp_path)) == 1
    quiet = tmp_path / "quiet"
    relay(quiet, [(60.0, SourceBatch([], {"at": moment})) for moment in range(3)])
    assert heartbeats(quiet) == []
