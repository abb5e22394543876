"""MariaDB's consistent snapshots: a view of the rows that knows its own place in the log.

https://mariadb.com/kb/en/start-transaction/

At the beginning of a log file the place can be ahead of the view: the server goes over to a new file before the last transactions of the
old one are visible. Of 4,017 views on a server (10.11.18) that changed files all the time 8 were so, each at a file's beginning. What such
a view lacks still has its rows locked: a locking read waits for it. That takes no right but SELECT.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.mysql.connection import Connection
from streamtrain.errors import SourceMisconfigured

LOCK = " LOCK IN SHARE MODE"
"""What a read has to end with to wait for the rows that are locked."""
LOCK_WAIT_S = 2
PATIENCE = 3
"""So often a read waits that long. A transaction that is being committed has its rows locked for moments only; what is locked after that is
one that goes on, or was prepared by XA and left alone: nothing of either is visible, nor has to be."""
_FIRST = 4
_HEADERS = 1 << 16
"""Bytes that the events at the beginning of a file never need: the GTIDs of 4,000 servers would."""


class Place(NamedTuple):
    """Up to where a view has seen the log."""

    file: str
    offset: int


def begin_view(connection: Connection) -> Place:
    """Begin a transaction with a view of its own; for the place to be true, see ``begins_file``."""
    connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    status = dict(connection.query("SHOW STATUS LIKE 'binlog_snapshot_%'"))
    file = status.get("Binlog_snapshot_file", "")
    if not file:
        raise SourceMisconfigured("the server keeps no binary log", hint="start it with --log-bin")
    return Place(file, int(status["Binlog_snapshot_position"]))


def begins_file(connection: Connection, place: Place) -> bool:
    """Whether no transaction stands before ``place`` in its file, so that the view may lack some of the file before."""
    if place.offset > _HEADERS:
        return False
    file, offset = place
    first, here = connection.query(
        "SELECT BINLOG_GTID_POS(%s, %s), BINLOG_GTID_POS(%s, %s)", (file, _FIRST, file, offset)
    )[0]
    return bool(first == here)


def end_view(connection: Connection) -> None:
    """End the transaction, and have the next statement lock rows alone and not what lies between them."""
    connection.query("ROLLBACK")
    connection.query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
