"""What the decoder makes of each binlog event. Every event also carries its header's fields.

Nothing changes an event once it is made. They are not frozen all the same, as there are five to a small transaction and
making one would take three times as long.

Format: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html and
https://mariadb.com/kb/en/replication-protocol/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.source import Row, Table
from streamtrain.envelope import Op


@dataclass(slots=True, kw_only=True)
class Event:
    """The header that all events share."""

    timestamp: int
    """When the statement began, by the server's clock, in seconds since 1970."""
    server_id: int
    """The server that first logged the event."""
    end_position: int
    """Where the next event begins in the file, modulo 2^32 in MySQL's files beyond 4 GiB; 0 if it is in no file."""
    size: int
    """Bytes of the event, header and checksum included."""
    artificial: bool
    """Made up by the server for this connection; it is not in the log."""


@dataclass(slots=True)
class Rotate(Event):
    """The log goes on in ``file`` at ``position``."""

    file: str
    position: int


@dataclass(slots=True)
class FormatDescription(Event):
    """How the events after it are laid out: the first event of each file, and of each connection."""

    server_version: str
    checksum: bool
    """Whether the events of this file end in a CRC32."""
    header_length: int
    mariadb: bool


@dataclass(slots=True)
class Query(Event):
    """A statement: BEGIN, COMMIT, XA …, DDL, or a change that was logged as a statement."""

    database: str
    sql: str
    thread_id: int
    status: bytes = b""
    """What the server tells of the session, as ``session.py`` reads it."""
    exact: bool = True
    """Whether ``sql`` is the statement to the letter: bytes that could not be decoded are escaped in it."""


@dataclass(slots=True)
class Xid(Event):
    """Commit of a transaction."""

    xid: int


@dataclass(slots=True)
class Gtid(Event):
    """Start of a transaction on MySQL."""

    gtid: str
    """``uuid:number`` or ``uuid:tag:number``; empty for an anonymous transaction."""
    committed_us: int | None
    """Commit on the server where the change was made first, in microseconds since 1970; None before MySQL 8.0.1."""
    anonymous: bool


@dataclass(slots=True)
class MariadbGtid(Event):
    """Start of a transaction, or of one statement that stands alone, on MariaDB."""

    gtid: str
    """``domain-server-sequence``."""
    standalone: bool
    """No commit follows: the group is the one event after this one (DDL, mostly)."""
    prepared_xa: bool
    """The group ends in an XA PREPARE."""
    completed_xa: bool
    """The group is the XA COMMIT or XA ROLLBACK of a prepared transaction."""
    unfinished_alter: bool = False
    """The group is the beginning of an ALTER TABLE, or its failure: ``binlog_alter_two_phase``."""


@dataclass(slots=True)
class MariadbGtidList(Event):
    """The last GTID of each domain and server before this file."""

    gtids: tuple[str, ...]


@dataclass(slots=True)
class PreviousGtids(Event):
    """The GTIDs logged before this file, as MySQL encodes the set."""

    raw: bytes


@dataclass(slots=True)
class Heartbeat(Event):
    """Nothing new: the server has sent all up to ``end_position`` of ``file``."""

    file: str


@dataclass(slots=True)
class XaPrepare(Event):
    """The rows since the transaction's start are prepared, and committed only if XA COMMIT of ``xid`` follows."""

    xid: str
    """As the server writes it into XA COMMIT and XA ROLLBACK: ``X'gtrid',X'bqual',format``."""
    one_phase: bool
    """XA COMMIT … ONE PHASE: this event is the commit itself."""


@dataclass(slots=True)
class TableMap(Event):
    """Announces the table of the row events that follow."""

    database: str
    name: str
    table_id: int
    """Its number as the server has it open; another one after each alteration, and after others too."""
    wanted: bool


@dataclass(slots=True)
class Rows(Event):
    """Rows of one table. ``before`` and ``after`` are of equal length where both are there."""

    table: Table
    op: Op
    before: list[Row] | None
    after: list[Row] | None
    thread_id: int | None
    """The connection that made the change, if its transaction began with a Query (MariaDB's begin with a GTID)."""
    image_size: int
    """Bytes of all its rows as they lie in the log."""

    @property
    def count(self) -> int:
        """The number of rows."""
        rows = self.after if self.after is not None else self.before
        return 0 if rows is None else len(rows)


@dataclass(slots=True)
class SkimmedRows(Event):
    """Rows of a table that is wanted, left undecoded: only their being there was asked for."""


@dataclass(slots=True)
class RowsQuery(Event):
    """The statement behind the row events that follow, as its client sent it."""

    sql: str


@dataclass(slots=True)
class TransactionPayload(Event):
    """The events of a transaction after its GTID, packed into this one."""

    events: Iterator[Event]
    """Decoded one by one as they are taken, and only before the next event is decoded. All have this event's position
    and size. Taking raises UnsupportedChange as decoding does."""


@dataclass(slots=True)
class PlainTransaction(Event):
    """A whole transaction of row events alone, read as one; the header's fields are those of its end, ``size`` is of all of it."""

    gtid: str
    """As in ``Gtid``."""
    committed_us: int | None
    changes: list[Rows]
    """Of tables that are wanted."""


@dataclass(slots=True)
class Ignored(Event):
    """An event without a change in it by its documented meaning, or rows of a table that is not wanted."""

    kind: str
