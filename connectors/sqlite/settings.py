"""What a SQLite source is told."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SnapshotMode = Literal["initial", "no_data", "when_needed"]

DATABASE = "main"
"""The database of every captured table: the name that SQLite itself gives to the file that was opened."""


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """A file, the tables of it that are captured, and what an opening without a position reads first."""

    path: Path
    include: tuple[str, ...]
    """Shell patterns over ``main.TABLE``, case-sensitive."""
    prefix: str
    """The ``name`` in the records' source block, and the first part of the topics' names."""
    snapshot: SnapshotMode = "initial"
    """``initial``: all rows first; ``no_data``: changes from now on; ``when_needed``: ``initial``, and again on a lost
    position."""
    exclude: tuple[str, ...] = ()
    """Patterns of tables that are not captured though ``include`` names them."""

    def includes(self, table: str) -> bool:
        """Whether ``table`` (without its database) is captured."""
        name = f"{DATABASE}.{table}"
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.exclude):
            return False
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.include)
