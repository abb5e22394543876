"""Offsets in a log file beyond 4 GiB, of which the events' headers hold the low 32 bits alone."""

from __future__ import annotations

from connectors.mysql.binlog import events

_HALF = 1 << 31
_GROUPS = (events.Gtid, events.MariadbGtid, events.Query, events.PlainTransaction)


class Offsets:
    """Follows one file's events in order, from one at about ``start`` on."""

    def __init__(self, start: int = 0) -> None:
        self._wraps = start >> 32
        self._last = start & 0xFFFFFFFF
        self._begun = False

    def pass_over(self, event: events.Event) -> None:
        """Take note of the next event. A fall by half of the range is a step past a multiple of 4 GiB.

        Not so before the first transaction: a connection by GTID begins with what stands at the beginning of the file.
        """
        if not event.end_position or event.artificial:
            return
        if not self._begun:
            if not isinstance(event, _GROUPS):
                return
            self._begun = True
        self._wraps += self._last - event.end_position > _HALF
        self._last = event.end_position

    def end_of(self, event: events.Event) -> int:
        """Where the event last passed over ends."""
        return ((self._wraps if self._begun else 0) << 32) + event.end_position

    def start_of(self, event: events.Event) -> int:
        """Where it begins."""
        return self.end_of(event) - event.size
