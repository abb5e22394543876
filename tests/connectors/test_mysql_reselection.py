"""Other tables captured than at the start before: what is added is read, and nothing is counted by other rules in mid-transaction."""

from __future__ import annotations

import pytest

from connectors.source import Position
from streamtrain.envelope import Op
from streamtrain.errors import ConfigError
from tests.connectors.mysql_capture import Kept, follow, opened, source_for, transaction
from tests.servers import Database

pytestmark = pytest.mark.servers


@pytest.fixture
def patterns(sql_server: Database, sql_database: str) -> tuple[str, str]:
    """``include`` of two tables, and ``exclude`` of one of them."""
    for name in ("a", "b"):
        sql_server.execute(
            f"CREATE TABLE {name} (id INT PRIMARY KEY)", f"INSERT INTO {name} VALUES (1), (2)", database=sql_database
        )
    return f"{sql_database}.*", f"{sql_database}.b"


def test_a_table_that_is_excluded_no_more_is_read(
    sql_server: Database, sql_database: str, patterns: tuple[str, str]
) -> None:
    include, exclude = patterns
    kept, told = Kept(), list[tuple[str, Op, int]]()
    for chosen in ((exclude,), (), (exclude,), ()):
        for change in follow(source_for(sql_server, include, exclude=chosen), kept):
            told += [(change.table.name, change.op, row[0]) for row in change.after]  # type: ignore[union-attr]
        number = len(told) + 10
        transaction(sql_server, sql_database, *(f"INSERT INTO {name} VALUES ({number})" for name in ("a", "b")))
    assert told[:2] == [("a", Op.READ, 1), ("a", Op.READ, 2)]
    assert sorted(told[2:6]) == [("a", Op.CREATE, 12), ("b", Op.READ, 1), ("b", Op.READ, 2), ("b", Op.READ, 12)]
    assert told[6:7] == [("a", Op.CREATE, 16)]
    assert sorted(told[7:]) == [
        ("a", Op.CREATE, 17), ("b", Op.READ, 1), ("b", Op.READ, 2), ("b", Op.READ, 12), ("b", Op.READ, 16), ("b", Op.READ, 17),
    ]  # fmt: skip


def test_what_is_captured_cannot_be_changed_within_a_transaction(
    sql_server: Database, sql_database: str, patterns: tuple[str, str]
) -> None:
    include, exclude = patterns
    with opened(source_for(sql_server, include, snapshot="no_data")) as source:
        position = source.read(0.0).position
    rows = [f"INSERT INTO {name} VALUES ({number})" for number in range(10, 20) for name in ("a", "b")]
    transaction(sql_server, sql_database, *rows)
    middle: Position | None = None
    with opened(source_for(sql_server, include, snapshot="no_data", max_rows=5), position) as source:
        while middle is None or not middle["skip_rows"]:
            middle = source.read(1.0).position
    changed = source_for(sql_server, include, snapshot="no_data", exclude=(exclude,))
    with pytest.raises(ConfigError, match="published in part") as failure, opened(changed, middle):
        pass
    assert str(failure.value.hint).startswith(f"set it back to source.include: [{include}] and source.exclude: []")
    of_older_version = {name: value for name, value in middle.items() if name != "exclude"}
    with opened(source_for(sql_server, include, snapshot="no_data"), of_older_version):
        pass
