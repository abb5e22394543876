"""Writes binlog events byte by byte, independently of the decoder: what tests need beside the recorded ones."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import zstandard

HEADER = struct.Struct("<IBIIIH")
UTF8MB4 = 255
BINARY = 63
NUMERIC = {1, 2, 3, 4, 5, 8, 9, 13, 246}
STRINGS = {15, 252, 253, 254}


def event(kind: int, body: bytes, *, checksum: bool = True, position: int = 1000, flags: int = 0) -> bytes:
    """An event; ``position`` is where it ends in its file."""
    size = HEADER.size + len(body) + (4 if checksum else 0)
    data = HEADER.pack(1_700_000_000, kind, 42, size, position, flags) + body
    return data + struct.pack("<I", crc32(data)) if checksum else data


def format_description(*, checksum: bool = True, mariadb: bool = False, version: str = "9.7.4") -> bytes:
    lengths = bytearray(171 if mariadb else 42)
    lengths[19 - 1] = 8
    body = struct.pack("<H50sIB", 4, version.encode(), 0, 19) + bytes(lengths) + bytes([checksum])
    return event(15, body)  # a sum always follows, only the byte before it says whether the others have one


def rotate(file: str, position: int = 4, *, checksum: bool = True, artificial: bool = True) -> bytes:
    body = struct.pack("<Q", position) + file.encode()
    return event(4, body, checksum=checksum, position=0 if artificial else 500, flags=0x20 if artificial else 0)


def packed(number: int) -> bytes:
    """A length-encoded integer."""
    if number < 251:
        return bytes([number])
    if number < 1 << 16:
        return b"\xfc" + struct.pack("<H", number)
    return b"\xfd" + number.to_bytes(3, "little") if number < 1 << 24 else b"\xfe" + struct.pack("<Q", number)


def bitmap(flags: Sequence[bool]) -> bytes:
    number = sum(1 << index for index, flag in enumerate(flags) if flag)
    return number.to_bytes((len(flags) + 7) // 8, "little")


@dataclass(frozen=True)
class Col:
    """A column of a TABLE_MAP."""

    type: int
    metadata: bytes = b""
    nullable: bool = True
    unsigned: bool = False
    collation: int = UTF8MB4

    @property
    def is_string(self) -> bool:
        return self.type in STRINGS and not self.is_labelled

    @property
    def is_labelled(self) -> bool:
        return self.type == 254 and self.metadata[:1] in {b"\xf7", b"\xf8"}


def field(kind: int, value: bytes) -> bytes:
    """One optional metadata field."""
    return bytes([kind]) + packed(len(value)) + value


def full_metadata(columns: Sequence[Col], names: Sequence[str], key: Sequence[int], labels: Sequence[str]) -> bytes:
    numeric = [column.unsigned for column in columns if column.type in NUMERIC]
    signs = "".join("1" if unsigned else "0" for unsigned in numeric)
    parts = []
    if numeric:
        bits = signs.ljust((len(signs) + 7) // 8 * 8, "0")
        parts.append(field(1, int(bits, 2).to_bytes(len(bits) // 8, "big")))
    for kind, chosen in ((3, [c for c in columns if c.is_string]), (11, [c for c in columns if c.is_labelled])):
        if chosen:
            parts.append(field(kind, b"".join(packed(column.collation) for column in chosen)))
    parts.append(field(4, b"".join(packed(len(name.encode())) + name.encode() for name in names)))
    texts = packed(len(labels)) + b"".join(packed(len(label.encode())) + label.encode() for label in labels)
    for kind, real_type in ((6, b"\xf7"), (5, b"\xf8")):
        count = sum(column.is_labelled and column.metadata[:1] == real_type for column in columns)
        if count:
            parts.append(field(kind, texts * count))
    if key:
        parts.append(field(8, b"".join(packed(index) for index in key)))
    return b"".join(parts)


def table_map(
    columns: Sequence[Col],
    *,
    table_id: int = 7,
    database: str = "shop",
    name: str = "orders",
    key: Sequence[int] = (),
    labels: Sequence[str] = ("a", "b", "c"),
    optional: bytes | None = None,
    checksum: bool = True,
) -> bytes:
    """TABLE_MAP with columns named c0, c1, … and full metadata, or ``optional`` in its place."""
    names = [f"c{index}" for index in range(len(columns))]
    metadata = b"".join(column.metadata for column in columns)
    body = table_id.to_bytes(6, "little") + b"\x01\0"
    for text in (database.encode(), name.encode()):
        body += bytes([len(text)]) + text + b"\0"
    body += packed(len(columns)) + bytes(column.type for column in columns) + packed(len(metadata)) + metadata
    body += bitmap([column.nullable for column in columns])
    body += full_metadata(columns, names, key, labels) if optional is None else optional
    return event(19, body, checksum=checksum)


def row_image(values: Sequence[bytes | None]) -> bytes:
    """A row from the bytes of its values."""
    return bitmap([value is None for value in values]) + b"".join(value for value in values if value is not None)


def rows(
    kind: int,
    count: int,
    images: bytes,
    *,
    table_id: int = 7,
    flags: int = 0,
    extra: bytes = b"",
    present: bytes | None = None,
    checksum: bool = True,
) -> bytes:
    """A row event of ``count`` columns: kinds 23 to 25 without, 30 to 32 with extra data."""
    body = table_id.to_bytes(6, "little") + struct.pack("<H", flags)
    if kind >= 30:
        body += struct.pack("<H", len(extra) + 2) + extra
    full = bitmap([True] * count) if present is None else present
    body += packed(count) + full * (2 if kind in {24, 31} else 1) + images
    return event(kind, body, checksum=checksum)


def decimal_bytes(text: str, precision: int, scale: int) -> bytes:
    """A DECIMAL as the server packs it."""
    negative = text.startswith("-")
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits = whole.zfill(precision - scale)[-(precision - scale) :] if precision > scale else ""
    widths = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
    lead = len(digits) % 9
    groups = [digits[:lead]] if lead else []
    groups += [digits[at : at + 9] for at in range(lead, len(digits), 9)]
    groups += [fraction[at : at + 9] for at in range(0, scale, 9)]
    data = b"".join(int(group).to_bytes(widths[len(group)], "big") for group in groups)
    data = bytes([data[0] ^ 0x80]) + data[1:]
    return bytes(byte ^ 0xFF for byte in data) if negative else data


def time_bytes(microseconds: int, digits: int) -> bytes:
    """A TIME(digits), whose value must have no more digits than that."""
    size = (digits + 1) // 2
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    number = seconds // 3600 << 12 | seconds // 60 % 60 << 6 | seconds % 60
    number = number << 8 * size | fraction // 10 ** (6 - 2 * size)
    return ((0x800000 << 8 * size) + (-number if microseconds < 0 else number)).to_bytes(3 + size, "big")


def datetime_bytes(parts: Sequence[int], microsecond: int, digits: int) -> bytes:
    """A DATETIME(digits) of (year, month, day, hour, minute, second)."""
    year, month, day, hour, minute, second = parts
    number = 1 << 39 | (year * 13 + month) << 22 | day << 17 | hour << 12 | minute << 6 | second
    size = (digits + 1) // 2
    return number.to_bytes(5, "big") + (microsecond // 10 ** (6 - 2 * size)).to_bytes(size, "big")


def payload(*events: bytes, packed: bytes | None = None, algorithm: int = 0) -> bytes:
    """A TRANSACTION_PAYLOAD of ``events``, which have no checksums, in zstd (0) or as they are (255)."""
    plain = b"".join(events)
    if packed is None:
        packed = zstandard.compress(plain) if algorithm == 0 else plain
    fields = [(1, packed_field(len(packed))), (2, packed_field(algorithm)), (3, packed_field(len(plain)))]
    return event(40, b"".join(bytes([kind]) + value for kind, value in fields) + b"\0" + packed, position=5000)


def packed_field(number: int) -> bytes:
    """A field's length and its number."""
    return bytes([len(packed(number))]) + packed(number)
