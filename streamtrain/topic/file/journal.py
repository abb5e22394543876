"""The commit log as a file: followed by readers, locked and appended to by writers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamtrain.errors import PositionLost, TopicUnavailable
from streamtrain.topic.base import TopicPartition
from streamtrain.topic.file.commits import DamagedLineError, Entry, FormatLine, decode, encode
from streamtrain.topic.file.errors import damaged
from streamtrain.topic.file.state import CommittedState
from streamtrain.topic.file.writing import write_at

COMMITS = "commits"
LOCK_WAIT_S = 0.01
LOCK_ATTEMPTS = 1000


def data_path(directory: Path, source: TopicPartition) -> Path:
    """The data file of a partition."""
    return directory / source.topic / f"{source.partition}.log"


class Journal:
    """One open commit log and the state it has led to. ``refresh`` takes in what others have appended.

    With ``sync`` nothing is taken in before it is on disk: a reader that is ahead of what survives a power cut would
    hold offsets that come to name other records.
    """

    def __init__(self, directory: Path, *, writable: bool, sync: bool) -> None:
        self.path = directory / COMMITS
        self.state = CommittedState()
        self._sync = sync
        self._read_to = 0
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY, 0o644)
        self._identity = os.fstat(self._file).st_ino

    def refresh(self) -> bool:
        """Apply the whole lines that are new; whether there were any. Raises FatalError on damage, PositionLost."""
        size = self._size()
        if size == self._read_to:
            return False
        if self._sync:
            os.fdatasync(self._file)
        data = os.pread(self._file, size - self._read_to, self._read_to)
        lines = data.split(b"\n")[:-1]
        for line in lines:
            try:
                self.state.apply(decode(line))
            except DamagedLineError as error:
                raise damaged(self.path, self._read_to, str(error)) from error
            self._read_to += len(line) + 1
        return bool(lines)

    @contextmanager
    def locked(self, sleep: Callable[[float], None]) -> Iterator[None]:
        """Be the only one to write, with the state up to date and a half-written last line cut off."""
        self._lock(sleep)
        try:
            self.refresh()
            if self._size() > self._read_to:
                os.ftruncate(self._file, self._read_to)
            if not self._read_to:
                self.append(FormatLine())
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def append(self, entry: Entry) -> None:
        """Write one entry, durable with ``sync``, and apply it. Only under ``locked``."""
        end = write_at(self._file, encode(entry), self._read_to)
        if self._sync:
            os.fdatasync(self._file)
        self.state.apply(entry)
        self._read_to = end

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _size(self) -> int:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            status = None
        if status is None or status.st_ino != self._identity or status.st_size < self._read_to:
            raise PositionLost(
                f"{self.path} was removed or replaced while it was open",
                hint="a topic directory cannot be swapped under a running reader or writer: restore it",
            )
        return status.st_size

    def _lock(self, sleep: Callable[[float], None]) -> None:
        for _ in range(LOCK_ATTEMPTS):
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sleep(LOCK_WAIT_S)
        raise TopicUnavailable(
            f"{self.path} is locked by another writer in the middle of its commit",
            hint="it was stopped or its disk hangs: see which process holds it with `fuser -v` on that file",
        )
