"""Transaction metadata as the log's events make it: one beginning, exact numbers, one end, over restarts at any point."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.mysql.binlog import events
from connectors.mysql.position import LogPosition
from connectors.source import Change, SourceEvent, Table, TransactionEvent, TransactionPart
from streamtrain.envelope import Op
from tests.connectors.test_mysql_transactions import START, TABLE, UUID, Log, reading

OTHER = Table("shop", "users", ("id",))
GTID = f"{UUID}:1"


def other_rows(log: Log, *ids: int) -> events.Event:
    return events.Rows(OTHER, Op.CREATE, None, [(number,) for number in ids], 77, 10, **log.header())


def update(log: Log, *pairs: tuple[int, int]) -> events.Event:
    before, after = [(old,) for old, _ in pairs], [(new,) for _, new in pairs]
    return events.Rows(TABLE, Op.UPDATE, before, after, 77, 10, **log.header())


def told(given: list[SourceEvent]) -> list[Any]:
    found: list[Any] = []
    for event in given:
        if isinstance(event, TransactionEvent):
            found.append((event.status, event.id, event.committed_ms, dict(event.counts)))
        else:
            assert isinstance(event, Change)
            part = event.transaction
            found.append(part and (event.table.name, part.total_order, part.data_collection_order, len(event)))
    return found


def transaction(log: Log) -> list[events.Event]:
    return [
        log.gtid(1), log.query("BEGIN"), log.rows(1, 2), other_rows(log, 7), log.rows(3), other_rows(log, 8, 9), log.xid(),
    ]  # fmt: skip


WHOLE = [
    ("BEGIN", GTID, 1_700_000_000_123, {}),
    ("events", 1, 1, 2),
    ("users", 3, 1, 1),
    ("events", 4, 3, 1),
    ("users", 5, 2, 2),
    ("END", GTID, 1_700_000_000_123, {"shop.events": 3, "shop.users": 3}),
]


@pytest.mark.parametrize("hold_rows", [1_000, 1])
def test_changes_are_numbered_between_a_beginning_and_an_end(hold_rows: int) -> None:
    transactions = reading(hold_rows=hold_rows, metadata=True)
    for event in transaction(Log()):
        transactions.accept(event)
    assert told(transactions.take()) == WHOLE


def test_going_on_anywhere_tells_the_rest_and_no_second_beginning() -> None:
    log = Log()
    sent = [*transaction(log), log.gtid(2), log.query("BEGIN"), log.rows(5), log.xid()]
    whole = reading(hold_rows=1, metadata=True)
    for event in sent:
        whole.accept(event)
    everything = told(whole.take())
    assert everything[: len(WHOLE)] == WHOLE
    middles = 0
    for position, given in whole.stops:
        stored = LogPosition.from_json(orjson.loads(orjson.dumps(position.to_json())))
        again = reading(stored, hold_rows=1, metadata=True)
        for event in sent:
            if event.end_position > stored.offset:
                again.accept(event)
        assert told(given) + told(again.take()) == everything
        middles += position.skip_rows > 0
    assert middles > 3


def test_a_row_whose_key_changes_counts_as_the_two_changes_that_it_is_published_as() -> None:
    log, transactions = Log(), reading(metadata=True)
    for event in (log.gtid(1), log.query("BEGIN"), update(log, (1, 1), (2, 12), (3, 3)), log.rows(4), log.xid()):
        transactions.accept(event)
    assert told(transactions.take())[1:] == [
        ("events", 1, 1, 3),
        ("events", 5, 5, 1),
        ("END", GTID, 1_700_000_000_123, {"shop.events": 5}),
    ]


def test_what_a_rollback_took_back_is_neither_told_nor_counted() -> None:
    for hold_rows in (1_000, 1):
        log, transactions = Log(), reading(hold_rows=hold_rows, metadata=True)
        sent = [log.gtid(1), log.query("BEGIN"), log.query("SAVEPOINT s"), log.rows(1, 2), log.query("ROLLBACK TO s")]
        for event in [
            *sent,
            log.rows(3),
            log.xid(),
            log.gtid(2),
            log.query("BEGIN"),
            log.rows(4),
            log.query("ROLLBACK"),
        ]:
            transactions.accept(event)
        assert told(transactions.take()) == [
            ("BEGIN", GTID, 1_700_000_000_123, {}),
            ("events", 1, 1, 1),
            ("END", GTID, 1_700_000_000_123, {"shop.events": 1}),
        ]
        middle = [position for position, _ in transactions.stops if position.skip_rows]
        assert [position.skip_rows for position in middle] == ([3] if hold_rows == 1 else [])


def test_a_transaction_without_captured_rows_begins_and_ends_and_ddl_does_not() -> None:
    log, transactions = Log(), reading(metadata=True)
    for event in (log.gtid(1), log.query("CREATE TABLE x (a INT)"), log.gtid(2), log.query("TRUNCATE TABLE events")):
        transactions.accept(event)
    (truncate,) = transactions.take()
    assert isinstance(truncate, Change)
    assert truncate.transaction is None
    for event in (log.gtid(3), log.query("BEGIN"), events.Ignored("WRITE_ROWS", **log.header()), log.xid()):
        transactions.accept(event)
    assert [row[0] for row in told(transactions.take())] == ["BEGIN", "END"]


def test_an_xa_transaction_begins_and_ends_where_it_is_committed() -> None:
    log, transactions = Log(), reading(metadata=True)
    for event in (
        log.gtid(1),
        log.query("XA START X'61',X'',1"),
        log.rows(1),
        log.query("XA END X'61',X'',1"),
        log.prepare(),
    ):
        transactions.accept(event)
    assert transactions.take() == []
    for event in (log.gtid(2), log.query("XA COMMIT X'61',X'',1")):
        transactions.accept(event)
    begin, change, end = transactions.take()
    assert (begin.status, end.status, end.counts) == ("BEGIN", "END", {"shop.events": 1})
    assert begin.id == end.id == change.transaction.id == change.origin["gtid"] == f"{UUID}:2"


def test_a_transaction_without_a_gtid_is_named_by_its_place() -> None:
    log = Log()
    transactions = reading(LogPosition("mysql", UUID, START.file, START.offset, None), metadata=True)
    for event in (log.query("BEGIN"), log.rows(1), log.xid()):
        transactions.accept(event)
    begin, change, end = transactions.take()
    assert begin.id == end.id == "file=binlog.000003,pos=1000"
    assert change.transaction == TransactionPart(begin.id, 1, 1)
