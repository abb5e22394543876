"""Column types of the random schemas: how each is declared, what is written to it, and what a topic must show for it.

What must be shown is worked out here from the value that PyMySQL reads back, by the rules of Debezium's documentation and
by nothing of the connector's own.
"""

from __future__ import annotations

import base64
import json
import random
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as PyMySQL gives them; the sessions are in UTC

Draw = Callable[[random.Random], Any]
Convert = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Kind:
    """One column type."""

    declared: str
    draw: Draw
    """A value to bind."""
    from_database: Convert = _same
    """PyMySQL's value, not NULL -> the value to compare."""
    from_topic: Convert = _same
    """The topic's value, not null -> the value to compare."""
    placeholder: str = "%s"
    selected: str = "{}"
    """How the independent reader selects a column."""
    zero: Any = None
    """What a date that is none becomes in a column that is NOT NULL."""


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _whole(low: int, high: int) -> Draw:
    edges = [low, high, max(0, low), low + 1, high - 1]
    return lambda chance: chance.choice(edges) if chance.random() < 0.2 else chance.randint(low, high)


def _text(alphabet: str, longest: int, tail: int = 0) -> Draw:
    """Mostly short texts; ``tail`` is how long a rare one may be."""

    def draw(chance: random.Random) -> str:
        most = tail if tail and chance.random() < 0.03 else longest
        return "".join(chance.choices(alphabet, k=chance.randint(0, most)))

    return draw


def _bytes(shortest: int, longest: int) -> Draw:
    def draw(chance: random.Random) -> bytes:
        data = chance.randbytes(chance.randint(shortest, longest))
        return data.rstrip(data[-1:]) + b"\0" * (len(data) % 3) if data and chance.random() < 0.2 else data

    return lambda chance: draw(chance)[:longest].ljust(shortest, b"\0")


def _decimal(precision: int, scale: int) -> Draw:
    def draw(chance: random.Random) -> str:
        number = chance.choice([0, 1, -1, 10**precision - 1, chance.randrange(10**precision)]) * chance.choice([1, -1])
        return f"{Decimal(number).scaleb(-scale):f}"

    return draw


def _moment(digits: int) -> Draw:
    def draw(chance: random.Random) -> str:
        if chance.random() < 0.05:
            return "0000-00-00 00:00:00"
        fraction = f".{chance.randrange(10**digits):0{digits}d}" if digits else ""
        return f"{EPOCH + timedelta(seconds=chance.randrange(-(10**9), 2 * 10**9)):%Y-%m-%d %H:%M:%S}{fraction}"

    return draw


def _stamp(digits: int) -> Draw:
    def draw(chance: random.Random) -> str:
        fraction = f".{chance.randrange(10**digits):0{digits}d}" if digits else ""
        return f"{EPOCH + timedelta(seconds=chance.randrange(100_000, 2**31 - 100_000)):%Y-%m-%d %H:%M:%S}{fraction}"

    return draw


def _length(digits: int) -> Draw:
    def draw(chance: random.Random) -> str:
        fraction = f".{chance.randrange(10**digits):0{digits}d}" if digits else ""
        clock = f"{chance.randrange(838)}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
        return f"{chance.choice(['', '-'])}{clock}{fraction}"

    return draw


def _days(value: Any) -> Any:
    return (value - EPOCH.date()).days if isinstance(value, date) else None


def _since_epoch(unit: timedelta) -> Convert:
    return lambda value: (value - EPOCH) // unit if isinstance(value, datetime) else None


def _iso(value: Any) -> Any:
    if not isinstance(value, datetime):
        return None
    fraction = f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
    return f"{value:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _document(depth: int) -> Draw:
    def draw(chance: random.Random, left: int = depth) -> Any:
        shape = chance.random()
        if left == 0 or shape < 0.4:
            return chance.choice([None, True, False, 0, -1, 2**40, -(2**62), 1.5, "", 'a "b"\\', "é😀", "x" * 300])
        if shape < 0.7:
            return [draw(chance, left - 1) for _ in range(chance.randrange(4))]
        return {f"k{chance.randrange(9)} ü": draw(chance, left - 1) for _ in range(chance.randrange(5))}

    return lambda chance: json.dumps(draw(chance), ensure_ascii=False)


def _labels(chance: random.Random) -> str:
    return ",".join(label for label in ("one", "zwei", "três") if chance.random() < 0.5)


_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)
_LATIN = "abcXYZ ,'\"\\äÖß€é"

