"""Random rows of random types, on the real servers: snapshot and log agree, and are what was put in."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors.mysql.value_modes import ValueModes
from connectors.source import Change
from tests.connectors.column_values import RandomColumn, columns, same
from tests.connectors.mysql_capture import opened, read_to_end, source_for
from tests.servers import Database

ROWS = 8
_names = itertools.count()

# The other time modes do not hold every value.
MODES = st.builds(
    ValueModes,
    decimal=st.sampled_from(["string", "precise", "double"]),
    bigint_unsigned=st.sampled_from(["exact", "long", "precise"]),
    binary=st.sampled_from(["bytes", "base64-url-safe", "hex"]),
    time_precision=st.sampled_from(["adaptive_time_microseconds", "microseconds"]),
)


def both_ways(
    server: Database, database: str, made: list[RandomColumn], modes: ValueModes
) -> tuple[list[Change], list[Change]]:
    """The rows as the snapshot gives them, and as they come when they are inserted a second time."""
    declared = ", ".join(f"c{index} {column.declared}" for index, column in enumerate(made))
    rows = [f"({row}, {', '.join(column.literals[row] for column in made)})" for row in range(ROWS)]
    name = f"t{next(_names)}"
    server.execute(
        "SET sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'", f"CREATE TABLE {name} (id INT PRIMARY KEY, {declared})",
        f"INSERT INTO {name} VALUES {', '.join(rows)}", database=database,
    )  # fmt: skip
    with opened(source_for(server, f"{database}.{name}", modes=modes)) as source:
        snapshot, _ = read_to_end(source)
        server.execute(
            f"CREATE TEMPORARY TABLE copy SELECT * FROM {name}", f"UPDATE copy SET id = id + {ROWS}",
            f"INSERT INTO {name} SELECT * FROM copy", database=database,
        )  # fmt: skip
        streamed, _ = read_to_end(source)
    server.execute(f"DROP TABLE {name}", database=database)
    return snapshot, streamed


def values(changes: list[Change]) -> list[tuple[Any, ...]]:
    """Rows in the order of their keys, without them."""
    return [
        row[1:] for row in sorted((row for change in changes for row in change.after or ()), key=lambda row: row[0])
    ]


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_the_snapshot_and_the_log_show_what_was_put_in(flavor: str, request: pytest.FixtureRequest) -> None:
    server: Database = request.getfixturevalue(flavor)
    tables = st.lists(columns(ROWS, mariadb=flavor == "mariadb"), min_size=6, max_size=10)

    @settings(
        max_examples=12,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(made=tables, modes=st.just(ValueModes()) | MODES)
    def check(made: list[RandomColumn], modes: ValueModes) -> None:
        snapshot, streamed = both_ways(server, database, made, modes)
        assert {change.table for change in snapshot} == {change.table for change in streamed}
        read, logged = values(snapshot), values(streamed)
        assert len(read) == len(logged) == ROWS
        for row in range(ROWS):
            for column, one, other in zip(made, read[row], logged[row], strict=True):
                what = f"{column.declared}: {column.literals[row]}"
                assert same(one, other), what
                assert modes != ValueModes() or one == column.values[row], what

    with server.fresh_database() as database:
        check()
