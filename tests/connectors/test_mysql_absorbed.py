"""Numbers and counts of transactions of which some changes go into an initial snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import count

import pytest

from connectors.mysql.snapshots.absorbed import Absorbed
from connectors.mysql.snapshots.splitting import passing
from connectors.source import Change, Row, SourceEvent, Table, TransactionEvent, TransactionPart
from streamtrain.envelope import Op
from tests.connectors.mysql_capture import Kept, follow, source_for, transaction
from tests.servers import Database

TABLE = Table("shop", "t", ("k", "v"), key=(0,))
OTHER = Table("shop", "o", ("k", "v"), key=(0,))
BEFORE: list[Row] = [(1, 0), (2, 0), (3, 0), (4, 0)]
AFTER: list[Row] = [(1, 1), (2, 1), (30, 1), (4, 1)]
YES, NO = True, False
END = TransactionEvent("END", "x", 0, {"shop.t": 5, "shop.o": 5})


def update(table: Table, total: int) -> Change:
    """Of five records, as one key changes."""
    return Change(table, Op.UPDATE, BEFORE, AFTER, {}, transaction=TransactionPart("x", total, 1))


def orders(changes: Iterator[Change] | tuple[Change, ...] | list[Change]) -> list[tuple[int, int]]:
    return [(at.total_order, at.data_collection_order) for change in changes if (at := change.transaction) is not None]


def test_what_goes_into_a_snapshot_leaves_no_gap_and_is_not_counted() -> None:
    absorbed = Absorbed()
    change = update(TABLE, 1)
    left = absorbed.renumbered(change, passing(change, [YES, NO, YES, NO], [YES, NO, NO, YES]))
    assert orders(list(left)) == [(1, 1), (2, 2), (3, 3)]
    following = update(OTHER, 6)
    assert orders(list(absorbed.renumbered(following, [following]))) == [(4, 1)]
    assert absorbed.told(END).counts == {"shop.t": 3, "shop.o": 5}
    assert absorbed.counts == {}


def test_a_moved_key_counts_as_two_only_where_both_halves_pass() -> None:
    for old, new, expected in ((YES, YES, 2), (YES, NO, 1), (NO, YES, 1), (NO, NO, None)):
        absorbed = Absorbed()
        change = update(TABLE, 1)
        absorbed.renumbered(change, passing(change, [NO, NO, old, NO], [NO, NO, new, NO]))
        assert absorbed.told(END).counts.get("shop.t") == expected


def test_a_transaction_that_passes_whole_is_left_as_it_is_and_the_next_one_begins_anew() -> None:
    absorbed = Absorbed()
    change = update(TABLE, 1)
    assert absorbed.renumbered(change, [change])[0] is change
    assert absorbed.told(END) is END
    absorbed.renumbered(change, [])
    assert absorbed.told(END).counts == {"shop.o": 5}
    assert absorbed.told(END) is END


def test_what_is_in_no_transaction_is_not_numbered() -> None:
    absorbed, change = Absorbed(), Change(TABLE, Op.TRUNCATE, None, None, {})
    assert list(absorbed.renumbered(change, [change])) == [change]
    assert absorbed.counts == {}


def numbers(change: Change) -> Iterator[tuple[str, int, int]]:
    """Table and both orders of each record that the change makes."""
    place = change.transaction
    assert place is not None
    total, own = count(place.total_order), count(place.data_collection_order)
    for at in range(len(change)):
        moved = change.op is Op.UPDATE and change.before is not None and change.after is not None
        twice = moved and change.before[at][0] != change.after[at][0]  # type: ignore[index]
        for _ in range(2 if twice else 1):
            yield change.table.name, next(total), next(own)


def exact(events: list[SourceEvent]) -> list[dict[str, int]]:
    """Holds what is told of each transaction against its records; the counts of each, in order."""
    records: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    counts, begun = list[dict[str, int]](), list[str]()
    for event in events:
        if isinstance(event, Change) and event.transaction is not None:
            assert event.transaction.id == begun[-1]
            records[event.transaction.id] += numbers(event)
        elif isinstance(event, TransactionEvent) and event.status == "BEGIN":
            begun.append(event.id)
        elif isinstance(event, TransactionEvent):
            assert event.id == begun[-1]
            found = records.get(event.id, [])
            assert [total for _, total, _ in found] == list(range(1, len(found) + 1))
            by_table: dict[str, list[int]] = defaultdict(list)
            for name, _, own in found:
                by_table[name].append(own)
            assert all(own == list(range(1, len(own) + 1)) for own in by_table.values())
            assert {name.partition(".")[2]: each for name, each in event.counts.items()} == {
                name: len(own) for name, own in by_table.items()
            }
            counts.append(dict(event.counts))
    assert len(set(begun)) == len(begun) == len(counts)
    return counts


@pytest.mark.servers
def test_transactions_within_a_snapshot_that_is_restarted_tell_the_records_that_they_have(
    sql_server: Database, sql_database: str
) -> None:
    rows = ", ".join(f"({n}, 0)" for n in range(2, 802, 2))
    for name in ("one", "two"):
        sql_server.execute(
            f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT)",
            f"INSERT INTO {name} VALUES {rows}",
            database=sql_database,
        )
    kept, events, passed = Kept(), list[SourceEvent](), 0
    for life in range(12):
        source = source_for(
            sql_server, f"{sql_database}.*", transaction_metadata=True, max_rows=50, chunk_rows=50, snapshot_sessions=2
        )
        events += follow(source, kept, batches=2 + life % 2)
        assert kept.position is not None
        passed += "absorbed" in kept.position
        assert "snapshots" in kept.position
        transaction(
            sql_server, sql_database,
            f"UPDATE one SET v = {life}", f"UPDATE two SET v = {life} WHERE id % 3 = 0",
            f"UPDATE one SET id = 801 - id WHERE id = {2 * life + 2}", f"DELETE FROM two WHERE id = {600 - 2 * life}",
        )  # fmt: skip
    events += follow(source_for(sql_server, f"{sql_database}.*", transaction_metadata=True, max_rows=50), kept)
    counts = exact(events)
    assert passed, "no restart was in the middle of a transaction of which a part went into the snapshot"
    assert any(0 < each.get(f"{sql_database}.one", 0) < 400 for each in counts)
    assert "absorbed" not in (kept.position or {})
