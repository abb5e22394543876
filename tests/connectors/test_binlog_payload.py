"""Transactions that come as one event: their events one by one, at the outer one's place, in bounded memory."""

from __future__ import annotations

import mmap
import random
import struct
import tempfile
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Event, Ignored, Rows, TableMap, TransactionPayload, Xid
from streamtrain.errors import UnsupportedChange
from tests.connectors import binlog_writer as writer
from tests.connectors.binlog_writer import Col

COLUMNS = [Col(3, nullable=False), Col(252, b"\x02")]
MAP = writer.table_map(COLUMNS, checksum=False)
XID = writer.event(16, struct.pack("<Q", 77), checksum=False, position=0)


def insert(number: int, text: bytes = b"x") -> bytes:
    image = writer.row_image([struct.pack("<i", number), struct.pack("<H", len(text)) + text])
    return writer.rows(30, 2, image, checksum=False)


def started(checksum: bool = True) -> EventDecoder:
    decoder = EventDecoder(lambda _, table: table == "orders")
    decoder.decode(writer.rotate("binlog.000007"))
    decoder.decode(writer.format_description(checksum=checksum))
    return decoder


def events_of(packet: bytes, decoder: EventDecoder | None = None) -> list[Event]:
    event = (decoder or started()).decode(packet)
    assert isinstance(event, TransactionPayload)
    return list(event.events)


@pytest.mark.parametrize("algorithm", [0, 255])
def test_the_events_within_come_in_order_and_at_the_place_of_the_one_around_them(algorithm: int) -> None:
    other = writer.table_map([Col(3)], name="others", table_id=8, checksum=False)
    packet = writer.payload(
        MAP, other, insert(1), writer.rows(30, 1, b"\0\x09\0\0\0", table_id=8, checksum=False), insert(2), XID,
        algorithm=algorithm,
    )  # fmt: skip
    events = events_of(packet)
    assert [type(event) for event in events] == [TableMap, TableMap, Rows, Ignored, Rows, Xid]
    assert [event.after for event in events if isinstance(event, Rows)] == [[(1, "x")], [(2, "x")]]
    assert {(event.end_position, event.size, event.artificial) for event in events} == {(5000, len(packet), False)}


@pytest.mark.parametrize("border", [len(MAP), len(MAP) + 7, len(MAP) + 30])
def test_a_payload_may_be_of_several_zstd_frames(border: int) -> None:
    plain = MAP + insert(1) + XID
    packed = zstandard.compress(plain[:border]) + zstandard.compress(plain[border:])
    assert len(events_of(writer.payload(plain, packed=packed))) == 3


def test_a_size_that_is_not_true_reserves_no_memory() -> None:
    lying = MAP[:9] + struct.pack("<I", 1 << 30) + MAP[13:]
    event = started().decode(writer.payload(lying))
    assert isinstance(event, TransactionPayload)
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedChange, match="header tells of 1073741824 bytes"):
            list(event.events)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_a_table_announced_within_one_payload_serves_that_one() -> None:
    decoder = started()
    events_of(writer.payload(MAP, insert(1), XID), decoder)
    decoder.decode(writer.format_description())
    with pytest.raises(UnsupportedChange, match="no TABLE_MAP"):
        events_of(writer.payload(insert(2), XID), decoder)


def test_a_transaction_of_a_hundred_megabytes_is_never_held() -> None:
    rows = 1_600
    packer = zstandard.ZstdCompressor().compressobj()
    parts = [packer.compress(MAP)]
    size, filler = len(MAP), b"y" * 60_000
    for number in range(rows):
        row = insert(number, filler)
        size += len(row)
        parts.append(packer.compress(row))
    parts.append(packer.flush())
    packed = b"".join(parts)
    fields = b"\x01" + writer.packed_field(len(packed)) + b"\x02\x01\0\x03" + writer.packed_field(size)
    event = started().decode(writer.event(40, fields + b"\0" + packed, position=5000))
    assert isinstance(event, TransactionPayload)
    count = 0
    tracemalloc.start()
    try:
        for inner in event.events:
            count += isinstance(inner, Rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, size > 95_000_000) == (rows, True)
    assert peak < 10_000_000


