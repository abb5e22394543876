"""Every character set of each server: all codes that it lets be stored, from the snapshot, the log, and its own CONVERT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from connectors.mysql.connection import quote_identifier
from tests.connectors.mysql_capture import opened, read_to_end, source_for
from tests.servers import Database

CODES_A_ROW = 100
UNICODE = {"ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be", "utf8mb3": "utf-8", "utf8mb4": "utf-8"}  # fmt: skip
BMP_ONLY = {"ucs2", "utf8mb3"}


def candidates() -> Iterator[bytes]:
    """What may be one character: all codes of up to three bytes, and a sample of those of four."""
    yield from (bytes([byte]) for byte in range(256))
    yield from (bytes([lead, trail]) for lead in range(0x80, 0x100) for trail in range(0x21, 0x100))
    yield from (bytes([0x8F, row, cell]) for row in range(0xA1, 0xFF) for cell in range(0xA1, 0xFF))
    for lead in (0x81, 0x82, 0x84, 0x90, 0x95, 0xE3, 0xFE):
        for second in range(0x30, 0x3A):
            yield from (bytes([lead, second, third, last]) for third in (0x81, 0xA0, 0xFE) for last in (0x30, 0x39))
    yield bytes.fromhex("8135f437")


def unicode_codes(charset: str) -> list[bytes]:
    """Every character of the first plane, and some of the others."""
    points = [*range(0xD800), *range(0xE000, 0x10000)]
    if charset not in BMP_ONLY:
        points += range(0x10000, 0x110000, 997)
    return [chr(point).encode(UNICODE[charset]) for point in points]


class Codes:
    """The codes that a server takes for one character of a character set."""

    def __init__(self, cursor: pymysql.cursors.Cursor) -> None:
        self._cursor = cursor
        cursor.execute("CREATE TABLE codes (code VARBINARY(4) PRIMARY KEY)")
        every = list(candidates())
        for at in range(0, len(every), 10_000):
            values = ",".join(f"(x'{code.hex()}')" for code in every[at : at + 10_000])
            cursor.execute(f"INSERT INTO codes VALUES {values}")

    def of(self, charset: str, width: int) -> list[bytes]:
        if charset in UNICODE:
            return unicode_codes(charset)
        table = (
            f"CREATE TEMPORARY TABLE kept (code VARBINARY(4), text VARCHAR(4) CHARACTER SET {charset}) ENGINE = MEMORY"
        )
        self._cursor.execute(table)
        self._cursor.execute(f"INSERT INTO kept SELECT code, code FROM codes WHERE LENGTH(code) <= {width}")
        self._cursor.execute(
            "SELECT code FROM kept WHERE HEX(text) = HEX(code) AND CHAR_LENGTH(text) = 1 ORDER BY code"
        )
        codes = [code for (code,) in self._cursor.fetchall()]
        self._cursor.execute("DROP TEMPORARY TABLE kept")
        return codes


@pytest.fixture
def charsets(sql_server: Database, sql_database: str) -> list[str]:
    """Fills table ``t``, a column for each character set and a hundred of its codes in each row, and ``oracle``, in UTF-32."""
    with closing(sql_server.connect(database=sql_database, charset="utf8mb4")) as connection:
        cursor = connection.cursor()
        cursor.execute("SET sql_mode = ''")
        cursor.execute("SHOW CHARACTER SET")
        widths = {name: width for name, _, _, width in sorted(cursor.fetchall()) if name != "binary"}
        codes = Codes(cursor)
        known = {charset: codes.of(charset, width) for charset, width in widths.items()}
        columns = ", ".join(f"{charset} VARCHAR({CODES_A_ROW}) CHARACTER SET {charset}" for charset in widths)
        cursor.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})")
        rows = max(map(len, known.values())) // CODES_A_ROW + 1
        for row in range(rows):
            chunks = [b"".join(own[row * CODES_A_ROW : (row + 1) * CODES_A_ROW]) for own in known.values()]
            literals = ", ".join(f"x'{chunk.hex()}'" for chunk in chunks)
            cursor.execute(f"INSERT INTO t VALUES ({row}, {literals})")
        converted = ", ".join(f"HEX(CONVERT({charset} USING utf32))" for charset in widths)
        cursor.execute(f"CREATE TABLE oracle AS SELECT {converted} FROM t ORDER BY id")
        for charset, own in known.items():
            cursor.execute(f"SELECT SUM(LENGTH({quote_identifier(charset)})) FROM t")
            assert cursor.fetchone() == (sum(map(len, own)),), f"{charset}: not every code was stored"
    return list(widths)


def test_all_characters_are_the_server_s_in_the_snapshot_and_in_the_log(
    sql_server: Database, sql_database: str, charsets: list[str]
) -> None:
    sql_server.execute("CREATE TABLE t2 LIKE t", database=sql_database)
    with opened(source_for(sql_server, f"{sql_database}.t*")) as source:
        snapshot, _ = read_to_end(source)
        sql_server.execute("INSERT INTO t2 SELECT * FROM t", database=sql_database)
        streamed, _ = read_to_end(source)
    expected = [
        tuple(bytes.fromhex(text).decode("utf-32-be") for text in row)
        for row in sql_server.execute("SELECT * FROM oracle", database=sql_database)
    ]
    for place, charset in enumerate(charsets):
        oracle = [row[place] for row in expected]
        assert [row[place + 1] for change in snapshot for row in change.after or ()] == oracle, charset
        assert [row[place + 1] for change in streamed for row in change.after or ()] == oracle, charset
