"""Places in a transaction, and its counts, where changes of it went into an initial snapshot and have no record of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.mysql.record_counts import records
from connectors.source import Change, TransactionEvent


class Absorbed:
    """Takes out of numbers and counts what is not published of the transaction that is open. ``counts`` goes into the position."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        """``counts``: those of the position that is gone on at."""
        self.counts = dict(counts or {})
        """Records that the open transaction would have more, by table."""

    def renumbered(self, change: Change, passed: Sequence[Change]) -> Sequence[Change]:
        """``passed``, what is published of ``change``, with its places among what is published."""
        place = change.transaction
        if place is None:
            return passed
        name = change.table.full_name
        total = place.total_order - sum(self.counts.values())
        own = place.data_collection_order - self.counts.get(name, 0)
        renumbered, published = list[Change](), 0
        for part in passed:
            there = replace(place, total_order=total + published, data_collection_order=own + published)
            renumbered.append(part if part.transaction == there else replace(part, transaction=there))
            published += _records(part)
        missing = _records(change) - published
        if missing:
            self.counts[name] = self.counts.get(name, 0) + missing
        return renumbered

    def told(self, event: TransactionEvent) -> TransactionEvent:
        """The beginning or the end of a transaction, which counts what is published."""
        gone, self.counts = self.counts, {}
        left = {name: count - gone.get(name, 0) for name, count in event.counts.items()}
        return replace(event, counts={name: count for name, count in left.items() if count}) if gone else event


def _records(change: Change) -> int:
    return records(change.table, change.before, change.after, len(change))
