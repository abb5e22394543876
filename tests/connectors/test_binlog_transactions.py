"""The events around the rows, as real servers logged them for tests/golden/binlog/cases/transactions*.sql."""

from __future__ import annotations

import struct

import pytest

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import (
    Event,
    FormatDescription,
    Gtid,
    Ignored,
    MariadbGtid,
    MariadbGtidList,
    PreviousGtids,
    Query,
    Rotate,
    TableMap,
    XaPrepare,
    Xid,
)
from connectors.mysql.binlog.reading import Malformed, Reader
from connectors.mysql.binlog.tagged_gtid import read_tagged_gtid
from streamtrain.errors import UnsupportedChange
from tests.connectors import binlog_writer as writer
from tests.golden.binlog.record import recorded


def decoded(server: str, case: str) -> list[Event]:
    decoder = EventDecoder(lambda database, _: database == "golden")
    return [decoder.decode(packet) for packet in recorded(server, case)]


def shown(event: Event) -> str:
    """What matters of an event, in a line."""
    if isinstance(event, Query):
        return event.sql
    if isinstance(event, Gtid):
        return "gtid " + ":".join(event.gtid.split(":")[1:-1])
    if isinstance(event, MariadbGtid):
        flags = [name for name in ("standalone", "prepared_xa", "completed_xa") if getattr(event, name)]
        return " ".join(["gtid", *flags])
    if isinstance(event, XaPrepare):
        return f"prepare {event.xid}{' one phase' if event.one_phase else ''}"
    return event.kind if isinstance(event, Ignored) else type(event).__name__


def test_mysql_s_transactions_begin_with_a_gtid_and_end_with_their_commit() -> None:
    lines = [shown(event) for event in decoded("mysql", "transactions")]
    assert lines == [
        "Rotate", "FormatDescription", "gtid ", "CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB",
        "gtid ", "BEGIN", "RowsQuery", "TableMap", "Rows", "SAVEPOINT `s`", "Xid",
        "gtid blue", "BEGIN", "TableMap", "Rows", "Xid",
        "gtid ", "XA START X'676c6f62616c',X'6272616e6368',7", "TableMap", "Rows", "XA END X'676c6f62616c',X'6272616e6368',7",
        "prepare X'676c6f62616c',X'6272616e6368',7", "gtid ", "XA COMMIT X'676c6f62616c',X'6272616e6368',7",
        "gtid ", "XA START X'6f6e65',X'',1", "TableMap", "Rows", "XA END X'6f6e65',X'',1", "prepare X'6f6e65',X'',1 one phase",
        "Rotate", "Rotate", "FormatDescription", "PreviousGtids",
    ]  # fmt: skip


def test_mariadb_s_transactions_begin_with_a_gtid_in_place_of_begin() -> None:
    lines = [shown(event) for event in decoded("mariadb", "transactions_mariadb")]
    assert lines == [
        "Rotate", "FormatDescription", "gtid standalone", "CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB",
        "gtid", "RowsQuery", "TableMap", "Rows", "Xid",
        "gtid prepared_xa", "RowsQuery", "TableMap", "Rows", "XA END X'676c6f62616c',X'6272616e6368',7",
        "prepare X'676c6f62616c',X'6272616e6368',7", "gtid standalone completed_xa", "XA COMMIT X'676c6f62616c',X'6272616e6368',7",
        "gtid", "USER_VAR", "UPDATE t SET id = @x WHERE id = 4", "Xid",
        "Rotate", "Rotate", "FormatDescription", "MariadbGtidList", "MARIADB_BINLOG_CHECKPOINT",
    ]  # fmt: skip


def test_positions_and_sizes_follow_one_another_within_a_file() -> None:
    for server, case in (("mysql", "transactions"), ("mariadb", "transactions_mariadb")):
        end = 0
        for event in decoded(server, case):
            if isinstance(event, Rotate | FormatDescription | PreviousGtids | MariadbGtidList):
                end = 0
            elif end:
                assert event.end_position == end + event.size
            end = event.end_position


def test_a_mysql_gtid_tells_when_the_transaction_was_committed() -> None:
    gtids = [event for event in decoded("mysql", "transactions") if isinstance(event, Gtid)]
    tagged = [event for event in gtids if ":blue:" in event.gtid]
    assert len(tagged) == 1
    for event in gtids:
        assert not event.anonymous
        assert event.committed_us is not None
        assert abs(event.committed_us - event.timestamp * 1_000_000) < 60_000_000


def test_mariadb_gtids_are_domain_server_sequence() -> None:
    events = decoded("mariadb", "transactions_mariadb")
    gtids = [event.gtid for event in events if isinstance(event, MariadbGtid)]
    sequences = [int(gtid.removeprefix("0-1-")) for gtid in gtids]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    assert [event.gtids for event in events if isinstance(event, MariadbGtidList)] == [(gtids[-1],)]


def test_the_flags_in_a_gtid_list_s_count_are_not_counted() -> None:
    event = decode_alone(163, struct.pack("<IIIQ", 1 | 1 << 28, 0, 1, 77))
    assert isinstance(event, MariadbGtidList)
    assert event.gtids == ("0-1-77",)


