from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connectors.sqlite.connection import Database, quoted
from connectors.sqlite.schema import describe, kind, tables
from streamtrain.errors import ConfigError


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("INTEGER", "numeric"), ("bigint unsigned", "numeric"), ("REAL", "numeric"), ("DECIMAL(10, 2)", "numeric"),
        ("double precision", "numeric"), ("TEXT", "categorical"), ("varchar(40)", "categorical"), ("UUID", "categorical"),
        ("CLOB", "text"), ("BOOLEAN", "boolean"), ("bool", "boolean"), ("DATE", "datetime"), ("TIMESTAMP", "datetime"),
        ("datetime", "datetime"), ("BLOB", "unsupported"), ("", "unsupported"), ("JSON", "unsupported"),
        ("TIME", "unsupported"), ("VARCHAR(255)", "categorical"), ("VARCHAR(256)", "text"),
    ],
)  # fmt: skip
def test_a_declared_type_suggests_a_kind_of_feature(declared: str, expected: str) -> None:
    assert kind(declared) == expected


def test_a_tables_columns_are_described_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "captured.db"
    with closing(sqlite3.connect(path)) as program:
        program.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, ok BOOLEAN, twice AS (id * 2), at DATETIME)")
    kinds, key = describe(path, "main.t")
    assert kinds == [
        ("id", "numeric"), ("name", "categorical"), ("ok", "boolean"), ("twice", "unsupported"), ("at", "datetime"),
    ]  # fmt: skip
    assert key == ("id",)
    with pytest.raises(ConfigError, match=r"no table main\.s"):
        describe(path, "main.s")


def test_a_quoted_name_is_one_identifier_whatever_it_holds() -> None:
    assert quoted('a"; DROP TABLE b --') == '"a""; DROP TABLE b --"'


def test_unique_indexes_over_something_computed_are_told_from_those_over_stored_columns(tmp_path: Path) -> None:
    path = tmp_path / "captured.db"
    with closing(sqlite3.connect(path)) as program:
        program.executescript(
            "CREATE TABLE plain(a UNIQUE, b); CREATE TABLE derived(a, b AS (a + 1) UNIQUE);"
            "CREATE TABLE expression(a); CREATE UNIQUE INDEX i ON expression(a + 1)"
        )
    with closing(Database(path)) as database:
        found = {schema.name: (schema.has_computed_index, len(schema.unique)) for schema in tables(database, bool)}
    assert found == {"plain": (False, 1), "derived": (True, 0), "expression": (True, 0)}
