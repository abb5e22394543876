"""Random columns for property tests: a declaration, values as SQL literals, and what each must be shown as by default."""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st


class _Anything:
    """Equals every value: where there is no oracle, the snapshot and the log have only to agree."""

    def __eq__(self, _other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


ANYTHING = _Anything()
_FIRST = datetime(1000, 1, 1)  # noqa: DTZ001 - a DATETIME has no time zone
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
Draw = Callable[..., Any]


@dataclass(frozen=True)
class RandomColumn:
    """A column, and for each row a literal and its value."""

    declared: str
    literals: list[str]
    values: list[Any]


@st.composite
def columns(draw: Draw, rows: int, *, mariadb: bool) -> RandomColumn:
    """One column of ``rows`` values, about a tenth of them NULL, unless it is NOT NULL."""
    make = draw(st.sampled_from(_SHARED + (_MARIADB if mariadb else _MYSQL)))
    declared, one = make(draw)
    nullable = draw(st.booleans())
    literals, values = [], []
    for _ in range(rows):
        if nullable and draw(st.integers(0, 9)) == 0:
            literals.append("NULL")
            values.append(None)
        else:
            literal, value = one()
            literals.append(literal)
            values.append(value)
    return RandomColumn(f"{declared} {'NULL' if nullable else 'NOT NULL'}", literals, values)


Made = tuple[str, Callable[[], tuple[str, Any]]]
_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "BIGINT": 64}


def _integer(draw: Draw) -> Made:
    name, unsigned = draw(st.sampled_from(sorted(_BITS))), draw(st.booleans())
    top = 1 << _BITS[name] - (not unsigned)
    numbers = st.integers(0 if unsigned else -top, top - 1)

    def one() -> tuple[str, Any]:
        number = draw(numbers)
        return str(number), number

    return f"{name}{draw(st.sampled_from([' UNSIGNED', ' UNSIGNED ZEROFILL'])) if unsigned else ''}", one


def _decimal(draw: Draw) -> Made:
    precision = draw(st.integers(1, 65))
    scale = draw(st.integers(0, min(precision, 30)))

    def one() -> tuple[str, Any]:
        digits = draw(st.integers(-(10**precision) + 1, 10**precision - 1))
        text = f"{abs(digits):0{scale + 1}d}"
        text = (
            f"{'-' if digits < 0 else ''}{text[: len(text) - scale]}{'.' if scale else ''}{text[len(text) - scale :]}"
        )
        return text, text

    return f"DECIMAL({precision},{scale})", one


def _exact(number: float) -> str:
    text = repr(number)
    return text if "e" in text else f"{text}e0"  # without an exponent it would be a DECIMAL


