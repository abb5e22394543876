"""Whole transactions of row events alone, found in what the server has sent: in C (``_plain.c``), where that was built.

An application's small transactions are five events each, GTID, BEGIN, TABLE_MAP, rows and XID, of which one says something.
From packets to messages a transaction of one row takes 45 microseconds event by event, and 20 as one.

Such a transaction is MySQL's, has a checksum, lies whole in what has arrived, and each TABLE_MAP is followed by one row event that
ends its statement. Anything else is read event by event, as everything is where there was no compiler. What comes of both
is the same.
"""

from __future__ import annotations

try:
    from connectors.mysql.binlog._plain import transactions
except ImportError:  # no compiler was there when this was installed
    BUILT = False
else:
    BUILT = True


FoundRows = tuple[bytes, int, int, int, int, int, int, int]
"""A row event with its TABLE_MAP: the TABLE_MAP's body behind the table's number; the row event's type, timestamp, server id, end in
its file and size; and where in what was searched it begins and ends."""

Found = tuple[bytes, int, int, int, tuple[FoundRows, ...], int, int, int, int]
"""A transaction: UUID of its GTID (empty if it has none) and number; its commit in microseconds since 1970 (0 before MySQL 8.0.1); the
thread; its row events; and, of its end, timestamp, server id and end in its file. Last, the bytes of all its events."""


def plain_transactions(data: bytes, at: int, sequence: int, largest: int) -> tuple[list[Found], int, int]:
    """Those of at most ``largest`` bytes that lie whole in the packets ``data[at:]``, up to the first that is none.

    With the place and the packet number (``sequence``) of that. Their events follow each other in one file, and their checksums
    fit.
    """
    return transactions(data, at, sequence, largest) if BUILT else ([], at, sequence)
