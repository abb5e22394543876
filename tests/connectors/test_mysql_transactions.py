"""Transactions as the log tells them, event by event: what is given out, when, and the position after it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.mysql.binlog import events
from connectors.mysql.origin import OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.transactions import Transactions
from connectors.source import Change, Table
from streamtrain.envelope import Op
from streamtrain.errors import PositionLost, StreamtrainError, UnsupportedChange

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
START = LogPosition("mysql", UUID, "binlog.000003", 1_000, "")
TABLE = Table("shop", "events", ("id",), (0,))
SIZE = 100


class Log:
    """Makes the events of a file, each of 100 bytes."""

    def __init__(self, offset: int = 1_000) -> None:
        self.offset = offset

    def header(self, **changes: Any) -> dict[str, Any]:
        self.offset += SIZE
        header = {"timestamp": 1_700_000_000, "server_id": 1, "size": SIZE, "artificial": False}
        return {**header, "end_position": self.offset % (1 << 32)} | changes

    def gtid(self, number: int) -> events.Event:
        return events.Gtid(f"{UUID}:{number}", 1_700_000_000_123_456, False, **self.header())

    def query(self, sql: str) -> events.Event:
        return events.Query("shop", sql, 77, **self.header())

    def rows(self, *ids: int, op: Op = Op.CREATE) -> events.Event:
        rows = [(number,) for number in ids]
        before, after = (rows, None) if op is Op.DELETE else (None, rows)
        return events.Rows(TABLE, op, before, after, 77, **self.header())

    def xid(self) -> events.Event:
        return events.Xid(9, **self.header())

    def heartbeat(self) -> events.Event:
        return events.Heartbeat("binlog.000003", **self.header(end_position=self.offset))

    def prepare(self, *, one_phase: bool) -> events.Event:
        return events.XaPrepare("X'61',X'',1", one_phase, **self.header())


def reading(start: LogPosition = START, hold_rows: int = 1_000, lower_case_names: bool = False) -> Transactions:
    captured = lambda database, table: (database, table) == ("shop", "events")  # noqa: E731
    return Transactions(
        start, captured, OriginWriter("mysql", "p"), hold_rows=hold_rows, lower_case_names=lower_case_names
    )


def ids(changes: list[Change]) -> list[int]:
    return [row[0] for change in changes for row in change.after or change.before or ()]


def feed(transactions: Transactions, *sent: events.Event) -> list[int]:
    for event in sent:
        transactions.accept(event)
    return ids(transactions.take())


def test_rows_are_given_out_when_their_transaction_ends_and_the_position_moves_past_it() -> None:
    log, transactions = Log(), reading()
    assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1, 2)) == []
    assert transactions.position() == START
    assert feed(transactions, log.rows(3), log.xid()) == [1, 2, 3]
    assert transactions.position() == replace(START, offset=1_500, gtids=f"{UUID}:1")


def test_a_change_tells_where_it_is_and_when_it_was_committed() -> None:
    log, transactions = Log(), reading()
    for event in (log.gtid(5), log.query("BEGIN"), log.rows(1), log.xid()):
        transactions.accept(event)
    (change,) = transactions.take()
    assert list(change.origin) == [
        "version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns", "table",
        "server_id", "gtid", "file", "pos", "row", "thread", "query",
    ]  # fmt: skip
    assert change.origin["gtid"] == f"{UUID}:5"
    assert (change.origin["file"], change.origin["pos"], change.origin["thread"]) == ("binlog.000003", 1_200, 77)
    assert (change.origin["ts_ms"], change.origin["ts_us"]) == (1_700_000_000_123, 1_700_000_000_123_456)
    assert change.origin["ts_ns"] == 1_700_000_000_123_456_000
    assert (change.origin["db"], change.origin["table"], change.origin["snapshot"]) == ("shop", "events", "false")


@pytest.mark.parametrize("ending", ["ROLLBACK", "rollback /* x */"])
def test_a_rollback_drops_what_was_held(ending: str) -> None:
    log, transactions = Log(), reading()
    assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1), log.query(ending)) == []
    assert transactions.position() == replace(START, offset=1_400, gtids=f"{UUID}:1")
    assert feed(transactions, log.gtid(2), log.query("BEGIN"), log.rows(2), log.xid()) == [2]


def test_a_rollback_to_a_savepoint_drops_the_rows_since() -> None:
    log, transactions = Log(), reading()
    sent = [
        log.gtid(1), log.query("BEGIN"), log.rows(1), log.query("SAVEPOINT `a`"), log.rows(2), log.query("SAVEPOINT `b`"),
        log.rows(3), log.query("ROLLBACK TO `b`"), log.rows(4), log.query("ROLLBACK TO `a`"), log.rows(5), log.xid(),
    ]  # fmt: skip
    assert feed(transactions, *sent) == [1, 5]


def test_a_rollback_to_a_savepoint_that_was_never_set_stops() -> None:
    log, transactions = Log(), reading()
    with pytest.raises(UnsupportedChange, match=r"unknown savepoint at binlog\.000003:1300"):
        feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1), log.query("ROLLBACK TO `a`"))


def test_a_large_transaction_is_given_out_in_pieces_and_goes_on_where_it_was() -> None:
    log, transactions = Log(), reading(hold_rows=3)
    beginning = [log.gtid(1), log.query("BEGIN"), log.rows(1, 2), log.rows(3, 4), log.rows(5)]
    rest = [log.rows(6), log.xid()]
    assert feed(transactions, *beginning) == [1, 2, 3, 4]
    middle = transactions.position()
    assert middle == replace(START, skip_rows=4, skip_gtid=f"{UUID}:1")
    assert feed(transactions, *rest) == [5, 6]
    again = reading(middle)
    assert again.position() == middle
    assert feed(again, *beginning, *rest) == [5, 6]
    assert again.position() == transactions.position() == replace(START, offset=1_700, gtids=f"{UUID}:1")


def test_a_resumed_transaction_may_be_cut_into_other_events() -> None:
    log, transactions = Log(), reading(replace(START, skip_rows=3, skip_gtid=f"{UUID}:1"))
    changes: list[Change] = []
    for event in (log.gtid(1), log.query("BEGIN"), log.rows(1, 2), log.rows(3, 4, 5, op=Op.DELETE), log.xid()):
        transactions.accept(event)
    changes = transactions.take()
    assert [(change.op, change.before, change.after) for change in changes] == [(Op.DELETE, [(4,), (5,)], None)]


@pytest.mark.parametrize("ending", ["ROLLBACK", "ROLLBACK TO `s`"])
def test_rows_that_were_given_out_and_are_rolled_back_stop(ending: str) -> None:
    log, transactions = Log(), reading(hold_rows=2)
    assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.query("SAVEPOINT s"), log.rows(1, 2)) == [1, 2]
    with pytest.raises(UnsupportedChange) as caught:
        feed(transactions, log.query(ending))
    assert "binlog.000003:1400" in caught.value.message
    assert caught.value.hint


@given(
    steps=st.lists(st.tuples(st.sampled_from("rsb"), st.integers(1, 4)), max_size=25),
    hold_rows=st.integers(1, 6),
)
def test_resuming_in_a_transaction_with_savepoints_gives_what_one_reading_gives(
    steps: list[tuple[str, int]], hold_rows: int
) -> None:
    log, number = Log(), 0
    sent = [log.gtid(1), log.query("BEGIN"), log.query("SAVEPOINT s1"), log.query("SAVEPOINT s2")]
    sent += [log.query("SAVEPOINT s3"), log.query("SAVEPOINT s4")]
    for kind, count in steps:
        if kind == "r":
            sent.append(log.rows(*range(number, number + count)))
            number += count
        else:
            sent.append(log.query(f"{'SAVEPOINT' if kind == 's' else 'ROLLBACK TO'} s{count}"))
    sent.append(log.xid())
    whole = feed(reading(hold_rows=1_000_000), *sent)
    transactions, given_out = reading(hold_rows=hold_rows), list[int]()
    stops: list[tuple[LogPosition, int]] = []
    try:
        for event in sent:
            given_out += feed(transactions, event)
            stops.append((transactions.position(), len(given_out)))
    except UnsupportedChange:
        assume(False)  # rows that were given out were taken back
    assert given_out == whole
    for position, count in stops[:-1]:
        assert whole[:count] + feed(reading(position, hold_rows=1_000_000), *sent) == whole


def test_the_position_stays_while_another_transaction_comes_than_the_one_that_was_half_published() -> None:
    log, transactions = Log(), reading(replace(START, skip_rows=1, skip_gtid=f"{UUID}:1"))
    with pytest.raises(PositionLost, match=f"{UUID}:2"):
        feed(transactions, log.gtid(2))
    elsewhere = reading(replace(START, gtids=None, skip_rows=1))
    with pytest.raises(PositionLost, match=r"binlog\.000003:1100"):
        feed(elsewhere, events.Ignored("QUERY", **log.header()), Log(1_100).query("BEGIN"))


def test_a_half_published_transaction_that_has_become_shorter_is_told() -> None:
    log, transactions = Log(), reading(replace(START, skip_rows=3, skip_gtid=f"{UUID}:1"))
    with pytest.raises(PositionLost, match=r"3 rows .* but it has 2"):
        feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1, 2), log.xid())


def test_a_statement_that_changes_rows_stops_in_and_out_of_a_transaction() -> None:
    for beginning in ([], ["BEGIN"]):
        log = Log()
        with pytest.raises(UnsupportedChange, match="INSERT") as caught:
            feed(
                reading(),
                log.gtid(1),
                *[log.query(sql) for sql in beginning],
                log.query("INSERT INTO t VALUES ('s3cret')"),
            )
        assert "binlog_format" in caught.value.hint
        assert "s3cret" not in str(caught.value)


def test_ddl_is_a_transaction_of_its_own_and_within_another_is_not() -> None:
    log, transactions = Log(), reading()
    assert feed(transactions, log.gtid(1), log.query("CREATE TABLE x (a INT)")) == []
    assert transactions.position() == replace(START, offset=1_200, gtids=f"{UUID}:1")
    assert (
        feed(transactions, log.gtid(2), log.query("BEGIN"), log.query("CREATE TABLE events (id INT) START TRANSACTION"))
        == []
    )
    assert feed(transactions, log.rows(1), log.xid()) == [1]
    assert transactions.position().gtids == f"{UUID}:1-2"


def test_a_truncate_of_a_captured_table_comes_as_one() -> None:
    log, transactions = Log(), reading()
    for event in (log.gtid(1), log.query("TRUNCATE TABLE events"), log.gtid(2), log.query("TRUNCATE other.events")):
        transactions.accept(event)
    (change,) = transactions.take()
    assert (change.op, change.table.full_name, change.before, change.after) == (Op.TRUNCATE, "shop.events", None, None)
    assert transactions.position().gtids == f"{UUID}:1-2"


def test_a_truncate_is_understood_in_any_case_where_the_server_stores_names_in_lower_case() -> None:
    log = Log()
    transactions = reading(lower_case_names=True)
    feed_all = [log.gtid(1), log.query("TRUNCATE TABLE Shop.EVENTS")]
    for event in feed_all:
        transactions.accept(event)
    assert [change.table.full_name for change in transactions.take()] == ["shop.events"]
    assert feed(reading(), *feed_all) == []


def test_rows_exchanged_from_elsewhere_stop_for_a_captured_table_alone() -> None:
    log = Log()
    assert feed(reading(), log.gtid(1), log.query("ALTER TABLE other EXCHANGE PARTITION p WITH TABLE events")) == []
    with pytest.raises(UnsupportedChange, match=r"shop\.events"):
        feed(reading(), log.gtid(2), log.query("ALTER TABLE events EXCHANGE PARTITION p WITH TABLE other"))


def test_an_xa_transaction_stops_at_its_prepare_if_it_touched_captured_rows() -> None:
    log, transactions = Log(), reading()
    assert (
        feed(
            transactions,
            log.gtid(1),
            log.query("XA START X'61'"),
            log.query("XA END X'61'"),
            log.prepare(one_phase=False),
        )
        == []
    )
    assert transactions.position().gtids == f"{UUID}:1"
    one_phase = [
        log.gtid(2),
        log.query("XA START X'62'"),
        log.rows(1),
        log.query("XA END X'62'"),
        log.prepare(one_phase=True),
    ]
    assert feed(transactions, *one_phase) == [1]
    with pytest.raises(UnsupportedChange, match="XA"):
        feed(
            transactions,
            log.gtid(3),
            log.query("XA START X'63'"),
            log.rows(1),
            log.query("XA END X'63'"),
            log.prepare(one_phase=False),
        )


def test_an_xa_transaction_is_never_given_out_before_its_prepare() -> None:
    log, transactions = Log(), reading(hold_rows=2)
    with pytest.raises(UnsupportedChange, match="XA"):
        feed(transactions, log.gtid(1), log.query("XA START X'63'"), log.rows(1, 2))
    assert transactions.take() == []


def test_mariadbs_transactions_begin_with_their_gtid() -> None:
    start = LogPosition("mariadb", "1", "binlog.000003", 1_000, None)
    log, transactions = Log(), reading(start)
    group = events.MariadbGtid("0-1-7", standalone=False, prepared_xa=False, completed_xa=False, **log.header())
    assert feed(transactions, group, log.rows(1), log.query("COMMIT")) == [1]
    alone = events.MariadbGtid("0-1-8", standalone=True, prepared_xa=False, completed_xa=False, **log.header())
    assert feed(transactions, alone, log.query("CREATE TABLE x (a INT)")) == []
    assert transactions.position().offset == 1_500
    completed = events.MariadbGtid("0-1-9", standalone=False, prepared_xa=False, completed_xa=True, **log.header())
    assert feed(transactions, completed, log.query("XA COMMIT X'61',X'',1")) == []
    assert transactions.position().offset == 1_700
    prepared = events.MariadbGtid("0-1-10", standalone=False, prepared_xa=True, completed_xa=False, **log.header())
    with pytest.raises(UnsupportedChange, match="XA"):
        feed(transactions, prepared, log.rows(2), log.query("XA END X'61',X'',1"), log.prepare(one_phase=False))


def test_a_server_without_gtids_is_followed_by_its_begins() -> None:
    log, transactions = Log(), reading(replace(START, gtids=None))
    assert feed(transactions, log.query("BEGIN"), log.rows(1), log.xid(), log.query("CREATE TABLE x (a INT)")) == [1]
    assert transactions.position() == replace(START, gtids=None, offset=1_400)


def test_files_are_followed_from_one_to_the_next() -> None:
    log, transactions = Log(), reading()
    made_up = {**log.header(), "artificial": True, "end_position": 0}
    feed(transactions, events.Rotate("binlog.000003", 4, **made_up))
    assert transactions.position() == START, "the server tells the file's name when it begins to send"
    feed(transactions, events.Rotate("binlog.000004", 4, **log.header()))
    assert (transactions.position().file, transactions.position().offset) == ("binlog.000004", 4)
    feed(transactions, events.FormatDescription("9", True, 19, False, **Log(20).header()))
    assert transactions.position().offset == 120


def test_the_events_at_the_beginning_of_a_file_do_not_move_the_position_back() -> None:
    transactions = reading()
    feed(transactions, events.FormatDescription("9", True, 19, False, **Log(20).header()))
    feed(transactions, events.PreviousGtids(b"", **Log(120).header()))
    assert transactions.position() == START


def test_a_transaction_that_a_crash_of_the_server_cut_off_is_dropped_unless_it_was_given_out() -> None:
    for hold_rows, lost in ((1_000, False), (1, True)):
        log, transactions = Log(), reading(hold_rows=hold_rows)
        feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1))
        format_description = events.FormatDescription("9", True, 19, False, **Log(20).header())
        if lost:
            with pytest.raises(UnsupportedChange, match="died"):
                transactions.accept(format_description)
            continue
        assert feed(transactions, format_description) == []
        assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(7), log.xid()) == [7]


def test_heartbeats_and_uncaptured_transactions_move_the_position() -> None:
    log, transactions = Log(), reading()
    feed(transactions, log.gtid(1), log.query("BEGIN"), events.Ignored("WRITE_ROWS", **log.header()), log.xid())
    assert transactions.position() == replace(START, offset=1_400, gtids=f"{UUID}:1")
    log.offset = 9_000
    feed(transactions, log.heartbeat())
    assert transactions.position().offset == 9_000


def test_offsets_beyond_four_gigabytes_are_counted_on() -> None:
    log = Log((1 << 32) - 250)
    transactions = reading(replace(START, offset=log.offset))
    assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1), log.rows(2), log.xid()) == [1, 2]
    assert transactions.position().offset == (1 << 32) + 250


@pytest.mark.parametrize("orphan", ["rows", "xid", "commit"])
def test_rows_and_commits_without_a_beginning_stop(orphan: str) -> None:
    log = Log()
    event = {"rows": log.rows(1), "xid": log.xid(), "commit": log.query("COMMIT")}[orphan]
    with pytest.raises(StreamtrainError, match="without a transaction"):
        feed(reading(), event)


def test_a_beginning_within_a_transaction_stops() -> None:
    log = Log()
    for beginning in (log.gtid(2), log.query("BEGIN")):
        with pytest.raises(UnsupportedChange, match="within another"):
            feed(reading(), log.gtid(1), log.query("BEGIN"), beginning)