def _float(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        number = draw(st.floats(width=32, allow_nan=False, allow_infinity=False))
        return _exact(number), float(np.format_float_scientific(np.float32(number), unique=True))

    return "FLOAT", one


def _double(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        number = draw(st.floats(allow_nan=False, allow_infinity=False))
        return _exact(number), number

    return "DOUBLE", one


def _bit(draw: Draw) -> Made:
    width = draw(st.integers(1, 64))

    def one() -> tuple[str, Any]:
        bits = draw(st.integers(0, (1 << width) - 1))
        data = bits.to_bytes((width + 7) // 8, "little")
        return f"b'{bits:b}'", bool(bits) if width == 1 else base64.b64encode(data).decode()

    return f"BIT({width})", one


def _date(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        day = draw(st.dates(date(1000, 1, 1)))
        return f"'{day.isoformat()}'", (day - date(1970, 1, 1)).days

    return "DATE", one


def _cut(moment: datetime, digits: int) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))


def _datetime(draw: Draw) -> Made:
    digits = draw(st.integers(0, 6))

    def one() -> tuple[str, Any]:
        moment = _cut(draw(st.datetimes(_FIRST)), digits)
        microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
        return f"'{moment.isoformat(' ')}'", microseconds if digits > 3 else microseconds // 1000

    return f"DATETIME({digits})", one


def _timestamp(draw: Draw) -> Made:
    digits = draw(st.integers(0, 6))

    def one() -> tuple[str, Any]:
        moment = _cut(
            draw(st.datetimes(_EPOCH + timedelta(seconds=1), _EPOCH + timedelta(seconds=(1 << 31) - 1))), digits
        )
        text = moment.isoformat()
        return f"'{moment.isoformat(' ')}'", f"{text.rstrip('0') if moment.microsecond else text}Z"

    return f"TIMESTAMP({digits})", one


def _time(draw: Draw) -> Made:
    digits = draw(st.integers(0, 6))
    unit = 10 ** (6 - digits)
    limit = (838 * 3600 + 59 * 60 + 58) * 1_000_000 // unit

    def one() -> tuple[str, Any]:
        microseconds = draw(st.integers(-limit, limit)) * unit
        seconds, fraction = divmod(abs(microseconds), 1_000_000)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"
        return f"'{'-' if microseconds < 0 else ''}{clock}'", microseconds

    return f"TIME({digits})", one


def _year(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        year = draw(st.sampled_from([0]) | st.integers(1901, 2155))
        return str(year), year

    return "YEAR", one


_ALPHABETS = {
    "utf8mb4": st.characters(exclude_categories=["Cs"]),
    "utf16": st.characters(exclude_categories=["Cs"]),
    "utf16le": st.characters(exclude_categories=["Cs"]),
    "utf32": st.characters(exclude_categories=["Cs"]),
    "utf8mb3": st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF),
    "ucs2": st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF),
    "latin1": st.characters(max_codepoint=0xFF, exclude_characters=[chr(code) for code in range(0x80, 0xA0)]),
    "latin2": st.characters(codec="iso8859_2", exclude_categories=["Cc"]),
    "koi8r": st.characters(codec="koi8_r"),
    "gbk": st.characters(codec="gb2312", exclude_characters="·―"),
    "ascii": st.characters(codec="ascii"),
}


def _text(draw: Draw) -> Made:
    charset = draw(st.sampled_from(sorted(_ALPHABETS)))
    fixed = draw(st.booleans())
    width = draw(st.sampled_from([1, 10, 63, 64, 255] if fixed else [1, 10, 63, 64, 255, 256, 1000]))

    def one() -> tuple[str, Any]:
        text = draw(st.text(_ALPHABETS[charset], max_size=min(width, 40)))
        return f"_utf8mb4 x'{text.encode().hex()}'", text.rstrip(" ") if fixed else text

    return f"{'CHAR' if fixed else 'VARCHAR'}({width}) CHARACTER SET {charset}", one


def _long_text(draw: Draw) -> Made:
    name = draw(st.sampled_from(["TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"]))

    def one() -> tuple[str, Any]:
        text = draw(st.text(_ALPHABETS["utf8mb4"], max_size=60))
        return f"_utf8mb4 x'{text.encode().hex()}'", text

    return f"{name} CHARACTER SET utf8mb4", one


def _bytes(draw: Draw) -> Made:
    name, width = draw(
        st.sampled_from(
            [("BINARY(5)", 5), ("BINARY(16)", 16), ("BINARY(255)", 255), ("VARBINARY(5)", 5), ("VARBINARY(300)", 300)]
            + [(kind, 60) for kind in ("TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB")]
        )
    )

    def one() -> tuple[str, Any]:
        data = draw(st.binary(max_size=min(width, 60)))
        shown = data.ljust(width, b"\0") if name.startswith("BINARY") else data
        return f"x'{data.hex()}'", base64.b64encode(shown).decode()

    return name, one


def _labels(draw: Draw, most: int) -> list[str]:
    # Not beyond U+FFFF: information_schema is in utf8mb3, and shows "?" for such a label's character.
    label = st.text("abcdefgXYZřžя中'\"\\-#%", min_size=1, max_size=8)
    found: list[str] = draw(st.lists(label, min_size=1, max_size=most, unique=True))
    return found


def _declared_labels(labels: list[str]) -> str:
    quoted = ("'" + label.replace("\\", "\\\\").replace("'", "''") + "'" for label in labels)
    return f"({', '.join(quoted)}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def _enum(draw: Draw) -> Made:
    labels = _labels(draw, 12) if draw(st.booleans()) else [f"label {n}" for n in range(300)]

    def one() -> tuple[str, Any]:
        index = draw(st.integers(1, len(labels)))
        return str(index), labels[index - 1]

    return f"ENUM{_declared_labels(labels)}", one


def _set(draw: Draw) -> Made:
    labels = _labels(draw, 20) if draw(st.booleans()) else [f"{n}" for n in range(64)]

    def one() -> tuple[str, Any]:
        bits = draw(st.integers(0, (1 << len(labels)) - 1))
        return str(bits), ",".join(label for n, label in enumerate(labels) if bits >> n & 1)

    return f"SET{_declared_labels(labels)}", one


def _point(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        x, y = (draw(st.floats(allow_nan=False, allow_infinity=False)) for _ in range(2))
        wkb = struct.pack("<BIdd", 1, 1, x, y)
        shown = {"x": x, "y": y, "wkb": base64.b64encode(wkb).decode(), "srid": None}
        return f"ST_GeomFromWKB(x'{wkb.hex()}')", shown

    return "POINT", one


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(_ALPHABETS["utf8mb4"], max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abcé😀"\\: ', max_size=6), inner, max_size=4),
    max_leaves=12,
)


class _JsonText:
    """Equals every JSON text of a document, compact as it may be."""

    def __init__(self, document: Any) -> None:
        self.document = document

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and json.loads(other) == self.document

    def __hash__(self) -> int:
        return 0


def _json(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        document = draw(_JSON)
        text = json.dumps(document, ensure_ascii=False)
        return f"CONVERT(x'{text.encode().hex()}' USING utf8mb4)", _JsonText(document)

    return "JSON", one


def _json_double(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        number = draw(st.floats(allow_nan=False, allow_infinity=False))
        return f"CAST({_exact(number)} AS JSON)", _JsonText(number)

    return "JSON", one


def _vector(draw: Draw) -> Made:
    size = draw(st.integers(1, 5))

    def one() -> tuple[str, Any]:
        numbers = [draw(st.floats(width=32, allow_nan=False, allow_infinity=False)) for _ in range(size)]
        shown = [float(np.format_float_scientific(np.float32(number), unique=True)) for number in numbers]
        return f"x'{struct.pack(f'<{size}f', *numbers).hex()}'", shown

    return f"VECTOR({size})", one


def _uuid(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        # Those of RFC 4122 alone: some others come back from the server itself with their parts exchanged.
        number = draw(st.integers(0, (1 << 128) - 1)) & ~(0xF << 76 | 0x3 << 62)
        text = str(uuid.UUID(int=number | draw(st.integers(1, 5)) << 76 | 0x2 << 62))
        return f"'{text}'", text

    return "UUID", one


def _inet4(draw: Draw) -> Made:
    def one() -> tuple[str, Any]:
        text = str(draw(st.ip_addresses(v=4)))
        return f"'{text}'", text

    return "INET4", one


class _SameAddress:
    """Equals every text of an address."""

    def __init__(self, address: ipaddress.IPv6Address) -> None:
        self.address = address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and ipaddress.IPv6Address(other) == self.address

    def __hash__(self) -> int:
        return 0


def _inet6(draw: Draw) -> Made:
    words = st.sampled_from([0, 0, 1, 0xFFFF]) | st.integers(0, 0xFFFF)

    def one() -> tuple[str, Any]:
        number = 0
        for _ in range(8):
            number = number << 16 | draw(words)
        address = ipaddress.IPv6Address(number)
        return f"'{address}'", _SameAddress(address)

    return "INET6", one


def _compressed(draw: Draw) -> Made:
    name = draw(st.sampled_from(["VARCHAR(200)", "TEXT", "LONGTEXT"]))

    def one() -> tuple[str, Any]:
        text = draw(st.text(_ALPHABETS["utf8mb4"], max_size=10)) * draw(st.sampled_from([1, 20]))
        return f"_utf8mb4 x'{text.encode().hex()}'", text

    return f"{name} CHARACTER SET utf8mb4 COMPRESSED", one


_SHARED = [
    _integer, _decimal, _float, _double, _bit, _date, _datetime, _timestamp, _time, _year, _text, _long_text, _bytes,
    _enum, _set, _point,
]  # fmt: skip
_MYSQL = [_json, _json_double, _vector]
_MARIADB = [_uuid, _inet4, _inet6, _compressed]


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON value, of the same type, down to the sign of a zero."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and bool(one == other)
