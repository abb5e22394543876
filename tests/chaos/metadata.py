"""The topic of transactions, against the records of the tables' topics: each is told once, and counted rightly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.chaos.topics import Partitions

Told = Sequence[tuple[str, dict[str, Any]]]
"""Place and document of each record of ``PREFIX.transaction``, in the order of its partitions."""


def misfits(told: Told, partitions: Partitions) -> Iterator[tuple[str, str, str]]:
    """Kind, place and description of all that does not fit. What went into a snapshot is not counted."""
    orders: dict[str, list[int]] = defaultdict(list)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for records in partitions.values():
        for record in records:
            part = record.transaction
            if part is not None and record.source is not None:
                orders[part["id"]].append(part["total_order"])
                name = record.source.get("table") or record.source["collection"]
                counts[part["id"]][f"{record.source['db']}.{name}"] += 1
    open_, ended = set[str](), set[str]()
    for place, document in told:
        identity = document["id"]
        if document["status"] == "BEGIN":
            if identity in open_ or identity in ended:
                yield "duplicate", place, f"transaction {identity} begins again"
            open_.add(identity)
            continue
        if identity in ended:
            yield "duplicate", place, f"transaction {identity} ends again"
        elif identity not in open_:
            yield "lost", place, f"transaction {identity} ends and has not begun"
        ended.add(identity)
        parts = {one["data_collection"]: one["event_count"] for one in document["data_collections"] or ()}
        if parts != dict(counts[identity]) or document["event_count"] != len(orders[identity]):
            yield "torn", place, f"{document} of {dict(counts[identity])} records"
        if sorted(orders[identity]) != list(range(1, len(orders[identity]) + 1)):
            yield "order", place, f"transaction {identity} numbers its records {sorted(orders[identity])[:50]}"
    for identity in sorted(orders.keys() - ended):
        yield "lost", "transaction", f"transaction {identity} has records and no end"
