"""XA transactions as the log tells them: their rows come when they are committed, from memory or from the log again."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from connectors.mysql.binlog import events
from connectors.mysql.position import LogPosition, PreparedXa
from connectors.source import Change
from streamtrain.errors import PositionLost
from tests.connectors.test_mysql_transactions import START, UUID, Log, Reading, feed, ids, reading


def xid(name: str) -> str:
    return f"X'{name}',X'',1"


def preparation(log: Log, name: str, *changes: events.Event) -> list[events.Event]:
    """``changes``, the first two events among them, and the end and the prepare after them."""
    return [*changes, log.query(f"XA END {xid(name)}"), log.prepare(name)]


def prepared(log: Log, number: int, name: str, *rows: int) -> list[events.Event]:
    begin = [log.gtid(number), log.query(f"XA START {xid(name)}")]
    return preparation(log, name, *begin, *[log.rows(row) for row in rows])


def ended(log: Log, number: int, name: str, how: str = "COMMIT") -> list[events.Event]:
    return [log.gtid(number), log.query(f"XA {how} {xid(name)}")]


def other(log: Log, number: int, row: int) -> list[events.Event]:
    return [log.gtid(number), log.query("BEGIN"), log.rows(row), log.xid()]


def test_rows_come_at_the_commit_after_what_was_committed_between() -> None:
    log, transactions = Log(), reading()
    assert feed(transactions, *prepared(log, 1, "61", 1, 2)) == []
    assert transactions.position().gtids == f"{UUID}:1"
    assert feed(transactions, *other(log, 2, 9)) == [9]
    assert feed(transactions, *ended(log, 3, "61")) == [1, 2]
    assert transactions.position() == replace(START, offset=log.offset, gtids=f"{UUID}:1-3")
    assert transactions.read_again == 0


def test_rows_tell_of_the_commit_not_of_the_prepare() -> None:
    log, transactions = Log(), reading()
    for event in [*prepared(log, 1, "61", 1), *ended(log, 7, "61")]:
        transactions.accept(event)
    (change,) = transactions.take()
    assert (change.origin["gtid"], change.origin["file"]) == (f"{UUID}:7", "binlog.000003")
    assert change.origin["pos"] == log.offset - 100
    assert change.origin["thread"] == 77


@pytest.mark.parametrize("hold_rows", [1_000, 1])
def test_none_come_after_a_rollback(hold_rows: int) -> None:
    log, transactions = Log(), reading(hold_rows=hold_rows)
    sent = [*prepared(log, 1, "61", 1, 2), *other(log, 2, 9), *ended(log, 3, "61", "ROLLBACK"), *other(log, 4, 10)]
    assert feed(transactions, *sent) == [9, 10]
    assert transactions.position() == replace(START, offset=log.offset, gtids=f"{UUID}:1-4")


def test_many_are_prepared_at_once_and_end_in_any_order() -> None:
    log, transactions = Log(), reading(hold_rows=6)
    names = [f"{number:02x}" for number in range(20)]
    for number, name in enumerate(names):
        assert feed(transactions, *prepared(log, number + 1, name, number * 2, number * 2 + 1)) == []
    assert len(transactions.position().prepared) == 20
    order = [*range(19, -1, -3), *range(18, -1, -3), *range(17, -1, -3)]
    given = []
    for at, number in enumerate(order):
        given += feed(transactions, *ended(log, 21 + at, names[number], "ROLLBACK" if number % 5 == 0 else "COMMIT"))
    assert given == [row for number in order if number % 5 for row in (number * 2, number * 2 + 1)]
    assert transactions.position().prepared == ()
    assert 0 < transactions.read_again < 16, "some are held in memory, the others are read again"


def test_after_a_restart_they_are_read_again_from_where_they_begin() -> None:
    log = Log()
    sent = [
        *prepared(log, 1, "61", 1, 2),
        *prepared(log, 2, "62", 3),
        *other(log, 3, 9),
        *ended(log, 4, "62", "ROLLBACK"),
    ]
    sent += [*ended(log, 5, "61"), *other(log, 6, 10)]
    whole = reading()
    assert feed(whole, *sent) == [9, 1, 2, 10]
    for at, (position, given) in enumerate(whole.stops[:-1]):
        stored = LogPosition.from_json(orjson.loads(orjson.dumps(position.to_json())))
        assert stored == position
        rest = [event for event in sent if event.end_position > stored.offset]
        again = reading(stored, log=list(sent))
        assert ids(given) + feed(again, *rest) == [9, 1, 2, 10], at
        assert again.position() == whole.position()


@pytest.mark.parametrize("hold_rows", [1, 2, 1_000])
def test_giving_out_goes_on_in_the_middle_of_a_commit(hold_rows: int) -> None:
    log = Log()
    sent = [*prepared(log, 1, "61", *range(5)), *other(log, 2, 9), *ended(log, 3, "61"), *other(log, 4, 10)]
    whole = reading(hold_rows=hold_rows)
    assert feed(whole, *sent) == [9, 0, 1, 2, 3, 4, 10]
    middles = [(position, given) for position, given in whole.stops if position.skip_rows]
    assert bool(middles) == (hold_rows < 5)
    for position, given in middles:
        rest = [event for event in sent if event.end_position > position.offset]
        assert ids(given) + feed(reading(position, hold_rows, log=list(sent)), *rest) == [9, 0, 1, 2, 3, 4, 10]


@pytest.mark.parametrize("hold_rows", [1_000, 2])
def test_what_a_savepoint_took_back_stays_away(hold_rows: int) -> None:
    log, transactions = Log(), reading(hold_rows=hold_rows)
    changes = [log.gtid(1), log.query(f"XA START {xid('61')}"), log.rows(1), log.query("SAVEPOINT s"), log.rows(2)]
    changes += [log.query("ROLLBACK TO s"), log.rows(3)]
    assert feed(transactions, *preparation(log, "61", *changes)) == []
    position = transactions.position()
    end = ended(log, 2, "61")
    assert feed(transactions, *end) == [1, 3]
    stored = LogPosition.from_json(orjson.loads(orjson.dumps(position.to_json())))
    assert feed(reading(stored, log=list(transactions.log)), *end) == [1, 3]


@pytest.mark.parametrize("hold_rows", [1_000, 2])
def test_a_commit_in_one_phase_is_one_at_once(hold_rows: int) -> None:
    log, transactions = Log(), reading(hold_rows=hold_rows)
    sent = [log.gtid(1), log.query(f"XA START {xid('62')}"), log.rows(1), log.rows(2), log.query(f"XA END {xid('62')}")]
    assert feed(transactions, *sent, log.prepare("62", one_phase=True)) == [1, 2]
    assert transactions.position().prepared == ()


def test_one_that_touched_no_captured_row_is_known_too() -> None:
    log, transactions = Log(), reading()
    assert feed(transactions, *prepared(log, 1, "61"), *ended(log, 2, "61")) == []
    assert transactions.read_again == 0


def test_one_that_was_prepared_before_reading_began_is_looked_for() -> None:
    log = Log()
    before = prepared(log, 1, "61", 1, 2)
    asked: list[tuple[str, LogPosition]] = []

    def find(name: str, position: LogPosition) -> PreparedXa:
        asked.append((name, position))
        return PreparedXa(name, UUID, "binlog.000003", 1_000, f"{UUID}:1", None, 2)

    start = replace(START, offset=log.offset, gtids=f"{UUID}:1")
    assert feed(reading(start, log=before, find_prepared=find), *ended(log, 2, "61")) == [1, 2]
    assert [(name, position.offset) for name, position in asked] == [(xid("61"), start.offset)]
    assert feed(reading(start), *ended(log, 3, "61", "ROLLBACK")) == []
    with pytest.raises(PositionLost):
        feed(reading(start), *ended(log, 4, "61"))


def test_another_transaction_in_its_place_stops() -> None:
    log = Log()
    history = [*other(log, 4, 1), *prepared(log, 1, "61", 1)]
    for changes, gtid in ((1, f"{UUID}:1"), (7, f"{UUID}:4")):
        origin = PreparedXa(xid("61"), UUID, "binlog.000003", 1_000, gtid, None, changes)
        start = replace(START, offset=log.offset, prepared=(origin,))
        with pytest.raises(PositionLost, match="cannot be read again") as caught:
            feed(reading(start, log=list(history)), *ended(log, 9, "61"))
        assert caught.value.hint


def wanted(start: LogPosition, origin: PreparedXa) -> LogPosition | None:
    log = Log(start.offset)
    transactions = Reading(replace(start, prepared=(origin,)))
    first, commit = ended(log, 9, "61")
    transactions.accept(first)
    transactions.transactions.accept(commit)
    return transactions.transactions.wanted


def test_where_it_is_read_again_is_told_by_gtid_on_another_server_and_beyond_4_gib() -> None:
    start = replace(START, gtids=f"{UUID}:1-8")
    origin = PreparedXa(xid("61"), UUID, "binlog.000002", 500, f"{UUID}:5", None, 1)
    by_gtid = f"{UUID}:1-4:6-8"
    for changes, gtids in (
        ({}, None),
        ({"offset": 1 << 32}, by_gtid),
        ({"server": "another"}, by_gtid),
        ({"server": "another", "before": "0-1-4"}, "0-1-4"),
    ):
        found = wanted(start, replace(origin, **changes))
        assert found is not None
        assert (found.file, found.gtids) == ("binlog.000002", gtids)
    with pytest.raises(PositionLost, match="another server"):
        wanted(replace(start, gtids=None), replace(origin, server="another"))


def test_mariadbs_prepare_and_completion_say_so_in_their_gtids() -> None:
    start = LogPosition("mariadb", "1", "binlog.000003", 1_000, "0-1-6")
    log, transactions = Log(), reading(start)
    header = log.header()
    group = events.MariadbGtid("0-1-7", standalone=False, prepared_xa=True, completed_xa=False, **header)
    assert feed(transactions, group, *preparation(log, "61", log.rows(1))) == []
    (origin,) = transactions.position().prepared
    assert (origin.gtid, origin.before, origin.offset, origin.changes) == ("0-1-7", "0-1-6", 1_000, 1)
    completed = events.MariadbGtid("0-1-8", standalone=True, prepared_xa=False, completed_xa=True, **log.header())
    transactions.accept(completed)
    transactions.accept(log.query(f"XA COMMIT {xid('61')}"))
    (change,) = transactions.take()
    assert isinstance(change, Change)
    assert (change.origin["gtid"], ids([change])) == ("0-1-8", [1])
    assert transactions.position() == replace(start, offset=log.offset, gtids="0-1-8")
