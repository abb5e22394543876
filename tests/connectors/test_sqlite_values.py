from __future__ import annotations

import base64
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.sqlite.settings import SqliteSettings
from connectors.sqlite.source import SqliteSource
from connectors.sqlite.values import json_rows

stored = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(), st.binary(max_size=20)
)  # fmt: skip


def as_json(value: Any) -> Any:
    """What a stored value is to become, by the documented rule."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit: of one type, and with 0.0 told from -0.0."""
    return type(one) is type(other) and repr(one) == repr(other)


@given(values=st.lists(stored, min_size=1, max_size=30))
@example(
    [5e-324, 1.7976931348623157e308, 0.1 + 0.2, -0.0, 2**63 - 1, -(2**63), "a\x00b", "\U0001f600", b"\x00\xff", 9e999]
)
@settings(max_examples=25, deadline=None)
def test_every_value_comes_exactly_as_it_is_stored_by_snapshot_and_stream(values: list[Any]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "captured.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as program:
            program.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t(v)")
            insert = "INSERT INTO t VALUES (?)"
            program.executemany(insert, [(value,) for value in values])
            with closing(SqliteSource(SqliteSettings(path, ("main.t",), "shop"))) as source:
                source.open(None)
                read = [row for change in source.read(0.0).changes for row in change.after or ()]
                program.executemany(insert, [(value,) for value in values])
                streamed = [row for change in source.read(0.0).changes for row in change.after or ()]
    expected = [as_json(value) for value in values]
    for rows in (read, streamed):
        assert len(rows) == len(expected)
        assert all(same(row[0], value) for row, value in zip(rows, expected, strict=True))
        assert all(same(orjson.loads(orjson.dumps(row[0])), row[0]) for row in rows)


def test_a_declared_boolean_is_false_or_true_and_anything_else_in_it_stays() -> None:
    rows: list[Any] = [(1, 1), (0, 0), (None, None), (2, 2), (1.0, 1.0), ("yes", "yes")]
    assert [repr(row[0]) for row in json_rows(rows, (0,))] == ["True", "False", "None", "2", "1.0", "'yes'"]
    assert [repr(row[1]) for row in json_rows(rows, (0,))] == ["1", "0", "None", "2", "1.0", "'yes'"]


def test_an_integer_in_a_real_column_is_a_real() -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "captured.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as program:
            program.execute("CREATE TABLE t(v REAL)")
            with closing(SqliteSource(SqliteSettings(path, ("main.t",), "shop", "no_data"))) as source:
                source.open(None)
                program.execute("INSERT INTO t VALUES (3)")
                [change] = source.read(0.0).changes
    assert repr(change.after) == "[(3.0,)]"
