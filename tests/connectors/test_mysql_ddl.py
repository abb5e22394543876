"""DDL followed by its text alone: the structure must be what the server itself makes of each statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from random import Random

import pymysql
import pytest

from connectors.mysql.connection import Connection
from connectors.mysql.ddl.catalog import Catalog
from connectors.mysql.ddl.columns import Session
from connectors.mysql.ddl.tokens import Dialect
from connectors.mysql.schema import database_charsets, tables
from connectors.mysql.server import Flavor, inspect
from connectors.mysql.structure import Gap, TableSchema
from tests.connectors.ddl_statements import Statements
from tests.connectors.mysql_capture import settings_for
from tests.servers import Database

pytestmark = pytest.mark.servers

ROUNDS = 3
STATEMENTS = 45


class Followed:
    """A database whose structure is followed by the text of the statements that are run in it."""

    def __init__(self, server: Database, database: str) -> None:
        self.database = database
        self._connection = Connection(settings_for(server, f"{database}.*").address)
        found = inspect(self._connection)
        self.mariadb = found.flavor is Flavor.MARIADB
        self._client = server.connect(database=database)
        self.session = Session(Dialect(self.mariadb, found.version), server_charset="utf8mb4")
        self.catalog = Catalog(lambda _database, name: name != "nope2", lower_case_names=found.lower_case_names)
        self.catalog.databases = database_charsets(self._connection)

    def run(self, statement: str) -> str:
        """Run a statement; the server's complaint if it refuses it. Else follow it, and compare."""
        with self._client.cursor() as cursor:
            try:
                cursor.execute(statement)
            except pymysql.err.MySQLError as error:
                return str(error)
        self.catalog.apply(statement, self.database, self.session)
        self.compare(statement)
        return ""

    def set(self, variable: str) -> None:
        with self._client.cursor() as cursor:
            cursor.execute(f"SET SESSION {variable}")

    def compare(self, statement: str) -> None:
        """What was followed must be what ``information_schema`` shows."""
        captured: Callable[[str, str], bool] = lambda database, _name: database == self.database  # noqa: E731
        shown = {(each.table.database, each.table.name): each for each in tables(self._connection, captured)}
        followed = {name: entry for name, entry in self.catalog.tables.items() if name[0] == self.database}
        assert [entry for entry in followed.values() if isinstance(entry, Gap)] == [], statement
        assert sorted(followed) == sorted(shown), statement
        for name, entry in followed.items():
            assert isinstance(entry, TableSchema)
            assert comparable(entry) == comparable(shown[name]), statement
        charsets = database_charsets(self._connection)
        assert self.catalog.databases[self.database] == charsets[self.database], statement

    def close(self) -> None:
        self._client.close()
        self._connection.close()


def comparable(schema: TableSchema) -> object:
    """Without what ``information_schema`` does not show: the order of indexes, and whether some could be the key."""
    indexes = {(index.name.lower(), index.columns, index.unique) for index in schema.indexes}
    return schema.table, schema.columns, schema.charset, schema.versioned, indexes


@pytest.fixture
def followed(sql_server: Database, sql_database: str) -> Iterator[Followed]:
    with closing(Followed(sql_server, sql_database)) as one:
        yield one


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_random_statements_do_is_what_the_server_shows_after_each(followed: Followed, seed: int) -> None:
    statements = Statements(Random(seed), "mariadb" if followed.mariadb else "mysql", followed.database)
    complaints = [followed.run(statements.next(followed.catalog)) for _ in range(STATEMENTS)]
    refused = [complaint for complaint in complaints if complaint]
    assert not [complaint for complaint in refused if "SQL syntax" in complaint]
    assert len(refused) < STATEMENTS * 2 // 3


