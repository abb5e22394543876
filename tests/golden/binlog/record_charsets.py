"""Records how a MySQL server converts each code of its character sets to Unicode, into ``charsets.json``.

    python -m tests.golden.binlog.record_charsets mysql://root@127.0.0.1:3306

A character set of one byte is written out, 256 characters with U+FFFD where the server knows none. One of several bytes is
the number of codes that the server knows and a SHA-256 over their ``code=character`` lines; GB18030's codes of four bytes
are left out.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from connectors.mysql.address import parse_url
from connectors.mysql.connection import Connection

GOLDEN = Path(__file__).parent / "charsets.json"
ONE_BYTE = (
    "armscii8", "ascii", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8", "geostd8", "greek",
    "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "swe7",
    "tis620",
)  # fmt: skip
MORE_BYTES = ("big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis")
UNKNOWN = "\ufffd"


def codes(charset: str) -> list[bytes]:
    """Every code that could be one character."""
    found = [bytes([byte]) for byte in range(256)]
    if charset in MORE_BYTES:
        found += [bytes([lead, trail]) for lead in range(0x80, 0x100) for trail in range(0x30, 0x100)]
    if charset in {"ujis", "eucjpms"}:
        found += [bytes([0x8F, row, cell]) for row in range(0xA1, 0xFF) for cell in range(0xA1, 0xFF)]
    return found


def digest(known: dict[bytes, str]) -> str:
    """SHA-256 over what is known of a character set."""
    lines = (f"{code.hex()}={character}\n" for code, character in sorted(known.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _converted(connection: Connection, charset: str, code: bytes) -> str | None:
    """The server's character for a code, None if it refuses it."""
    shown = connection.query(f"SELECT HEX(CONVERT(CONVERT(x'{code.hex()}' USING {charset}) USING utf32))")[0][0]
    return None if shown is None else bytes.fromhex(shown).decode("utf-32-be")


def known_to_server(connection: Connection, charset: str) -> dict[bytes, str]:
    """Each code that is one character, and that character. Codes in doubt come back as ``?`` and are left out."""
    known: dict[bytes, str] = {}
    for code in codes(charset):
        character = _converted(connection, charset, code)
        if character is not None and len(character) == 1 and (character not in {"?", UNKNOWN} or code == b"?"):
            known[code] = character
    return known


def main() -> None:
    connection = Connection(parse_url(sys.argv[1]))
    connection.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")  # or it cuts a code short that is not one character
    golden: dict[str, object] = {"version": connection.query("SELECT version()")[0][0]}
    for charset in ONE_BYTE:
        known = known_to_server(connection, charset)
        golden[charset] = "".join(known.get(code, UNKNOWN) for code in codes(charset))
    for charset in MORE_BYTES:
        known = known_to_server(connection, charset)
        golden[charset] = {"codes": len(known), "sha256": digest(known)}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
