"""Signals that cannot be obeyed, at once or not any more: they are refused or given up, and capture goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from connectors.mysql.source import MysqlSource
from connectors.source import Change, Position
from streamtrain.envelope import Op
from streamtrain.errors import SourceMisconfigured
from tests.connectors.mysql_capture import account, connect
from tests.connectors.test_mysql_incremental import Signals, source_with
from tests.servers import Database

pytestmark = pytest.mark.servers

ROWS = 60
RIGHTS = "REPLICATION SLAVE, REPLICATION CLIENT ON *.*"
REFUSED = "a signal is refused, nothing is read"
GIVEN_UP = "a table cannot be read, its incremental snapshot is given up"
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown column": ({"where": "nowhere = 1"}, "error 1054"),
    "a syntax error": ({"where": "k = = 1"}, "syntax"),
    "nothing": ({"where": ""}, "syntax"),
    "an open comment": ({"where": "k = 1 /* or"}, "syntax"),
    "a parenthesis that closes ours": ({"where": "k = 1) UNION (SELECT 1"}, "error"),
    "an unknown function": ({"where": "nowhere(k) = 1"}, "nowhere"),
    "a sum of rows": ({"where": "SUM(k) > 1"}, "group function"),
    "another table that is missing": ({"where": "k IN (SELECT k FROM DATABASE.nowhere)"}, "doesn't exist"),
    "a column that is missing": ({"surrogate-key": "nowhere"}, "no column nowhere"),
    "a column without an order": ({"surrogate-key": "price"}, "price, of type double"),
}


def filled(server: Database, database: str) -> None:
    """Tables ``t`` and ``u`` alike, in which a column, ``day``, is worth reading by."""
    rows = ", ".join(f"({number}, {number % 20}, 0.5)" for number in range(ROWS))
    for table in ("t", "u"):
        server.execute(
            f"CREATE TABLE {table} (k INT PRIMARY KEY, day INT, price DOUBLE)",
            f"INSERT INTO {table} VALUES {rows}",
            database=database,
        )


def ask(signals: Signals, database: str, tables: Sequence[str], data: Mapping[str, Any]) -> None:
    """Send an execute-snapshot; ``where`` in ``data`` is the condition on the first of the tables."""
    names, told = [f"{database}.{table}" for table in tables], dict(data)
    if "where" in told:
        told["additional-conditions"] = [
            {"data-collection": names[0], "filter": told.pop("where").replace("DATABASE", database)}
        ]
    signals.send("execute-snapshot", *names, **told)


def source_of(server: Database, database: str, signals: Signals, **options: Any) -> MysqlSource:
    chosen = {"snapshot": "no_data", **options}
    return source_with(server, f"{database}.*", signals, **chosen)


@contextmanager
def listening(
    server: Database, database: str, **options: Any
) -> Iterator[tuple[MysqlSource, Signals, Sequence[MutableMapping[str, Any]]]]:
    """A source that is at the log, the signals that it hears, and what it logs."""
    signals = Signals()
    with closing(source_of(server, database, signals, **options)) as source, capture_logs() as logs:
        source.open(None)
        source.read(0.0)
        yield source, signals, logs


def read_again(changes: Sequence[Any]) -> list[tuple[str, int]]:
    """Table and key of each row that was read again."""
    return [
        (change.table.name, row[0])
        for change in changes
        if isinstance(change, Change) and change.op is Op.READ
        for row in change.after or ()
    ]


def streamed(source: MysqlSource) -> tuple[list[Any], Position]:
    """All that comes until snapshots and log are at their end."""
    changes, end, position = list[Any](), source.end(), None
    while position is None or "snapshots" in position or not source.reached(end):
        batch = source.read(0.02)
        changes += batch.changes
        position = batch.position
    return changes, orjson.loads(orjson.dumps(position))


def written(changes: Sequence[Any]) -> list[int]:
    return [row[0] for change in changes if change.op is Op.CREATE for row in change.after]


def told(logs: Sequence[Mapping[str, Any]], event: str) -> list[tuple[str, str]]:
    """Table and level of each such line, each with a reason and a way out."""
    lines = [line for line in logs if line["event"] == event]
    assert all(line["why"] and line["hint"] and line["id"] for line in lines)
    return [(line["table"].partition(".")[2], line["log_level"]) for line in lines]


@pytest.mark.parametrize("name", BAD)
def test_a_signal_that_cannot_be_obeyed_is_refused_whole_and_capture_goes_on(
    sql_server: Database, sql_database: str, name: str
) -> None:
    data, reason = BAD[name]
    filled(sql_server, sql_database)
    with listening(sql_server, sql_database) as (source, signals, logs):
        ask(signals, sql_database, ["t", "u"], data)
        sql_server.execute("INSERT INTO t VALUES (1000, 0, 0)", database=sql_database)
        changes, position = streamed(source)
        assert written(changes) == [1000]
        assert read_again(changes) == []
        assert position["signals"] == 1
        assert told(logs, REFUSED) == [("t", "error")]
        assert reason in next(line["why"] for line in logs if line["event"] == REFUSED)
        ask(signals, sql_database, ["t"], {"where": "k < 2"})
        assert read_again(streamed(source)[0]) == [("t", 0), ("t", 1)]


def test_a_table_without_transactions_has_the_signal_refused(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database)
    sql_server.execute("ALTER TABLE u ENGINE = MyISAM", database=sql_database)
    with listening(sql_server, sql_database) as (source, signals, logs):
        ask(signals, sql_database, ["t", "u"], {})
        assert read_again(streamed(source)[0]) == []
        assert told(logs, REFUSED) == [("u", "error")]


def test_a_table_that_may_not_be_read_has_the_signal_refused(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database)
    with (
        account(sql_server, RIGHTS, f"SELECT ON {sql_database}.t", f"SELECT (k) ON {sql_database}.u") as url,
        listening(sql_server, sql_database, url=url) as (source, signals, logs),
    ):
        ask(signals, sql_database, ["t", "u"], {})
        assert read_again(streamed(source)[0]) == []
        assert told(logs, REFUSED) == [("u", "error")]
        assert "GRANT SELECT ON" in next(line["hint"] for line in logs if line["event"] == REFUSED)


def test_a_table_without_a_key_is_given_up_by_who_may_not_lock_it(mysql: Database, mysql_database: str) -> None:
    filled(mysql, mysql_database)
    mysql.execute("ALTER TABLE t DROP PRIMARY KEY", database=mysql_database)
    with (
        account(mysql, RIGHTS, f"SELECT ON {mysql_database}.*") as url,
        listening(mysql, mysql_database, url=url) as (source, signals, logs),
    ):
        ask(signals, mysql_database, ["t", "u"], {})
        mysql.execute("INSERT INTO t VALUES (1000, 0, 0)", database=mysql_database)
        changes, _ = streamed(source)
        assert written(changes) == [1000]
        assert sorted(read_again(changes)) == [("u", key) for key in range(ROWS)]
        assert told(logs, GIVEN_UP) == [("t", "error")]


@pytest.mark.parametrize(
    ("data", "change"),
    [
        ({"where": "day >= 0"}, "ALTER TABLE t DROP COLUMN day"),
        ({"surrogate-key": "day"}, "ALTER TABLE t DROP COLUMN day"),
        ({"surrogate-key": "day"}, "ALTER TABLE t MODIFY day DOUBLE"),
        ({"where": "day >= 0"}, "ALTER TABLE t ENGINE = MyISAM"),
    ],
    ids=["condition", "column", "type", "engine"],
)
@pytest.mark.parametrize("restarts", [False, True], ids=["paused", "restarted"])
def test_a_table_that_is_altered_so_that_it_cannot_be_read_on_is_given_up_alone(
    sql_server: Database, sql_database: str, data: dict[str, Any], change: str, restarts: bool
) -> None:
    filled(sql_server, sql_database)
    with listening(sql_server, sql_database) as (source, signals, logs):
        ask(signals, sql_database, ["t", "u"], data)
        position = begun(source)
        signals.send("pause-snapshot")
        if restarts:
            source.close()
        else:
            source.read(0.0)  # lets go of the table
        sql_server.execute(*altering(change), database=sql_database)
        signals.send("resume-snapshot")
        if restarts:
            source.open(position)
        changes, _ = streamed(source)
        assert written(changes) == [1000, 1000]
        assert sorted(key for table, key in read_again(changes) if table == "u")[:ROWS] == [*range(ROWS)]
        assert told(logs, GIVEN_UP) == [("t", "error")]
        assert told(logs, REFUSED) == []


def test_a_column_that_is_dropped_while_the_table_is_read_by_it_does_not_stop_the_log(
    mysql: Database, mysql_database: str
) -> None:
    filled(mysql, mysql_database)
    with listening(mysql, mysql_database) as (source, signals, logs):
        ask(signals, mysql_database, ["t", "u"], {"surrogate-key": "day"})
        begun(source)
        mysql.execute(*altering("ALTER TABLE t DROP COLUMN day"), database=mysql_database)
        changes, _ = streamed(source)
        assert written(changes) == [1000, 1000]
        assert sorted(key for table, key in read_again(changes) if table == "u")[:ROWS] == [*range(ROWS)]
        assert told(logs, GIVEN_UP) == [("t", "error")]


def begun(source: MysqlSource) -> Position:
    """Read until rows of ``t`` have come again, and not all of them."""
    changes = list[Any]()
    while not read_again(changes):
        batch = source.read(0.02)
        changes += batch.changes
    assert {table for table, _ in read_again(changes)} == {"t"}
    assert len(read_again(changes)) < ROWS
    found: Position = orjson.loads(orjson.dumps(batch.position))
    return found


def altering(change: str) -> list[str]:
    return [
        "UPDATE t SET price = 1 WHERE k > 50",
        change,
        "INSERT INTO t (k) VALUES (1000)",
        "INSERT INTO u (k, day) VALUES (1000, 19)",
    ]


@pytest.mark.parametrize(
    ("data", "setup"),
    [
        ({"where": "k + 9223372036854775807 > 0"}, ""),
        ({"surrogate-key": "day"}, "UPDATE t SET day = 7"),
        ({"where": "k + 9223372036854775807 > 0"}, "ALTER TABLE t DROP PRIMARY KEY"),
    ],
    ids=["condition", "column of one value", "condition without a key"],
)
def test_what_shows_only_when_rows_are_read_gives_up_the_table_and_no_other(
    sql_server: Database, sql_database: str, data: dict[str, Any], setup: str
) -> None:
    filled(sql_server, sql_database)
    rows = ", ".join(f"({number}, 7, 0)" for number in range(ROWS, 400))
    sql_server.execute(f"INSERT INTO t VALUES {rows}", *([setup] if setup else []), database=sql_database)
    with listening(sql_server, sql_database) as (source, signals, logs):
        ask(signals, sql_database, ["t", "u"], data)
        sql_server.execute("INSERT INTO t VALUES (1000, 0, 0)", database=sql_database)
        changes, _ = streamed(source)
        assert written(changes) == [1000]
        assert sorted(key for table, key in read_again(changes) if table == "u") == [*range(ROWS)]
        assert told(logs, GIVEN_UP) == [("t", "error")]


def test_a_column_that_the_log_does_not_know_yet_is_read_by_once_it_does(
    sql_server: Database, sql_database: str
) -> None:
    filled(sql_server, sql_database)
    with listening(sql_server, sql_database) as (source, signals, logs):
        sql_server.execute("ALTER TABLE t ADD COLUMN late INT AS (-k) STORED", database=sql_database)
        ask(signals, sql_database, ["t"], {"surrogate-key": "late"})  # it is heard before the log is read on
        assert read_again(streamed(source)[0]) == [("t", key) for key in reversed(range(ROWS))]
        assert not told(logs, REFUSED) + told(logs, GIVEN_UP)


def test_a_stop_is_heard_before_anything_is_read_on(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database)
    with listening(sql_server, sql_database) as (source, signals, logs):
        ask(signals, sql_database, ["t"], {"surrogate-key": "day"})
        position = source.read(0.02).position
        assert position is not None
        assert "snapshots" in position
        source.close()
        sql_server.execute("ALTER TABLE t DROP COLUMN day", database=sql_database)
        signals.send("stop-snapshot", f"{sql_database}.t")
        source.open(orjson.loads(orjson.dumps(position)))
        stopped = source.read(0.02).position
        assert stopped is not None
        assert "snapshots" not in stopped
        assert told(logs, GIVEN_UP) == []


def test_a_table_that_somebody_has_locked_is_waited_for_and_does_not_hold_up_the_log(
    sql_server: Database, sql_database: str
) -> None:
    filled(sql_server, sql_database)
    with listening(sql_server, sql_database) as (source, signals, logs):
        with closing(connect(sql_server, sql_database)) as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLES t WRITE")
            ask(signals, sql_database, ["t"], {"where": "k < 3"})
            cursor.execute("INSERT INTO t VALUES (1000, 0, 0)")
            changes = list[Any]()
            while not written(changes):
                changes += source.read(0.02).changes
            cursor.execute("UNLOCK TABLES")
        assert read_again([*changes, *streamed(source)[0]]) == [("t", 0), ("t", 1), ("t", 2)]
        assert not told(logs, REFUSED) + told(logs, GIVEN_UP)


def test_an_initial_snapshot_is_never_given_up(sql_server: Database, sql_database: str) -> None:
    filled(sql_server, sql_database)
    keys = {f"{sql_database}.t": "nowhere"}
    with (
        closing(source_of(sql_server, sql_database, Signals(), snapshot="initial", snapshot_keys=keys)) as source,
        pytest.raises(SourceMisconfigured, match="no column nowhere"),
    ):
        source.open(None)
        streamed(source)
