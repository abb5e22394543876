"""Answers to a SELECT, damaged on their way: C and Python read the same rows from them, or stop at the same place."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from connectors.mysql import text_cells
from connectors.mysql.select import TableReader
from connectors.mysql.structure import Column, TableSchema
from connectors.mysql.value_modes import DEFAULT_MODES
from connectors.source import Table
from tests.fuzz.mutations import change

CELLS = {
    "bigint": (b"0", b"-1", b"18446744073709551615", b"000000000000000000000000007"),
    "double": (b"0", b"-1.5e-300", b"1e999", b"0.30000000000000004"),
    "float": (b"0.10000000149011612", b"1e38"),
    "decimal(10,2)": (b"1.00", b"-99999999.99"),
    "varchar(300)": (b"", "Zürich \N{GRINNING FACE}".encode(), b"x" * 250, b"\xed\xa0\x80"),
    "varbinary(300)": (b"", bytes(range(256))),
    "date": (b"2015-01-21", b"0000-00-00", b"9999-12-31"),
    "datetime(3)": (b"2015-01-21 13:37:00.120", b"1969-12-31 23:59:59.999", b"2015-02-31 00:00:00.000"),
    "datetime(6)": (b"2015-01-21 13:37:00.123456", b"0000-00-00 00:00:00.000000"),
    "timestamp(2)": (b"2015-01-21 13:37:00.10", b"0000-00-00 00:00:00.00"),
    "time": (b"-838:59:59", b"00:00:00"),
    "bit(9)": (b"\x01\xff",),
    "json": (b'{"a": [1, "base64:type15:AAA="]}',),
}
"""Texts of each type, as servers write them."""
NULL = b"\xfb"


def reader() -> TableReader:
    """Of a table with a nullable column and another one of each type."""
    columns = [
        Column(f"c{n}", declared, nullable=nullable)
        for n, (declared, nullable) in enumerate(
            (declared, nullable) for declared in CELLS for nullable in (True, False)
        )
    ]
    table = Table("d", "t", tuple(column.name for column in columns), ())
    return TableReader(TableSchema(table, tuple(columns), "InnoDB"), DEFAULT_MODES)


def row(rng: random.Random) -> bytes:
    """A row of that table."""
    cells = [rng.choice(texts) for texts in CELLS.values() for _ in range(2)]
    return b"".join(NULL if rng.random() < 0.1 else _length(cell, rng) + cell for cell in cells)


def _length(cell: bytes, rng: random.Random) -> bytes:
    """Now and then in a longer form than is needed."""
    forms = [bytes([len(cell)])] if len(cell) < 0xFB else []
    forms += [b"\xfc" + struct.pack("<H", len(cell)), b"\xfe" + struct.pack("<Q", len(cell))]
    return forms[0] if rng.random() < 0.9 else rng.choice(forms)


def difference(rng: random.Random) -> str:
    """What C and Python make otherwise of one damaged answer; empty if nothing."""
    payloads = [row(rng) for _ in range(rng.randrange(4))]
    for n in range(rng.randrange(3) if payloads else 0):
        payload = bytearray(payloads[n % len(payloads)])
        change(payload, rng, rng.randrange(len(payload)))
        payloads[n % len(payloads)] = bytes(payload)
    data, first = bytearray(), rng.randrange(256)
    for n, payload in enumerate([*payloads, b"\xfe\0\0\2\0"]):
        data += struct.pack("<I", len(payload) | (first + n & 0xFF) << 24) + payload
    if rng.random() < 0.5:
        change(data, rng, rng.randrange(len(data)))
    split = bytes(data[: rng.choice((len(data), rng.randrange(len(data) + 1)))]), 0, first
    packets, expected = text_cells.row_packets(*split), text_cells.python_row_packets(*split)
    if packets != expected:
        return f"packets {packets} instead of {expected}"
    steps = reader().steps
    ours = _outcome(lambda: text_cells.rows(payloads, steps))
    theirs = _outcome(lambda: text_cells.python_rows(payloads, steps))
    return "" if ours == theirs else f"rows {ours} instead of {theirs} from {payloads}"


def _outcome(read: Callable[[], Any]) -> str:
    try:
        return repr(read())  # which tells 1 from True, and one NaN is like another
    except ValueError:
        return "stops"
