"""Updates that MySQL logs as differences of JSON values: what comes after them is what the server then holds."""

from __future__ import annotations

import random
from contextlib import closing
from typing import Any

import pytest

from connectors.source import Change
from tests.connectors.mysql_capture import connect, read_to_end, seen, source_for
from tests.servers import Database

pytestmark = pytest.mark.servers

FILLER = "f" * 300
BEGINNING = f"""JSON_OBJECT('filler', '{FILLER}', 'a', 1, 'b', JSON_ARRAY(1, 'two', JSON_OBJECT('c', 3), CAST(4.50 AS DECIMAL(6,2))),
    'a b', JSON_OBJECT('quo"te', NULL, 'ключ', 'é', '', true, '1a', JSON_ARRAY()), 'when', CAST('2020-02-29 12:00:00.5' AS DATETIME(3)))"""
PATHS = (
    "$.a", "$.b", "$.b[0]", "$.b[1]", "$.b[2].c", "$.b[2].new", "$.b[9]", '$."a b"', '$."a b"."quo\\"te"', '$."a b"."ключ"',
    '$."a b".""', '$."a b"."1a"', '$."a b"."1a"[0]', '$."a b"."1a"[1]', "$.z", "$.y", "$.ab", "$.when", "$.$", '$."\\n"', "$.b[last]", "$.b[last-1]", "$.b[last-9]",
    "$.a[0]", "$.a[1]", "$.a[last]", "$.when[last-1]", "$.b[2][0].c",
)  # fmt: skip
VALUES = (
    "1", "-1", "NULL", "true", "1.5e300", "18446744073709551615", "CAST(-12345.678900 AS DECIMAL(20,6))", "'text \"quoted\" é 😀'",
    "CAST('-12:34:56.789' AS TIME(6))", "CAST('2024-01-31' AS DATE)", "CAST('2024-01-31 01:02:03' AS DATETIME)",
    "CAST(x'cafebabe' AS JSON)", "JSON_ARRAY()", "JSON_OBJECT()", "JSON_ARRAY(1, JSON_OBJECT('k', 'v', 'aa', 2, 'b', 1), 'x')",
    "JSON_OBJECT('deep', JSON_ARRAY(JSON_ARRAY(NULL, false), 0.1))", "''", "REPEAT('long', 40)",
)  # fmt: skip


def random_change(rng: random.Random, column: str) -> str:
    function = rng.choice(("JSON_SET", "JSON_SET", "JSON_REPLACE", "JSON_REMOVE"))
    paths = rng.sample(PATHS, rng.choice((1, 1, 2, 3)))
    quoted = ["'" + path.replace("\\", "\\\\") + "'" for path in paths]
    if function == "JSON_REMOVE":
        return f"{column} = JSON_REMOVE({column}, {', '.join(quoted)})"
    pairs = ", ".join(f"{path}, {rng.choice(VALUES)}" for path in quoted)
    return f"{column} = {function}({column}, {pairs})"


def test_every_kind_of_difference_gives_what_the_server_then_holds(mysql: Database, mysql_database: str) -> None:
    rng = random.Random(20)
    mysql.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, x INT, j JSON, s VARCHAR(400), k JSON, n INT)", database=mysql_database
    )
    source = source_for(mysql, f"{mysql_database}.t", snapshot="no_data")
    source.open(None)
    with closing(source), closing(connect(mysql, mysql_database)) as connection, connection.cursor() as cursor:
        start = source.read(0).position
        assert start is not None
        cursor.execute(
            f"INSERT INTO t VALUES (1, 1, {BEGINNING}, 's', {BEGINNING}, 0), (2, NULL, {BEGINNING}, NULL, NULL, 0)"
        )
        for _ in range(100):
            changes = [random_change(rng, column) for column in rng.choice((("j",), ("k",), ("j", "k")))]
            if rng.random() < 0.3:
                changes.append("s = CONCAT(s, '.')")
            if rng.random() < 0.1:
                changes.append(f"j = {BEGINNING}")
                changes = changes[-1:]
            cursor.execute("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'")
            cursor.execute(f"UPDATE t SET {', '.join(changes)}, x = x + 1")
            cursor.execute("SET SESSION binlog_row_value_options = ''")
            cursor.execute("UPDATE t SET n = n + 1")
        read, _ = read_to_end(source)
    held: dict[int, Any] = {}
    for change in read:
        for _, before, after in seen([change]):
            assert after is not None
            if before is not None:
                assert before == held[before[0]]
            held[after[0]] = after
    logged = mysql.execute(f"SHOW BINLOG EVENTS IN '{start['file']}' FROM {start['offset']}")
    partial = [row for row in logged if row[2] == "Update_rows_partial"]
    assert len(partial) > 60
    with closing(source_for(mysql, f"{mysql_database}.t", prefix="again")) as source:
        source.open(None)
        rows = [row for change in read_to_end(source)[0] if isinstance(change, Change) for row in change.after or ()]
    assert {row[0]: row for row in rows} == held
