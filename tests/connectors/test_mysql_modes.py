"""Every type is declared and shown as Debezium declares and shows it, in each mode, but where the difference is meant."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from connectors.formats.connect import table_schemas
from connectors.formats.connect_json import json_schema
from connectors.mysql.value_modes import ValueModes
from connectors.source import Change, FieldType
from streamtrain.errors import UnsupportedChange
from tests.connectors.mysql_capture import opened, read_to_end, source_for
from tests.golden.debezium.record import HERE, statements
from tests.servers import Database

# The modes under which each was recorded. In ``default`` Debezium's own defaults are chosen.
MODES = {
    "default": ValueModes(decimal="precise", bigint_unsigned="long"),
    "connect": ValueModes(decimal="string", bigint_unsigned="precise", binary="base64", time_precision="connect"),
    "isostring": ValueModes(decimal="double", bigint_unsigned="long", binary="hex", time_precision="isostring"),
    "microseconds": ValueModes(
        decimal="precise", bigint_unsigned="long", binary="base64-url-safe", time_precision="microseconds"
    ),
    "nanoseconds": ValueModes(decimal="precise", bigint_unsigned="long", time_precision="nanoseconds"),
}
CASES = [*(("mysql", mode) for mode in MODES), ("mariadb", "default")]

# Debezium moves the year 18 to 2018, and has two opinions on YEAR 0 and on a zero TIMESTAMP: 2000 or 1900, null or 1970. The
# float32 nearest to 3e10 is shown by the fewest digits that tell it. Of a UUID that ends in zero bytes, Debezium's stream
# shows another one.
MEANT = {"uu": "123e4567-e89b-12d3-a456-426655440000", "da2": -712863, "ye0": 0, "tsz": "1970-01-01T00:00:00Z", "tsz0": None, "ve": [0.1, -2.5, 3e10], "ts3": "2024-06-30T12:00:00.12Z"}  # fmt: skip
MEANT_BY_MODE: dict[str, dict[str, Any]] = {"isostring": {"da2": "0018-04-01Z"}}
# Debezium shows them as null, and so in "connect" and "isostring" loses what is no time of a day.
BEYOND_A_DAY = ["tmn", "tm3", "tmbig"]
CONNECT_TYPES = {"float": "float32", "double": "float64"}


@cache
def recording(flavor: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((HERE / f"{flavor}.json").read_text(encoding="utf-8"))
    return recorded


def recorded(flavor: str, mode: str) -> dict[str, dict[str, Any]]:
    modes = recording(flavor)["modes"]
    return {**modes["default"], **modes[mode]}


def declared(schema: dict[str, Any]) -> FieldType:
    kind = CONNECT_TYPES.get(schema["type"], schema["type"])
    parameters = tuple(schema.get("parameters", {}).items())
    return FieldType(kind, schema["optional"], schema.get("name"), schema.get("version", 1), parameters)


def both_ways(
    server: Database, database: str, flavor: str, modes: ValueModes, *without: str
) -> tuple[list[Change], list[Change]]:
    """The row as the snapshot reads it from ``t``, and as it comes when it is inserted there."""
    create, insert = statements(flavor)
    null = [f"UPDATE t SET {column} = NULL" for column in without]
    server.execute("SET sql_mode = '', time_zone = '+00:00'", create, "SET @id = 1", insert, *null, database=database)
    with opened(source_for(server, f"{database}.t", modes=modes)) as source:
        snapshot, _ = read_to_end(source)
        server.execute(
            "SET sql_mode = '', time_zone = '+00:00'", "CREATE TEMPORARY TABLE copy SELECT * FROM t", "UPDATE copy SET id = 2",
            "INSERT INTO t SELECT * FROM copy", database=database,
        )  # fmt: skip
        streamed, _ = read_to_end(source)
    return snapshot, streamed


def row(changes: list[Change]) -> dict[str, Any]:
    (change,) = changes
    assert change.after is not None
    return dict(zip(change.table.columns, change.after[0], strict=True))


@pytest.mark.parametrize(("flavor", "mode"), CASES)
def test_columns_are_declared_and_shown_as_debezium_does(
    flavor: str, mode: str, request: pytest.FixtureRequest
) -> None:
    server: Database = request.getfixturevalue(flavor)
    without = BEYOND_A_DAY if mode in {"connect", "isostring"} else []
    with server.fresh_database() as database:
        snapshot, streamed = both_ways(server, database, flavor, MODES[mode], *without)
    expected = recorded(flavor, mode)
    types = {name: declared(found["schema"]) for name, found in expected.items()}
    schemas = {
        name: {key: value for key, value in found["schema"].items() if key != "default"}
        for name, found in expected.items()
    }
    for changes, way in ((snapshot, "snapshot"), (streamed, "streamed")):
        table = changes[0].table
        assert dict(zip(table.columns, table.types, strict=True)) | {"id": None} == types | {"id": None}
        fields = {field.name: json_schema(field.schema) for field in table_schemas(table, "p", flavor).row.fields}
        assert fields | {"id": {}} == schemas | {"id": {}}
        values = {name: found["streamed" if name.startswith("js") else way] for name, found in expected.items()}
        values |= {name: value for name, value in MEANT.items() if name in values} | MEANT_BY_MODE.get(mode, {})
        assert {name: value for name, value in row(changes).items() if name != "id"} == values
    assert snapshot[0].table == streamed[0].table


def test_a_number_is_exact_by_default(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(
        "CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, d DECIMAL(65,30) NOT NULL)",
        "INSERT INTO t VALUES (18446744073709551615, 0.5)", database=sql_database,
    )  # fmt: skip
    with opened(source_for(sql_server, f"{sql_database}.t")) as source:
        snapshot, _ = read_to_end(source)
        sql_server.execute("UPDATE t SET d = 0.25", database=sql_database)
        streamed, _ = read_to_end(source)
    assert row(snapshot) == {"id": 18446744073709551615, "d": "0.5" + "0" * 29}
    assert row(streamed) == {"id": 18446744073709551615, "d": "0.25" + "0" * 28}
    for change in (*snapshot, *streamed):
        assert change.table.types == (FieldType("int64", optional=False), FieldType("string", optional=False))


@pytest.mark.parametrize(
    ("mode", "declaration", "literal"),
    [
        ("connect", "TIME", "-00:00:01"),
        ("connect", "TIME(3)", "24:00:00"),
        ("isostring", "TIME", "838:59:59"),
        ("nanoseconds", "DATETIME", "2262-04-12 00:00:00"),
        ("nanoseconds", "DATETIME(6)", "1677-09-21 00:00:00"),
    ],
)
def test_what_a_mode_cannot_hold_stops_and_names_the_way_out(
    sql_server: Database, sql_database: str, mode: str, declaration: str, literal: str
) -> None:
    sql_server.execute(f"CREATE TABLE t (id INT PRIMARY KEY, v {declaration})", database=sql_database)
    insert = f"INSERT INTO t VALUES (1, '{literal}')"
    modes = MODES[mode]
    with opened(source_for(sql_server, f"{sql_database}.t", modes=modes)) as source:
        read_to_end(source)
        sql_server.execute(insert, database=sql_database)
        with pytest.raises(UnsupportedChange, match=r"rows of .*\.t") as streamed:
            read_to_end(source)
    with (
        opened(source_for(sql_server, f"{sql_database}.t", modes=modes)) as source,
        pytest.raises(UnsupportedChange, match=r"rows of .*\.t, column v") as snapshot,
    ):
        read_to_end(source)
    for stop in (streamed, snapshot):
        assert "source.time_precision_mode" in stop.value.hint
