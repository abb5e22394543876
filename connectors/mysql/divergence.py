"""Which transactions stand between a stored position and a MariaDB server that refuses it: the server's own error names one.

MySQL is asked beforehand, by sets (``continuity``). MariaDB knows no sets: the last transaction of each server in each
domain (``gtid_binlog_state``), and the same for all that lies before the oldest log file, as that file's first events tell.
https://mariadb.com/kb/en/gtid/ and https://mariadb.com/kb/en/gtid_list_event/
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.mysql.connection import Connection
from connectors.mysql.position import LogPosition
from connectors.mysql.server import Server, binlog_files
from connectors.mysql.server_errors import POSITION_LOST_HINT
from streamtrain.errors import PositionLost

_FIRST_EVENTS = 3
_WAIT_OR_GO_BACK = "wait for the replica, or go back to the server that was read before; else "

Pairs = dict[tuple[int, int], int]
"""The last sequence number by (domain, server)."""


def explained(connection: Connection, server: Server, position: LogPosition, refused: PositionLost) -> PositionLost:
    """``refused``, with the transactions that are missing, as far as the server tells. Needs the right to monitor the log."""
    stored = _pairs(position.gtids or "")
    known = _pairs(connection.query("SELECT @@GLOBAL.gtid_binlog_state")[0][0])
    unknown = list(_unknown(stored, known))
    if unknown:
        return PositionLost(
            f"transactions {', '.join(unknown)} are published, but server {server.identity} does not know them: "
            f"it lags, was restored, or was promoted without them: {refused.message}",
            hint=_WAIT_OR_GO_BACK + POSITION_LOST_HINT,
        )
    purged = list(_purged(stored, _before_oldest_file(connection, server)))
    if purged:
        return PositionLost(
            f"transactions {', '.join(purged)} are purged, but not published: {refused.message}",
            hint=POSITION_LOST_HINT,
        )
    return refused


def _unknown(stored: Pairs, known: Pairs) -> Iterator[str]:
    for (domain, server), last in sorted(stored.items()):
        have = known.get((domain, server), 0)
        if have < last:
            yield _span(domain, server, have + 1, last)


def _purged(stored: Pairs, before: Pairs) -> Iterator[str]:
    published = {domain: last for (domain, _), last in stored.items()}
    for (domain, server), last in sorted(before.items()):
        if last > published.get(domain, 0):
            yield _span(domain, server, published.get(domain, 0) + 1, last)


def _span(domain: int, server: int, first: int, last: int) -> str:
    """MariaDB has no notation for several: ``0-1-7``, or ``0-1-7 to 0-1-9``."""
    end = f"{domain}-{server}-{last}"
    return end if first == last else f"{domain}-{server}-{first} to {end}"


def _before_oldest_file(connection: Connection, server: Server) -> Pairs:
    oldest = next(iter(binlog_files(connection, server)))
    rows = connection.query(f"SHOW BINLOG EVENTS IN %s LIMIT {_FIRST_EVENTS}", (oldest,), needs=server.monitor_right)
    listed = [row[5] for row in rows if row[2] == "Gtid_list"]
    return _pairs(listed[0].strip("[]")) if listed else {}


def _pairs(text: str) -> Pairs:
    """Read ``0-1-100,1-1-7``."""
    found: Pairs = {}
    for part in text.split(","):
        if part.strip():
            domain, server, sequence = map(int, part.split("-"))
            found[domain, server] = sequence
    return found
