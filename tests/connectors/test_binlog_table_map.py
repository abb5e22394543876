"""TABLE_MAP: what its metadata says of columns and keys, and that metadata which is missing or makes no sense stops."""

from __future__ import annotations

import struct

import pytest

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Rows
from connectors.source import Table
from streamtrain.errors import UnsupportedChange
from tests.connectors import binlog_writer as writer
from tests.connectors.binlog_writer import Col, field, packed
from tests.golden.binlog.record import recorded

INT, TEXT = Col(3), Col(252, b"\x02")
NAMES = field(4, b"\x01a\x01b")


def announced(columns: list[Col], *, optional: bytes | None = None, mariadb: bool = False) -> EventDecoder:
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.format_description(mariadb=mariadb))
    decoder.decode(writer.table_map(columns, optional=optional))
    return decoder


def first_table(server: str, case: str, name: str) -> Table:
    decoder = EventDecoder(lambda database, _: database == "golden")
    events = (decoder.decode(packet) for packet in recorded(server, case))
    return next(event.table for event in events if isinstance(event, Rows) and event.table.name == name)


@pytest.mark.parametrize("server", ["mysql", "mariadb"])
@pytest.mark.parametrize(("name", "key"), [("keyed", (1, 0)), ("prefixed", (0,)), ("keyless", ()), ("seven", ())])
def test_the_primary_key_is_in_key_order(server: str, name: str, key: tuple[int, ...]) -> None:
    table = first_table(server, "rows", name)
    assert table.key == key
    assert table.full_name == f"golden.{name}"


def test_a_default_collation_holds_for_all_columns_but_its_exceptions() -> None:
    optional = field(2, packed(255) + b"\x01" + packed(28)) + NAMES
    decoder = announced([TEXT, TEXT], optional=optional)
    data = struct.pack("<H", 2) + "é".encode() + struct.pack("<H", 2) + "汉".encode("gbk")
    event = decoder.decode(writer.rows(30, 2, b"\0" + data))
    assert isinstance(event, Rows)
    assert event.after == [("é", "汉")]


@pytest.mark.parametrize(
    ("columns", "optional", "message"),
    [
        ([INT, INT], b"", "does not name its columns"),
        ([INT, INT], NAMES, "without signedness"),
        ([INT, TEXT], field(1, b"\0") + NAMES, "without character sets"),
        ([INT, Col(254, b"\xf7\x01")], field(1, b"\0") + NAMES, "without character sets"),
        ([INT, Col(254, b"\xf8\x01")], field(1, b"\0") + NAMES + field(11, b"\x08"), "without the labels"),
    ],
)
def test_missing_metadata_stops_and_names_the_setting(columns: list[Col], optional: bytes, message: str) -> None:
    with pytest.raises(UnsupportedChange, match=message) as stop:
        announced(columns, optional=optional)
    assert "SET GLOBAL binlog_row_metadata=FULL" in stop.value.hint
    assert "shop.orders" in stop.value.message


@pytest.mark.parametrize(
    ("columns", "optional", "message"),
    [
        ([INT, INT], field(1, b"\0\0") + NAMES, "2 bytes of signedness for 2 numeric columns"),
        ([INT, INT], field(1, b"\0") + field(4, b"\x01a"), "needs 1 bytes"),
        ([INT, INT], field(1, b"\0") + field(4, b"\x01a\x01b\x01c"), "left over"),
        ([INT, INT], field(1, b"\0") + field(4, b"\xfb"), "does not begin a length"),
        ([INT, INT], field(1, b"\0") + NAMES + field(8, b"\x02"), "a primary key over column 2 of 2"),
        ([INT, INT], field(1, b"\0") + NAMES + field(9, b"\x00\x05\x01"), "odd number"),
        ([INT, INT], field(1, b"\0") + NAMES + field(14, b""), "metadata of kind 14 is not known"),
        ([INT, INT], field(1, b"\0") + NAMES + b"\x0c\x05", "needs 5 bytes"),
        ([INT, TEXT], field(1, b"\0") + NAMES + field(3, b"\x08\x08"), "2 collations for 1 columns"),
        ([INT, TEXT], field(1, b"\0") + NAMES + field(2, b"\x08\x01\x08"), "string column 1 of 1"),
        ([INT, TEXT], field(1, b"\0") + NAMES + field(2, b""), "collation 0 is not known"),
        ([INT, TEXT], field(1, b"\0") + NAMES + field(3, packed(9999)), "collation 9999 is not known"),
        ([INT, TEXT], field(1, b"\0") + NAMES + field(3, packed(1033)), "collation 1033 is not known"),
        (
            [INT, Col(254, b"\xf7\x01")],
            field(1, b"\0") + NAMES + field(11, b"\x08") + field(6, b"\x09\x01a"),
            "9 in a column's metadata",
        ),
    ],
)
def test_metadata_that_makes_no_sense_stops(columns: list[Col], optional: bytes, message: str) -> None:
    with pytest.raises(UnsupportedChange, match=message):
        announced(columns, optional=optional)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Col(7), "of which the log does not tell the width"),
        (Col(11), "of which the log does not tell the width"),
        (Col(12), "of which the log does not tell the width"),
        (Col(20, b"\x03"), "column type 20 is not supported"),
        (Col(200), "column type 200 is not supported"),
        (Col(247), "column type 247 outside a string type"),
        (Col(254, b"\x03\x04"), "column type 3 inside a string type"),
        (Col(252, b"\x05"), "5 in a column's metadata"),
        (Col(252, b"\x00"), "0 in a column's metadata"),
        (Col(19, b"\x07"), "7 in a column's metadata"),
        (Col(246, b"\x42\x00"), "66 in a column's metadata"),
        (Col(246, b"\x05\x06"), "6 in a column's metadata"),
        (Col(246, b"\x00\x00"), "0 in a column's metadata"),
        (Col(16, b"\x01\x08"), "65 in a column's metadata"),
        (Col(254, b"\xf8\x05"), "an ENUM or SET of 5 bytes"),
        (Col(3, b"\x01"), "left over"),
        (Col(15, b"\x01"), "needs 2 bytes"),
    ],
)
def test_a_column_that_is_not_understood_stops(column: Col, message: str) -> None:
    with pytest.raises(UnsupportedChange, match=message):
        announced([column])


def test_a_name_without_its_zero_byte_stops() -> None:
    body = bytearray(writer.table_map([INT])[19:-4])
    body[6 + 2 + 1 + 4] = 1
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.format_description())
    with pytest.raises(UnsupportedChange, match="does not end in a zero byte"):
        decoder.decode(writer.event(19, bytes(body)))


@pytest.mark.parametrize("count", [packed(0), packed(4097), b"\xfe" + b"\xff" * 8])
def test_a_number_of_columns_that_no_table_has_stops(count: bytes) -> None:
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.format_description())
    with pytest.raises(UnsupportedChange, match="columns"):
        decoder.decode(writer.event(19, bytes(6) + b"\1\0" + b"\x04shop\0\x06orders\0" + count))


def test_lengths_of_strings_beyond_255_bytes_hide_in_the_type_s_byte() -> None:
    # CHAR(100) of utf8mb4 has 400 bytes: 254 ^ 0x10 and 144.
    decoder = announced([Col(254, bytes([254 ^ 0x10, 144]))])
    event = decoder.decode(writer.rows(30, 1, b"\0" + struct.pack("<H", 3) + b"abc"))
    assert isinstance(event, Rows)
    assert event.after == [("abc",)]
