"""Where in its transaction each change is, and the beginnings and ends between them.

The stream tells a transaction by session and number, and not its end: that is known by the next event, or once the stream has
read past the transaction's time. What is counted goes into the position, so that a restart in the middle counts on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.mongo.change_event import Event
from connectors.mongo.client import Time
from connectors.mongo.extended_json import value_json
from connectors.source import TransactionEvent, TransactionPart


class Transactions:
    """Counts the published changes of the transaction that is open."""

    def __init__(self, open_one: Mapping[str, Any] | None) -> None:
        self._id = ""
        self._time = Time(0, 0)
        self._committed_ms = 0
        self._counts: dict[str, int] = {}
        if open_one is not None:
            self._id, self._committed_ms = str(open_one["id"]), int(open_one["committed_ms"])
            self._time, self._counts = Time(*open_one["time"]), dict(open_one["counts"])

    def to_json(self) -> dict[str, Any] | None:
        """The open transaction as it is kept in the position; None if there is none."""
        if not self._id:
            return None
        return {"id": self._id, "time": list(self._time), "committed_ms": self._committed_ms, "counts": self._counts}

    def placed(self, events: Sequence[Event]) -> tuple[list[TransactionEvent], list[TransactionPart | None]]:
        """The beginnings and ends that changes in commit order show, and the place of each."""
        told, parts = list[TransactionEvent](), list[TransactionPart | None]()
        for event in events:
            identity = _identity(event)
            if identity != self._id:
                told += self.ended()
                if identity:
                    self._id, self._time = identity, event.time
                    wall_ms = event.wall_time_ms
                    self._committed_ms = event.time.seconds * 1_000 if wall_ms is None else wall_ms
                    told.append(TransactionEvent("BEGIN", identity, self._committed_ms))
            if not identity:
                parts.append(None)
                continue
            name = ".".join(event.name)
            own = self._counts[name] = self._counts.get(name, 0) + 1
            parts.append(TransactionPart(identity, sum(self._counts.values()), own))
        return told, parts

    @property
    def time(self) -> Time | None:
        """The open transaction's; None if there is none."""
        return self._time if self._id else None

    def ended(self) -> list[TransactionEvent]:
        """The end of the open transaction, if there is one."""
        if not self._id:
            return []
        event = TransactionEvent("END", self._id, self._committed_ms, dict(self._counts))
        self._id, self._counts = "", {}
        return [event]


def _identity(event: Event) -> str:
    """The session's id in extended JSON and the transaction's number in it; empty for what is of none."""
    lsid = event.lsid
    return "" if lsid is None else f"{value_json(lsid).decode()}:{event.txn_number}"
