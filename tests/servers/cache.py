"""The folder where fetched servers are kept, so that a fresh clone starts without fetching again."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """The cache folder: ``$STREAMTRAIN_CACHE/servers``, else under the user's cache folder."""
    if named := os.environ.get("STREAMTRAIN_CACHE"):
        base = Path(named)
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamtrain"
    folder = base.expanduser().absolute() / "servers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock ``name`` against every other process that uses the same cache."""
    with (root() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """The folder ``name`` of the cache, filled by ``build`` if it is not there yet.

    ``build`` fills a temporary folder which is renamed when it is complete: the cache never holds half an entry, and of
    several processes that ask at once one builds and the others wait.
    """
    entry = root() / name
    if entry.is_dir():
        return entry
    with locked(name):
        if entry.is_dir():
            return entry
        staging = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".partial", dir=root()))
        try:
            build(staging)
            staging.rename(entry)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    return entry
