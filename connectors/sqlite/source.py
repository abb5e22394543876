"""Committed changes of a SQLite file, in commit order, from a change table that triggers feed.

What is promised: every row that is inserted, updated or deleted by a statement, from any program, while the triggers
stand, comes once and in order, with the values exactly as SQLite stored them. That takes in foreign-key cascades, other
triggers' writes, upserts, and rows removed by ``OR REPLACE``.

What is not: SQLite fires no trigger for DROP TABLE, for programs that switch triggers off
(SQLITE_DBCONFIG_ENABLE_TRIGGER), nor for a row that ``OR REPLACE`` removes because of a unique index over an expression
or a generated column (``doctor`` names such tables). ``committed_ms`` is the time of the statement, shortly before the commit.
ALTER TABLE ADD and RENAME COLUMN are followed; DROP COLUMN is refused by SQLite while the column's triggers stand, and a
table that is made again without its triggers stops the source.

Source: https://www.sqlite.org/lang_createtrigger.html.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping

from connectors.source import NO_NOTES, Change, Position, SourceBatch
from connectors.sqlite.position import parsed
from connectors.sqlite.settings import SqliteSettings
from connectors.sqlite.snapshot import Snapshot
from connectors.sqlite.stream import Stream
from streamtrain import log
from streamtrain.errors import PositionLost, SourceUnavailable

BATCH_ROWS = 2_000
"""Rows in one read at most: some hundred kilobytes, published in some tens of milliseconds."""

POLL_S = 0.01
"""How often a waiting read looks whether somebody has committed; a look takes some microseconds."""

_log = log.get("sqlite")


class SqliteSource:
    """``connectors.source.Source`` over one SQLite file. ``clock`` gives seconds since 1970."""

    def __init__(
        self,
        settings: SqliteSettings,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._batch_rows = batch_rows
        self._stream: Stream | None = None
        self._snapshot: Snapshot | None = None
        self._chunks: Iterator[Change] = iter(())

    def open(self, position: Position | None, notes: Mapping[str, bytes] = NO_NOTES) -> None:  # noqa: ARG002 - it has none
        self.close()
        stream = self._stream = Stream(self._settings)
        try:
            if position is None:
                self._begin(stream)
                return
            try:
                stream.resume(parsed(position))
            except PositionLost as error:
                self._begin_again(stream, error)
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> SourceBatch:
        stream = self._opened()
        if self._snapshot is not None:
            return self._read_snapshot(self._snapshot, stream)
        try:
            changes = self._await_changes(stream, timeout_s)
        except PositionLost as error:
            self._begin_again(stream, error)
            return SourceBatch((), None)
        newest_ms = stream.position.committed_ms
        lag_ms = max(0, self._now_ms() - newest_ms) if changes and newest_ms is not None else None
        return SourceBatch(changes, stream.position.document(), lag_ms)

    def end(self) -> Position:
        return self._opened().head().document()

    def reached(self, end: Position) -> bool:
        return self._snapshot is None and self._opened().position.sequence >= parsed(end).sequence

    def confirm(self, position: Position) -> None:
        """Say that everything up to ``position`` has been published durably, so that the change table may be trimmed.

        Without it the table is trimmed at ``open`` alone. The last 10,000 changes stay in any case.
        """
        self._opened().trim(parsed(position))

    def close(self) -> None:
        self._chunks = iter(())
        if self._snapshot is not None:
            self._snapshot.close()
            self._snapshot = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _opened(self) -> Stream:
        if self._stream is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._stream

    def _now_ms(self) -> int:
        return int(self._clock() * 1_000)

    def _begin(self, stream: Stream) -> None:
        stream.begin()
        if self._settings.snapshot == "no_data":
            return
        snapshot = self._snapshot = Snapshot(self._settings.path)
        while snapshot.schema_version != stream.schema_version:  # altered between the two: the layouts are old already
            snapshot.close()
            stream.begin()
            snapshot = self._snapshot = Snapshot(self._settings.path)
        stream.position = snapshot.position
        self._chunks = snapshot.chunks(stream.captured(), self._settings.prefix, self._now_ms(), self._batch_rows)

    def _begin_again(self, stream: Stream, error: PositionLost) -> None:
        if self._settings.snapshot != "when_needed":
            raise error
        _log.warning("position lost, reading all rows again", reason=error.message)
        self._begin(stream)

    def _read_snapshot(self, snapshot: Snapshot, stream: Stream) -> SourceBatch:
        """One chunk. The last one, or an empty batch where there are no rows at all, carries the position."""
        change = next(self._chunks, None)
        if change is not None and change.markers[-1:] != ("last",):
            return SourceBatch((change,), None)
        snapshot.close()
        self._snapshot = None
        return SourceBatch(() if change is None else (change,), stream.position.document())

    def _await_changes(self, stream: Stream, timeout_s: float) -> list[Change]:
        """Counts its looks too, so that a clock which is set back cannot prolong the wait."""
        deadline = self._clock() + timeout_s
        version = stream.data_version()
        changes = stream.next(self._batch_rows)
        for _ in range(math.ceil(timeout_s / POLL_S)):
            left_s = deadline - self._clock()
            if changes or left_s <= 0:
                break
            self._sleep(min(POLL_S, left_s))
            if version != (version := stream.data_version()):
                changes = stream.next(self._batch_rows)
        return changes