CHOSEN = """
CREATE TABLE p (id INT PRIMARY KEY, s BIGINT UNSIGNED SERIAL DEFAULT VALUE) -- a comment; with 'quotes
CREATE TABLE f (a INT, b INT NOT NULL UNIQUE, FOREIGN KEY fk (a) REFERENCES p (id) ON DELETE SET NULL ON UPDATE NO ACTION)
ALTER TABLE f ADD CONSTRAINT `the fk` FOREIGN KEY (b) REFERENCES p (id), ADD UNIQUE (a)
ALTER TABLE f DROP FOREIGN KEY `the fk`, DROP INDEX b
CREATE TABLE `quo``ted` (`a``b` INT, `select` ENUM('a''b', 'c\\'d', "e""f", 'tab	tab', 'x\\\\y', 'blank  '))
ALTER TABLE `quo``ted` RENAME COLUMN `a``b` TO `b,(c`, ADD UNIQUE KEY (`b,(c`)
ALTER TABLE `quo``ted` CHANGE `b,(c` b INT NOT NULL COMMENT ', ADD x INT' FIRST, ADD COLUMN d INT AFTER b
CREATE TABLE texts (a TEXT CHARACTER SET latin1, b TINYTEXT CHARACTER SET latin1, c MEDIUMTEXT CHARACTER SET utf8mb3)
ALTER TABLE texts CONVERT TO CHARACTER SET utf8mb4
ALTER TABLE texts CONVERT TO CHARACTER SET latin1, ADD d VARCHAR(5)
CREATE TABLE swap (a INT, b INT, UNIQUE (a, b))
ALTER TABLE swap RENAME COLUMN a TO b, RENAME COLUMN b TO a
ALTER TABLE swap CHANGE a b INT, CHANGE b a INT AFTER b
ALTER TABLE swap ORDER BY a DESC, b
CREATE TABLE keys_ (a INT, b INT, c INT NOT NULL, d INT NOT NULL, UNIQUE nullable (a, b), UNIQUE late (d), UNIQUE (c))
ALTER TABLE keys_ DROP INDEX late
ALTER TABLE keys_ MODIFY a INT NOT NULL, MODIFY b INT NOT NULL
ALTER TABLE keys_ DROP COLUMN c
ALTER TABLE keys_ ADD PRIMARY KEY (b, a), ALGORITHM=INPLACE, LOCK=NONE
mysql: ALTER TABLE keys_ DROP COLUMN b, DROP COLUMN d
CREATE TABLE prefixes (v VARCHAR(50) NOT NULL, w VARCHAR(50) NOT NULL, UNIQUE (v(10)), UNIQUE whole (w))
CREATE TABLE full_prefixes (v VARCHAR(20) NOT NULL, w BINARY(3) NOT NULL, t TEXT NOT NULL, UNIQUE (t(9)), UNIQUE (v(19)), UNIQUE (v(20)))
ALTER TABLE full_prefixes DROP INDEX v_2
CREATE UNIQUE INDEX both_ ON full_prefixes (v(20), w(3) DESC)
ALTER TABLE full_prefixes ADD x CHAR NOT NULL FIRST, DROP INDEX both_, ADD UNIQUE (X(1))
CREATE TABLE computed (a INT, b INT AS (a + 1) STORED, c VARCHAR(9) GENERATED ALWAYS AS (concat(a, ')')) VIRTUAL)
ALTER TABLE computed MODIFY b INT, ADD CHECK (a > 0), ADD CONSTRAINT positive CHECK (a > 1)
CREATE TABLE checked (a INT CHECK (a > 0), b INT CHECK (b IN (1, 2)), CONSTRAINT named CHECK (a <> b))
mysql: ALTER TABLE checked ADD c INT CONSTRAINT mine CHECK (c > 0) NOT ENFORCED, ADD d INT NOT NULL DEFAULT (7) VISIBLE
ALTER TABLE checked DROP CONSTRAINT named, ADD KEY k (a), ADD UNIQUE KEY u (b)
ALTER TABLE checked RENAME INDEX u TO v, ALTER a SET DEFAULT 5, ALTER COLUMN b DROP DEFAULT
ALTER TABLE checked DROP CONSTRAINT v
mariadb: CREATE OR REPLACE TABLE checked (a UUID DEFAULT uuid() PRIMARY KEY, t DATETIME DEFAULT current_timestamp() ON UPDATE current_timestamp())
mariadb: ALTER ONLINE TABLE IF EXISTS checked WAIT 5 ADD COLUMN IF NOT EXISTS (a INT, b INT), DROP CONSTRAINT IF EXISTS nope
mariadb: CREATE UNIQUE INDEX IF NOT EXISTS u ON checked (b)
mariadb: DROP INDEX IF EXISTS u ON checked
mariadb: RENAME TABLE IF EXISTS nope TO nope2, checked WAIT 3 TO checked2
mariadb: RENAME TABLE IF EXISTS nope TO checked2, checked2 TO checked, nope TO checked, checked TO checked2
mysql: CREATE UNIQUE INDEX expression ON checked ((a + b), d)
mysql: ALTER TABLE checked DROP INDEX expression, ALTER INDEX k INVISIBLE, ALTER CHECK mine ENFORCED
CREATE TABLE replaced (a INT NOT NULL, b INT NOT NULL, c INT NOT NULL, UNIQUE k (a))
mariadb: CREATE OR REPLACE UNIQUE INDEX k ON replaced (b)
mariadb: CREATE OR REPLACE UNIQUE INDEX other ON replaced (c)
mariadb: CREATE OR REPLACE UNIQUE INDEX K ON replaced (a)
mariadb: CREATE OR REPLACE INDEX other ON replaced (c)
CREATE TABLE points (a INT DEFAULT 5. NOT NULL, b DECIMAL(5,1) DEFAULT -5.NOT NULL, c DOUBLE DEFAULT 5.e3 NOT NULL, d INT DEFAULT 7.)
ALTER TABLE points ADD e DOUBLE DEFAULT 1.5e+3NOT NULL, ADD f DOUBLE NOT NULL DEFAULT +.5 AFTER a, ADD g DOUBLE DEFAULT 5e-3 NOT NULL FIRST
CREATE TABLE stamps (a TIMESTAMP, b TIMESTAMP NULL, c TIMESTAMP NOT NULL DEFAULT '2000-01-01', d TIMESTAMP(3) DEFAULT NOW(3))
CREATE TABLE parts (id INT, y INT) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (9), PARTITION p1 VALUES LESS THAN MAXVALUE)
ALTER TABLE parts DROP PARTITION p0
ALTER TABLE parts PARTITION BY KEY (id) PARTITIONS 3
ALTER TABLE parts REMOVE PARTITIONING
ALTER TABLE parts ADD z INT, COMMENT = 'x', RENAME AS parted
CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET latin1
RENAME TABLE parted TO {database}.parts
DROP TABLE IF EXISTS {database}.`nope`, parts, keys_
TRUNCATE TABLE swap
mariadb: SET STATEMENT max_statement_time = 9, sql_mode = '' FOR ALTER TABLE swap ADD COLUMN c INT FIRST
ALTER SCHEMA COLLATE = latin2_bin
CREATE TABLE latin (a TEXT)
ALTER DATABASE COLLATE utf8mb4_bin
ALTER DATABASE CHAR SET = latin1
ALTER DATABASE DEFAULT COLLATE = latin2_bin
ALTER DATABASE CHARACTER SET = utf8mb3
mysql: ALTER DATABASE READ ONLY = 0 CHARSET latin1
mariadb: ALTER DATABASE COMMENT = 'x' CHARSET latin2
mariadb: ALTER DATABASE COMMENT 'x' COLLATE = latin1_bin
CREATE OR REPLACE VIEW seen AS SELECT 1 AS one
DROP VIEW seen
"""


