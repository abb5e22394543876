"""Ways to damage binlog events and whole recorded logs. All of them are functions of their random stream."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from zlib import crc32

import zstandard

from connectors.mysql.binlog.event_types import EventType
from tests.connectors.binlog_writer import HEADER

HEADER_LENGTH = HEADER.size
CHECKSUM_LENGTH = 4
EDGES = (0, 1, 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF)
LENGTHS = (
    b"\xff\xff",
    b"\0\0",
    b"\xfe\xff",
    b"\xfc\xff\xff",
    b"\xfd\xff\xff\xff",
    b"\xfe" + b"\xff" * 7 + b"\x7f",
    b"\xff" * 8,
)
COMPRESSED_ROWS = range(EventType.MARIADB_QUERY_COMPRESSED, EventType.MARIADB_DELETE_ROWS_COMPRESSED + 1)


def with_checksum(data: bytes) -> bytes:
    """``data`` without its last 4 bytes, made an event again: its length in its header, and its checksum."""
    body = data[:9] + struct.pack("<I", max(len(data), 13)) + data[13:-4] if len(data) > 19 else data[:-4]
    return body + struct.pack("<I", crc32(body))


def mutated(packet: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, cut out or put in, under a checksum that fits."""
    data = bytearray(packet)
    for _ in range(rng.choice((1, 1, 2, 5))):
        change(data, rng, rng.randrange(len(data)))
        data = data or bytearray(1)
    return with_checksum(bytes(data))


def change(data: bytearray, rng: random.Random, at: int) -> None:
    """One change at a place."""
    how = rng.randrange(6)
    if how == 0:
        del data[at : at + rng.choice((1, 2, 8, 1000))]
    elif how == 1:
        data[at:at] = rng.randbytes(rng.choice((1, 2, 8)))
    elif how == 2 and at > HEADER_LENGTH:
        length = rng.choice(LENGTHS)
        data[at : at + len(length)] = length
    elif how == 3:
        data[at] ^= 1 << rng.randrange(8)
    else:
        data[at] = rng.choice((*EDGES, rng.randrange(256)))


def cut_off(packet: bytes, rng: random.Random) -> bytes:
    """The beginning of an event."""
    return with_checksum(packet[: rng.randint(1, len(packet))] + bytes(CHECKSUM_LENGTH))


def spliced(packet: bytes, rng: random.Random, other: bytes) -> bytes:
    """The beginning of one event and the end of another."""
    return with_checksum(packet[: rng.randint(1, len(packet))] + other[rng.randrange(len(other)) :])


def of_another_kind(packet: bytes, rng: random.Random) -> bytes:
    """The same bytes under another event's number."""
    kind = rng.choice((*EventType, rng.randrange(256)))
    return with_checksum(packet[:4] + bytes([kind]) + packet[5:])


def noise(packet: bytes, rng: random.Random) -> bytes:
    """A header, and random bytes behind it."""
    return with_checksum(packet[:HEADER_LENGTH] + rng.randbytes(rng.choice((4, 8, 30, 300))))


def within(packet: bytes, rng: random.Random) -> bytes:
    """What is compressed in an event, changed before it is compressed again; other events are changed as they are."""
    kind = packet[4] if len(packet) > HEADER_LENGTH else 0
    with suppress(ValueError, IndexError, zlib.error, zstandard.ZstdError, struct.error):
        if kind == EventType.TRANSACTION_PAYLOAD:
            return _within_payload(packet, rng)
        if kind in COMPRESSED_ROWS:
            return _within_zlib(packet, rng)
    return mutated(packet, rng)


def _within_payload(packet: bytes, rng: random.Random) -> bytes:
    body = packet[HEADER_LENGTH:-CHECKSUM_LENGTH]
    at = body.index(zstandard.FRAME_HEADER)
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(body[at:])
    events = []
    while plain:
        size = int.from_bytes(plain[9:13], "little")
        events.append(plain[:size])
        plain = plain[size:]
    index = rng.randrange(len(events))
    damaged = bytearray(events[index])
    change(damaged, rng, rng.randrange(len(damaged)))
    if rng.random() < 0.7 and len(damaged) > 13:
        damaged[9:13] = struct.pack("<I", len(damaged))
    events[index] = bytes(damaged)
    if rng.random() < 0.2:
        rng.shuffle(events)
    return with_checksum(packet[:HEADER_LENGTH] + payload(b"".join(events), rng) + bytes(CHECKSUM_LENGTH))


def payload(plain: bytes, rng: random.Random) -> bytes:
    """The fields of a TRANSACTION_PAYLOAD and its stream; now and then they tell other lengths than there are."""
    packed = zstandard.ZstdCompressor().compress(plain)
    told = rng.choice((len(plain), len(plain), len(plain), len(plain) + 1, 1 << 40, 0))
    here = rng.choice((len(packed), len(packed), len(packed), len(packed), 1 << 40))
    fields = b"".join(
        bytes([kind]) + bytes([len(value)]) + value
        for kind, value in ((2, b"\0"), (3, _packed(told)), (1, _packed(here)))
    )
    return fields + b"\0" + packed


def _packed(number: int) -> bytes:
    return bytes([number]) if number < 251 else b"\xfe" + struct.pack("<Q", number)


def _within_zlib(packet: bytes, rng: random.Random) -> bytes:
    body = packet[HEADER_LENGTH:-CHECKSUM_LENGTH]
    at = next(at for at in range(len(body)) if body[at] >> 4 == 0x8 and _inflates(body[at:]))
    count = body[at] & 0x07
    plain = bytearray(zlib.decompress(body[at + 1 + count :]))
    change(plain, rng, rng.randrange(len(plain)))
    told = rng.choice((len(plain), len(plain), len(plain), (1 << 8 * count) - 1))
    size = min(told, (1 << 8 * count) - 1).to_bytes(count, "big")
    return with_checksum(packet[: HEADER_LENGTH + at + 1] + size + zlib.compress(bytes(plain)) + bytes(CHECKSUM_LENGTH))


def _inflates(data: bytes) -> bool:
    with suppress(zlib.error):
        zlib.decompress(data[1 + (data[0] & 0x07) :])
        return True
    return False


def damaged_unnoticed(packet: bytes, rng: random.Random) -> bytes:
    """Bits flipped close to each other, as in a damaged sector, and the checksum left as it was: it cannot fit."""
    data = bytearray(packet)
    at = rng.randrange(len(data) - CHECKSUM_LENGTH)
    before = bytes(data)
    while bytes(data) == before:
        for near in range(at, min(at + rng.randint(1, 4), len(data))):
            data[near] ^= rng.randrange(256)
    return bytes(data)


# Whole logs


def shuffled(stream: Sequence[bytes], rng: random.Random, others: Sequence[bytes]) -> list[bytes]:
    """Events lost, repeated, exchanged, or put in from another log, each of them whole."""
    events = list(stream)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, to = rng.randrange(len(events)), rng.randrange(len(events))
        how = rng.randrange(4)
        if how == 0 and len(events) > 1:
            del events[at]
        elif how == 1:
            events.insert(to, events[at])
        elif how == 2:
            events[at], events[to] = events[to], events[at]
        else:
            events[at:at] = rng.sample(others, min(len(others), rng.choice((1, 2, 3))))
    return events


EVENT_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    mutated,
    mutated,
    mutated,
    within,
    within,
    cut_off,
    of_another_kind,
    noise,
)
