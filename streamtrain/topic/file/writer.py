"""The writing side of the file topic."""

from __future__ import annotations

import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO

from streamtrain.errors import ConfigError, FatalError, FencedOut, TopicUnavailable
from streamtrain.topic.base import NO_NOTES, Message, Messages, TopicPartition
from streamtrain.topic.checks import check_offset, missing
from streamtrain.topic.file import records
from streamtrain.topic.file.commits import Committed, Created, End, Opened, Trimmed
from streamtrain.topic.file.errors import damaged, os_errors
from streamtrain.topic.file.journal import COMMITS, Journal, data_path
from streamtrain.topic.file.writing import write_at
from streamtrain.topic.names import check_name

SPILL_BYTES = 64 << 20
"""How much of a transaction is held in memory per partition; beyond it an unnamed temporary file takes over."""

_COPY_BYTES = 1 << 20


@dataclass(slots=True)
class _Pending:
    """Records of one partition that wait for the commit."""

    frames: IO[bytes]
    count: int = 0


class FileWriter:
    """Writes transactions into a topic directory, which is made if it is missing.

    Records wait outside the data files until ``commit`` appends them under a short lock, so writers of other names can
    share the directory. The writer's epoch is checked under that lock: once a newer writer of the same name has been
    opened, by this or by another process, ``commit`` and ``ensure_topic`` raise FencedOut, as they do with Kafka.

    A message goes to the partition ``CRC-32(key) % partitions``, without a key to partition 0. ``fsync=False`` gives up
    durability over a power cut, never atomicity over a kill.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        partitions: int = 1,
        *,
        fsync: bool = True,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if partitions < 1:
            raise ConfigError(f"a topic cannot have {partitions} partitions", hint="set at least 1")
        self._directory, self._name = directory, check_name(name, "writer")
        self._partitions, self._fsync, self._clock, self._sleep = partitions, fsync, clock, sleep
        self._pending: dict[TopicPartition, _Pending] = {}
        self._files: dict[TopicPartition, FileIO] = {}
        self._failed = self._closed = False
        with os_errors(f"opening the topic directory {directory}"):
            directory.mkdir(parents=True, exist_ok=True)
            self._journal = Journal(directory, writable=True, sync=fsync)
            self._sync_directory(directory)
            try:
                self._epoch = self._take_over()
            except BaseException:
                self.close()
                raise
        self._position = self._journal.state.positions.get(name)

    def position(self) -> bytes | None:
        return self._position

    def notes(self) -> Mapping[str, bytes]:
        return dict(self._journal.state.notes.get(self._name, {}))

    def ensure_topic(self, topic: str, partitions: int | None = None) -> None:
        if topic in self._journal.state.topics:
            return
        if check_name(topic) == COMMITS:
            raise ConfigError(f"no topic can be called {COMMITS!r}", hint="the file topic keeps its commit log there")
        with os_errors(f"creating topic {topic} in {self._directory}"), self._journal.locked(self._sleep):
            self._check_owner()
            if topic in self._journal.state.topics:
                return
            (self._directory / topic).mkdir(exist_ok=True)
            count = partitions or self._partitions
            for partition in range(count):
                data_path(self._directory, TopicPartition(topic, partition)).touch()
            self._sync_directory(self._directory / topic)
            self._sync_directory(self._directory)
            self._journal.append(Created(topic, count))

    def send(self, topic: str, messages: Messages) -> None:
        self._check_usable()
        partitions = self._journal.state.topics.get(topic)
        if partitions is None:
            raise FatalError(f"topic {topic} does not exist", hint="ensure_topic comes before the first send")
        with os_errors(f"holding a transaction for {topic}"):
            if partitions == 1:
                self._hold(TopicPartition(topic, 0), messages)
                return
            for partition, share in enumerate(_divided(messages, partitions)):
                if share:
                    self._hold(TopicPartition(topic, partition), share)

    def commit(self, position: bytes, notes: Mapping[str, bytes | None] = NO_NOTES) -> None:
        self._check_usable()
        with os_errors(f"committing to {self._directory}"), self._journal.locked(self._sleep):
            self._check_owner()
            self._failed = True
            ends = {source: self._append(source, pending) for source, pending in self._pending.items()}
            self._journal.append(Committed(self._name, self._epoch, position, ends, notes))
        self._failed = False
        self._position = position
        self.abort()

    def abort(self) -> None:
        for pending in self._pending.values():
            # A temporary file writes what it has buffered although it is thrown away, and on a full disk it cannot.
            with suppress(OSError):
                pending.frames.close()
        self._pending.clear()

    def trim(self, source: TopicPartition, before_offset: int) -> None:
        """Let the log of ``source`` begin at ``before_offset``; the space is not given back.

        Raises PositionLost if the log does not hold that offset.
        """
        with os_errors(f"trimming {source} in {self._directory}"), self._journal.locked(self._sleep):
            self._check_owner()
            extent = self._journal.state.extents.get(source)
            if extent is None:
                raise missing(source)
            check_offset(source, before_offset, extent.watermarks)
            self._journal.append(Trimmed(source, before_offset))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.abort()
        # Nothing is left to write: an error says no more than the one that a commit has raised before.
        for close in (*(file.close for file in self._files.values()), self._journal.close):
            with suppress(OSError):
                close()

    def _take_over(self) -> int:
        """Fence the writer before this one, and cut off what it left behind its last commit."""
        with self._journal.locked(self._sleep):
            for source in self._journal.state.extents:
                self._open_data(source)
            epoch = self._journal.state.next_epoch(self._name)
            self._journal.append(Opened(self._name, epoch, os.getpid()))
            return epoch

    def _check_owner(self) -> None:
        owner = self._journal.state.owners[self._name]
        if owner.epoch != self._epoch:
            raise FencedOut(
                f"writer {self._name!r} of {self._directory} was taken over by process {owner.pid}",
                hint="only one connector may run with this name: stop the other one, or give this one another name",
            )

    def _check_usable(self) -> None:
        if self._failed:
            raise TopicUnavailable(
                f"writer {self._name!r} of {self._directory} failed in an earlier commit",
                hint="open a new writer and go on from its position",
            )

    def _hold(self, source: TopicPartition, messages: Iterable[Message]) -> None:
        pending = self._pending.get(source)
        if pending is None:
            frames: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPILL_BYTES, dir=str(self._directory))  # noqa: SIM115 closed by abort
            pending = self._pending[source] = _Pending(frames)
        encoded, count = records.encode(messages, int(self._clock() * 1000))
        pending.frames.write(encoded)
        pending.count += count

    def _append(self, source: TopicPartition, pending: _Pending) -> End:
        """Write what is pending behind the committed records, durable with ``fsync``; where they end now."""
        file, begin = self._open_data(source), self._journal.state.extents[source].end
        length = begin.length
        pending.frames.seek(0)
        while frames := pending.frames.read(_COPY_BYTES):
            length = write_at(file.fileno(), frames, length)
        if self._fsync:
            os.fdatasync(file.fileno())
        return End(begin.next_offset + pending.count, length)

    def _open_data(self, source: TopicPartition) -> FileIO:
        """The data file, cut to its committed length: what lies beyond was left by a writer that died."""
        file = self._files.get(source)
        if file is None:
            file = self._files[source] = FileIO(data_path(self._directory, source), "r+")
        length, committed = os.fstat(file.fileno()).st_size, self._journal.state.extents[source].end.length
        if length < committed:
            raise damaged(data_path(self._directory, source), length, f"{committed} bytes were committed")
        if length > committed:
            os.ftruncate(file.fileno(), committed)
        return file

    def _sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        if not self._fsync:
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _divided(messages: Iterable[Message], partitions: int) -> list[list[Message]]:
    shares: list[list[Message]] = [[] for _ in range(partitions)]
    for message in messages:
        shares[zlib.crc32(message.key or b"") % partitions].append(message)
    return shares
