"""The decoder's own rules: checksums, tables and their ids, what is ignored, and what stops with which way out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import (
    Event,
    FormatDescription,
    Heartbeat,
    Ignored,
    PreviousGtids,
    Query,
    Rotate,
    Rows,
    TableMap,
    Xid,
)
from streamtrain.errors import UnsupportedChange
from tests.connectors import binlog_writer as writer
from tests.connectors.binlog_writer import Col

COLUMNS = [Col(3, nullable=False), Col(15, b"\x40\x00")]
STATEMENT_END = 1


def query(sql: str, *, status: bytes = b"", thread_id: int = 11, raw: bytes = b"") -> bytes:
    head = struct.pack("<IIBHH", thread_id, 0, 4, 0, len(status))
    return writer.event(2, head + status + b"shop\0" + (raw or sql.encode()))


def insert(number: int, *, flags: int = 0, table_id: int = 7, checksum: bool = True) -> bytes:
    image = writer.row_image([struct.pack("<i", number), b"\x01x"])
    return writer.rows(30, 2, image, flags=flags, table_id=table_id, checksum=checksum)


def started(wanted: Callable[[str, str], bool] = lambda *_: True, **options: Any) -> EventDecoder:
    decoder = EventDecoder(wanted, **options)
    decoder.decode(writer.rotate("binlog.000007", 1234))
    decoder.decode(writer.format_description())
    return decoder


def rows_of(event: Event) -> list[tuple[Any, ...]]:
    assert isinstance(event, Rows)
    assert event.after is not None
    return event.after


def test_a_packet_may_be_a_memoryview() -> None:
    decoder = started()
    decoder.decode(memoryview(writer.table_map(COLUMNS)))
    assert rows_of(decoder.decode(memoryview(insert(5)))) == [(5, "x")]


def test_the_header_s_fields_are_on_every_event() -> None:
    event = started().decode(writer.event(16, struct.pack("<Q", 77), position=5000))
    assert event == Xid(
        77, timestamp=1_700_000_000, server_id=42, end_position=5000, size=31, artificial=False
    )  # 19 + 8 + 4


@pytest.mark.parametrize("checksum", [False, True])
def test_the_first_rotate_is_read_before_its_checksum_can_be_known(checksum: bool) -> None:
    decoder = EventDecoder(lambda *_: True)
    event = decoder.decode(writer.rotate("mysql-bin.1000000", 4, checksum=checksum))
    assert isinstance(event, Rotate)
    assert (event.file, event.position, event.artificial) == ("mysql-bin.1000000", 4, True)
    assert decoder.file == "mysql-bin.1000000"


def test_a_rotate_in_the_log_names_the_next_file() -> None:
    decoder = started()
    decoder.decode(writer.rotate("binlog.000008", artificial=False))
    assert decoder.file == "binlog.000008"


@pytest.mark.parametrize("file", ["", "binlog", "binlog.00001x", "../binlog.000001", "bin\0log.000001"])
def test_a_rotate_to_no_log_file_stops(file: str) -> None:
    with pytest.raises(UnsupportedChange, match="does not end in a number"):
        EventDecoder(lambda *_: True).decode(writer.rotate(file))


@pytest.mark.parametrize("where", range(len(insert(5))))
def test_a_bit_that_flips_anywhere_in_an_event_stops(where: int) -> None:
    decoder = started()
    decoder.decode(writer.table_map(COLUMNS))
    damaged = bytearray(insert(5))
    damaged[where] ^= 0x10
    with pytest.raises(UnsupportedChange, match=r"checksum does not match|header tells of"):
        decoder.decode(bytes(damaged))


def test_a_bit_that_flips_in_the_format_description_stops() -> None:
    damaged = bytearray(writer.format_description())
    damaged[30] ^= 0x10
    with pytest.raises(UnsupportedChange, match="checksum does not match"):
        EventDecoder(lambda *_: True).decode(bytes(damaged))


def test_the_checksum_of_a_file_in_use_is_that_without_its_flag() -> None:
    in_use = bytearray(writer.format_description())
    in_use[17] |= 0x01
    assert isinstance(EventDecoder(lambda *_: True).decode(bytes(in_use)), FormatDescription)


def test_each_file_keeps_the_checksum_it_was_begun_with() -> None:
    decoder = started()
    for checksum, number in ((False, 1), (True, 2), (False, 3)):
        decoder.decode(writer.rotate("binlog.000008", checksum=not checksum))
        decoder.decode(writer.format_description(checksum=checksum))
        decoder.decode(writer.table_map(COLUMNS, checksum=checksum))
        assert rows_of(decoder.decode(insert(number, checksum=checksum))) == [(number, "x")]


def test_nothing_is_decoded_before_the_format_description() -> None:
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.rotate("binlog.000007"))
    with pytest.raises(UnsupportedChange, match="no FORMAT_DESCRIPTION has come before it"):
        decoder.decode(query("BEGIN"))


def test_after_a_reset_the_format_has_to_come_anew() -> None:
    decoder = started()
    decoder.reset()
    with pytest.raises(UnsupportedChange, match="no FORMAT_DESCRIPTION"):
        decoder.decode(query("BEGIN"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: b"\x03" + body[1:], "binlog format 3"),
        (lambda body: body[:56] + b"\x0d" + body[57:], "binlog format 4 of server 9.7.4"),
        (lambda body: body[:75] + b"\x06" + body[76:], "is not supported"),
        (lambda body: body[:-1] + b"\x02", "checksum algorithm 2"),
        (lambda body: body[:40], "bytes are left|needs"),
    ],
)
def test_a_format_that_is_not_known_stops(change: Callable[[bytes], bytes], message: str) -> None:
    body = writer.format_description()[19:-4]
    with pytest.raises(UnsupportedChange, match=message):
        EventDecoder(lambda *_: True).decode(writer.event(15, change(body)))


@pytest.mark.parametrize("packet", [b"", b"\0" * 18, insert(5)[:-1], insert(5) + b"\0"])
def test_a_packet_of_another_length_than_its_header_s_stops(packet: bytes) -> None:
    with pytest.raises(UnsupportedChange, match=r"shorter than an event's header|the header tells of"):
        started().decode(packet)


def test_rows_without_a_table_map_stop() -> None:
    with pytest.raises(UnsupportedChange, match=r"no TABLE_MAP has come for its table id 7 \(start at the beginning"):
        started().decode(insert(5))


def test_a_table_map_serves_until_its_statement_ends() -> None:
    decoder = started()
    decoder.decode(writer.table_map(COLUMNS))
    assert rows_of(decoder.decode(insert(1))) == [(1, "x")]
    assert rows_of(decoder.decode(insert(2, flags=STATEMENT_END))) == [(2, "x")]
    with pytest.raises(UnsupportedChange, match="no TABLE_MAP"):
        decoder.decode(insert(3))


@pytest.mark.parametrize("forget", [lambda d: d.reset(), lambda d: None])
def test_a_table_id_of_an_earlier_file_is_not_taken_for_one_of_this(forget: Callable[[EventDecoder], None]) -> None:
    decoder = started()
    decoder.decode(writer.table_map(COLUMNS))
    forget(decoder)
    decoder.decode(writer.format_description())
    with pytest.raises(UnsupportedChange, match="no TABLE_MAP"):
        decoder.decode(insert(3))


def test_a_table_id_that_goes_to_another_table_takes_its_columns_with_it() -> None:
    decoder = started()
    decoder.decode(writer.table_map(COLUMNS))
    decoder.decode(writer.table_map([Col(3)], name="others"))
    event = decoder.decode(writer.rows(30, 1, writer.row_image([struct.pack("<i", 9)])))
    assert isinstance(event, Rows)
    assert (event.table.full_name, event.after) == ("shop.others", [(9,)])


def test_two_tables_of_one_statement_keep_their_ids() -> None:
    decoder = started()
    decoder.decode(writer.table_map(COLUMNS, table_id=7))
    decoder.decode(writer.table_map([Col(3)], table_id=0x123456789ABC, name="others"))
    other = decoder.decode(writer.rows(30, 1, b"\0\x09\0\0\0", table_id=0x123456789ABC))
    assert rows_of(other) == [(9,)]
    assert rows_of(decoder.decode(insert(1, table_id=7, flags=STATEMENT_END))) == [(1, "x")]


@pytest.mark.parametrize("table_id", [0xFFFFFF, 0xFFFFFFFFFFFF])
def test_rows_of_no_table_that_only_end_a_statement_are_ignored(table_id: int) -> None:
    assert isinstance(started().decode(insert(1, table_id=table_id, flags=STATEMENT_END)), Ignored)


def test_a_table_that_is_not_wanted_is_not_decoded_even_if_it_could_not_be() -> None:
    decoder = started(lambda database, table: (database, table) == ("shop", "orders"))
    secret = writer.table_map([Col(140, b"\x01")], name="secret", optional=b"", table_id=8)
    mapped = decoder.decode(secret)
    assert isinstance(mapped, TableMap)
    assert (mapped.database, mapped.name, mapped.wanted) == ("shop", "secret", False)
    event = decoder.decode(writer.rows(30, 1, b"\xff\xff", table_id=8))
    assert isinstance(event, Ignored)
    assert event.kind == "WRITE_ROWS"


def test_a_table_is_asked_for_once_as_long_as_its_description_stays() -> None:
    asked: list[str] = []

    def wanted(_: str, table: str) -> bool:
        asked.append(table)
        return True

    decoder = started(wanted)
    for table_id in (5, 6):
        decoder.decode(writer.format_description())
        decoder.decode(writer.table_map(COLUMNS, table_id=table_id))
    assert asked == ["orders"]
    decoder.decode(writer.table_map([*COLUMNS, Col(3)], table_id=7))
    assert asked == ["orders", "orders"]


def test_the_same_bytes_mean_another_thing_on_the_other_kind_of_server() -> None:
    # GEOMETRY counts among the columns with a collation on MariaDB only.
    metadata = writer.field(2, writer.packed(255) + b"\x00\x3f") + writer.field(4, b"\x01g\x01t")
    announcement = writer.table_map([Col(255, b"\x04"), Col(252, b"\x01")], optional=metadata)
    image = writer.row_image([None, b"\x02hi"])
    decoder = started()
    for mariadb, text in ((False, "aGk="), (True, "hi")):
        decoder.decode(writer.format_description(mariadb=mariadb))
        decoder.decode(announcement)
        assert rows_of(decoder.decode(writer.rows(30, 2, image))) == [(None, text)]


def test_a_configured_key_takes_the_primary_key_s_place() -> None:
    decoder = started(key_columns={"shop.orders": ["c1", "c0"]})
    decoder.decode(writer.table_map(COLUMNS, key=[0]))
    event = decoder.decode(insert(1))
    assert isinstance(event, Rows)
    assert event.table.key == (1, 0)


def test_a_configured_key_of_a_column_that_is_not_there_stops() -> None:
    with pytest.raises(UnsupportedChange, match=r"table shop\.orders: has no column nope \(correct the key columns"):
        started(key_columns={"shop.orders": ["c0", "nope"]}).decode(writer.table_map(COLUMNS))


def test_rows_carry_the_thread_of_the_transaction_s_begin() -> None:
    decoder = started()
    decoder.decode(query("BEGIN", thread_id=11))
    decoder.decode(writer.table_map(COLUMNS))
    event = decoder.decode(insert(1))
    assert isinstance(event, Rows)
    assert event.thread_id == 11
    decoder.decode(writer.event(162, struct.pack("<QIB", 5, 0, 0)))  # a MariaDB GTID, in place of BEGIN
    event = decoder.decode(insert(2))
    assert isinstance(event, Rows)
    assert event.thread_id is None


COLLATIONS = struct.pack("<HHH", 28, 28, 28)  # gbk


@pytest.mark.parametrize(
    ("status", "raw", "sql"),
    [
        (b"", "TRUNCATE `日`".encode(), "TRUNCATE `日`"),
        (b"\x00\0\0\0\0\x01" + bytes(8) + b"\x06\x03std\x03\0\0\0\0\x04" + COLLATIONS, "TRUNCATE `汉`".encode("gbk"), "TRUNCATE `汉`"),
        (b"\x05", b"TRUNCATE `\xff`", "TRUNCATE `\\xff`"),
        (b"\x04" + struct.pack("<HHH", 32, 32, 32), b"BEGIN", "BEGIN"),
        (b"\x04" + struct.pack("<HHH", 63, 63, 63), b"BEGIN", "BEGIN"),
    ],
)  # fmt: skip
def test_a_statement_is_text_whatever_its_client_s_character_set(status: bytes, raw: bytes, sql: str) -> None:
    event = started().decode(query("", status=status, raw=raw))
    assert isinstance(event, Query)
    assert (event.database, event.sql) == ("shop", sql)


@pytest.mark.parametrize("kind", [3, 5, 13, 14, 28, 36, 37, 161, 164])
def test_events_without_a_change_in_them_are_ignored(kind: int) -> None:
    assert isinstance(started().decode(writer.event(kind, b"whatever")), Ignored)


def test_an_unknown_event_is_ignored_only_if_it_says_that_it_may_be() -> None:
    decoder = started()
    with pytest.raises(UnsupportedChange, match="event type 99: this kind of event is not known"):
        decoder.decode(writer.event(99, b"whatever"))
    event = decoder.decode(writer.event(99, b"whatever", flags=0x80))
    assert isinstance(event, Ignored)
    assert event.kind == "event type 99"


@pytest.mark.parametrize(
    ("kind", "way_out"),
    [
        (0, "report"),
        (1, "report"),
        (9, "binlog_format=ROW"),
        (11, "binlog_format=ROW"),
        (17, "binlog_format=ROW"),
        (18, "binlog_format=ROW"),
        (26, "new topic.prefix"),
        (41, "do not ask for it"),
    ],
)
def test_events_that_cannot_be_decoded_stop_with_position_and_way_out(kind: int, way_out: str) -> None:
    packet = writer.event(kind, b"whatever", position=2000, flags=0)
    with pytest.raises(UnsupportedChange) as stop:
        started().decode(packet)
    assert stop.value.message.startswith(f"binlog.000007:{2000 - len(packet)}, ")
    assert way_out in stop.value.hint


def test_positions_beyond_4_gib_wrap_in_messages_as_in_the_header() -> None:
    packet = writer.event(26, b"\x01\0", position=5)
    with pytest.raises(UnsupportedChange, match=rf"binlog\.000007:{2**32 + 5 - len(packet)}, INCIDENT"):
        started().decode(packet)


def test_heartbeats_and_previous_gtids_are_what_they_are() -> None:
    decoder = started()
    heartbeat = decoder.decode(writer.event(27, b"binlog.000009"))
    assert isinstance(heartbeat, Heartbeat)
    assert (heartbeat.file, decoder.file) == ("binlog.000009", "binlog.000007")
    previous = decoder.decode(writer.event(35, bytes(8)))
    assert isinstance(previous, PreviousGtids)
    assert previous.raw == bytes(8)
