"""Incremental snapshots, begun and ended by signals while changes are streamed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import orjson
import pytest

from connectors.mysql.source import MysqlSource
from connectors.source import Change, Position
from streamtrain.envelope import Op
from tests.connectors.mysql_capture import settings_for
from tests.connectors.test_mysql_chunks import KINDS, Folding, drained, filled, final, writing
from tests.servers import Database

pytestmark = pytest.mark.servers


class Signals:
    """A channel that holds what the test puts in."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, kind: str, *tables: str, **data: Any) -> None:
        document = {"id": str(len(self.sent)), "type": kind, "data": {"data-collections": tables, **data}}
        self.sent.append(orjson.dumps(document))

    def read(self, offset: int | None) -> tuple[int | None, Sequence[bytes]]:
        begin = len(self.sent) if offset is None else offset
        return len(self.sent), self.sent[begin:]

    def close(self) -> None:
        """Nothing is held."""


class Topic:
    """What the changes make; a row that is read again has to be as the topic has it already."""

    def __init__(self) -> None:
        self.fold = Folding()
        self.again: list[Any] = []
        self.told: set[tuple[Any, ...]] = set()
        """Keys of rows that were read again or written."""

    def take(self, changes: Sequence[Any]) -> None:
        for change in changes:
            assert isinstance(change, Change)
            if change.op is Op.READ and change.origin["snapshot"] == "incremental":
                for row in change.after or ():
                    identity = tuple(row[index] for index in change.table.key)
                    assert not identity or self.fold.rows.get(identity) == row, f"{row} is not what was streamed"
                    self.again.append(row)
            else:
                self.fold.take([change])
            self.told |= {tuple(row[index] for index in change.table.key) for row in change.after or ()}


def source_with(server: Database, include: str, signals: Signals, **options: Any) -> MysqlSource:
    ticks = iter(range(10**9))  # every look at the clock is a second later: signals are looked for at each read
    settings = settings_for(server, include, chunk_rows=20, include_schema_changes=False, silence_s=1e9, **options)
    return MysqlSource(settings, monotonic=lambda: float(next(ticks)), signals=signals)


def read_until_done(source: MysqlSource, topic: Topic) -> Position:
    """Read until nothing is left of what signals have asked for: they are heard by the first read."""
    position: Position | None = None
    while position is None or "snapshots" in position:
        batch = source.read(0.02)
        topic.take(batch.changes)
        position = batch.position
    return position


def read_by_table(source: MysqlSource) -> dict[str, list[Any]]:
    """All rows that a signal has read again, by table, in their order."""
    rows, position = dict[str, list[Any]](), None
    while position is None or "snapshots" in position:
        batch = source.read(0.02)
        position = batch.position
        for change in batch.changes:
            assert isinstance(change, Change)
            assert change.origin["snapshot"] == "incremental"
            rows.setdefault(change.table.name, []).extend(change.after or ())
    return rows


@pytest.mark.parametrize("name", ["integer", "text without case", "composite", "no order"])
def test_rows_come_again_as_they_were_streamed_while_others_write_and_the_connector_restarts(
    sql_server: Database, sql_database: str, name: str
) -> None:
    filled(sql_server, sql_database, KINDS[name])
    signals, topic = Signals(), Topic()
    with closing(source_with(sql_server, f"{sql_database}.t", signals)) as source:
        source.open(None)
        position = drained(source, topic.fold)
        signals.send("execute-snapshot", f"{sql_database}\\..*")
        topic.told.clear()
        with writing(sql_server, sql_database, KINDS[name]):
            held, turn = list[Any](), 0
            while position is None or "snapshots" in position or turn < 3:
                batch = source.read(0.02)
                held += batch.changes
                turn += 1
                if batch.position is not None:
                    topic.take(held)
                    held, position = [], batch.position
                if turn % 9 == 0:
                    held = []
                    source.open(orjson.loads(orjson.dumps(position)))
        end = source.end()
        while not source.reached(end):
            topic.take(source.read(0.2).changes)
    assert len(topic.again) == len(set(topic.again))
    assert len(topic.again) > 100
    assert topic.told >= set(topic.fold.rows)
    assert set(topic.fold.rows.values()) == final(sql_server, sql_database)


