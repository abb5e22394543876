"""Rows per second that the binlog decoder makes of a table of twelve columns, in one process on one core.

The events are made here, byte for byte as a server writes them, with checksums; nothing is read or sent. What is timed is
``EventDecoder.decode``: header, CRC32, table map, rows.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from benchmarks.errors import BenchmarkFailed
from benchmarks.report import Measurement, Result
from connectors.mysql.binlog import events
from connectors.mysql.binlog.decoder import EventDecoder

# name, type, metadata, nullable
COLUMNS = (
    ("id", 8, b"", False),  # BIGINT UNSIGNED
    ("customer", 3, b"", False),  # INT
    ("country", 3, b"", False),  # INT UNSIGNED
    ("price", 246, bytes([10, 2]), False),  # DECIMAL(10,2)
    ("name", 15, struct.pack("<H", 200), False),  # VARCHAR(50), utf8mb4
    ("email", 15, struct.pack("<H", 1020), True),  # VARCHAR(255), utf8mb4
    ("ordered", 18, b"\x03", False),  # DATETIME(3)
    ("updated", 17, b"\x00", False),  # TIMESTAMP
    ("active", 1, b"", False),  # TINYINT
    ("score", 5, b"\x08", True),  # DOUBLE
    ("born", 10, b"", True),  # DATE
    ("status", 254, bytes([247, 1]), False),  # ENUM
)
UTF8MB4 = 255


def event(kind: int, body: bytes) -> bytes:
    """An event with its header and checksum."""
    size = 19 + len(body) + 4
    data = struct.pack("<IBIIIH", 1_700_000_000, kind, 1, size, 4 + size, 0) + body
    return data + struct.pack("<I", crc32(data))


def format_description() -> bytes:
    lengths = bytearray(42)
    lengths[19 - 1] = 8
    return event(15, struct.pack("<H50sIB", 4, b"9.7.0", 0, 19) + bytes(lengths) + b"\x01")


def table_map() -> bytes:
    def field(kind: int, value: bytes) -> bytes:
        return bytes([kind, len(value)]) + value

    metadata = b"".join(column[2] for column in COLUMNS)
    nullable = sum(1 << index for index, column in enumerate(COLUMNS) if column[3])
    names = b"".join(bytes([len(name)]) + name.encode() for name, *_ in COLUMNS)
    collation = b"\xfc" + struct.pack("<H", UTF8MB4)
    body = struct.pack("<IHH", 7, 0, 1) + b"\x04shop\0\x06orders\0" + bytes([len(COLUMNS)])
    body += bytes(kind for _, kind, *_ in COLUMNS) + bytes([len(metadata)]) + metadata + struct.pack("<H", nullable)
    body += field(1, b"\xa0") + field(2, collation) + field(4, names) + field(8, b"\0")
    body += field(10, collation) + field(6, b"\x03\x03new\x04paid\x07shipped")
    return event(19, body)


def row(number: int, rng: random.Random, *, nulls: bool) -> bytes:
    name, email = f"Customer {number}".encode(), f"customer{number}@example.com".encode()
    whole, cents = divmod(rng.randrange(10**7), 100)
    clock = rng.randrange(24) << 12 | rng.randrange(60) << 6 | rng.randrange(60)
    ordered = 1 << 39 | (2024 * 13 + rng.randrange(1, 13)) << 22 | rng.randrange(1, 29) << 17 | clock
    born = rng.randrange(1940, 2010) << 9 | rng.randrange(1, 13) << 5 | rng.randrange(1, 29)
    parts = [
        struct.pack("<HQiI", 1 << 5 if nulls else 0, number, -number, number % 250),
        struct.pack(">IB", 1 << 31 | whole, cents),
        bytes([len(name)]) + name,
        b"" if nulls else struct.pack("<H", len(email)) + email,
        ordered.to_bytes(5, "big") + struct.pack(">H", rng.randrange(10_000)),
        struct.pack(">I", 1_700_000_000 + number // 3),
        struct.pack("<bd", number % 2, rng.random()),
        born.to_bytes(3, "little") + bytes([1 + number % 3]),
    ]
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """What is measured."""

    rows: int
    repeats: int
    seed: int


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which rows lie in the log."""

    title: str
    rows_per_event: int
    nulls: bool = False
    update: bool = False
    with_table_map: bool = False
    """Before every event, as a server writes one for each statement."""


CASES = (
    Case("inserts, 80 rows an event", 80),
    Case("inserts with a NULL in each row, 80 rows an event", 80, nulls=True),
    Case("updates, 40 rows an event", 40, update=True),
    Case("inserts, 1 row an event, each with its table map", 1, with_table_map=True),
)


def measure(settings: DecodeSettings) -> Result:
    """Decode every case's events a few times."""
    return Result(
        name="decode",
        title="Decoding: the binary log's events into rows",
        meaning=(
            "Rows of a table of twelve columns, decoded from events in memory by one process on one core, by CPU time. It "
            "is the ceiling of capture: nothing is read, wrapped or sent."
        ),
        settings={"rows": settings.rows, "repeats": settings.repeats, "seed": settings.seed},
        measurements=[
            Measurement(case.title, "rows/s", rows_per_second(case, row_events(case, settings), settings))
            for case in CASES
        ],
    )


def row_events(case: Case, settings: DecodeSettings) -> list[bytes]:
    rng = random.Random(settings.seed)
    kind, images = (31, 2) if case.update else (30, 1)
    head = struct.pack("<IHHH", 7, 0, 0, 2) + bytes([len(COLUMNS)]) + b"\xff\x0f" * images
    rows = [row(number, rng, nulls=case.nulls) * images for number in range(1, settings.rows + 1)]
    size = case.rows_per_event
    return [event(kind, head + b"".join(rows[start : start + size])) for start in range(0, len(rows), size)]


def rows_per_second(case: Case, packets: Sequence[bytes], settings: DecodeSettings) -> list[float]:
    announcement, found = table_map(), []
    for _ in range(settings.repeats):
        decoder = EventDecoder(wanted=lambda *_: True)
        decoder.decode(format_description())
        decoder.decode(announcement)
        rows = 0
        begin = time.process_time()
        for packet in packets:
            if case.with_table_map:
                decoder.decode(announcement)
            decoded = decoder.decode(packet)
            if isinstance(decoded, events.Rows):
                rows += len(decoded.after or ())
        found.append(rows / (time.process_time() - begin))
        if rows != settings.rows:
            raise BenchmarkFailed(f"{rows} rows came out of {settings.rows}")
    return found
