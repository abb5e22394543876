"""XA transactions that are prepared: their rows are in the log, but count only once XA COMMIT comes, if it ever does."""

from __future__ import annotations

from connectors.mysql.position import PreparedXa
from connectors.mysql.transaction import Held, HoldLimits, Transaction


class PreparedTransactions:
    """Where each begins in the log, for all of them; and the changes of as many as fit into memory."""

    def __init__(self, known: tuple[PreparedXa, ...], limits: HoldLimits) -> None:
        self._known = {each.xid: each for each in known}
        self._held: dict[str, list[Held]] = {}
        self._held_rows = self._held_size = 0
        self._limits = limits
        self._listed: tuple[PreparedXa, ...] | None = known

    def listed(self) -> tuple[PreparedXa, ...]:
        """All of them, in the order of their preparation."""
        if self._listed is None:
            self._listed = tuple(self._known.values())
        return self._listed

    def add(self, xa: PreparedXa, transaction: Transaction) -> None:
        """Keep one, with its changes if they fit."""
        self._known[xa.xid] = xa
        self._listed = None
        fits = (
            self._held_rows + transaction.held_rows <= self._limits.rows
            and self._held_size + transaction.held_size <= self._limits.size
        )
        if fits and not transaction.deferred:
            self._held[xa.xid] = transaction.held
            self._held_rows += transaction.held_rows
            self._held_size += transaction.held_size

    def get(self, xid: str) -> PreparedXa | None:
        """What is known of one; None if it was prepared before reading began."""
        return self._known.get(xid)

    def held(self, xid: str) -> list[Held] | None:
        """Its changes, if they are in memory."""
        return self._held.get(xid)

    def remove(self, xid: str) -> None:
        """It is committed or rolled back, or was never there."""
        if self._known.pop(xid, None) is not None:
            self._listed = None
        for held in self._held.pop(xid, ()):
            self._held_rows -= held.event.count
            self._held_size -= held.event.image_size
