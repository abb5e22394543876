"""The reading side of the file topic."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from streamtrain.topic.base import Records, TopicPartition, Watermarks
from streamtrain.topic.checks import check_offset, missing
from streamtrain.topic.file.errors import damaged, os_errors
from streamtrain.topic.file.journal import Journal, data_path
from streamtrain.topic.file.records import Columns, DamagedRecordError, decode
from streamtrain.topic.file.state import Extent
from streamtrain.topic.names import check_name

FOLLOW_S = 0.01
"""How long to wait before looking again whether the commit log has grown."""

CHUNK_BYTES = 1 << 20


class FileReader:
    """Reads what the commit log of a topic directory covers, and follows it. The directory may not exist yet.

    ``fsync`` as the writer's: with it, a commit is read only once it is on disk.
    """

    def __init__(
        self,
        directory: Path,
        *,
        fsync: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._directory, self._fsync, self._clock, self._sleep = directory, fsync, clock, sleep
        self._journal: Journal | None = None
        self._cursors: list[_Cursor] = []

    def partitions(self, topic: str) -> list[int]:
        check_name(topic)
        self._refresh()
        return list(range(self._journal.state.topics.get(topic, 0))) if self._journal else []

    def watermarks(self, source: TopicPartition) -> Watermarks:
        self._refresh()
        return self._extent(source).watermarks

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._refresh()
        extents = {source: self._extent(source) for source in offsets}
        for source, offset in offsets.items():
            check_offset(source, offset, extents[source].watermarks)
        self._close_cursors()
        with os_errors(f"opening the data files in {self._directory}"):
            for source, offset in offsets.items():
                self._cursors.append(_Cursor(data_path(self._directory, source), source, extents[source]))
                self._cursors[-1].seek(offset)

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        deadline = self._clock() + timeout_s
        while True:
            self._refresh()
            with os_errors(f"reading from {self._directory}"):
                batches = self._read(max_records)
            left = deadline - self._clock()
            if batches or left <= 0:
                return batches
            self._sleep(min(left, FOLLOW_S))

    def close(self) -> None:
        self._close_cursors()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _refresh(self) -> None:
        with os_errors(f"following {self._directory}"):
            if self._journal is None:
                try:
                    self._journal = Journal(self._directory, writable=False, sync=self._fsync)
                except FileNotFoundError:
                    return
            self._journal.refresh()

    def _extent(self, source: TopicPartition) -> Extent:
        extent = self._journal.state.extents.get(source) if self._journal else None
        if extent is None:
            raise missing(source)
        return extent

    def _read(self, max_records: int) -> list[Records]:
        """Fill up to ``max_records`` from the cursors in turn, beginning with another one each time."""
        batches: list[Records] = []
        for cursor in self._cursors:
            if max_records <= 0:
                break
            batch = cursor.read(max_records)
            if batch is not None:
                batches.append(batch)
                max_records -= len(batch)
        self._cursors = self._cursors[1:] + self._cursors[:1]
        return batches

    def _close_cursors(self) -> None:
        for cursor in self._cursors:
            cursor.close()
        self._cursors = []


class _Cursor:
    """Where reading stands in one partition."""

    def __init__(self, path: Path, source: TopicPartition, extent: Extent) -> None:
        self._path, self._source, self._extent = path, source, extent
        self._file = os.open(path, os.O_RDONLY)
        self._next_offset = 0
        self._buffer = b""
        self._buffer_begin = 0  # the place in the file of the buffer's first byte
        self._at = 0  # the place in the buffer of the next frame

    def seek(self, offset: int) -> None:
        """Go to ``offset``: to the nearest transaction by the index, from there frame by frame."""
        nearest = self._extent.nearest(offset)
        self._next_offset, self._buffer_begin = nearest.next_offset, nearest.length
        self._buffer, self._at = b"", 0
        while self._next_offset < offset:
            self._fill(offset - self._next_offset, Columns())

    def read(self, limit: int) -> Records | None:
        """Up to ``limit`` records; None at the committed end. Raises PositionLost, and FatalError on damage."""
        begin, columns = self._next_offset, Columns()
        check_offset(self._source, begin, self._extent.watermarks)
        end = min(self._extent.end.next_offset, begin + limit)
        while self._next_offset < end:
            self._fill(end - self._next_offset, columns)
        if self._next_offset == begin:
            return None
        offsets = range(begin, self._next_offset)
        return Records(self._source, offsets, columns.keys, columns.values, columns.timestamps_ms, self._next_offset)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _fill(self, limit: int, columns: Columns) -> None:
        """Decode at least one record into ``columns``, reading on in the file where the buffer has no whole one."""
        more = CHUNK_BYTES
        while True:
            try:
                self._at, count = decode(self._buffer, self._at, limit, columns)
            except DamagedRecordError as error:
                raise damaged(self._path, self._buffer_begin + error.at, str(error)) from error
            self._next_offset += count
            if count:
                return
            self._load(more)
            more *= 2

    def _load(self, more: int) -> None:
        """Let the buffer begin at the next frame and hold ``more`` bytes beyond those it holds, or all that is committed."""
        held = len(self._buffer) - self._at
        self._buffer_begin += self._at
        committed = self._extent.end.length - self._buffer_begin
        data = os.pread(self._file, min(held + more, committed), self._buffer_begin)
        if len(data) <= held:
            raise damaged(self._path, self._buffer_begin, "a record goes beyond what was committed")
        self._buffer, self._at = data, 0