def damaged(fields: bytes, packed: bytes) -> bytes:
    return writer.event(40, fields + b"\0" + packed)


GOOD = zstandard.compress(MAP + XID)
SIZES = b"\x01" + writer.packed_field(len(GOOD)), b"\x03" + writer.packed_field(len(MAP + XID))


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (damaged(SIZES[0] + b"\x02\x01\x07" + SIZES[1], GOOD), "compression algorithm 7 is not known"),
        (damaged(SIZES[0] + SIZES[1], GOOD), "compression algorithm None is not known"),
        (damaged(SIZES[0] + b"\x02\x01\0\x04\x01\0", GOOD), "field 4 of a payload is not known"),
        (damaged(SIZES[0] + b"\x02\x02\0\0", GOOD), "1 bytes are left over"),
        (damaged(b"\x02\x01\0" + SIZES[1], GOOD), "a payload of None bytes"),
        (damaged(b"\x01\x01\x05\x02\x01\0", GOOD), "a payload of 5 bytes"),
        (damaged(SIZES[0] + b"\x02\x01\0\x03\x01\x05", GOOD), "where 5 are told of"),
        (writer.payload(MAP, XID, packed=GOOD[:-6]), "event's header|header tells|are told of"),
        (writer.payload(MAP, XID, packed=b"(\xb5/\xfd" + bytes(9)), "cannot be read|are told of"),
        (writer.payload(MAP, XID[:-1]), "the header tells of 27 bytes, where 26 have come"),
        (writer.payload(MAP, XID[:10]), "10 bytes are shorter than an event's header"),
        (writer.payload(MAP, bytes(19)), "the header tells of 0 bytes"),
        (writer.payload(writer.format_description()), "cannot be a part of"),
        (writer.payload(writer.event(33, bytes(25), checksum=False)), "cannot be a part of"),
        (writer.payload(writer.payload(XID)), "cannot be a part of"),
        (writer.payload(writer.event(26, b"\x01\0", checksum=False)), "INCIDENT"),
    ],
)
def test_a_payload_that_makes_no_sense_stops_with_the_place_of_its_event(packet: bytes, message: str) -> None:
    with pytest.raises(UnsupportedChange, match=message) as stop:
        events_of(packet)
    end = int.from_bytes(packet[13:17], "little")
    assert stop.value.message.startswith(f"binlog.000007:{end - len(packet)}, ")
    assert stop.value.hint


def mapped(data: bytes) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return mmap.mmap(file.fileno(), len(data), access=mmap.ACCESS_READ)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE


@pytest.mark.parametrize("algorithm", [0, 255])
def test_what_cannot_be_compressed_is_not_held_either(algorithm: int) -> None:
    noise = random.Random(4)
    rows = [insert(number, noise.randbytes(30_000).hex().encode()) for number in range(1_000)]
    large = mapped(writer.payload(MAP, *rows, XID, algorithm=algorithm))
    size = len(large)
    del rows
    before, most, count = resident_bytes(), 0, 0
    event = started().decode(large)
    assert isinstance(event, TransactionPayload)
    for inner in event.events:
        count += isinstance(inner, Rows)
        most = max(most, resident_bytes())
    assert (count, size > 30_000_000) == (1_000, True)
    assert most - before < 20_000_000


def test_a_bit_that_flips_in_a_mapped_event_stops_and_other_events_are_decoded_from_there_too() -> None:
    packet = bytearray(writer.payload(MAP, insert(1), XID))
    packet[60] ^= 1
    with pytest.raises(UnsupportedChange, match="checksum does not match"):
        started().decode(mapped(bytes(packet)))
    decoder = started()
    assert isinstance(decoder.decode(mapped(writer.table_map(COLUMNS))), TableMap)
    image = writer.row_image([struct.pack("<i", 5), struct.pack("<H", 1) + b"x"])
    event = decoder.decode(mapped(writer.rows(30, 2, image)))
    assert isinstance(event, Rows)
    assert event.after == [(5, "x")]
