from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connectors.checks import Check
from connectors.sqlite.doctor import examine
from connectors.sqlite.settings import SqliteSettings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "captured.db"


@pytest.fixture
def program(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        yield connection


def checks(path: Path, *include: str) -> dict[str, Check]:
    return {check.name: check for check in examine(SqliteSettings(path, include or ("main.*",), "shop"))}


def test_a_file_that_is_ready_passes_every_check_and_is_not_changed(path: Path, program: sqlite3.Connection) -> None:
    before = path.read_bytes()
    found = checks(path)
    assert {check.status for check in found.values()} == {"ok"}
    assert found["sqlite tables"].found == "main.t"
    assert found["main.t primary key"].found == "a"
    assert path.read_bytes() == before


def test_a_missing_file_fails_and_is_not_made(tmp_path: Path) -> None:
    [check] = examine(SqliteSettings(tmp_path / "none.db", ("main.*",), "shop"))
    assert check.status == "fail"
    assert "create it first" in check.remedy
    assert not (tmp_path / "none.db").exists()


def test_tables_that_match_nothing_fail(path: Path, program: sqlite3.Connection) -> None:
    check = checks(path, "shop.t")["sqlite tables"]
    assert check.status == "fail"
    assert "shop.t" in check.found


def test_a_virtual_table_fails(path: Path, program: sqlite3.Connection) -> None:
    program.execute("CREATE VIRTUAL TABLE f USING fts5(a)")
    assert checks(path)["sqlite tables"].status == "fail"


def test_another_journal_mode_than_wal_is_warned_of_with_the_statement_that_mends_it(
    path: Path, program: sqlite3.Connection
) -> None:
    program.execute("PRAGMA journal_mode = DELETE")
    check = checks(path)["sqlite journal_mode"]
    assert (check.status, check.found) == ("warn", "delete")
    program.execute(check.remedy)
    assert checks(path)["sqlite journal_mode"].status == "ok"


def test_a_table_without_a_key_is_warned_of(path: Path, program: sqlite3.Connection) -> None:
    program.execute("CREATE TABLE s(a)")
    assert checks(path)["main.s primary key"].status == "warn"


def test_a_unique_index_over_an_expression_is_warned_of(path: Path, program: sqlite3.Connection) -> None:
    program.execute("CREATE UNIQUE INDEX i ON t(lower(b))")
    assert checks(path)["main.t unique indexes"].status == "warn"


def test_a_lock_that_is_held_is_warned_of(
    path: Path, program: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sqlite.connection.BUSY_TIMEOUT_S", 0.0)
    program.execute("BEGIN IMMEDIATE")
    assert checks(path)["sqlite writable"].status == "warn"
