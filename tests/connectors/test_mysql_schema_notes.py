"""The schema log as it is kept: small JSON notes, which later versions must not misread."""

from __future__ import annotations

import orjson
import pytest

from connectors.mysql.schema_log import SchemaLog
from connectors.mysql.schema_notes import database_key, parse_key, read_table, table_key, table_note
from connectors.mysql.server import Flavor, Server
from connectors.mysql.structure import Column, Gap, Index, TableSchema
from connectors.source import Table
from connectors.topic_owners import TopicOwners
from streamtrain.errors import PositionLost

COLUMNS = (
    Column("id", "int unsigned", nullable=False, auto_increment=True),
    Column("kind", "enum('a','b''c')", "latin1"),
    Column("sum", "int", generated=True, invisible=True),
)
SCHEMA = TableSchema(
    Table("shop", "orders", ("id", "kind", "sum"), (0,)),
    COLUMNS,
    "InnoDB",
    charset="utf8mb4",
    indexes=(
        Index("PRIMARY", ("id",), unique=True),
        Index("kind", ("kind",), unique=False, whole=False, implicit=True),
    ),
)
SERVER = Server(Flavor.MYSQL, (9, 7, 0), "9.7.0", "uuid", 1, by_gtid=True, lower_case_names=False)


def schema_log() -> SchemaLog:
    return SchemaLog(SERVER, lambda _database, _name: True, TopicOwners("p"))


def test_a_table_comes_back_from_its_note_as_it_was() -> None:
    note = table_note(SCHEMA)
    assert read_table("schema/shop.orders", note, "shop", "orders") == SCHEMA
    assert SCHEMA.columns[1].labels == ("a", "b'c")
    assert len(note) < 300
    assert read_table("schema/shop.orders", table_note(Gap("why")), "shop", "orders") == Gap("why")


@pytest.mark.parametrize("name", [("a.b", "c"), ("a", "b.c"), ("100%", "%2E"), ("plain", "täble")])
def test_every_name_has_a_key_of_its_own(name: tuple[str, str]) -> None:
    assert parse_key(table_key(*name)) == name
    assert parse_key(database_key(name[0])) == (name[0], "")
    assert parse_key("snapshot/of.another") is None


@pytest.mark.parametrize(
    "note",
    [
        b"", b"[]", b"{}", b'{"format": 2, "gap": "x"}', b'{"format": 1}',
        orjson.dumps({**orjson.loads(table_note(SCHEMA)), "columns": [["id"]]}),
    ],
)  # fmt: skip
def test_a_note_of_another_version_is_not_taken_for_one_of_this(note: bytes) -> None:
    with pytest.raises(PositionLost, match=r"schema/shop\.orders"):
        schema_log().load({"schema/shop.orders": note})


def test_only_what_has_changed_is_noted_and_what_is_gone_is_taken_away() -> None:
    log = schema_log()
    log.fill([SCHEMA], {"shop": "utf8mb4"})
    first = log.take_notes()
    assert set(first) == {"schema/shop.orders", "database/shop"}
    assert log.take_notes() == {}
    log.fill([], {"shop": "latin1"})
    assert log.take_notes() == {"schema/shop.orders": None, "database/shop": b'{"format":1,"charset":"latin1"}'}
