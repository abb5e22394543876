"""A transaction that is read a second time, now that it is known to be committed, and given out as it comes."""

from __future__ import annotations

from connectors.mysql.binlog import events
from connectors.mysql.emission import Commit, Emission
from connectors.mysql.offsets import Offsets
from connectors.mysql.position import LogPosition, PreparedXa
from connectors.mysql.server_errors import POSITION_LOST_HINT
from connectors.mysql.statements import Kind, classify
from connectors.mysql.transaction import in_ranges
from streamtrain.errors import PositionLost

_ENDS = frozenset({Kind.COMMIT, Kind.ROLLBACK, Kind.XA_COMMIT, Kind.XA_ROLLBACK})


class Again:
    """Takes the events from ``start`` on, where ``origin`` begins, up to its end."""

    def __init__(
        self, start: LogPosition, origin: PreparedXa, emission: Emission, commit: Commit, last: events.Event
    ) -> None:
        self.start = start
        self.commit = commit
        self.last = last
        """The event that committed it."""
        self._origin = origin
        self._emission = emission
        self._offsets = Offsets(origin.offset)
        self._query: str | None = None
        self._begun = False
        self._changes = 0

    def accept(self, event: events.Event) -> bool:
        """Take in the next event; True if it was the last one.

        Raises PositionLost if another transaction is there, or if it is not as it was.
        """
        self._offsets.pass_over(event)
        if isinstance(event, events.Gtid | events.MariadbGtid):
            self._begin(event.gtid or None)
        elif isinstance(event, events.Query):
            return self._statement(event)
        elif isinstance(event, events.RowsQuery):
            self._query = event.sql
        elif isinstance(event, events.Rows):
            self._rows(event)
        elif isinstance(event, events.Xid | events.XaPrepare):
            return self._end()
        return False

    def _begin(self, gtid: str | None) -> None:
        if self._begun or gtid != self._origin.gtid:
            raise self._lost(f"{gtid} is there")
        self._begun = True

    def _statement(self, event: events.Query) -> bool:
        kind = classify(event.sql, event.database).kind
        if kind in _ENDS:
            return self._end()
        if kind in {Kind.BEGIN, Kind.XA_START}:
            self._begun = True
        return False

    def _rows(self, event: events.Rows) -> None:
        if not self._begun:
            raise self._lost("it does not begin there")
        number, self._changes = self._changes, self._changes + 1
        if in_ranges(self._origin.taken_back, number):
            self.commit.rows += event.count
        else:
            place = self._origin.file, self._offsets.start_of(event)
            self._emission.rows_of(self.commit, event, place, self._query)

    def _end(self) -> bool:
        if self._changes != self._origin.changes:
            raise self._lost(f"it has {self._changes} row events, where it had {self._origin.changes}")
        return True

    def _lost(self, what: str) -> PositionLost:
        place = f"{self._origin.file}:{self._origin.offset}"
        return PositionLost(f"the transaction at {place} cannot be read again: {what}", hint=POSITION_LOST_HINT)