def test_chosen_statements_are_followed_with_their_quotes_comments_and_odd_forms(followed: Followed) -> None:
    own = "mariadb" if followed.mariadb else "mysql"
    refused = {}
    for line in CHOSEN.strip().splitlines():
        flavor, _, rest = line.partition(": ")
        statement = (rest if flavor in {"mysql", "mariadb"} else line).format(database=followed.database)
        if flavor not in {"mysql", "mariadb"} or flavor == own:
            refused[statement] = followed.run(statement)
    assert [f"{complaint}: {statement}" for statement, complaint in refused.items() if complaint] == []


@pytest.mark.parametrize("known", [True, False])
def test_a_table_of_another_database_gets_a_new_name_in_the_default_one(
    followed: Followed, sql_server: Database, known: bool
) -> None:
    with sql_server.fresh_database() as other:
        sql_server.execute("CREATE TABLE elsewhere (a INT) CHARSET utf8mb4", database=other)
        if known:
            followed.catalog.apply("CREATE TABLE elsewhere (a INT) CHARSET utf8mb4", other, followed.session)
        statement = f"ALTER TABLE {other}.elsewhere ADD b INT, RENAME here"
        sql_server.execute(statement, database=followed.database)
        (change,) = followed.catalog.apply(statement, followed.database, followed.session)
        assert (change.previous, change.name) == ((other, "elsewhere"), (followed.database, "here"))
        if known:
            followed.compare(statement)
        assert sql_server.execute(f"SELECT COUNT(*) FROM {followed.database}.here") == [(0,)]


