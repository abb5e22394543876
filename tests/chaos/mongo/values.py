"""Random documents: values of every BSON type, odd names, ``_id`` of many types, and what a writer may do to them."""

from __future__ import annotations

import datetime as dt
import random
import struct
import uuid
from collections.abc import Callable
from typing import Any

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

Document = dict[str, Any]
CHARACTERS = "abcxyz 019'\"\\/\n\t\r\b\f\x01\x7fé日😀\u200bー"
NAMES = ("a", "b", "c", "name", "é", 'q"', "with space", "0", "7", "long " * 12)
ODD_NAMES = ("d.x", "d.x.y", "$d", "", "d.")
"""Fields that only whole documents have; no path of an update begins so."""
DEPRECATED = (
    b"\x06old\0",
    b"\x0eold\0" + struct.pack("<i", 4) + b"sym\0",
    b"\x0cold\0" + struct.pack("<i", 5) + b"db.c\0" + bytes(range(12)),
)
"""Undefined, a symbol and a DBPointer, which no driver writes any more."""
_INT64 = 2**63


def text(chance: random.Random) -> str:
    return "".join(chance.choices(CHARACTERS, k=chance.choice([0, 1, 3, 8, 40])))


def double(chance: random.Random) -> float:
    special = [0.0, -0.0, 1.5, 1e7, 9999999.0, 1e-3, 9.99e-4, 1e22, 5e-324, float("nan"), float("inf"), float("-inf")]
    return chance.choice([*special, chance.gauss(0, 1), chance.gauss(0, 1) * 10.0 ** chance.randint(-200, 200)])


def decimal(chance: random.Random) -> Decimal128:
    return Decimal128(chance.choice(["0", "-0", "1.50", "1E+30", "1E-30", "NaN", "-Infinity", "123456789.987654321"]))


def date(chance: random.Random) -> DatetimeMS:
    return DatetimeMS(chance.choice([0, -1, 1500, 1_700_000_000_123, 253_402_300_800_000, -62_135_596_800_001]))


def binary(chance: random.Random) -> Binary:
    kind = chance.choice([0, 0, 5, 0x80])
    return Binary(chance.randbytes(chance.choice([0, 1, 2, 3, 20])), kind)


def object_id(chance: random.Random) -> ObjectId:
    return ObjectId(chance.randbytes(12))


def unique(chance: random.Random) -> Binary:
    return Binary.from_uuid(uuid.UUID(bytes=chance.randbytes(16), version=4))


SCALARS: tuple[Callable[[random.Random], Any], ...] = (
    text,
    text,
    double,
    decimal,
    date,
    binary,
    object_id,
    unique,
    lambda chance: chance.randrange(-1000, 1000),
    lambda chance: chance.choice([-(2**31), 2**31 - 1, 0]),
    lambda chance: Int64(chance.choice([0, 5, -_INT64, _INT64 - 1, 2**31])),
    lambda chance: chance.random() < 0.5,
    lambda _: None,
    lambda chance: Timestamp(chance.randrange(2**32), chance.randrange(2**32)),
    lambda chance: Regex(chance.choice(["a", "^x/y", 'q"']), chance.choice(["", "i", "im"])),
    lambda chance: Code(text(chance)),
    lambda chance: Code("f()", {"x": chance.randrange(9)}),
    lambda _: MinKey(),
    lambda _: MaxKey(),
)


def value(chance: random.Random, depth: int = 0) -> Any:
    """Of any type."""
    how = chance.random()
    if depth < 4 and how < 0.15:
        return inner(chance, depth + 1)
    if depth < 4 and how < 0.3:
        return [value(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 5]))]
    return chance.choice(SCALARS)(chance)


def inner(chance: random.Random, depth: int) -> Document:
    names = chance.sample(NAMES, chance.choice([0, 1, 2, 4]))
    return {name: value(chance, depth) for name in names}


def fields(chance: random.Random) -> Document:
    """The fields of a new document beside its marks: some that updates know the type of, and others."""
    found: Document = {
        "num": chance.choice([chance.randrange(100), Int64(chance.randrange(100)), chance.gauss(0, 10)]),
        "bits": chance.randrange(256),
        "arr": [value(chance, 3) for _ in range(chance.choice([0, 1, 3, 6]))],
        "set": [chance.randrange(5) for _ in range(chance.choice([0, 2, 4]))],
        "m": {name: value(chance, 3) for name in chance.sample(["0", "1", "a", "b"], 2)},
        "list": [{"k": chance.randrange(4), "v": value(chance, 3)} for _ in range(chance.choice([0, 2, 3]))],
    }
    names = chance.sample([*NAMES, *ODD_NAMES], chance.choice([0, 1, 3]))
    found |= {name: value(chance, 1) for name in names}
    kept = chance.sample(list(found), len(found) - chance.choice([0, 0, 1, 2]))
    return {name: found[name] for name in kept}


def identity(chance: random.Random) -> Any:
    """A value for ``_id``."""
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: chance.randrange(50),
        lambda: Int64(2**40 + chance.randrange(5)),
        lambda: text(chance),
        lambda: object_id(chance),
        lambda: date(chance),
        lambda: unique(chance),
        lambda: binary(chance),
        lambda: chance.choice([0.5, 1e300, float("inf"), -2.25]),
        lambda: Decimal128(chance.choice(["0.1", "12E+3"])),
        lambda: {"a": chance.randrange(3), "b": text(chance)},
        lambda: Timestamp(5, chance.randrange(3)),
        lambda: chance.choice([True, False, None]),
    )
    return chance.choice(kinds)()


def with_deprecated(document: Document, chance: random.Random) -> RawBSONDocument:
    """The same with a field at its end that is of a type which drivers do not write."""
    body = bson.encode(document)[4:-1] + chance.choice(DEPRECATED)
    return RawBSONDocument(struct.pack("<i", len(body) + 5) + body + b"\0")


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
