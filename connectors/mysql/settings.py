"""What a MySQL or MariaDB source is told."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.mysql.address import Address, address
from connectors.mysql.value_modes import DEFAULT_MODES, ValueModes
from streamtrain.tls import Tls

SnapshotMode = Literal["initial", "no_data", "when_needed"]
Follow = Literal["auto", "file"]

SYSTEM_DATABASES = frozenset({"mysql", "sys", "information_schema", "performance_schema"})

MOST_CHUNK_ROWS = 8_192
"""Of a table that are read at once: what is held in memory, and what the log waits for."""


@dataclass(frozen=True, slots=True)
class MysqlSettings:
    """A server, the tables of it that are captured, and how its log is followed."""

    url: str = field(repr=False)
    """``mysql://user:password@host:port/?options``; see ``address.py``."""
    include: tuple[str, ...]
    """Shell patterns over ``database.table``, case-sensitive."""
    prefix: str
    """The ``name`` in the records' source block, and the first part of the topics' names."""
    snapshot: SnapshotMode = "initial"
    """``initial``: all rows first; ``no_data``: changes from now on; ``when_needed``: ``initial``, and again on a lost
    position."""
    server_id: int | None = None
    """This replica's id, which no other server or replica may have; None takes one from ``prefix``."""
    modes: ValueModes = DEFAULT_MODES
    """How values are shown where there is a choice."""
    follow: Follow = "auto"
    """``auto``: by GTID where the server has them; ``file``: by file and offset always."""
    include_schema_changes: bool = True
    """Whether changes of structure are published too, and the tables that a snapshot finds."""
    max_rows: int = 8_192
    """Rows in one read, about, and rows of an unfinished transaction that are held back."""
    max_bytes: int = 1 << 24
    """As ``max_rows``, in bytes of rows as they lie in the log."""
    transaction_metadata: bool = False
    """Tell of transactions' beginnings and ends, and where in its transaction each row is."""
    include_query: bool = False
    """Tell the statement behind each row, where the server logs it (``binlog_rows_query_log_events`` on MySQL,
    ``binlog_annotate_row_events`` on MariaDB)."""
    chunk_rows: int = MOST_CHUNK_ROWS
    """Rows that a snapshot reads at once, at most, between two looks at the log."""
    snapshot_sessions: int = 1
    """Tables that a snapshot reads at once, each over a connection of its own."""
    range_rows: int = 50_000
    """Rows, about, of a table without a key that are read as of one moment, where ``snapshot_keys`` names a column."""
    snapshot_keys: Mapping[str, str] = field(default_factory=dict)
    """The column by which a snapshot reads ``database.table``, where its key will not do, or it has none."""
    lock_wait_s: int = 10
    """How long a snapshot of tables without a key waits for the lock it takes on MySQL: new writes wait as long behind."""
    heartbeat_s: float = 1.0
    """How often an idle server shows that it is there."""
    silence_s: float = 30.0
    """After this long without even a heartbeat the connection is taken for dead."""
    exclude: tuple[str, ...] = ()
    """Patterns of tables that are not captured though ``include`` names them."""
    tls: Tls | None = None
    """None takes what the options of ``url`` say."""

    @property
    def address(self) -> Address:
        """Where the server is, and how to log in. Raises ConfigError if ``url`` is no address."""
        return address(self.url, self.tls)

    @property
    def replica_id(self) -> int:
        """``server_id``, or one in the upper half of the range, where few servers are numbered, made of ``prefix``."""
        if self.server_id is not None:
            return self.server_id
        digest = hashlib.sha256(self.prefix.encode()).digest()
        return (1 << 31) | int.from_bytes(digest[:4], "big") >> 1

    def captures(self, database: str, table: str) -> bool:
        """Whether a table is captured. The server's own never are."""
        if database.lower() in SYSTEM_DATABASES:
            return False
        name = f"{database}.{table}"
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.exclude):
            return False
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.include)
