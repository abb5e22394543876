"""BSON documents made of bytes, of every type that there is, also of those that no driver writes any more."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from bson.errors import InvalidBSON
from hypothesis import strategies as st

from connectors.mongo.change_event import Event

OBJECT_ID = bytes(range(12))


def document(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def element(kind: int, name: str, value: bytes) -> bytes:
    return bytes([kind]) + name.encode() + b"\0" + value


def string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<i", len(data) + 1) + data + b"\0"


def code_with_scope(code: str, scope: bytes) -> bytes:
    text = string(code)
    return struct.pack("<i", 4 + len(text) + len(scope)) + text + scope


def binary(data: bytes, subtype: int) -> bytes:
    data = struct.pack("<i", len(data)) + data if subtype == 2 else data
    return struct.pack("<iB", len(data), subtype) + data


def nested(levels: int) -> bytes:
    """A document that is so many levels deep."""
    inner = document()
    for level in range(1, levels):
        inner = document(element(3 if level % 2 else 4, "0", inner))
    return inner


def array(values: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    return 4, document(*(element(kind, str(n), value) for n, (kind, value) in enumerate(values)))


NAMES = ("_id", "a", "b", "0", "1", "a.b", "$c", "é", "", 'q"', "long name " * 30)
CHARACTERS = ("a", "b", '"', "\\", "\n", "\x01", "\x7f", "é", "\u200b", "日", "ー", "😀", "\U0010ffff", "\ufffd")
NUMBERS = (
    0,
    1,
    -1,
    2**31 - 1,
    -(2**31),
    2**63 - 1,
    -(2**63),
    253_402_300_799_999,
    253_402_300_800_000,
    951_782_400_000,
)


def text(rng: random.Random) -> str:
    return "".join(rng.choices(CHARACTERS, k=rng.choice((0, 1, 3, 9))))


def double(rng: random.Random) -> bytes:
    how = rng.randrange(4)
    if how == 0:
        return rng.randbytes(8)
    value = (rng.randrange(-(10**9), 10**9) / 10 ** rng.randrange(8), float(rng.randrange(100)), rng.uniform(-1, 1))[
        how - 1
    ]
    return struct.pack("<d", value)


def int64(rng: random.Random) -> bytes:
    return struct.pack(
        "<q", rng.choice((*NUMBERS, rng.randrange(-(10**15), 10**15), rng.randrange(253_402_300_800_000)))
    )


def decimal(rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return rng.randbytes(16)
    coefficient, exponent = rng.randrange(10 ** rng.randrange(1, 36)), rng.randrange(6100, 6220)
    return (coefficient % 2**113 | exponent << 113 | rng.randrange(2) << 127).to_bytes(16, "little")


def _cstrings(rng: random.Random) -> bytes:
    return text(rng).encode() + b"\0" + rng.choice((b"", b"i", b"imsx")) + b"\0"


KEPT: dict[int, Callable[[random.Random], bytes]] = {
    1: double,
    2: lambda rng: string(text(rng)),
    5: lambda rng: binary(rng.randbytes(rng.randrange(9)), rng.choice((0, 3, 5, 0x80, 0xFE))),
    7: lambda rng: rng.randbytes(12),
    8: lambda rng: bytes([rng.randrange(2)]),
    9: int64,
    10: lambda _: b"",
    13: lambda rng: string(text(rng)),
    16: lambda rng: struct.pack("<i", rng.choice(NUMBERS[:5])),
    17: lambda rng: rng.randbytes(8),
    18: int64,
    19: decimal,
    0xFF: lambda _: b"",
    0x7F: lambda _: b"",
}
"""Values by type, of those that a driver's decoder and encoder give back as they were."""

ALL: dict[int, Callable[[random.Random], bytes]] = {
    **KEPT,
    5: lambda rng: binary(rng.randbytes(rng.randrange(9)), rng.randrange(256)),
    6: lambda _: b"",
    11: _cstrings,
    12: lambda rng: string(text(rng)) + OBJECT_ID,
    14: lambda rng: string(text(rng)),
}


def random_document(rng: random.Random, kinds: dict[int, Callable[[random.Random], bytes]], depth: int = 0) -> bytes:
    """A document of these types, and of documents, arrays and code with scope within each other."""
    names = rng.sample(NAMES, rng.randrange(7))
    return document(
        *(element(kind, name, value) for name, (kind, value) in ((name, _value(rng, kinds, depth)) for name in names))
    )


def damaged(rng: random.Random) -> bytes:
    """A document of which bytes have been changed, removed or added."""
    data = bytearray(random_document(rng, ALL))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.randrange(4)] = rng.choice(
            (rng.randbytes(rng.randrange(4)), bytes([rng.randrange(0x14)]), b"\0")
        )
    return bytes(data)


def _value(rng: random.Random, kinds: dict[int, Callable[[random.Random], bytes]], depth: int) -> tuple[int, bytes]:
    how = rng.randrange(10) if depth < 4 else 9
    if how == 0:
        return 3, random_document(rng, kinds, depth + 1)
    if how == 1:
        return array([_value(rng, kinds, depth + 1) for _ in range(rng.randrange(4))])
    if how == 2:
        return 15, code_with_scope(text(rng), random_document(rng, kinds, depth + 1))
    kind = rng.choice(sorted(kinds))
    return kind, kinds[kind](rng)


SEEDS = st.integers(0, 2**64).map(random.Random)


def attributes(event: Event) -> dict[str, Any]:
    """All that an event says, to be compared: in C and in Python it is an object of another type."""
    names = [name for name, what in vars(Event).items() if isinstance(what, property)]
    plain = (
        "data",
        "place",
        "kind",
        "name",
        "to",
        "id",
        "cluster_time",
        "wall_time_ms",
        "txn_number",
        "fragment",
        "fragments",
    )
    found = {name: getattr(event, name) for name in (*plain, *names) if name != "token"}
    try:
        return found | {"token": event.token.raw}
    except InvalidBSON:  # it has none
        return found