def test_a_snapshot_is_paused_resumed_and_stopped(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database, KINDS["integer"])
    signals, topic = Signals(), Topic()
    with closing(source_with(sql_server, f"{sql_database}.t", signals)) as source:
        source.open(None)
        drained(source, topic.fold)
        signals.send("execute-snapshot", f"{sql_database}.t")
        while not topic.again:
            topic.take(source.read(0.02).changes)
        signals.send("pause-snapshot")
        source.read(0.02)
        paused = source.read(0.02)
        assert paused.position is not None
        assert paused.position["snapshots"][0]["paused"]
        source.open(orjson.loads(orjson.dumps(paused.position)))
        before = len(topic.again)
        topic.take(source.read(0.02).changes)
        assert len(topic.again) == before
        signals.send("resume-snapshot")
        while len(topic.again) == before:
            topic.take(source.read(0.02).changes)
        signals.send("stop-snapshot", f"{sql_database}.t")
        read_until_done(source, topic)
    assert 0 < len(topic.again) < 400
    assert len(topic.again) == len(set(topic.again))


def test_a_condition_chooses_the_rows_that_are_read_and_none_of_those_that_are_streamed(
    sql_server: Database, sql_database: str
) -> None:
    filled(sql_server, sql_database, KINDS["integer"])
    signals, topic = Signals(), Topic()
    with closing(source_with(sql_server, f"{sql_database}.t", signals)) as source:
        source.open(None)
        drained(source, topic.fold)
        table = f"{sql_database}.t"
        signals.send(
            "execute-snapshot",
            table,
            **{"additional-conditions": [{"data-collection": table, "filter": "k % 100 = 0 -- x"}]},
        )
        sql_server.execute("UPDATE t SET amount = 5 WHERE k = 2", database=sql_database)
        position = read_until_done(source, topic)
        end = source.end()
        while not source.reached(end):
            topic.take(source.read(0.02).changes)
    assert topic.again == [(key, 0) for key in range(-200, 600, 100)]
    assert topic.fold.rows[2,] == (2, 5)
    assert position["signals"] == 1


def test_rows_are_read_in_the_order_of_the_column_that_a_signal_names_while_others_write(
    sql_server: Database, sql_database: str
) -> None:
    filled(sql_server, sql_database, KINDS["integer"])
    sql_server.execute("UPDATE t SET amount = NULLIF(ABS(k) DIV 3, 5)", database=sql_database)
    signals, topic = Signals(), Topic()
    by_amount = {"surrogate-key": "Amount"}
    with closing(source_with(sql_server, f"{sql_database}.t", signals)) as source:
        source.open(None)
        drained(source, topic.fold)
        signals.send("execute-snapshot", f"{sql_database}.t", **by_amount)
        rows = read_by_table(source)["t"]
        assert sorted(rows) == sorted(topic.fold.rows.values())
        assert [row[1] is not None and row[1] for row in rows] == sorted(row[1] or 0 for row in rows)
        signals.send("execute-snapshot", f"{sql_database}.t", **by_amount)
        with writing(sql_server, sql_database, KINDS["integer"]):
            read_until_done(source, topic)
        end = source.end()
        while not source.reached(end):
            topic.take(source.read(0.02).changes)
    assert len(topic.again) > 100
    assert topic.told >= set(topic.fold.rows)
    assert set(topic.fold.rows.values()) == final(sql_server, sql_database)


