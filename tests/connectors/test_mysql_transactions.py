"""Transactions as the log tells them, event by event: what is given out, when, and the position after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.binlog import events
from connectors.mysql.emission import Emission
from connectors.mysql.origin import OriginWriter
from connectors.mysql.position import LogPosition, PreparedXa
from connectors.mysql.transaction import HoldLimits
from connectors.mysql.transactions import Transactions, TransactionSettings
from connectors.source import Change, SourceEvent, Table
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
        return events.Rows(TABLE, op, before, after, 77, 10 * len(ids), **self.header())

    def xid(self) -> events.Event:
        return events.Xid(9, **self.header())

    def heartbeat(self) -> events.Event:
        return events.Heartbeat("binlog.000003", **self.header(end_position=self.offset))

    def prepare(self, xid: str = "61", *, one_phase: bool = False) -> events.Event:
        return events.XaPrepare(f"X'{xid}',X'',1", one_phase, **self.header())


class Reading:
    """Transactions, and a log that they read again from where they ask for it."""

    def __init__(self, start: LogPosition = START, hold_rows: int = 1_000, **options: Any) -> None:
        self.emission = Emission(OriginWriter("mysql", "p"), metadata=options.pop("metadata", False), query=True)
        settings = TransactionSettings(
            lambda database, table: (database, table) == ("shop", "events"),
            HoldLimits(hold_rows, options.pop("hold_size", 1 << 30)),
            options.pop("lower_case_names", False),
            options.pop("find_prepared", never_prepared),
        )
        self.transactions = Transactions(start, self.emission, settings)
        self.log: list[events.Event] = options.pop("log", [])
        self.stops: list[tuple[LogPosition, list[SourceEvent]]] = []
        """The position after each event, and all that was given before it."""
        self.read_again = 0
        self._given: list[SourceEvent] = []

    def accept(self, event: events.Event) -> None:
        if event not in self.log:
            self.log.append(event)
        self._accept(event)
        wanted = self.transactions.wanted
        if wanted is None:
            return
        self.read_again += 1
        from_there = (each for each in self.log if each.end_position - each.size >= wanted.offset)
        while self.transactions.wanted is not None:
            self._accept(next(from_there))

    def _accept(self, event: events.Event) -> None:
        if isinstance(event, events.Rows) and self.transactions.skimming:
            event = events.SkimmedRows(
                timestamp=event.timestamp, server_id=1, end_position=event.end_position, size=SIZE, artificial=False
            )
        self.transactions.accept(event)
        ready = self.emission.take()
        self._given = [*self._given, *ready]
        self.stops.append((self.transactions.position(), self._given))

    def take(self) -> list[Any]:
        given, self._given = self._given, []
        return given

    def position(self) -> LogPosition:
        return self.transactions.position()


def never_prepared(xid: str, _before: LogPosition) -> PreparedXa:
    raise PositionLost(f"{xid} was never prepared")


def reading(start: LogPosition = START, hold_rows: int = 1_000, **options: Any) -> Reading:
    return Reading(start, hold_rows, **options)


def ids(changes: Sequence[SourceEvent]) -> list[int]:
    return [row[0] for change in changes if isinstance(change, Change) for row in change.after or change.before or ()]


def feed(transactions: Reading, *sent: events.Event) -> list[int]:
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


def test_rollbacks_to_savepoints_within_one_another_take_back_all_of_it() -> None:
    for hold_rows in (1_000, 1):
        log, transactions = Log(), reading(hold_rows=hold_rows)
        steps = [
            "SAVEPOINT a",
            1,
            "ROLLBACK TO a",
            2,
            "SAVEPOINT b",
            3,
            4,
            "SAVEPOINT c",
            5,
            "ROLLBACK TO c",
            6,
            "ROLLBACK TO b",
            7,
        ]
        sent = [log.gtid(1), log.query("BEGIN"), log.rows(0)]
        sent += [log.query(step) if isinstance(step, str) else log.rows(step) for step in steps]
        assert feed(transactions, *sent, log.xid()) == [0, 2, 7]


def test_a_rollback_to_a_savepoint_that_was_never_set_stops() -> None:
    log, transactions = Log(), reading()
    with pytest.raises(UnsupportedChange, match=r"unknown savepoint at binlog\.000003:1300"):
        feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1), log.query("ROLLBACK TO `a`"))


def test_a_large_transaction_is_given_out_in_pieces_once_its_end_has_come_and_goes_on_where_it_was() -> None:
    log, transactions = Log(), reading(hold_rows=3)
    beginning = [log.gtid(1), log.query("BEGIN"), log.rows(1, 2), log.rows(3, 4), log.rows(5)]
    rest = [log.rows(6), log.xid()]
    assert feed(transactions, *beginning) == []
    assert transactions.position() == START
    assert feed(transactions, *rest) == [1, 2, 3, 4, 5, 6]
    assert transactions.read_again == 1
    after = replace(START, offset=1_700, gtids=f"{UUID}:1")
    assert transactions.position() == after
    middles = {position.skip_rows: (position, before) for position, before in transactions.stops if position.skip_rows}
    assert sorted(middles) == [2, 4, 5, 6]
    for rows, (middle, before) in middles.items():
        assert middle == replace(START, skip_rows=rows, skip_gtid=f"{UUID}:1")
        again = reading(middle, hold_rows=3)
        assert again.position() == middle
        assert ids(before) + feed(again, *beginning, *rest) == [1, 2, 3, 4, 5, 6]
        assert again.position() == after


def test_rows_too_wide_to_be_held_are_read_again_however_few_they_are() -> None:
    log, transactions = Log(), reading(hold_size=25)
    assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1, 2), log.rows(3), log.xid()) == [1, 2, 3]
    assert transactions.read_again == 1


def test_a_row_of_a_large_transaction_stands_where_its_event_is() -> None:
    offsets = []
    for hold_rows in (1_000, 2):
        log, transactions = Log(), reading(hold_rows=hold_rows)
        feed_all = [log.gtid(1), log.query("BEGIN"), log.rows(1, 2), log.rows(3), log.xid()]
        for event in feed_all:
            transactions.accept(event)
        offsets.append([(change.origin["pos"], change.origin["gtid"]) for change in transactions.take()])
    assert offsets[0] == offsets[1] == [(1_200, f"{UUID}:1"), (1_300, f"{UUID}:1")]


def test_a_resumed_transaction_may_be_cut_into_other_events() -> None:
    log, transactions = Log(), reading(replace(START, skip_rows=3, skip_gtid=f"{UUID}:1"))
    changes: list[Change] = []
    for event in (log.gtid(1), log.query("BEGIN"), log.rows(1, 2), log.rows(3, 4, 5, op=Op.DELETE), log.xid()):
        transactions.accept(event)
    changes = transactions.take()
    assert [(change.op, change.before, change.after) for change in changes] == [(Op.DELETE, [(4,), (5,)], None)]
    assert changes[0].first_row == 1


@pytest.mark.parametrize(("ending", "kept"), [("ROLLBACK", []), ("ROLLBACK TO `s`", [1])])
def test_a_rollback_of_a_large_transaction_leaves_what_it_leaves_of_a_small_one(ending: str, kept: list[int]) -> None:
    for hold_rows in (1_000, 2):
        log, transactions = Log(), reading(hold_rows=hold_rows)
        sent = [log.gtid(1), log.query("BEGIN"), log.rows(1), log.query("SAVEPOINT s"), log.rows(2, 3), log.rows(4)]
        sent.append(log.query(ending))
        if kept:
            sent += [log.rows(5), log.xid()]
        assert feed(transactions, *sent) == [*kept, *([5] if kept else [])]
        assert transactions.position() == replace(START, offset=log.offset, gtids=f"{UUID}:1")


def test_a_transaction_that_was_published_in_part_and_is_rolled_back_now_stops() -> None:
    log, transactions = Log(), reading(replace(START, skip_rows=1, skip_gtid=f"{UUID}:1"))
    with pytest.raises(UnsupportedChange, match=r"rolled back at binlog\.000003:1300, after it was published in part"):
        feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1), log.query("ROLLBACK"))


@given(
    steps=st.lists(st.tuples(st.sampled_from("rsb"), st.integers(1, 4)), max_size=25),
    hold_rows=st.integers(1, 6),
)
def test_a_transaction_with_savepoints_gives_what_is_left_of_it_wherever_reading_goes_on(
    steps: list[tuple[str, int]], hold_rows: int
) -> None:
    log, number = Log(), 0
    sent = [log.gtid(1), log.query("BEGIN")]
    whole: list[int] = []
    savepoints: dict[str, int] = {}  # in the order in which they were set
    for kind, count in steps:
        name = f"s{count}"
        if kind == "r":
            sent.append(log.rows(*range(number, number + count)))
            whole += range(number, number + count)
            number += count
        elif kind == "s":
            sent.append(log.query(f"SAVEPOINT {name}"))
            savepoints.pop(name, None)
            savepoints[name] = len(whole)
        elif name in savepoints:
            sent.append(log.query(f"ROLLBACK TO {name}"))
            del whole[savepoints[name] :]
            names = list(savepoints)
            for later in names[names.index(name) + 1 :]:
                del savepoints[later]
    sent.append(log.xid())
    transactions = reading(hold_rows=hold_rows)
    assert feed(transactions, *sent) == whole
    for position, before in transactions.stops[:-1]:
        assert ids(before) + feed(reading(position, hold_rows=hold_rows), *sent) == whole


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


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE events EXCHANGE PARTITION p WITH TABLE other",
        "ALTER TABLE other EXCHANGE PARTITION p WITH TABLE events",
        "ALTER TABLE other.archive EXCHANGE PARTITION p WITH TABLE shop.events",
        "ALTER TABLE other CONVERT PARTITION p TO TABLE events",
        "ALTER TABLE other CONVERT TABLE events TO PARTITION p VALUES LESS THAN (5)",
        "ALTER TABLE events IMPORT TABLESPACE",
    ],
)
def test_rows_exchanged_with_elsewhere_stop_for_a_captured_table_on_either_side(sql: str) -> None:
    log = Log()
    with pytest.raises(UnsupportedChange, match=r"^shop\.events got or lost rows"):
        feed(reading(), log.gtid(1), log.query(sql))
    transactions = reading()
    others = sql.replace("events", "third")
    assert feed(transactions, log.gtid(2), log.query(others)) == []
    assert transactions.position().gtids == f"{UUID}:2"


def test_an_exchange_is_understood_in_any_case_where_the_server_stores_names_in_lower_case() -> None:
    log = Log()
    sent = [log.gtid(1), log.query("ALTER TABLE other EXCHANGE PARTITION p WITH TABLE Shop.EVENTS")]
    assert feed(reading(), *sent) == []
    with pytest.raises(UnsupportedChange, match=r"shop\.events"):
        feed(reading(lower_case_names=True), *sent)


def test_mariadbs_transactions_begin_with_their_gtid() -> None:
    start = LogPosition("mariadb", "1", "binlog.000003", 1_000, None)
    log, transactions = Log(), reading(start)
    group = events.MariadbGtid("0-1-7", standalone=False, prepared_xa=False, completed_xa=False, **log.header())
    assert feed(transactions, group, log.rows(1), log.query("COMMIT")) == [1]
    alone = events.MariadbGtid("0-1-8", standalone=True, prepared_xa=False, completed_xa=False, **log.header())
    assert feed(transactions, alone, log.query("CREATE TABLE x (a INT)")) == []
    assert transactions.position().offset == 1_500


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


@pytest.mark.parametrize("hold_rows", [1_000, 1])
def test_a_transaction_that_a_crash_of_the_server_cut_off_is_dropped(hold_rows: int) -> None:
    log, transactions = Log(), reading(hold_rows=hold_rows)
    assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1)) == []
    assert feed(transactions, events.FormatDescription("9", True, 19, False, **Log(20).header())) == []
    assert feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(7), log.xid()) == [7]


def test_a_transaction_that_a_crash_cut_off_after_it_was_published_in_part_stops() -> None:
    log, transactions = Log(), reading(replace(START, skip_rows=1, skip_gtid=f"{UUID}:1"))
    feed(transactions, log.gtid(1), log.query("BEGIN"), log.rows(1))
    with pytest.raises(UnsupportedChange, match="died"):
        transactions.accept(events.FormatDescription("9", True, 19, False, **Log(20).header()))


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


def test_going_on_by_gtid_beyond_four_gigabytes_passes_over_the_beginning_of_the_file() -> None:
    start = replace(START, offset=(1 << 32) + 3_000_000_000)
    transactions = reading(start)
    feed(transactions, events.FormatDescription("9", True, 19, False, **Log(20).header()))
    feed(transactions, events.PreviousGtids(b"", **Log(120).header()))
    assert transactions.position() == start
    log = Log(start.offset)
    for event in (log.gtid(1), log.query("BEGIN"), log.rows(1), log.xid()):
        transactions.accept(event)
    (change,) = transactions.take()
    assert change.origin["pos"] == start.offset + 200
    assert transactions.position().offset == start.offset + 400


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
