"""A row looks the same in the snapshot and in the log: every type, its extremes, NULL, on both kinds of servers."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import pytest

from connectors.source import Change
from tests.connectors.mysql_capture import opened, read_to_end, source_for
from tests.servers import Database, PrivateMariaDB

# Column type -> (literal, value). NULL is tried everywhere.
Cases = dict[str, list[tuple[str, Any]]]

LETTERS = [f"l{n}" for n in range(64)]
WORDS = [f"w{n}" for n in range(300)]
INTEGERS: Cases = {
    "TINYINT": [("-128", -128), ("127", 127), ("0", 0)],
    "TINYINT UNSIGNED": [("255", 255), ("128", 128)],
    "SMALLINT": [("-32768", -32768), ("32767", 32767)],
    "SMALLINT UNSIGNED": [("65535", 65535)],
    "MEDIUMINT": [("-8388608", -8388608), ("8388607", 8388607), ("-1", -1)],
    "MEDIUMINT UNSIGNED": [("16777215", 16777215), ("8388608", 8388608)],
    "INT": [("-2147483648", -2147483648), ("2147483647", 2147483647)],
    "INT UNSIGNED": [("4294967295", 4294967295)],
    "INT(8) ZEROFILL": [("42", 42)],
    "BIGINT": [("-9223372036854775808", -9223372036854775808), ("9223372036854775807", 9223372036854775807)],
    "BIGINT UNSIGNED": [("18446744073709551615", 18446744073709551615), ("9223372036854775808", 9223372036854775808)],
    "BOOLEAN": [("TRUE", 1), ("FALSE", 0), ("-5", -5)],
    "YEAR": [("1901", 1901), ("2155", 2155), ("0", 0), ("'18'", 2018), ("'0018'", 2018), ("'78'", 1978)],
}
FLOATS: Cases = {
    "FLOAT": [
        ("0.1", 0.1), ("3.4028235e38", 3.4028235e38), ("-1.17549435e-38", -1.1754944e-38), ("1e-45", 1e-45),
        ("16777217", 16777216.0), ("123456.789", 123456.79), ("-0e0", -0.0), ("1.0000001", 1.0000001),
    ],
    "FLOAT UNSIGNED": [("2.7182817", 2.7182817)],
    "FLOAT(7,3)": [("1234.5678", 1234.568)],
    "DOUBLE": [
        ("0.1", 0.1), ("1.7976931348623157e308", 1.7976931348623157e308), ("5e-324", 5e-324), ("-2.5", -2.5),
        ("3.141592653589793", 3.141592653589793), ("1e22", 1e22), ("123456789012345680000", 123456789012345680000.0),
    ],
    "DOUBLE(20,4)": [("123456.78906", 123456.7891)],
    "DOUBLE ZEROFILL": [("1.5", 1.5)],
}  # fmt: skip
DECIMALS: Cases = {
    "DECIMAL(10,2)": [
        ("12345678.90", "12345678.90"),
        ("-0.01", "-0.01"),
        ("0", "0.00"),
        ("-99999999.99", "-99999999.99"),
    ],
    "DECIMAL(65,30)": [("-" + "9" * 35 + "." + "1" * 30, "-" + "9" * 35 + "." + "1" * 30), ("0.5", "0.5" + "0" * 29)],
    "DECIMAL(5,0)": [("-12345", "-12345"), ("7", "7")],
    "DECIMAL(9,9)": [("0.123456789", "0.123456789"), ("-0.000000001", "-0.000000001")],
    "DECIMAL(8,3) UNSIGNED ZEROFILL": [("12.5", "12.500"), ("0", "0.000")],
}
TEXTS: Cases = {
    "CHAR(10)": [("'abc'", "abc"), ("''", ""), ("'abc   '", "abc"), ("'naïve 😀'", "naïve 😀")],
    "VARCHAR(300)": [
        ("'abc  '", "abc  "),
        ("REPEAT('é', 300)", "é" * 300),
        ("'tab\\tquote\\'\"back\\\\'", "tab\tquote'\"back\\"),
    ],
    "TINYTEXT": [("'x'", "x")],
    "TEXT": [("REPEAT('ab', 20000)", "ab" * 20000), ("''", "")],
    "MEDIUMTEXT": [("REPEAT('z', 70000)", "z" * 70000)],
    "LONGTEXT": [("'long'", "long")],
    "VARCHAR(20) CHARACTER SET latin1": [("'Äß€'", "Äß€"), ("_binary 0x81", "\x81")],
    "VARCHAR(20) CHARACTER SET latin2": [("'řž'", "řž")],
    "VARCHAR(20) CHARACTER SET gbk": [("'中文'", "中文")],
    "VARCHAR(20) CHARACTER SET sjis": [("'カナ表'", "カナ表")],
    "VARCHAR(20) CHARACTER SET cp932": [("'\uff5e①'", "\uff5e①")],
    "CHAR(20) CHARACTER SET ucs2": [("'héh'", "héh")],
    "VARCHAR(20) CHARACTER SET utf16": [("'é😀'", "é😀")],
    "VARCHAR(20) CHARACTER SET utf16le": [("'é😀'", "é😀")],
    "CHAR(20) CHARACTER SET utf32": [("'é😀'", "é😀")],
    "TEXT CHARACTER SET cp1251": [("'Привет'", "Привет")],
    "VARCHAR(20) CHARACTER SET ascii": [("'plain'", "plain")],
    "VARCHAR(20) COLLATE utf8mb4_bin": [("'Bin'", "Bin")],
    "ENUM('a','bee','ř,x')": [("'bee'", "bee"), ("'ř,x'", "ř,x")],
    "ENUM('ř','z') CHARACTER SET latin2": [("'ř'", "ř")],
    "SET('one','two','three')": [("'three,one'", "one,three"), ("''", "")],
    "SET('ř','ž') CHARACTER SET latin2": [("'ž,ř'", "ř,ž")],
    f"SET({', '.join(map(repr, LETTERS))})": [
        ("18446744073709551615", ",".join(LETTERS)),
        ("9223372036854775808", LETTERS[-1]),
    ],
    f"ENUM({', '.join(map(repr, WORDS))})": [("'w299'", "w299"), ("255", "w254"), ("256", "w255"), ("1", "w0")],
    "ENUM('😀','it''s','back\\\\slash')": [("1", "😀"), ("2", "it's"), ("3", "back\\slash")],
}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


BYTES: Cases = {
    "BINARY(4)": [("0x01020000", b64(b"\1\2\0\0")), ("0x00000000", b64(b"\0" * 4)), ("''", b64(b"\0" * 4)), ("0xFF", b64(b"\xff\0\0\0"))],
    "BINARY(16)": [("0x11223344556677889900AABBCC440000", b64(bytes.fromhex("11223344556677889900AABBCC440000")))],
    "VARBINARY(300)": [("0x0100", b64(b"\1\0")), ("''", ""), ("REPEAT(0xFE, 300)", b64(b"\xfe" * 300))],
    "TINYBLOB": [("0x00", b64(b"\0"))],
    "BLOB": [("0xCAFEBABE", "yv66vg=="), ("''", "")],
    "MEDIUMBLOB": [("REPEAT(0x07, 70000)", b64(b"\7" * 70000))],
    "LONGBLOB": [("0x09", b64(b"\t"))],
    "BIT(1)": [("b'1'", True), ("b'0'", False)],
    "BIT(12)": [("b'101000000001'", b64(b"\x01\x0a"))],
    "BIT(64)": [("b'1000000000000000000000000000000000000000000000000000000000000001'", b64(b"\1" + b"\0" * 6 + b"\x80"))],
}  # fmt: skip
TIMES: Cases = {
    "DATE": [("'1970-01-01'", 0), ("'2024-02-29'", 19782), ("'1000-01-01'", -354285), ("'9999-12-31'", 2932896), ("'0018-04-01'", -712863)],
    "DATETIME": [("'1970-01-01 00:00:00'", 0), ("'2038-01-19 03:14:08'", 2147483648000), ("'1000-01-01 00:00:01'", -30610223999000), ("'9999-12-31 23:59:59'", 253402300799000)],
    "DATETIME(3)": [("'2024-01-02 03:04:05.678'", 1704164645678), ("'1969-12-31 23:59:59.999'", -1)],
    "DATETIME(4)": [("'2024-01-02 03:04:05.6789'", 1704164645678900)],
    "DATETIME(6)": [("'1969-12-31 23:59:59.999999'", -1), ("'2024-01-02 03:04:05.000001'", 1704164645000001)],
    "TIME": [("'-838:59:59'", -3020399000000), ("'00:00:01'", 1000000), ("'-00:20:38'", -1238000000), ("'-13:14:50'", -47690000000), ("'-00:00:00'", 0)],
    "TIME(2)": [("'-00:00:00.25'", -250000), ("'12:34:56.78'", 45296780000)],
    "TIME(3)": [("'517:51:04.777'", 1864264777000), ("'-733:00:00.0011'", -2638800001000), ("'-1:59:59.0011'", -7199001000)],
    "TIME(6)": [("'-838:59:58.999999'", -3020398999999), ("'-01:01:01.000001'", -3661000001)],
    "TIMESTAMP NULL": [("'1970-01-01 00:00:01'", "1970-01-01T00:00:01Z"), ("'2038-01-19 03:14:07'", "2038-01-19T03:14:07Z")],
    "TIMESTAMP(3) NULL": [("'2024-06-30 12:00:00.120'", "2024-06-30T12:00:00.12Z")],
    "TIMESTAMP(6) NULL": [("'2024-06-30 12:00:00.000001'", "2024-06-30T12:00:00.000001Z"), ("'2024-06-30 12:00:00'", "2024-06-30T12:00:00Z")],
}  # fmt: skip
POINT = b"\1\1\0\0\0" + struct.pack("<dd", 1.5, -2.0)


def wkb(kind: int, *parts: float | bytes) -> bytes:
    """Well-known binary, little endian: integers of 4 bytes, doubles, and geometries."""
    packed = [
        part if isinstance(part, bytes) else struct.pack("<d" if isinstance(part, float) else "<I", part)
        for part in parts
    ]
    return struct.pack("<BI", 1, kind) + b"".join(packed)


def geometry(data: bytes, srid: int | None = None) -> dict[str, Any]:
    return {"wkb": b64(data), "srid": srid}


LINE = wkb(2, 2, 0.0, 0.0, 1.0, 1.0)
POLYGON = wkb(3, 1, 4, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0)
COLLECTION = wkb(7, 2, POINT, LINE)
GEOMETRIES: Cases = {
    "POINT": [("ST_GeomFromText('POINT(1.5 -2)')", {"x": 1.5, "y": -2.0, **geometry(POINT)}),
              ("ST_GeomFromText('POINT(1.5 -2)', 3857)", {"x": 1.5, "y": -2.0, **geometry(POINT, 3857)})],
    "GEOMETRY": [("ST_GeomFromText('POINT(1.5 -2)', 3857)", geometry(POINT, 3857)),
                 ("ST_GeomFromText('LINESTRING(0 0,1 1)')", geometry(LINE)),
                 ("ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')", geometry(wkb(7, 0)))],
    "LINESTRING": [("ST_GeomFromText('LINESTRING(0 0,1 1)')", geometry(LINE))],
    "POLYGON": [("ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')", geometry(POLYGON))],
    "MULTIPOINT": [("ST_GeomFromText('MULTIPOINT(1.5 -2)')", geometry(wkb(4, 1, POINT)))],
    "MULTILINESTRING": [("ST_GeomFromText('MULTILINESTRING((0 0,1 1))')", geometry(wkb(5, 1, LINE)))],
    "MULTIPOLYGON": [("ST_GeomFromText('MULTIPOLYGON(((0 0,1 0,1 1,0 0)))')", geometry(wkb(6, 1, POLYGON)))],
    "GEOMETRYCOLLECTION": [("ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1.5 -2),LINESTRING(0 0,1 1))')", geometry(COLLECTION)),
                           ("ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')", geometry(wkb(7, 0)))],
}  # fmt: skip
EDGES = [
    sign * (1 << bits) + off
    for bits in (15, 16, 31, 32, 53, 63)
    for sign in (1, -1)
    for off in (-1, 0, 1)
    if sign * (1 << bits) + off >= -(1 << 63)
]
JSONS: Cases = {
    "JSON": [
        ("'{\"b\": [1, 2.5, \"x\"], \"a\": {\"k\": null}}'", '{"a":{"k":null},"b":[1,2.5,"x"]}'),
        ("'null'", "null"), ("'true'", "true"), ("'\"plain\"'", '"plain"'), ("'[]'", "[]"), ("'{}'", "{}"),
        ("'18446744073709551615'", "18446744073709551615"), ("'-9223372036854775808'", "-9223372036854775808"),
        ("'{\"spaced key\": \"a: b, \\\\\"c\\\\\"\"}'", '{"spaced key":"a: b, \\"c\\""}'),
        ("'1e20'", "1e20"), ("'0.1'", "0.1"), ("'{\"é\": \"😀\\\\u0007\"}'", '{"é":"😀\\u0007"}'),
        *((f"'{n}'", str(n)) for n in EDGES), ("'18446744073709551616'", "1.8446744073709552e19"), ("'\"\"'", '""'),
        ("'[1.0, 1e-5, 1.5e300, -0.0, 100000000000000.5]'", "[1.0,0.00001,1.5e300,-0.0,100000000000000.5]"), ("'false'", "false"),
        ("CAST(CAST('123.450' AS DECIMAL(10,3)) AS JSON)", "123.450"),
        ("CAST(CAST('-0.5' AS DECIMAL(65,30)) AS JSON)", "-0.5" + "0" * 29), ("CAST(TIMESTAMP'2024-01-02 03:04:05' AS JSON)", '"2024-01-02 03:04:05.000000"'),
        ("CAST(x'' AS JSON)", '""'), ("CAST(b'101' AS JSON)", '"BQ=="'), ("JSON_ARRAY(CAST('2024' AS YEAR), TIME'-838:59:59')", '[2024,"-838:59:59.000000"]'),
        ("JSON_ARRAY(CAST('2024-01-02' AS DATE), CAST('-12:00:01.5' AS TIME(3)), CAST('2024-01-02 03:04:05.6' AS DATETIME(6)))",
         '["2024-01-02","-12:00:01.500000","2024-01-02 03:04:05.600000"]'),
        ("JSON_OBJECT('blob', x'cafebabe')", '{"blob":"yv66vg=="}'),
    ],
    "VECTOR(3)": [("STRING_TO_VECTOR('[0.1,-2.5,3e10]')", [0.1, -2.5, 3e10])],
}  # fmt: skip
MARIADB_JSON: Cases = {"JSON": [("'{\"b\":  1}'", '{"b":  1}')]}

MARIADB_TYPES: Cases = {
    "UUID": [
        ("'123e4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
        ("'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000"),
        ("'0190163D-8694-739B-AEA5-966C26F8AD00'", "0190163d-8694-739b-aea5-966c26f8ad00"),
    ],
    "INET4": [("'1.2.3.0'", "1.2.3.0"), ("'0.0.0.0'", "0.0.0.0"), ("'255.255.255.255'", "255.255.255.255")],
    "INET6": [
        ("'2001:DB8::'", "2001:db8::"), ("'::'", "::"), ("'::ffff:1.2.3.0'", "::ffff:1.2.3.0"), ("'::1.2.3.4'", "::1.2.3.4"),
        ("'1:0:0:2:0:0:0:3'", "1:0:0:2::3"), ("'1:0:2:3:4:5:6:7'", "1::2:3:4:5:6:7"), ("'0:0:1::'", "0:0:1::"),
        ("'1:0:0:2:3:0:0:4'", "1::2:3:0:0:4"), ("'::1'", "::1"), ("'0:1:2:3:4:5:6:0'", "::1:2:3:4:5:6:0"),
    ],
    "VARCHAR(300) COMPRESSED": [("REPEAT('é', 300)", "é" * 300), ("''", ""), ("'x'", "x")],
    "VARCHAR(254) CHARACTER SET latin1 COMPRESSED": [("REPEAT('Ä', 254)", "Ä" * 254)],
    "VARCHAR(255) CHARACTER SET ascii COMPRESSED": [("REPEAT('a', 255)", "a" * 255)],
    "TEXT CHARACTER SET utf16 COMPRESSED": [("REPEAT('é😀', 900)", "é😀" * 900), ("'é'", "é")],
    "LONGTEXT COMPRESSED": [("REPEAT('z', 70000)", "z" * 70000), ("''", "")],
    "VARBINARY(300) COMPRESSED": [("REPEAT(0x00FE, 150)", b64(b"\0\xfe" * 150)), ("0x80", b64(b"\x80")), ("''", "")],
    "MEDIUMBLOB COMPRESSED": [("REPEAT(0x07, 70000)", b64(b"\7" * 70000)), ("0x00", b64(b"\0"))],
}  # fmt: skip

SHARED = {**INTEGERS, **FLOATS, **DECIMALS, **TEXTS, **BYTES, **TIMES, **GEOMETRIES}
TYPES = {"mysql": {**SHARED, **JSONS}, "mariadb": {**SHARED, **MARIADB_JSON, **MARIADB_TYPES}}


def only_row(changes: list[Change]) -> dict[str, Any]:
    (change,) = changes
    assert change.after is not None
    (row,) = change.after
    return dict(zip(change.table.columns, row, strict=True))


def both_ways(server: Database, database: str) -> tuple[list[Change], list[Change]]:
    """The rows of table ``t`` as the snapshot gives them, and as the log gives them when they are copied to ``t2``."""
    server.execute("CREATE TABLE t2 LIKE t", database=database)
    with opened(source_for(server, f"{database}.t*")) as source:
        snapshot, _ = read_to_end(source)
        server.execute("SET sql_mode = ''", "INSERT INTO t2 SELECT * FROM t", database=database)
        streamed, _ = read_to_end(source)
    return snapshot, streamed


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_every_type_has_the_same_value_in_the_snapshot_and_in_the_log(
    flavor: str, request: pytest.FixtureRequest
) -> None:
    server: Database = request.getfixturevalue(flavor)
    with server.fresh_database() as database:
        types = TYPES[flavor]
        columns = ", ".join(f"c{index} {declared}" for index, declared in enumerate(types))
        server.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4", database=database)
        expected: list[tuple[Any, ...]] = [(0, *[None] * len(types))]
        longest = max(len(cases) for cases in types.values())
        statements = ["SET sql_mode = '', time_zone = '+00:00'", "INSERT INTO t (id) VALUES (0)"]
        for turn in range(longest):
            chosen = [cases[turn % len(cases)] for cases in types.values()]
            literals = ", ".join(literal for literal, _ in chosen)
            statements.append(f"INSERT INTO t VALUES ({turn + 1}, {literals})")
            expected.append((turn + 1, *(value for _, value in chosen)))
        server.execute(*statements, database=database)
        snapshot, streamed = both_ways(server, database)
    rows = [row for change in snapshot for row in change.after or ()]
    for name, values, wanted in zip(["id", *types], zip(*rows, strict=True), zip(*expected, strict=True), strict=True):
        assert list(values) == list(wanted), name
    assert [repr(row) for change in snapshot for row in change.after or ()] == [
        repr(row) for change in streamed for row in change.after or ()
    ]


ZERO_DATES = {
    "d DATE": None, "d3 DATETIME(3)": None, "d6 DATETIME(6)": None, "ts TIMESTAMP NULL": None,
    "nd DATE NOT NULL": 0, "nd3 DATETIME(3) NOT NULL": 0, "nts TIMESTAMP(6) NOT NULL": "1970-01-01T00:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("literal", ["0000-00-00", "2015-00-21", "2015-02-00", "0000-05-05"])
def test_a_date_that_is_none_is_null_or_where_there_is_no_null_the_epoch(
    sql_server: Database, sql_database: str, literal: str
) -> None:
    timestamps = "0000-00-00"  # a TIMESTAMP takes no partial zeros
    values = ", ".join(f"'{timestamps if 'TIMESTAMP' in column else literal}'" for column in ZERO_DATES)
    sql_server.execute(
        "SET sql_mode = ''", f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(ZERO_DATES)})",
        f"INSERT INTO t VALUES (1, {values})", database=sql_database,
    )  # fmt: skip
    snapshot, streamed = both_ways(sql_server, sql_database)
    expected = {"id": 1, **{column.split()[0]: value for column, value in ZERO_DATES.items()}}
    assert only_row(snapshot) == expected
    assert only_row(streamed) == expected


def test_a_label_that_is_none_is_the_empty_text(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(
        "SET sql_mode = ''", "CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a'), n ENUM('a') NOT NULL)",
        "INSERT INTO t VALUES (1, 'nothing', 'nothing')", database=sql_database,
    )  # fmt: skip
    snapshot, streamed = both_ways(sql_server, sql_database)
    assert only_row(snapshot) == only_row(streamed) == {"id": 1, "e": "", "n": ""}


def test_generated_and_invisible_columns_are_there_and_what_an_index_hides_is_not(
    sql_server: Database, sql_database: str, request: pytest.FixtureRequest
) -> None:
    mysql = "MariaDB" not in sql_server.execute("SELECT VERSION()")[0][0]
    hidden = ", KEY expression ((a * 3))" if mysql else ""
    sql_server.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a * 2) STORED,"
        f" i INT INVISIBLE DEFAULT 7, z INT{hidden})",
        "INSERT INTO t (id, a, z) VALUES (1, 10, 9)",
        database=sql_database,
    )
    with opened(source_for(sql_server, f"{sql_database}.t")) as source:
        snapshot, _ = read_to_end(source)
        sql_server.execute("UPDATE t SET z = 8", database=sql_database)
        streamed, _ = read_to_end(source)
    expected = {"id": 1, "a": 10, "v": 11, "s": 20, "i": 7, "z": 9}
    assert only_row(snapshot) == expected
    assert only_row(streamed) == {**expected, "z": 8}
    assert snapshot[0].table == streamed[0].table


KEYS = {
    "a INT, b INT, PRIMARY KEY (b, a)": ("b", "a"),
    "a VARCHAR(10) PRIMARY KEY, b INT": ("a",),
    "a VARCHAR(200), b INT, PRIMARY KEY (a(3), b)": ("a", "b"),
    "a BIGINT UNSIGNED PRIMARY KEY, b INT": ("a",),
    "a INT, b INT": (),
    "a INT UNIQUE, b INT": (),
    "a INT NOT NULL UNIQUE, b INT": ("a",),
    "a INT NOT NULL, b INT NOT NULL, UNIQUE u1 (b, a), UNIQUE u0 (a)": ("b", "a"),
}


@pytest.mark.parametrize("columns", KEYS)
def test_the_key_is_the_primary_key_or_the_unique_key_that_stands_in_for_it(
    sql_server: Database, sql_database: str, columns: str
) -> None:
    sql_server.execute(f"CREATE TABLE t ({columns})", "INSERT INTO t VALUES (1, 2)", database=sql_database)
    snapshot, streamed = both_ways(sql_server, sql_database)
    for change in (*snapshot, *streamed):
        assert tuple(change.table.columns[index] for index in change.table.key) == KEYS[columns]


OLD_TIMES = {
    "TIME": [("'-12:34:56'", -45296000000), ("'838:59:59'", 3020399000000)],
    "TIME(1)": [("'00:00:01.5'", 1500000)],
    "TIME(3)": [("'-12:34:56.789'", -45296789000)],
    "TIME(5)": [("'00:00:00.00001'", 10), ("'-00:00:00.00001'", -10)],
    "TIME(6)": [("'-00:00:00.000001'", -1), ("'838:59:58.999999'", 3020398999999)],
    "DATETIME": [("'2024-01-02 03:04:05'", 1704164645000), ("'0000-00-00'", None), ("'1000-01-01'", -30610224000000)],
    "DATETIME(1)": [("'1969-12-31 23:59:59.9'", -100)],
    "DATETIME(3)": [("'2024-01-02 03:04:05.678'", 1704164645678)],
    "DATETIME(4)": [("'2024-01-02 03:04:05.6789'", 1704164645678900), ("'2015-02-00'", None)],
    "DATETIME(6)": [("'9999-12-31 23:59:59.999999'", 253402300799999999)],
    "TIMESTAMP NULL": [("'2024-01-02 03:04:05'", "2024-01-02T03:04:05Z"), ("'0000-00-00'", None)],
    "TIMESTAMP(1) NULL": [("'2024-01-02 03:04:05.6'", "2024-01-02T03:04:05.6Z")],
    "TIMESTAMP(3) NULL": [("'2024-01-02 03:04:05.67'", "2024-01-02T03:04:05.67Z")],
    "TIMESTAMP(6) NULL": [("'2024-01-02 03:04:05.000001'", "2024-01-02T03:04:05.000001Z")],
}


def test_times_as_mariadb_kept_them_before_10_1(private_mariadb: Callable[..., PrivateMariaDB]) -> None:
    server = private_mariadb("--mysql56-temporal-format=OFF")
    columns = ", ".join(f"c{index} {declared}" for index, declared in enumerate(OLD_TIMES))
    values = [", ".join(cases[turn % len(cases)][0] for cases in OLD_TIMES.values()) for turn in range(3)]
    inserts = [f"INSERT INTO t VALUES ({turn}, {row})" for turn, row in enumerate(values)]
    lax = "SET sql_mode = '', time_zone = '+00:00'"
    with server.fresh_database() as database:
        server.execute(lax, f"CREATE TABLE t (id INT PRIMARY KEY, {columns})", *inserts, database=database)
        with opened(source_for(server, f"{database}.t")) as source:
            snapshot, _ = read_to_end(source)
            server.execute(lax, "DELETE FROM t", *inserts, database=database)
            streamed, _ = read_to_end(source)
    expected = [(turn, *(cases[turn % len(cases)][1] for cases in OLD_TIMES.values())) for turn in range(3)]
    assert [row for change in snapshot for row in change.after or ()] == expected
    assert [row for change in streamed for row in change.before or ()] == expected
    assert [row for change in streamed for row in change.after or ()] == expected
    assert snapshot[0].table == streamed[0].table


HALVES = {"ucs2": "0061D8000062", "utf8mb3": "61EDA08062", "utf8mb4": "61EDB08062", "utf32": "000000610000D80000000062"}
PAIRS = {"ucs2": "D83DDE000062", "utf8mb3": "EDA0BDEDB88062", "utf8mb4": "EDA0BDEDB88062"}


def test_half_a_character_is_unknown_and_two_halves_are_one(sql_server: Database, sql_database: str) -> None:
    kept = ["ucs2"] if "MariaDB" not in sql_server.execute("SELECT VERSION()")[0][0] else HALVES
    columns = ", ".join(
        f"h_{charset} VARCHAR(9) CHARACTER SET {charset}, p_{charset} TEXT CHARACTER SET {charset}" for charset in kept
    )
    values = ", ".join(f"x'{HALVES[charset]}', x'{PAIRS.get(charset, '')}'" for charset in kept)
    sql_server.execute(
        "SET sql_mode = ''",
        f"CREATE TABLE t (id INT PRIMARY KEY, {columns})",
        f"INSERT INTO t VALUES (1, {values})",
        database=sql_database,
    )
    snapshot, streamed = both_ways(sql_server, sql_database)
    expected: dict[str, Any] = {"id": 1}
    for charset in kept:
        expected |= {f"h_{charset}": "a\ufffdb", f"p_{charset}": "\U0001f600b" if charset in PAIRS else ""}
    assert only_row(snapshot) == expected
    assert only_row(streamed) == expected


def test_a_type_that_only_its_declaration_tells_follows_an_alter(mariadb: Database, mariadb_database: str) -> None:
    text = "00112233-4455-6677-8899-aabbcc440000"
    mariadb.execute("CREATE TABLE t (id BINARY(16) PRIMARY KEY)", database=mariadb_database)
    with opened(source_for(mariadb, f"{mariadb_database}.t")) as source:
        read_to_end(source)
        mariadb.execute("INSERT INTO t VALUES (x'00112233445566778899AABBCC440000')", database=mariadb_database)
        plain, _ = read_to_end(source)
        mariadb.execute("ALTER TABLE t MODIFY id UUID", "DELETE FROM t", database=mariadb_database)
        altered, _ = read_to_end(source)
    assert [change.after for change in plain] == [[(b64(bytes.fromhex(text.replace("-", ""))),)]]
    assert [change.before for change in altered] == [[(text,)]]


def test_names_may_hold_any_character(sql_server: Database) -> None:
    with sql_server.fresh_database() as database:
        sql_server.execute(
            "CREATE TABLE `we``ird-tab le.ü` (`i d` INT PRIMARY KEY, `sel``ect` INT, `%s` INT)",
            "INSERT INTO `we``ird-tab le.ü` VALUES (1, 2, 3)", database=database,
        )  # fmt: skip
        with opened(source_for(sql_server, f"{database}.*")) as source:
            snapshot, _ = read_to_end(source)
            sql_server.execute(
                "UPDATE `we``ird-tab le.ü` SET `sel``ect` = 5", "TRUNCATE TABLE `we``ird-tab le.ü`", database=database
            )
            streamed, _ = read_to_end(source)
    assert only_row(snapshot) == {"i d": 1, "sel`ect": 2, "%s": 3}
    assert [change.op.value for change in streamed] == ["u", "t"]
    assert {change.table.name for change in (*snapshot, *streamed)} == {"we`ird-tab le.ü"}