@pytest.mark.parametrize("chosen", [{}, {"surrogate-key": "day"}], ids=["whole", "in ranges of a column"])
def test_a_table_without_a_key_is_read_again_once_whatever_its_rows(
    sql_server: Database, sql_database: str, chosen: dict[str, str]
) -> None:
    sql_server.execute("CREATE TABLE t (day INT, v INT, KEY (day))", database=sql_database)
    rows = [(number // 10 or None, number // 3) for number in range(300)]
    shown = ", ".join(f"({day or 'NULL'}, {value})" for day, value in rows)
    sql_server.execute(f"INSERT INTO t VALUES {shown}", database=sql_database)
    signals = Signals()
    with closing(source_with(sql_server, f"{sql_database}.t", signals, snapshot="no_data", range_rows=40)) as source:
        source.open(None)
        source.read(0.0)  # signals count from now on
        signals.send("execute-snapshot", f"{sql_database}.t", **chosen)
        found = read_by_table(source)["t"]
        sql_server.execute("INSERT INTO t VALUES (1, 1)", database=sql_database)
        while not (changes := source.read(0.2).changes):
            pass
    by_day = [(day or 0, value) for day, value in found]
    assert sorted(by_day) == [(day or 0, value) for day, value in rows]
    assert not chosen or [day for day, _ in by_day] == sorted(day for day, _ in by_day)
    assert [(change.op, change.after) for change in changes if isinstance(change, Change)] == [(Op.CREATE, [(1, 1)])]


def test_a_table_that_a_signal_names_several_times_is_read_once(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database, KINDS["integer"])
    sql_server.execute("CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t", database=sql_database)
    sql_server.execute("CREATE TABLE other LIKE t", "INSERT INTO other SELECT * FROM t", database=sql_database)
    rows, signals = [(key, 0) for key in range(-200, 600, 2)], Signals()
    with closing(source_with(sql_server, f"{sql_database}.*", signals, snapshot="no_data")) as source:
        source.open(None)
        source.read(0.0)
        table = f"{sql_database}.t"
        signals.send("execute-snapshot", table, table, f"{sql_database}[.][tu]", f"{sql_database}\\.(u|nowhere)")
        assert read_by_table(source) == {"t": rows, "u": rows}


def test_what_is_no_signal_is_told_and_changes_nothing(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database, KINDS["integer"])
    signals, topic = Signals(), Topic()
    with closing(source_with(sql_server, f"{sql_database}.t", signals)) as source:
        source.open(None)
        drained(source, topic.fold)
        signals.sent += [b"{", b"[]", b'{"type": "log"}', b'{"type": "execute-snapshot"}']
        signals.send("execute-snapshot", f"{sql_database}.t", type="blocking")
        signals.send("execute-snapshot", "elsewhere\\..*")
        for _ in range(3):
            batch = source.read(0.02)
            topic.take(batch.changes)
        assert batch.position is not None
        assert "snapshots" not in batch.position
        assert batch.position["signals"] == len(signals.sent)
    assert topic.again == []


def test_what_was_asked_for_before_is_read_before_the_end_is_reached(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database, KINDS["integer"])
    signals, topic = Signals(), Topic()
    with closing(source_with(sql_server, f"{sql_database}.t", signals)) as source:
        source.open(None)
        position = drained(source, topic.fold)
        signals.read(None)
        source.open(orjson.loads(orjson.dumps(position)))
        source.read(0.02)
        position = source.read(0.02).position
        assert position is not None
        source.close()
        signals.send("execute-snapshot", f"{sql_database}.t")
        source.open(orjson.loads(orjson.dumps(position)))
        end = source.end()
        while not source.reached(end):
            topic.take(source.read(0.02).changes)
    assert len(topic.again) == len(topic.fold.rows)


def test_a_snapshot_of_two_tables_is_told_of_from_its_beginning_to_its_end(
    sql_server: Database, sql_database: str
) -> None:
    filled(sql_server, sql_database, KINDS["integer"])
    sql_server.execute("CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t", database=sql_database)
    told = []
    with closing(source_with(sql_server, f"{sql_database}.*", Signals())) as source:
        source.open(None)
        end = source.end()
        while not source.reached(end):
            batch = source.read(0.02)
            told.append(batch.snapshot)
            assert (batch.position is None or "snapshots" in batch.position) == (batch.snapshot is not None)
    shown = [one for one in told if one is not None]
    assert {one.table for one in shown} == {f"{sql_database}.t", f"{sql_database}.u"}
    assert [one.tables_left for one in shown] == sorted([one.tables_left for one in shown], reverse=True)
    assert told[-1] is None
