"""Where a SQLite source goes on: a change's number, and what tells that it still is the same change of the same file."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.source import Position
from streamtrain.errors import PositionLost


@dataclass(frozen=True, slots=True)
class ChangePosition:
    """After the change ``sequence`` of the database ``database``; ``sequence`` 0 is before the first one."""

    database: str
    """The random identity that capture gave to the file: another file's numbers mean nothing here."""
    sequence: int
    committed_ms: int | None
    """Of that change. In a copy restored from before it, the same number may belong to another change."""

    def document(self) -> Position:
        """The position as JSON."""
        return {"database": self.database, "sequence": self.sequence, "committed_ms": self.committed_ms}


def parsed(position: Position) -> ChangePosition:
    """The position in a JSON object. Raises PositionLost if it is not one of a SQLite source."""
    match position:
        case {"database": str(database), "sequence": int(sequence), "committed_ms": (int() | None) as committed_ms}:
            return ChangePosition(database, sequence, committed_ms)
    raise PositionLost(
        f"{sorted(position)} is not the position of a SQLite source",
        hint="this name was used for another kind of source: capture under a new name",
    )
