"""A folder of its own for each running server, gone with the process that asked for it."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import IO

from tests.servers import cache

LOCK = "owner.lock"


class InstanceFolder:
    """A fresh folder, locked by this process for as long as it lives.

    A test run that was killed cannot remove its folders; the lock shows that their owner is gone, and the next run
    removes them.
    """

    def __init__(self, name: str) -> None:
        parent = cache.root() / "instances"
        with cache.locked("instances"):
            parent.mkdir(exist_ok=True)
            _remove_abandoned(parent)
            self.path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
            self._lock = _lock(self.path / LOCK)

    def remove(self) -> None:
        """Delete the folder. Safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


def _lock(path: Path) -> IO[str] | None:
    """The lock's open file, or None if another process holds it or has just removed the folder."""
    try:
        file = path.open("w")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.iterdir():
        if (lock := _lock(folder / LOCK)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
