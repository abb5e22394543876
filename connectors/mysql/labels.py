"""The true labels of ENUM and SET columns: ``information_schema`` and SHOW CREATE TABLE show ``?`` for what is beyond U+FFFF.

Both servers write types out in utf8mb3. But a number that is put into something of the column's type comes back as its label:
on MySQL into a recursive CTE, which has the types of its first part, on MariaDB into a variable (whose CTEs hold 8 bits of a
SET). https://dev.mysql.com/doc/refman/9.4/en/with.html and https://mariadb.com/kb/en/declare-variable/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from connectors.mysql.charset_names import bytes_per_character, is_charset
from connectors.mysql.connection import Connection, quote_identifier, quote_table
from connectors.mysql.ddl.types import quoted_label
from connectors.mysql.server import Flavor, flavor_of
from connectors.mysql.server_errors import CHANGED_HINT, TableChanged
from connectors.mysql.structure import Column

_UNSHOWN = "?"
_SUPPLEMENTARY = re.compile("[\U00010000-\U0010ffff]")
_SUPPLEMENTARY_BYTES = 4
"""One of these characters takes as many in every character set that has any."""
_ASKED_AT_ONCE = 200
_Ask = Callable[[Connection, str, Column, Sequence[int]], list[str | None]]


def with_true_labels(connection: Connection, table: tuple[str, str], columns: list[Column]) -> list[Column]:
    """``columns`` of a table, as (database, name), declared with the labels that values have.

    Needs SELECT on columns of which they are asked, and reads no rows. Raises TableChanged if one is not as it was seen any more.
    """
    if not any(map(_shown_in_part, columns)):
        return columns
    mariadb = flavor_of(connection.query("SELECT VERSION()")[0][0]) is Flavor.MARIADB
    ask = _by_variable if mariadb else _by_expression
    quoted = quote_table(*table)
    return [
        replace(each, declared=_declaration(connection, quoted, each, ask)) if _shown_in_part(each) else each
        for each in columns
    ]


def _shown_in_part(column: Column) -> bool:
    """Whether a label may have other characters than the server shows."""
    charset = column.charset
    if charset is None or not is_charset(charset) or bytes_per_character(charset) < _SUPPLEMENTARY_BYTES:
        return False
    return any(_UNSHOWN in label for label in column.labels)


def _declaration(connection: Connection, table: str, column: Column, ask: _Ask) -> str:
    labels = list(column.labels)
    numbers = [number for number, label in enumerate(labels, start=1) if _UNSHOWN in label]
    for start in range(0, len(numbers), _ASKED_AT_ONCE):
        asked = numbers[start : start + _ASKED_AT_ONCE]
        for number, label in zip(asked, ask(connection, table, column, asked), strict=True):
            if label is None or _SUPPLEMENTARY.sub(_UNSHOWN, label) != labels[number - 1]:
                raise TableChanged(f"label {number} of {table}.{column.name} is another than before", hint=CHANGED_HINT)
            labels[number - 1] = label
    return f"{column.data_type}({','.join(map(quoted_label, labels))})"


def _value(column: Column, number: str) -> str:
    """An ENUM's value is its label's number, a SET's has a bit for each label."""
    return number if column.data_type == "enum" else f"1 << ({number} - 1)"


def _by_expression(connection: Connection, table: str, column: Column, numbers: Sequence[int]) -> list[str | None]:
    asked = " UNION ALL ".join(f"SELECT {number} AS number" for number in numbers)
    rows = connection.query(
        "WITH RECURSIVE labels (number, label) AS ("  # noqa: S608 - all names are quoted, the rest is numbers
        f"SELECT 0, {table}.{quote_identifier(column.name)} FROM (SELECT 1) AS one LEFT JOIN {table} ON FALSE"
        f" UNION ALL SELECT asked.number, {_value(column, 'asked.number')}"
        f" FROM labels JOIN ({asked}) AS asked WHERE labels.number = 0"
        ") SELECT number, label FROM labels WHERE number > 0",
        needs=f"SELECT ON {table}",
    )
    found: dict[int, str | None] = {int(number): label for number, label in rows}
    return [found.get(number) for number in numbers]


def _by_variable(connection: Connection, table: str, column: Column, numbers: Sequence[int]) -> list[str | None]:
    """In hexadecimal, one after the other: a statement has one result."""
    steps = "".join(
        f" SET one = {_value(column, str(number))}; SET found = CONCAT(found, ',', HEX(CONVERT(one USING utf8mb4)));"
        for number in numbers
    )
    rows = connection.query(
        f"BEGIN NOT ATOMIC DECLARE one TYPE OF {table}.{quote_identifier(column.name)};"
        f" DECLARE found LONGTEXT CHARACTER SET utf8mb4 DEFAULT '';{steps} SELECT found; END",
        needs=f"SELECT ON {table}",
    )
    return [bytes.fromhex(label).decode() for label in rows[0][0].split(",")[1:]]
