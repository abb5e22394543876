from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.source import Change, Row
from connectors.sqlite.changelog import KEPT_ROWS
from connectors.sqlite.settings import SnapshotMode, SqliteSettings
from connectors.sqlite.snapshot import Snapshot
from connectors.sqlite.source import SqliteSource
from streamtrain import __version__
from streamtrain.errors import ConfigError, PositionLost, SourceMisconfigured, SourceUnavailable, UnsupportedChange

NOW_S = 4_000_000_000.25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "captured.db"


@pytest.fixture
def program(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection, with a table ``t`` of one row."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
            "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x')"
        )
        yield connection


@pytest.fixture
def open_source(path: Path, program: sqlite3.Connection) -> Iterator[Any]:
    opened: list[SqliteSource] = []

    def opening(
        position: Any = None, include: str = "main.*", snapshot: SnapshotMode = "initial", **parts: Any
    ) -> SqliteSource:
        source = SqliteSource(SqliteSettings(path, (include,), "shop", snapshot), **parts)
        opened.append(source)
        source.open(position)
        return source

    yield opening
    for source in opened:
        source.close()


def rows(changes: Any) -> list[tuple[str, str, Row | None, Row | None]]:
    """Table, operation, before and after of each row."""
    found = []
    for change in changes:
        nothing = [None] * len(change)
        for before, after in zip(change.before or nothing, change.after or nothing, strict=True):
            found.append((change.table.name, change.op.value, before, after))
    return found


def caught_up(source: SqliteSource) -> Any:
    """Reads the snapshot away and gives the position after it."""
    while (position := source.read(0.0).position) is None:
        pass
    return position


