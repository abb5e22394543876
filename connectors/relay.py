"""The capture loop: read, serialize, send, commit. Everything that is published is published here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import orjson

from connectors.serializing import Serializer, gathered
from connectors.source import (
    Change,
    DocumentChange,
    Heartbeat,
    Position,
    SnapshotProgress,
    Source,
    SourceBatch,
    SourceEvent,
)
from streamtrain import faults, log
from streamtrain.topic.base import TopicWriter

# A source that writes only to other tables moves its log on: the position follows at least this often, so that the log
# files behind it may be purged without the position being lost.
_IDLE_COMMIT_S = 5.0
_SNAPSHOT_IDLE_COMMIT_S = 1.0
"""Changes of rows that a snapshot has yet to read do not pass: a long stretch of log may be read without one. Who was killed
every four seconds read the same stretch again each time, while it grew, and never came to the rows."""
_PATIENCE_S = 0.2
_COMMIT_BYTES = 24 << 20
"""Of messages, whose transaction is then committed whatever its rows are: until then they lie in the client's queue."""
_BEHIND_MS = 1_000
_BEHIND_FACTOR = 4
"""Who is more than a second late gathers so much longer: each commit takes some 8 ms, one in seven of those that catching up takes."""
_OF_ROWS = (Change, DocumentChange)

_log = log.get("connector")


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """How changes are gathered into topic transactions."""

    commit_s: float = 0.05
    """A change waits at most this long for others before its transaction is committed, four times as long if it is late anyhow."""
    commit_rows: int = 20_000
    """A transaction of this many rows is committed at once."""
    heartbeat_s: float = 0.0
    """A heartbeat is published this often once the snapshot is over; 0: never."""


@dataclass(frozen=True, slots=True)
class CaptureProgress:
    """What the relay has done since it was opened."""

    rows: int
    transactions: int
    snapshot: bool
    """Whether rows are still to be read that were there before."""
    lag_ms: int | None
    """Age of the newest change when it was read; None while there was none."""
    unpublished: int
    """Rows that were sent in the transaction under way: they count in ``rows`` once it is committed."""
    reading: SnapshotProgress | None = None
    """How far that has come, if the source tells."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, as arguments: seconds that only rise, and nanoseconds since 1970."""

    monotonic_s: Callable[[], float]
    wall_ns: Callable[[], int]