@pytest.mark.parametrize("name", ["charset", "`collate`", "comment"])
def test_a_database_may_be_called_like_an_option(followed: Followed, name: str) -> None:
    before = followed.catalog.databases[followed.database]
    for statement in ("CREATE DATABASE {} CHARSET latin2", "ALTER DATABASE {} COLLATE = latin1_bin"):
        followed.catalog.apply(statement.format(name), followed.database, followed.session)
    assert followed.catalog.databases[name.strip("`")] == "latin1"
    assert followed.catalog.databases[followed.database] == before


def test_the_session_decides_what_quotes_backslashes_and_timestamps_mean(followed: Followed) -> None:
    followed.set("sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,REAL_AS_FLOAT'")
    followed.session = replace(followed.session, sql_mode=4 | 1 << 20 | 1)
    assert followed.run("""CREATE TABLE "t" ("a b" REAL, e ENUM('x\\', 'y'))""") == ""
    followed.set("sql_mode = ''")
    followed.set("explicit_defaults_for_timestamp = 0")
    followed.session = replace(followed.session, sql_mode=0, explicit_timestamps=False)
    assert followed.run("CREATE TABLE s (a TIMESTAMP, b TIMESTAMP NULL, c TIMESTAMP DEFAULT '2000-01-01')") == ""


INVISIBLE_KEY = "my_row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE"
ROW_KEY = f"{INVISIBLE_KEY}, a INT NOT NULL, PRIMARY KEY (my_row_id)"


@pytest.mark.parametrize(
    ("definition", "alteration"),
    [
        (f"({ROW_KEY})", "ADD c BIGINT UNSIGNED NOT NULL FIRST"),
        (f"({ROW_KEY})", "ADD c INT FIRST, ADD d INT AFTER c, MODIFY a INT FIRST"),
        (f"({ROW_KEY})", "MODIFY my_row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, ADD c INT FIRST"),
        (f"({ROW_KEY})", "ALTER my_row_id SET VISIBLE, ADD c INT FIRST"),
        (f"({ROW_KEY})", "ENGINE = MyISAM, ADD c INT FIRST"),
        (f"({ROW_KEY})", "DROP PRIMARY KEY, DROP my_row_id, ADD my_row_id INT PRIMARY KEY, ADD c INT FIRST"),
        (f"({ROW_KEY}) ENGINE = MyISAM", "ADD c INT FIRST"),
        (f"({ROW_KEY}) ENGINE = MyISAM", "ENGINE = InnoDB, ADD c INT FIRST"),
        (f"({ROW_KEY.replace('UNSIGNED', 'UNSIGNED ZEROFILL')})", "ADD c INT FIRST"),
        (f"({ROW_KEY.replace('INVISIBLE', '')})", "ADD c INT FIRST"),
        (f"({ROW_KEY.replace('AUTO_INCREMENT', '')})", "ADD c INT FIRST"),
        (f"({ROW_KEY.replace('(my_row_id)', '(my_row_id, a)')})", "ADD c INT FIRST"),
        (f"({ROW_KEY.replace('(my_row_id)', '(a), UNIQUE (my_row_id)')})", "ADD c INT FIRST"),
        (f"(a INT, {INVISIBLE_KEY}, PRIMARY KEY (my_row_id))", "ADD c INT FIRST"),
    ],
)
def test_what_looks_like_a_generated_invisible_key_stays_the_first_column(
    mysql: Database, mysql_database: str, definition: str, alteration: str
) -> None:
    with closing(Followed(mysql, mysql_database)) as followed:
        assert followed.run(f"CREATE TABLE t {definition}") == ""
        assert followed.run(f"ALTER TABLE t {alteration}") == ""
