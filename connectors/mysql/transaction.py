"""One transaction that is open in the log, and the rows of it that are held until its end is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.source import Change


@dataclass(slots=True)
class Transaction:
    """Rows are counted as they stand in the log, those that a savepoint's rollback takes back among them."""

    gtid: str | None = None
    committed_us: int | None = None
    thread_id: int | None = None
    explicit: bool = False
    """It lasts until its own end; else it is the one statement that follows."""
    two_phase: bool = False
    """It may end in XA PREPARE, after which it may still be rolled back."""
    rows: int = 0
    """Rows of captured tables so far."""
    held_rows: int = 0
    held: list[tuple[int, Change]] = field(default_factory=list)
    """Changes, each with the number of rows before it."""
    savepoints: dict[str, int] = field(default_factory=dict)
    """Rows before each savepoint."""

    def add(self, change: Change, given: int) -> None:
        """Count ``change``, and hold those of its rows that are not among the first ``given`` of the transaction."""
        before, self.rows = self.rows, self.rows + len(change)
        if self.rows <= given:
            return
        if before < given:
            change = _without_first(change, given - before)
        self.held.append((before, change))
        self.held_rows += len(change)

    def drop_after(self, rows: int) -> None:
        """Take back all but the first ``rows`` rows. A savepoint lies between two statements, and so between changes."""
        while self.held and self.held[-1][0] >= rows:
            self.held_rows -= len(self.held.pop()[1])

    def take(self) -> list[Change]:
        """What is held, which is the caller's from now on."""
        changes = [change for _, change in self.held]
        self.held.clear()
        self.held_rows = 0
        return changes


def _without_first(change: Change, rows: int) -> Change:
    return Change(
        change.table,
        change.op,
        None if change.before is None else change.before[rows:],
        None if change.after is None else change.after[rows:],
        change.origin,
    )