class Relay:
    """Moves changes from one source to its topics, in transactions that carry the source's position.

    Not thread-safe. The source and the writer are the caller's to close; after any error both are to be opened anew.
    """

    def __init__(
        self, source: Source, writer: TopicWriter, serializer: Serializer, settings: RelaySettings, clocks: Clocks
    ) -> None:
        self._source = source
        self._writer = writer
        self._serializer = serializer
        self._settings = settings
        self._clocks = clocks
        self._topics: set[str] = set()
        self._notes: dict[str, bytes | None] = {}
        self._rows = self._transactions = 0
        self._sent = self._unpublished_rows = self._unpublished_bytes = 0
        self._position: Position | None = None
        self._committed: Position | None = None
        self._committed_at = self._open_since = 0.0
        self._heartbeat_at = 0.0
        self._lag_ms: int | None = None
        self._reading: SnapshotProgress | None = None
        self._unfinished: SnapshotProgress | None = None
        """The last of a snapshot that was read and is not said to be complete."""

    def open(self) -> None:
        """Go on at the position of the last committed transaction."""
        stored = self._writer.position()
        self._position = self._committed = None if stored is None else orjson.loads(stored)
        self._source.open(self._committed, self._writer.notes())
        self._committed_at = self._clocks.monotonic_s()
        if self._unfinished is not None and self._reading is None:
            _log.info("snapshot committed", kind=self._unfinished.kind)
            self._unfinished = None
        self._heartbeat_at = self._committed_at + self._settings.heartbeat_s
        faults.passed("capture.opened")

    def run(
        self, stop: Callable[[], bool], progress: Callable[[CaptureProgress], None], *, until_caught_up: bool
    ) -> None:
        """Relay until asked to stop, or until all that was committed when this began is published."""
        end = self._source.end() if until_caught_up else None
        while not stop() and not self._reached(end):
            self._relay_batch()
            progress(self._progress())
        if self._position is not None and (self._sent or self._position != self._committed):
            self._commit()
            progress(self._progress())

    def _relay_batch(self) -> None:
        """One read of the source; its rows are let go of before the next."""
        batch = self._source.read(self._patience_s())
        faults.passed("capture.read")
        self._send(batch)
        self._beat()
        if self._commit_due(batch):
            self._commit()

    def _progress(self) -> CaptureProgress:
        return CaptureProgress(
            rows=self._rows,
            transactions=self._transactions,
            snapshot=self._position is None or self._reading is not None,
            reading=self._reading,
            lag_ms=self._lag_ms,
            unpublished=self._unpublished_rows,
        )

    def _reached(self, end: Position | None) -> bool:
        return end is not None and self._position is not None and self._source.reached(end)

    def _send(self, batch: SourceBatch) -> None:
        if batch.changes:
            self._publish(batch.changes)
            self._unpublished_rows += sum([len(event) or 1 for event in batch.changes if isinstance(event, _OF_ROWS)])
            self._lag_ms = batch.lag_ms
            faults.passed("capture.sent")
        self._notes |= batch.notes
        self._position = batch.position
        self._reading = batch.snapshot
        self._unfinished = batch.snapshot or self._unfinished

    def _beat(self) -> None:
        """A heartbeat, if one is due: it says how far capture has come, which is nowhere while a snapshot is read."""
        now = self._clocks.monotonic_s()
        if self._settings.heartbeat_s and self._position is not None and now >= self._heartbeat_at:
            self._publish([Heartbeat()])
            self._heartbeat_at = now + self._settings.heartbeat_s

    def _publish(self, events: Sequence[SourceEvent | Heartbeat]) -> None:
        if self._sent == 0:
            self._open_since = self._clocks.monotonic_s()
            faults.passed("capture.begun")
        now_ns = self._clocks.wall_ns()
        serialize = self._serializer.serialize
        for topic, messages, partitions in gathered(chain.from_iterable(serialize(event, now_ns) for event in events)):
            self._ensure(topic, partitions)
            self._writer.send(topic, messages)
            self._unpublished_bytes += sum(map(len, filter(None, messages.values)))
        self._sent += len(events)

    def _ensure(self, topic: str, partitions: int | None) -> None:
        if topic not in self._topics:
            self._writer.ensure_topic(topic, partitions)
            self._topics.add(topic)

    def _patience_s(self) -> float:
        if self._sent and self._position is not None:
            return max(0.0, self._open_since + self._gathering_s() - self._clocks.monotonic_s())
        if self._settings.heartbeat_s and self._position is not None:
            return min(_PATIENCE_S, max(0.0, self._heartbeat_at - self._clocks.monotonic_s()))
        return _PATIENCE_S

    def _gathering_s(self) -> float:
        behind = self._reading is not None or (self._lag_ms is not None and self._lag_ms > _BEHIND_MS)
        return self._settings.commit_s * (_BEHIND_FACTOR if behind else 1)

    def _commit_due(self, batch: SourceBatch) -> bool:
        if self._position is None or (self._position == self._committed and not self._sent):
            return False
        now = self._clocks.monotonic_s()
        if self._sent:
            waited = now - self._open_since >= self._gathering_s()
            full = self._unpublished_rows >= self._settings.commit_rows or self._unpublished_bytes >= _COMMIT_BYTES
            return waited or not batch.changes or full
        idle_s = _IDLE_COMMIT_S if self._reading is None else _SNAPSHOT_IDLE_COMMIT_S
        return self._committed is None or now - self._committed_at >= idle_s

    def _commit(self) -> None:
        if self._position is None:
            return
        faults.passed("capture.committing")
        self._writer.commit(orjson.dumps(self._position), self._notes)
        faults.passed("capture.committed")
        self._source.confirm(self._position)
        self._rows += self._unpublished_rows
        self._transactions += 1
        self._sent = self._unpublished_rows = self._unpublished_bytes = 0
        self._notes = {}
        self._committed = self._position
        self._committed_at = self._clocks.monotonic_s()
        if self._unfinished is not None and self._reading is None:
            _log.info("snapshot committed", kind=self._unfinished.kind)
            self._unfinished = None
