"""MariaDB's compressed events: the same rows and statements as uncompressed, and a stop at what is damaged."""

from __future__ import annotations

import struct
import zlib

import pytest

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Query, Rows
from streamtrain.envelope import Op
from streamtrain.errors import UnsupportedChange
from tests.connectors import binlog_writer as writer
from tests.connectors.binlog_writer import Col

COLUMNS = [Col(3, nullable=False), Col(252, b"\x02")]


def packed(data: bytes, *, length_bytes: int = 3) -> bytes:
    return bytes([0x80 | length_bytes]) + len(data).to_bytes(length_bytes, "big") + zlib.compress(data)


def started() -> EventDecoder:
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.rotate("binlog.000007"))
    decoder.decode(writer.format_description(mariadb=True))
    decoder.decode(writer.table_map(COLUMNS))
    return decoder


def image(number: int, text: str) -> bytes:
    return writer.row_image([struct.pack("<i", number), struct.pack("<H", len(text)) + text.encode()])


def rows_event(kind: int, images: bytes) -> bytes:
    body = (7).to_bytes(6, "little") + b"\0\0"
    if kind >= 169:
        body += b"\x04\0ab"
    body += writer.packed(2) + b"\x03" * (2 if kind in {167, 170} else 1) + images
    return writer.event(kind, body, position=2_000)


ONE, OTHER = (1, "x" * 500), (2, "y" * 500)


@pytest.mark.parametrize(
    ("kind", "op", "before", "after"),
    [
        (166, Op.CREATE, None, [ONE, OTHER]), (169, Op.CREATE, None, [ONE, OTHER]), (167, Op.UPDATE, [ONE], [OTHER]),
        (170, Op.UPDATE, [ONE], [OTHER]), (168, Op.DELETE, [ONE, OTHER], None), (171, Op.DELETE, [ONE, OTHER], None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("length_bytes", [2, 3, 4])
def test_rows_are_unpacked(
    kind: int, op: Op, before: list[object] | None, after: list[object] | None, length_bytes: int
) -> None:
    event = started().decode(rows_event(kind, packed(image(*ONE) + image(*OTHER), length_bytes=length_bytes)))
    assert isinstance(event, Rows)
    assert (event.op, event.before, event.after) == (op, before, after)
    assert event.image_size == len(image(*ONE)) * 2, "what it takes in memory, not in the log"


def test_a_statement_is_unpacked() -> None:
    sql = "CREATE TABLE `日` (" + ", ".join(f"c{n} INT" for n in range(100)) + ")"
    head = struct.pack("<IIBHH", 11, 0, 4, 0, 0)
    event = started().decode(writer.event(165, head + b"shop\0" + packed(sql.encode())))
    assert isinstance(event, Query)
    assert (event.database, event.sql, event.thread_id) == ("shop", sql, 11)


GOOD = packed(image(*ONE))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (b"", "needs 1 bytes"),
        (b"\x03" + GOOD[1:], "compression 0x3 is not known"),
        (b"\x93" + GOOD[1:], "compression 0x93 is not known"),
        (GOOD[:3], "needs 3 bytes"),
        (GOOD[:-8], "not of the 507 bytes"),
        (GOOD[:4] + b"rubbish", "cannot be read"),
        (b"\x81\x05" + GOOD[4:], "not of the 5 bytes"),
        (b"\x82\xff\xff" + GOOD[4:], "not of the 65535 bytes"),
    ],
)
def test_what_is_damaged_stops_with_its_place(images: bytes, message: str) -> None:
    packet = rows_event(166, images)
    with pytest.raises(UnsupportedChange, match=message) as stop:
        started().decode(packet)
    assert stop.value.message.startswith(f"binlog.000007:{2_000 - len(packet)}, MARIADB_WRITE_ROWS_COMPRESSED_V1")
