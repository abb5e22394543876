"""What makes a chunk exact: it sees all that the log has given so far, and nothing beyond a place that is known.

A server writes a transaction to its log, and sends it from there, a moment before others see its rows. So a SELECT might
miss what the log has given already. Three ways to be sure, none of which writes; the first and the last lock nothing:

- MySQL with GTIDs: ``gtid_executed`` takes in a transaction once its rows are seen.
- MySQL without: a locking read waits for rows that are between the log and their commit.
- MariaDB: a consistent snapshot knows its own place in the log, save at the beginning of a file (``mariadb_views``).
  It is one of rows and not of names: the table may have been renamed after it, so that the log's end is asked for too.
"""

from __future__ import annotations

from typing import Protocol

from connectors.mysql.connection import Connection
from connectors.mysql.gtid import GtidSet
from connectors.mysql.mariadb_views import LOCK, LOCK_WAIT_S, PATIENCE, Place, begin_view, begins_file, end_view
from connectors.mysql.position import LogPosition
from connectors.mysql.server import Flavor, Server, log_end


class Watermarks(Protocol):
    """Brackets one SELECT on ``reader``: ``low`` before it, ``high`` after its last row."""

    lock: str
    """What the SELECT has to end with."""

    def low(self, position: LogPosition) -> bool:
        """Whether a SELECT that is asked now sees all before ``position``; if not yet, ask again a little later."""

    def high(self) -> LogPosition:
        """A place before which lies all that the SELECT saw."""


class GtidWatermarks:
    """MySQL with GTIDs."""

    lock = ""

    def __init__(self, reader: Connection, control: Connection, server: Server) -> None:
        reader.query("SET SESSION max_execution_time = 0")
        self._control = control
        self._server = server
        self._seen = GtidSet()

    def low(self, position: LogPosition) -> bool:
        given = GtidSet.parse(position.gtids or "")
        if not self._seen.covers(given):
            self._seen = GtidSet.parse(self._control.query("SELECT @@GLOBAL.gtid_executed")[0][0])
        return self._seen.covers(given)

    def high(self) -> LogPosition:
        end = log_end(self._control, self._server)
        self._seen = GtidSet.parse(end.gtids or "")
        return end


class LockingWatermarks:
    """MySQL without GTIDs. The read needs no right but SELECT from MySQL 8.0.22 on.

    For the length of a chunk writers of its rows wait, and one that locks them in another order may have to try again.
    """

    lock = " FOR SHARE"

    def __init__(self, reader: Connection, control: Connection, server: Server, lock_wait_s: int) -> None:
        reader.query("SET SESSION max_execution_time = 0")
        # Locks on the rows alone, so that others may insert between them.
        reader.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        reader.query("SET SESSION innodb_lock_wait_timeout = %s", (lock_wait_s,))
        self._control = control
        self._server = server

    def low(self, position: LogPosition) -> bool:
        del position
        return True

    def high(self) -> LogPosition:
        return log_end(self._control, self._server)


class MariadbWatermarks:
    """MariaDB: each chunk in a consistent snapshot of its own, but for those that begin where a log file does."""

    def __init__(self, reader: Connection, control: Connection, server: Server) -> None:
        reader.query("SET SESSION max_statement_time = 0")
        reader.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.query("SET SESSION innodb_lock_wait_timeout = %s", (LOCK_WAIT_S,))
        self.lock = ""
        self._waits: tuple[Place | None, int] = (None, 0)
        """How often a read that began where a file does has waited in vain, and where."""
        self._reader = reader
        self._control = control
        self._server = server

    def low(self, position: LogPosition) -> bool:
        in_vain, self.lock = bool(self.lock), ""
        place = begin_view(self._reader)
        seen = LogPosition(self._server.flavor.value, self._server.identity, *place, None)
        if seen.is_before(position):
            self._reader.query("ROLLBACK")
            return False
        if begins_file(self._control, place) and self._may_wait(place, in_vain=in_vain):
            end_view(self._reader)
            self.lock = LOCK
        return True

    def _may_wait(self, place: Place, *, in_vain: bool) -> bool:
        before, count = self._waits
        self._waits = (place, count + in_vain if place == before else 0)
        return self._waits[1] < PATIENCE

    def high(self) -> LogPosition:
        self.lock = ""
        self._reader.query("ROLLBACK")
        return log_end(self._control, self._server)


def watermarks(reader: Connection, control: Connection, server: Server, lock_wait_s: int) -> Watermarks:
    """The way that suits the server."""
    if server.flavor is Flavor.MARIADB:
        return MariadbWatermarks(reader, control, server)
    if server.by_gtid:
        return GtidWatermarks(reader, control, server)
    return LockingWatermarks(reader, control, server, lock_wait_s)
