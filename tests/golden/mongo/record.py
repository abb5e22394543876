"""What Debezium 3.5 itself writes for BSON documents: ``python -m tests.golden.mongo.record`` makes ``debezium_json.json.xz``."""

from __future__ import annotations

import json
import lzma
import struct
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.connectors.bson_documents import OBJECT_ID, binary, code_with_scope, document, element, string
from tests.servers.java import java, libraries

FOLDER = Path(__file__).parent
RECORDED = FOLDER / "debezium_json.json.xz"
DEBEZIUM = "io.debezium:debezium-connector-mongodb:3.5.0.Final"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DOUBLES = (
    0.0, -0.0, 1.0, -1.5, 12.95, 1e10, 0.001, 0.00123, 0.0009999, 1e7, 9999999.5, 123456789.125, 1.7976931348623157e308,
    2.2250738585072014e-308, 5e-324, 0.1, 1 / 3, 1e16, 1e-5, 4.35, 100.0, 1e6, 9999999.999999998,
)  # fmt: skip
"""None of those for which Java 17, which recorded, does not have the shortest digits as Java 19 and later have."""
DATES = (
    0,
    1,
    10,
    100,
    1500,
    60_000,
    -1,
    1234567890123,
    253402300799999,
    253402300800000,
    951782400000,
    2**63 - 1,
    -(2**63),
)
DECIMALS = (
    0x30400000000000000000000000000001, 0x303C0000000000000000000000000000, 0xB03E000000000000000000000000000F,
    0x5FFFED09BEAD87C0378D8E63FFFFFFFF, 0x00000000000000000000000000000001, 0x7C000000000000000000000000000000,
    0xFC000000000000000000000000000000, 0x78000000000000000000000000000000, 0xF8000000000000000000000000000000,
    0x6C10000000000000000000000000FFFF, 0x30320000000000000000000000000001, 0x30340000000000000000000000000001,
    0x3042314DC6448D9338C15B0A00000000, 0x30400000000000000000000000003039,
)  # fmt: skip


@cache
def cases() -> dict[str, bytes]:
    """Documents by name."""
    scope = document(element(16, "q", struct.pack("<i", 1)), element(4, "w", document()))
    found = {
        "empty": document(),
        "doubles": _all(1, [struct.pack("<d", value) for value in DOUBLES]),
        "strings": _all(
            2, [string(text) for text in ("", "a", 'a"b\\c/', "\b\f\n\r\t\0\1\x1f\x7f", "é ß 日本 <>&'", "😀")]
        ),
        "documents": _all(3, [document(), document(element(3, "x", document(element(10, "y", b""))))]),
        "arrays": _all(
            4, [document(), document(element(10, "0", b""), element(3, "1", document())), _all(8, [b"\0", b"\1"])]
        ),
        "binaries": _all(
            5, [binary(bytes(range(n)), kind) for n, kind in enumerate((0, 1, 2, 3, 4, 5, 6, 0x80, 0xFE))]
        ),
        "undefined": _all(6, [b""]),
        "object ids": _all(7, [OBJECT_ID]),
        "booleans": _all(8, [b"\0", b"\1"]),
        "dates": _all(9, [struct.pack("<q", value) for value in DATES]),
        "nulls": _all(10, [b""]),
        "regexes": _all(11, [b"\0\0", b'a/b\\"\0imx\0']),
        "pointers": _all(12, [string("shop.orders") + OBJECT_ID]),
        "codes": _all(13, [string("f()")]),
        "symbols": _all(14, [string("s")]),
        "codes with scope": _all(15, [code_with_scope("g()", document()), code_with_scope("g()", scope)]),
        "int32": _all(16, [struct.pack("<i", value) for value in (0, 1, -1, 2**31 - 1, -(2**31))]),
        "timestamps": _all(17, [struct.pack("<II", *both) for both in ((0, 0), (3, 2**32 - 1))]),
        "int64": _all(18, [struct.pack("<q", value) for value in (0, 2147483657, 2**63 - 1, -(2**63))]),
        "decimals": _all(19, [value.to_bytes(16, "little") for value in DECIMALS]),
        "keys": document(element(0xFF, "_id", b""), element(0x7F, "max", b"")),
        "names": document(*(element(16, name, bytes(4)) for name in ("_id", "", "a.b", "$c", 'q"', "é😀\n"))),
        "text that is not UTF-8": _all(2, [string(text) for text in (b"a\xff", b"\xe2\x82", b"\xc0\x80x")]),
    }
    for page in range(0, 0x10000, 0x1000):
        characters = (chr(point) for point in range(page, page + 0x1000) if not 0xD800 <= point < 0xE000)
        found[f"U+{page:04X}"] = _all(2, [string("".join(characters))])
    return found


@cache
def recorded() -> dict[str, dict[str, str]]:
    """By name of a case: ``value``, ``update`` and ``id``, as texts."""
    found: dict[str, dict[str, str]] = json.loads(lzma.decompress(RECORDED.read_bytes()))
    return found


def _all(kind: int, values: list[bytes]) -> bytes:
    """A document with the first value as ``_id``, and the others."""
    return document(*(element(kind, LETTERS[n - 1] if n else "_id", value) for n, value in enumerate(values)))


def _record() -> dict[str, Any]:
    program = (java(), "-cp", f"{libraries('debezium-mongodb', DEBEZIUM)}/*", str(FOLDER / "WriteJson.java"))
    lines = "".join(f"{one.hex()}\n" for one in cases().values())
    done = subprocess.run(program, input=lines, capture_output=True, text=True, check=True)
    texts = [[bytes.fromhex(part).decode() for part in line.split(" ")] for line in done.stdout.splitlines()]
    return {
        name: dict(zip(("value", "update", "id"), line, strict=True)) for name, line in zip(cases(), texts, strict=True)
    }


if __name__ == "__main__":
    RECORDED.write_bytes(lzma.compress(json.dumps(_record(), ensure_ascii=True).encode(), preset=9))