def test_the_source_block_has_debeziums_fields_and_the_number_of_the_change(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.execute("INSERT INTO t VALUES (2, 'y'), (3, 'z')")
    [change] = source.read(0.0).changes
    ms = change.origin["ts_ms"]
    assert change.origin == {
        "version": __version__, "connector": "sqlite", "name": "shop", "ts_ms": ms, "snapshot": "false", "db": "main",
        "sequence": None, "ts_us": ms * 1_000, "ts_ns": ms * 1_000_000, "table": "t", "change": 1,
    }  # fmt: skip
    [(stored,)] = program.execute("SELECT DISTINCT committed_ms FROM _streamtrain_changes").fetchall()
    assert ms == stored
    assert change.table.full_name == "main.t"
    assert change.table.key == (0,)


def test_changes_that_share_a_source_block_share_their_time_and_are_numbered_without_a_gap(
    open_source: Any, program: Any
) -> None:
    source = open_source()
    caught_up(source)
    program.execute("INSERT INTO t VALUES (2, 'y'), (3, 'z'), (4, 'w'), (5, 'v')")
    program.execute("UPDATE _streamtrain_changes SET committed_ms = 7")
    program.execute("UPDATE _streamtrain_changes SET committed_ms = 6 WHERE sequence = 1")
    program.execute("DELETE FROM _streamtrain_changes WHERE sequence = 3")
    changes = source.read(0.0).changes
    assert [(change.origin["ts_ms"], change.origin["change"], change.after) for change in changes] == [
        (6, 1, [(2, "y")]), (7, 2, [(3, "z")]), (7, 4, [(5, "v")]),
    ]  # fmt: skip


@pytest.fixture
def just_before_the_snapshot(program: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Statements that somebody runs between the setting up of capture and the first reading."""
    pending: list[str] = []

    def preceded(path: Path) -> Snapshot:
        while pending:
            program.execute(pending.pop())
        return Snapshot(path)

    monkeypatch.setattr("connectors.sqlite.source.Snapshot", preceded)
    return pending


def test_a_row_written_just_before_the_snapshot_comes_once(
    open_source: Any, program: Any, just_before_the_snapshot: list[str]
) -> None:
    just_before_the_snapshot.append("INSERT INTO t VALUES (2, 'y')")
    source = open_source()
    assert rows(source.read(0.0).changes) == [("t", "r", None, (1, "x")), ("t", "r", None, (2, "y"))]
    assert list(source.read(0.0).changes) == []


def test_all_tables_are_read_as_they_stood_at_one_moment(open_source: Any, program: Any) -> None:
    program.execute("CREATE TABLE s(a)")
    program.executemany("INSERT INTO s VALUES (?)", [(1,), (2,), (3,)])
    source = open_source(batch_rows=1)
    seen = rows(source.read(0.0).changes)
    program.executescript("INSERT INTO t VALUES (2, 'y'); UPDATE t SET b = 'z' WHERE a = 1; DELETE FROM s WHERE a = 3")
    while (batch := source.read(0.0)).position is None:
        seen += rows(batch.changes)
    seen += rows(batch.changes)
    assert seen == [("s", "r", None, (1,)), ("s", "r", None, (2,)), ("s", "r", None, (3,)), ("t", "r", None, (1, "x"))]
    assert rows([change for _ in range(3) for change in source.read(0.0).changes]) == [
        ("t", "c", None, (2, "y")), ("t", "u", (1, "x"), (1, "z")), ("s", "d", (3,), None),
    ]  # fmt: skip


def test_a_table_altered_just_before_the_snapshot_is_read_as_it_is_then(
    open_source: Any, program: Any, just_before_the_snapshot: list[str]
) -> None:
    just_before_the_snapshot.append("ALTER TABLE t ADD COLUMN c DEFAULT 5")
    source = open_source()
    assert rows(source.read(0.0).changes) == [("t", "r", None, (1, "x", 5))]
    program.execute("UPDATE t SET c = 6")
    assert rows(source.read(0.0).changes) == [("t", "u", (1, "x", 5), (1, "x", 6))]


def test_the_recorded_time_is_the_clocks_milliseconds(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    low = program.execute("SELECT strftime('%s', 'now') * 1000").fetchone()[0]
    program.execute("INSERT INTO t VALUES (2, 'y')")
    high = program.execute("SELECT strftime('%s', 'now') * 1000 + 1000").fetchone()[0]
    assert low <= source.read(0.0).changes[0].origin["ts_ms"] <= high


def test_lag_is_counted_from_the_newest_change_by_the_clock_given(open_source: Any, program: Any) -> None:
    source = open_source(clock=lambda: NOW_S)
    caught_up(source)
    program.execute("INSERT INTO t VALUES (2, 'y')")
    batch = source.read(0.0)
    assert batch.lag_ms == 4_000_000_000_250 - batch.changes[0].origin["ts_ms"]


def test_snapshot_marks_name_the_ends_of_each_table_and_of_all(open_source: Any, program: Any) -> None:
    program.executescript(
        "CREATE TABLE none_here(a); CREATE TABLE s(a); CREATE TABLE u(a); CREATE TABLE v(a);"
        "INSERT INTO s VALUES (1), (2), (3); INSERT INTO u VALUES (1), (2); INSERT INTO v VALUES (1)"
    )
    source, markers = open_source(batch_rows=2), dict[str, list[str]]()
    while (batch := source.read(0.0)).position is None or batch.changes:
        for change in batch.changes:
            assert change.origin["snapshot"] == "true"
            markers.setdefault(change.table.name, []).extend(change.markers)
    assert markers == {
        "s": ["first", "true", "last_in_data_collection"],
        "t": ["last_in_data_collection"],
        "u": ["first_in_data_collection", "last_in_data_collection"],
        "v": ["last"],
    }


def test_a_snapshot_of_a_single_row_is_first_and_last(open_source: Any) -> None:
    assert open_source().read(0.0).changes[0].markers == ("last",)


def test_a_snapshot_of_empty_tables_gives_a_position_and_nothing_else(open_source: Any, program: Any) -> None:
    program.execute("DELETE FROM t")
    batch = open_source().read(0.0)
    assert list(batch.changes) == []
    assert batch.position["sequence"] == 0


# Waiting


def test_a_waiting_read_sleeps_until_its_time_is_up(open_source: Any) -> None:
    now, slept = [NOW_S], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    source = open_source(clock=lambda: now[0], sleep=sleep)
    caught_up(source)
    assert list(source.read(0.055).changes) == []
    assert sum(slept) == pytest.approx(0.055, abs=1e-4)


def test_a_clock_that_stands_still_does_not_prolong_the_wait(open_source: Any) -> None:
    slept = list[float]()
    source = open_source(clock=lambda: NOW_S, sleep=slept.append)
    caught_up(source)
    source.read(0.05)
    assert sum(slept) == pytest.approx(0.05)


def test_a_waiting_read_returns_as_soon_as_somebody_commits(open_source: Any, program: Any) -> None:
    slept = list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            program.execute("INSERT INTO t VALUES (2, 'y')")

    source = open_source(sleep=sleep)
    caught_up(source)
    assert rows(source.read(60.0).changes) == [("t", "c", None, (2, "y"))]
    assert len(slept) == 3


# The schema moves on


def test_an_added_column_comes_with_later_changes_and_earlier_ones_keep_theirs(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.execute("INSERT INTO t VALUES (2, 'y')")
    program.execute("ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 5")
    [first] = source.read(0.0).changes
    program.execute("UPDATE t SET c = 6 WHERE a = 1")
    [second] = source.read(0.0).changes
    assert (first.table.columns, first.after) == (("a", "b"), [(2, "y")])
    assert (second.table.columns, second.before, second.after) == (("a", "b", "c"), [(1, "x", 5)], [(1, "x", 6)])


@pytest.mark.parametrize("reopened", [False, True])
def test_what_was_written_to_an_added_column_before_it_was_noticed_is_not_lost(
    open_source: Any, program: Any, reopened: bool
) -> None:
    source = open_source()
    position = caught_up(source)
    if reopened:
        source.close()
    program.execute("ALTER TABLE t ADD COLUMN c INTEGER DEFAULT '5'")
    program.execute("INSERT INTO t VALUES (2, 'y', 5), (3, 'z', 7)")
    program.execute("UPDATE t SET c = NULL WHERE a = 1")
    source = open_source(position) if reopened else source
    changes = source.read(0.0).changes
    assert [change.table.columns for change in changes][-1] == ("a", "b", "c")
    assert rows(changes)[-2:] == [("t", "u", (1, "x", None), (1, "x", None)), ("t", "u", (3, "z", None), (3, "z", 7))]
    assert len(rows(changes)) == 5
    assert list(source.read(0.0).changes) == []


def test_a_renamed_column_goes_on_under_its_new_name(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.execute("ALTER TABLE t RENAME COLUMN b TO d")
    program.execute("INSERT INTO t VALUES (2, 'y')")
    source.read(0.0)
    program.execute("INSERT INTO t VALUES (3, 'z')")
    [change] = source.read(0.0).changes
    assert (change.table.columns, change.after) == (("a", "d"), [(3, "z")])


def test_a_renamed_table_is_a_new_one_with_all_its_rows(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.execute("ALTER TABLE t RENAME TO s")
    assert rows(source.read(0.0).changes) == [("s", "c", None, (1, "x"))]
    program.execute("INSERT INTO s VALUES (2, 'y')")
    assert rows(source.read(0.0).changes) == [("s", "c", None, (2, "y"))]


def test_a_table_made_while_capturing_comes_with_the_rows_it_already_has(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.executescript("CREATE TABLE s(p, q, r); INSERT INTO s VALUES (1, 2, 3)")
    assert rows(source.read(0.0).changes) == [("s", "c", None, (1, 2, 3))]
    program.execute("DELETE FROM s")
    assert rows(source.read(0.0).changes) == [("s", "d", (1, 2, 3), None)]


def test_a_dropped_column_is_refused_by_sqlite_and_not_lost(open_source: Any, program: Any) -> None:
    caught_up(open_source())
    with pytest.raises(sqlite3.OperationalError, match="_streamtrain_"):
        program.execute("ALTER TABLE t DROP COLUMN b")


@pytest.mark.parametrize("reopened", [False, True])
def test_a_table_made_again_without_its_triggers_stops_the_source(
    open_source: Any, program: Any, reopened: bool
) -> None:
    source = open_source()
    position = caught_up(source)
    program.executescript(
        "CREATE TABLE new(a INTEGER PRIMARY KEY, b TEXT, c); DROP TABLE t; ALTER TABLE new RENAME TO t"
    )
    with pytest.raises(PositionLost, match=r"the triggers on main\.t are gone"):
        open_source(position) if reopened else source.read(0.0)


def test_when_needed_reads_all_rows_again_after_a_table_was_made_again(open_source: Any, program: Any) -> None:
    source = open_source(snapshot="when_needed")
    caught_up(source)
    program.executescript("DROP TABLE t; CREATE TABLE t(a INTEGER PRIMARY KEY, c); INSERT INTO t VALUES (4, 'n')")
    assert source.read(0.0).position is None
    assert rows(source.read(0.0).changes) == [("t", "r", None, (4, "n"))]
    program.execute("DELETE FROM t")
    assert rows(source.read(0.0).changes) == [("t", "d", (4, "n"), None)]


def test_a_dropped_table_ends_and_may_come_back_as_a_new_one(open_source: Any, program: Any) -> None:
    program.execute("CREATE TABLE s(a)")
    source = open_source()
    caught_up(source)
    program.execute("DROP TABLE s")
    assert rows(source.read(0.0).changes) == []
    program.executescript("CREATE TABLE s(a); INSERT INTO s VALUES (1)")
    assert rows(source.read(0.0).changes) == [("s", "c", None, (1,))]


def test_a_trigger_that_somebody_dropped_stops_the_source(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.execute("DROP TRIGGER _streamtrain_after_delete_t")
    with pytest.raises(PositionLost, match="gone"):
        source.read(0.0)


def test_only_included_tables_are_captured_and_never_captures_own(open_source: Any, program: Any) -> None:
    program.execute("CREATE TABLE s(a)")
    source = open_source(include="main.[st]*")
    assert {change.table.name for change in source.read(0.0).changes} == {"t"}
    other = open_source(include="main.s")
    caught_up(other)
    program.executescript("INSERT INTO s VALUES (2); INSERT INTO t VALUES (3, 'z')")
    assert rows(other.read(0.0).changes) == [("s", "c", None, (2,))]
    assert len(rows(source.read(0.0).changes)) == 2


def test_no_table_to_capture_is_an_error_that_says_how_tables_are_written(open_source: Any) -> None:
    with pytest.raises(SourceMisconfigured, match=r"matches no table.*main\.TABLE"):
        open_source(include="t")


def test_a_virtual_table_cannot_be_captured_and_says_so(open_source: Any, program: Any) -> None:
    program.execute("CREATE VIRTUAL TABLE f USING fts5(a)")
    with pytest.raises(SourceMisconfigured, match=r"main\.f is a virtual table"):
        open_source()
    open_source(include="main.t")


# Positions


def test_a_position_of_another_file_is_lost(open_source: Any, path: Path, program: Any, tmp_path: Path) -> None:
    position = caught_up(open_source())
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE t(a)")
    other_source = SqliteSource(SqliteSettings(tmp_path / "other.db", ("main.t",), "shop"))
    with pytest.raises(PositionLost, match="never been captured"):
        other_source.open(position)
    other_source.open(None)
    with pytest.raises(PositionLost, match="another database"):
        other_source.open(position)
    other_source.close()


@pytest.mark.parametrize("written_since", [0, 5], ids=["shorter", "longer, with other changes"])
def test_a_position_after_an_older_copy_was_restored_is_lost(
    open_source: Any, path: Path, program: Any, written_since: int
) -> None:
    source = open_source(clock=lambda: NOW_S)
    caught_up(source)
    with closing(sqlite3.connect(path.with_name("copy.db"))) as copy:
        program.backup(copy)
    program.execute("INSERT INTO t VALUES (2, 'y')")
    position = source.read(0.0).position
    source.close()
    with closing(sqlite3.connect(path.with_name("copy.db"))) as copy:
        copy.backup(program)
    program.executemany("INSERT INTO t VALUES (?, 'n')", [(10 + index,) for index in range(written_since)])
    program.execute("UPDATE _streamtrain_changes SET committed_ms = committed_ms + 1")  # those changes were made later
    with pytest.raises(PositionLost, match="restored from an older copy"):
        open_source(position)


def test_when_needed_reads_all_rows_again_after_a_lost_position(open_source: Any) -> None:
    caught_up(open_source())
    source = open_source({"database": "another", "sequence": 3, "committed_ms": 4}, snapshot="when_needed")
    assert rows(source.read(0.0).changes) == [("t", "r", None, (1, "x"))]


def test_a_file_that_takes_the_place_of_the_open_one_is_noticed(open_source: Any, path: Path) -> None:
    source = open_source()
    caught_up(source)
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").replace(path)
    with pytest.raises(SourceUnavailable, match="another file"):
        source.read(0.0)


def write_many(program: Any, first: int, count: int) -> None:
    program.execute("BEGIN")
    program.executemany("INSERT INTO t VALUES (?, 'n')", ((first + index,) for index in range(count)))
    program.execute("COMMIT")


def recorded(program: Any) -> tuple[int, int]:
    """The first and the last number in the change table."""
    first, last = program.execute("SELECT min(sequence), max(sequence) FROM _streamtrain_changes").fetchone()
    return first, last


def test_only_what_is_published_durably_is_trimmed_and_the_last_changes_stay(open_source: Any, program: Any) -> None:
    source = open_source(batch_rows=KEPT_ROWS)
    start = caught_up(source)
    write_many(program, 10, 3 * KEPT_ROWS)
    positions = [source.read(0.0).position for _ in range(3)]
    assert recorded(program) == (1, 3 * KEPT_ROWS)
    source.confirm(positions[0])
    assert recorded(program) == (1, 3 * KEPT_ROWS)
    source.confirm(positions[1])
    assert recorded(program) == (KEPT_ROWS + 1, 3 * KEPT_ROWS)
    source.close()
    open_source(positions[1])
    with pytest.raises(PositionLost, match="was trimmed"):
        open_source(start)


def test_opening_trims_up_to_the_position_it_is_given(open_source: Any, program: Any) -> None:
    source = open_source(batch_rows=2 * KEPT_ROWS)
    caught_up(source)
    write_many(program, 10, 2 * KEPT_ROWS)
    position = source.read(0.0).position
    source.close()
    open_source(position)
    assert recorded(program) == (KEPT_ROWS + 1, 2 * KEPT_ROWS)


# Errors


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no SQLite file"):
        SqliteSource(SqliteSettings(tmp_path / "none.db", ("main.t",), "shop")).open(None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("no database at all, but long enough to look at" * 30)
    with pytest.raises(ConfigError, match="not a SQLite database"):
        SqliteSource(SqliteSettings(path, ("main.t",), "shop")).open(None)


def test_a_locked_file_is_unavailable_for_now(open_source: Any, program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sqlite.connection.BUSY_TIMEOUT_S", 0.0)
    program.execute("BEGIN IMMEDIATE")
    with pytest.raises(SourceUnavailable, match="locked"):
        open_source()
    program.execute("COMMIT")
    open_source()


def test_what_fails_while_following_the_schema_leaves_the_file_as_it_was(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.executescript("CREATE TABLE a_new_one(a); DROP TRIGGER _streamtrain_after_delete_t")
    before = program.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
    with pytest.raises(PositionLost):
        source.read(0.0)
    assert program.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall() == before
    program.execute("INSERT INTO a_new_one VALUES (1)")


def test_text_that_is_not_utf8_stops_without_quoting_it(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.execute("INSERT INTO t VALUES (2, CAST(x'736563726574ff' AS TEXT))")
    with pytest.raises(UnsupportedChange, match="not valid UTF-8") as caught:
        source.read(0.0)
    assert "secret" not in str(caught.value)


def test_an_operation_that_is_not_known_stops(open_source: Any, program: Any) -> None:
    source = open_source()
    caught_up(source)
    program.execute("INSERT INTO t VALUES (2, 'y')")
    program.execute("UPDATE _streamtrain_changes SET op = 'z'")
    with pytest.raises(UnsupportedChange, match=r"change 1 of main\.t has operation 'z'"):
        source.read(0.0)


def test_a_change_table_of_another_format_is_not_touched(open_source: Any, program: Any) -> None:
    position = caught_up(open_source())
    program.execute("UPDATE _streamtrain_meta SET value = '2' WHERE name = 'format'")
    for where in (None, position):
        with pytest.raises(SourceMisconfigured, match="format '2'"):
            open_source(where)


def test_a_failed_opening_leaves_no_connection_behind(open_source: Any, path: Path, program: Any) -> None:
    with pytest.raises(SourceMisconfigured):
        open_source(include="nothing")
    program.execute("PRAGMA journal_mode = DELETE")  # refused while another connection is open
    assert program.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_changes_know_their_length(open_source: Any) -> None:
    [change] = open_source().read(0.0).changes
    assert isinstance(change, Change)
    assert len(change) == 1