def test_the_server_is_known_from_its_format_description() -> None:
    for server, version in (("mysql", "9.7.4"), ("mariadb", "10.11.18-MariaDB")):
        event = decoded(server, "integers")[1]
        assert isinstance(event, FormatDescription)
        assert event.server_version.startswith(version)
        assert (event.mariadb, event.checksum, event.header_length) == (server == "mariadb", True, 19)


def decode_alone(kind: int, body: bytes) -> Event:
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.format_description())
    return decoder.decode(writer.event(kind, body))


UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
MICROSECONDS = 1_700_000_000_123_456


@pytest.mark.parametrize(
    ("tail", "committed_us"),
    [
        (b"", None),
        (b"\x02" + bytes(16), None),
        (b"\x02" + bytes(16) + MICROSECONDS.to_bytes(7, "little"), MICROSECONDS),
        (b"\x02" + bytes(16) + (5 | 1 << 55).to_bytes(7, "little") + MICROSECONDS.to_bytes(7, "little"), MICROSECONDS),
        (b"\x02" + bytes(16) + bytes(7), None),
    ],
)
def test_a_replica_s_gtid_tells_when_the_first_server_committed(tail: bytes, committed_us: int | None) -> None:
    body = b"\x01" + UUID + struct.pack("<q", 77) + tail
    event = decode_alone(33, body)
    assert isinstance(event, Gtid)
    assert (event.gtid, event.committed_us, event.anonymous) == (f"{UUID_TEXT}:77", committed_us, False)
    anonymous = decode_alone(34, body)
    assert isinstance(anonymous, Gtid)
    assert (anonymous.gtid, anonymous.committed_us, anonymous.anonymous) == ("", committed_us, True)


def varint(number: int) -> bytes:
    """The serialization library's unsigned integer."""
    for size in range(1, 9):
        if number < 1 << 7 * size:
            return (number << size | (1 << size - 1) - 1).to_bytes(size, "little")
    return b"\xff" + number.to_bytes(8, "little")


def message(*fields: bytes, version: int = 1, last_required: int = 0) -> Reader:
    body = varint(last_required) + b"".join(fields)
    return Reader(varint(version) + varint(2 + len(body)) + body)


NUMBER = varint(2) + varint(77 << 1)
SERVER = varint(1) + b"".join(varint(byte) for byte in UUID)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 2**14 - 1, 2**14, 2**49, 2**56 - 1, 2**56, 2**63 - 1])
def test_integers_of_every_length_in_a_tagged_gtid(number: int) -> None:
    reader = message(SERVER, varint(2) + varint(number << 1), varint(6) + varint(number))
    assert read_tagged_gtid(reader) == (f"{UUID_TEXT}:{number}", number or None)


def test_a_tagged_gtid_has_its_tag_between_server_and_number() -> None:
    tag = varint(3) + varint(4) + b"blue"
    committed = varint(6) + varint(5), varint(7) + varint(6)
    assert read_tagged_gtid(message(SERVER, NUMBER, tag, *committed)) == (f"{UUID_TEXT}:blue:77", 6)


@pytest.mark.parametrize(
    "reader",
    [
        message(SERVER, NUMBER, version=2),
        message(SERVER, NUMBER, last_required=13),
        message(SERVER, NUMBER, varint(12) + varint(5)),
        message(SERVER),
        message(NUMBER),
        message(varint(1) + varint(256) * 16, NUMBER),
        Reader(message(SERVER, NUMBER).data + b"\0"),
        Reader(message(SERVER, NUMBER).data[:-1]),
    ],
)
def test_a_tagged_gtid_of_a_format_that_is_not_known_stops(reader: Reader) -> None:
    with pytest.raises(Malformed):
        read_tagged_gtid(reader)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (16, bytes(7)),
        (16, bytes(9)),
        (33, bytes(10)),
        (38, struct.pack("<BIII", 0, 1, 5, 0) + b"four"),
        (38, struct.pack("<BIII", 0, 1, 1, 0) + b"four"),
        (162, bytes(12)),
        (163, struct.pack("<I", 3) + bytes(16)),
        (2, struct.pack("<IIBHH", 1, 0, 200, 0, 0)),
        (2, struct.pack("<IIBHH", 1, 0, 4, 0, 0) + b"shopX"),
        (2, struct.pack("<IIBHH", 1, 0, 4, 0, 900) + b"shop\0"),
    ],
)
def test_an_event_that_is_cut_short_or_too_long_stops(kind: int, body: bytes) -> None:
    with pytest.raises(UnsupportedChange, match="binlog"):
        decode_alone(kind, body)


def test_a_table_map_says_whether_its_table_is_wanted() -> None:
    maps = [event for event in decoded("mysql", "transactions") if isinstance(event, TableMap)]
    assert {(event.database, event.name, event.wanted) for event in maps} == {("golden", "t", True)}
    assert any(isinstance(event, Xid) and event.xid > 0 for event in decoded("mysql", "transactions"))
