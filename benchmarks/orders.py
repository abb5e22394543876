"""The table that every figure is measured on: twelve columns of mixed types, filled by the server itself from a seed."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from tests.servers import Database

TABLE = "orders"
LABEL = "active"
ROWS_PER_STATEMENT = 1_000
"""As deep as MySQL recurses by default."""

COLUMNS = """\
id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
customer INT NOT NULL,
country INT UNSIGNED NOT NULL,
price DECIMAL(10,2) NOT NULL,
name VARCHAR(50) NOT NULL,
email VARCHAR(255),
ordered DATETIME(3) NOT NULL,
updated TIMESTAMP NOT NULL,
active TINYINT NOT NULL,
score DOUBLE,
born DATE,
status ENUM('new', 'paid', 'shipped') NOT NULL"""

FEATURES = {
    "customer": "categorical",
    "country": "categorical",
    "status": "categorical",
    "name": "categorical",
    "email": "categorical",
    "price": "numeric",
    "score": "numeric",
    "ordered": "datetime",
}
"""What is learned from, to predict ``LABEL``."""


def _draw(what: str) -> str:
    """SQL for a number from 0 to 2^32 - 1 that seed, row and name decide."""
    return f"CRC32(CONCAT_WS(':', %(seed)s, id, '{what}'))"


# Rows ``first`` to ``last``.
_STATUS = f"{_draw('status')} MOD 3"
_ROWS = f"""\
WITH RECURSIVE numbered (id) AS (SELECT %(first)s UNION ALL SELECT id + 1 FROM numbered WHERE id < %(last)s)
SELECT
  id,
  {_draw("customer")} MOD 20000,
  {_draw("country")} MOD 200,
  {_draw("price")} MOD 10000000 / 100,
  CONCAT('Customer ', {_draw("name")} MOD 50000),
  IF({_draw("no email")} MOD 5 = 0, NULL, CONCAT('customer', {_draw("email")} MOD 50000, '@example.com')),
  '2024-01-01' + INTERVAL {_draw("ordered")} MOD 31536000 SECOND + INTERVAL id MOD 1000 * 1000 MICROSECOND,
  '2025-01-01' + INTERVAL id MOD 31536000 SECOND,
  {_draw("active")} MOD 100 < 20 + 30 * ({_STATUS}),
  IF({_draw("no score")} MOD 5 = 0, NULL, {_draw("score")} / 4294967296e0),
  IF({_draw("no born")} MOD 5 = 0, NULL, '1940-01-01' + INTERVAL {_draw("born")} MOD 25000 DAY),
  1 + ({_STATUS})
FROM numbered"""


class Orders:
    """The table in a database of its own, on one server. Ids count from 1 without a gap."""

    def __init__(self, server: Database, database: str, seed: int) -> None:
        self.server, self.database, self._seed = server, database, seed
        self.last_id = 0

    @property
    def full_name(self) -> str:
        """``database.table``."""
        return f"{self.database}.{TABLE}"

    def create(self) -> None:
        """Make the table anew, empty."""
        self.server.execute(f"DROP DATABASE IF EXISTS {self.database}", f"CREATE DATABASE {self.database}")
        self.server.execute(f"CREATE TABLE {TABLE} ({COLUMNS})", database=self.database)
        self.last_id = 0

    def drop(self) -> None:
        self.server.execute(f"DROP DATABASE IF EXISTS {self.database}")

    def insert(self, rows: int, rows_per_transaction: int = ROWS_PER_STATEMENT) -> None:
        """Add this many rows."""
        end, open_rows = self.last_id + rows, 0
        with closing(self.server.connect(database=self.database)) as connection, connection.cursor() as cursor:
            connection.autocommit(rows_per_transaction <= ROWS_PER_STATEMENT)
            while self.last_id < end:
                last = min(end, self.last_id + min(rows_per_transaction, ROWS_PER_STATEMENT))
                cursor.execute(f"INSERT INTO {TABLE} {_ROWS}", self._range(last))
                open_rows += last - self.last_id
                self.last_id = last
                if open_rows >= rows_per_transaction:
                    connection.commit()
                    open_rows = 0
            connection.commit()

    def statements(self, count: int, rows: int) -> list[tuple[str, tuple[Any, ...]]]:
        """Statements that add ``rows`` rows each; they count as added from now on."""
        with closing(self.server.connect(database=self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET SESSION cte_max_recursion_depth = {count * rows}")
            cursor.execute(_ROWS, self._range(self.last_id + count * rows))
            found = cursor.fetchall()
        self.last_id += count * rows
        places = ", ".join(["(" + ", ".join(["%s"] * len(found[0])) + ")"] * rows)
        return [
            (f"INSERT INTO {TABLE} VALUES {places}", tuple(value for row in found[at : at + rows] for value in row))
            for at in range(0, len(found), rows)
        ]

    def single_row_changes(self, count: int) -> list[tuple[str, tuple[Any, ...]]]:
        """Statements that change one row each: four inserts, then an update that turns the label of the last one."""
        inserts = count - count // 5
        with closing(self.server.connect(database=self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET SESSION cte_max_recursion_depth = {inserts}")
            cursor.execute(_ROWS, self._range(self.last_id + inserts))
            rows = iter(cursor.fetchall())
        return [self._insert(next(rows)) if number % 5 else self._update() for number in range(1, count + 1)]

    def _insert(self, row: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        self.last_id = row[0]
        return f"INSERT INTO {TABLE} VALUES ({', '.join(['%s'] * len(row))})", row

    def _update(self) -> tuple[str, tuple[Any, ...]]:
        return f"UPDATE {TABLE} SET {LABEL} = 1 - {LABEL} WHERE id = %s", (self.last_id,)

    def _range(self, last: int) -> dict[str, int]:
        return {"seed": self._seed, "first": self.last_id + 1, "last": last}
