"""How many records the rows of an event make."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.source import Row, Table


def records(table: Table, before: Sequence[Row] | None, after: Sequence[Row] | None, rows: int) -> int:
    """How many the first ``rows`` rows make: an update that changes the key is a delete and a create."""
    key = table.key
    if before is None or after is None or not key:
        return rows
    pairs = zip(before[:rows], after[:rows], strict=True)
    return rows + sum(any(old[index] != new[index] for index in key) for old, new in pairs)