NUMBERS = (
    Kind("TINYINT", _whole(-128, 127)),
    Kind("SMALLINT UNSIGNED", _whole(0, 65535)),
    Kind("MEDIUMINT", _whole(-(2**23), 2**23 - 1)),
    Kind("INT", _whole(-(2**31), 2**31 - 1)),
    Kind("INT UNSIGNED", _whole(0, 2**32 - 1)),
    Kind("BIGINT", _whole(-(2**63), 2**63 - 1)),
    Kind("YEAR", _whole(1901, 2155)),
    Kind("DECIMAL(20,6)", _decimal(20, 6), "{:f}".format),
    Kind("DECIMAL(5,0)", _decimal(5, 0), "{:f}".format),
    Kind("DECIMAL(38,30)", _decimal(38, 30), "{:f}".format),
    Kind("FLOAT", lambda chance: chance.choice([0.0, 0.1, -2.5, 3e38, 1e-40, chance.uniform(-1e6, 1e6)]),
         _float32, _float32, selected="{} * 1E0"),
    Kind("DOUBLE", lambda chance: chance.choice([0.0, 0.1, 5e-324, 1e308, chance.gauss(0, 1e9)]),
         selected="{} * 1E0"),
)  # fmt: skip
TEXTS = (
    Kind("VARCHAR(60)", _text(_LATIN + "中😀", 60)),
    Kind("CHAR(12) CHARACTER SET latin1", lambda chance: _text(_LATIN, 12)(chance).rstrip()),
    Kind("VARCHAR(30) CHARACTER SET gbk", _text("中文汉字a\\", 30)),
    Kind("VARCHAR(30) CHARACTER SET sjis", _text("カナ漢表ソaﾊ", 30)),
    Kind("VARCHAR(30) CHARACTER SET utf16", _text("é😀a", 30)),
    Kind("VARCHAR(300) COLLATE utf8mb4_bin", _text("abé", 10, 300)),
    Kind("TEXT", _text(_LATIN + "中😀", 80, 5_000)),
    Kind("MEDIUMTEXT CHARACTER SET cp1251", _text("Привет, мир", 40, 30_000)),
    Kind("ENUM('a','bee','ř,x','')", lambda chance: chance.choice(["a", "bee", "ř,x", ""])),
    Kind("SET('one','zwei','três')", _labels),
)
BYTES = (
    Kind("BINARY(8)", _bytes(0, 8), lambda value: _base64(value.ljust(8, b"\0"))),
    Kind("VARBINARY(40)", _bytes(0, 40), _base64),
    Kind("BLOB", _bytes(0, 300), _base64),
    Kind("LONGBLOB", lambda chance: chance.randbytes(chance.choice([0, 10, 70_000])), _base64),
    Kind("BIT(1)", lambda chance: chance.randrange(2), lambda value: value != b"\0"),
    Kind("BIT(12)", lambda chance: chance.randrange(1 << 12), lambda value: _base64(value[::-1])),
    Kind("POINT", lambda chance: f"POINT({chance.randrange(-90, 90)} {chance.uniform(-80, 80)})", _base64,
         lambda value: value["wkb"], placeholder="ST_GeomFromText(%s)", selected="ST_AsWKB({})"),
)  # fmt: skip
MOMENTS = (
    Kind("DATE", lambda chance: _moment(0)(chance)[:10], _days, zero=0),
    Kind("DATETIME", _moment(0), _since_epoch(_MILLISECOND), zero=0),
    Kind("DATETIME(3)", _moment(3), _since_epoch(_MILLISECOND), zero=0),
    Kind("DATETIME(6)", _moment(6), _since_epoch(_MICROSECOND), zero=0),
    Kind("TIME", _length(0), lambda value: value // _MICROSECOND),
    Kind("TIME(3)", _length(3), lambda value: value // _MICROSECOND),
    Kind("TIME(6)", _length(6), lambda value: value // _MICROSECOND),
    Kind("TIMESTAMP", _stamp(0), _iso),
    Kind("TIMESTAMP(6)", _stamp(6), _iso),
)
DOCUMENT = Kind("JSON", _document(3), json.loads, json.loads)
VECTOR = Kind(
    "VECTOR(3)",
    lambda chance: str([chance.uniform(-5, 5) for _ in range(3)]),
    lambda value: list(struct.unpack("<3f", bytes.fromhex(value))),
    lambda value: [_float32(one) for one in value],
    placeholder="STRING_TO_VECTOR(%s)",
    selected="HEX({})",
)
UUID = Kind("UUID", lambda chance: str(uuid.UUID(int=chance.choice([0, chance.getrandbits(128), 0x440000]))))
INET6 = Kind(
    "INET6",
    lambda chance: str(IPv6Address(chance.choice([0, chance.getrandbits(128), 1 << 120]))),
    IPv6Address,
    IPv6Address,
)
INET4 = Kind("INET4", lambda chance: str(IPv4Address(chance.choice([0, chance.getrandbits(32), 1 << 24]))))

SHARED = (*NUMBERS, *TEXTS, *BYTES, *MOMENTS, DOCUMENT)
KINDS = {"mysql": (*SHARED, VECTOR), "mariadb": (*SHARED, UUID, INET6, INET4)}

WHOLE_KEY = Kind("INT", lambda chance: chance.randrange(-5, 300))
UNSIGNED_KEY = Kind("BIGINT UNSIGNED", lambda chance: 2**64 - 1 - chance.randrange(300))
TEXT_KEY = Kind(
    "VARCHAR(20) COLLATE utf8mb4_general_ci",
    lambda chance: "".join(
        chance.choice((one, one.upper())) for one in chance.choice("abcdeé") + chance.choice("ghij")
    ),
)
CODE_KEY = Kind("VARCHAR(10)", lambda chance: f"c{chance.randrange(30)}")
DECIMAL_KEY = Kind("DECIMAL(6,2)", lambda chance: f"{chance.randrange(-50, 200)}.{chance.randrange(2)}0", "{:f}".format)
BINARY_KEY = Kind("BINARY(3)", lambda chance: bytes([chance.randrange(200), 0, chance.randrange(2)]), _base64)
DAY_KEY = Kind("DATE", lambda chance: f"2024-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}", _days)
