"""What is done to both databases before and while the connectors watch: every type, and every kind of change."""

from __future__ import annotations

from tests.servers import Database

DATABASE = "conformance"
SENTINEL = "the end"

_COLUMNS = {
    "ti TINYINT": "-5", "ti1 TINYINT(1)": "1", "tiu TINYINT UNSIGNED": "200", "si SMALLINT": "-300",
    "siu SMALLINT UNSIGNED": "60000", "mi MEDIUMINT": "-8000000", "miu MEDIUMINT UNSIGNED": "16000000",
    "i INT": "-2000000000", "iu INT UNSIGNED": "4000000000", "bi BIGINT": "-9000000000000000000",
    "biu BIGINT UNSIGNED": "18000000000000000000", "bo BOOLEAN": "1", "f FLOAT": "0.1", "d DOUBLE": "0.2",
    "de DECIMAL(10,2)": "12345678.90", "de0 NUMERIC(5,0)": "-12345", "de65 DECIMAL(65,30)": "-0.5",
    "b1 BIT(1)": "b'1'", "b12 BIT(12)": "b'101000000001'", "c CHAR(10)": "'abc'", "v VARCHAR(300)": "'vår 😀'",
    "l1 VARCHAR(20) CHARACTER SET latin1": "'Äß'", "tt TINYTEXT": "'tt'", "te TEXT": "'text'", "mt MEDIUMTEXT": "'mt'",
    "lt LONGTEXT": "'lt'", "bn BINARY(4)": "0x0102", "vb VARBINARY(30)": "0x0100", "tb TINYBLOB": "0x00",
    "bl BLOB": "0xCAFEBABE", "mb MEDIUMBLOB": "0x07", "lb LONGBLOB": "0x09", "e ENUM('a','bee','x,y')": "'bee'",
    "se SET('one','two','three')": "'three,one'", "j JSON": """'{"b": [1, 2.5, "x"], "a": {"k": null}}'""", "y YEAR": "2024",
    "da DATE": "'2024-02-29'", "dt DATETIME": "'2024-01-02 03:04:05'", "dt3 DATETIME(3)": "'2024-01-02 03:04:05.678'",
    "dt6 DATETIME(6)": "'2024-01-02 03:04:05.678901'", "tm TIME": "'-12:34:56'", "tm3 TIME(3)": "'-01:59:59.001'",
    "tm6 TIME(6)": "'838:59:58.999999'", "ts TIMESTAMP NULL": "'2024-06-30 12:00:00'",
    "ts3 TIMESTAMP(3) NULL": "'2024-06-30 12:00:00.120'", "ts6 TIMESTAMP(6) NULL": "'2024-06-30 12:00:00.000001'",
    "p POINT": "ST_GeomFromText('POINT(1.5 -2)')", "g GEOMETRY": "ST_GeomFromText('POINT(1.5 -2)', 4326)",
    "ls LINESTRING": "ST_GeomFromText('LINESTRING(0 0,1 1)')",
}  # fmt: skip
_NAMES = ", ".join(declared.split(" ", 1)[0] for declared in _COLUMNS)
_VALUES = ", ".join(_COLUMNS.values())

BEFORE = (
    f"CREATE TABLE types (id BIGINT UNSIGNED NOT NULL, k VARCHAR(20) NOT NULL, {', '.join(_COLUMNS)}, PRIMARY KEY (id, k))",
    f"INSERT INTO types (id, k, {_NAMES}) VALUES (1, 'k', {_VALUES})",
    "INSERT INTO types (id, k) VALUES (2, 'nulls')",
    "CREATE TABLE no_key (a INT, b VARCHAR(5))",
    "INSERT INTO no_key VALUES (1, 'a'), (2, 'b')",
    "CREATE TABLE small (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(10))",
    "INSERT INTO small (v) VALUES ('x'), ('y'), ('z')",
    "CREATE TABLE defaults (id INT PRIMARY KEY, n INT DEFAULT 5, m VARCHAR(5) NOT NULL DEFAULT 'm')",
    "INSERT INTO defaults VALUES (1, NULL, 'a')",
    "CREATE TABLE `odd ü$-näme` (`the id` INT PRIMARY KEY, `größe$` INT)",
    "INSERT INTO `odd ü$-näme` VALUES (1, 2)",
    "CREATE TABLE marker (id INT PRIMARY KEY, said VARCHAR(20))",
)
"""In place when the snapshots are taken."""

DURING = (
    f"INSERT INTO types (id, k, {_NAMES}) VALUES (3, 'k', {_VALUES})",
    "INSERT INTO types (id, k) VALUES (4, 'nulls')",
    "UPDATE types SET v = 'new', de = 1.00, j = JSON_OBJECT('a', 1) WHERE id = 1",
    "UPDATE types SET id = 9 WHERE id = 3",
    "DELETE FROM types WHERE id = 9",
    "BEGIN",
    "INSERT INTO small (v) VALUES ('a'), ('b')",
    "INSERT INTO no_key VALUES (3, 'c')",
    "UPDATE no_key SET b = 'q' WHERE a = 2",
    "DELETE FROM no_key WHERE a = 1",
    "UPDATE small SET v = 'c'",
    "UPDATE small SET id = id + 100 ORDER BY id DESC",
    "INSERT INTO small (id, v) VALUES (1000, 'last')",
    "COMMIT",
    "BEGIN",
    "INSERT INTO small (v) VALUES ('gone')",
    "ROLLBACK",
    "TRUNCATE TABLE no_key",
    "ALTER TABLE small ADD COLUMN z DECIMAL(5,2)",
    "INSERT INTO small (v, z) VALUES ('after', 1.25)",
    "ALTER TABLE small CHANGE COLUMN v w VARCHAR(20)",
    "INSERT INTO small (w) VALUES ('renamed')",
    "DROP TABLE no_key",
    "INSERT INTO defaults (id) VALUES (2)",
    "INSERT INTO `odd ü$-näme` VALUES (2, 3)",
    "UPDATE `odd ü$-näme` SET `the id` = 3 WHERE `the id` = 2",
)
"""While the connectors stream."""

END = f"INSERT INTO marker VALUES (1, '{SENTINEL}')"


def prepare(server: Database) -> None:
    server.execute(f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}")
    server.execute(*BEFORE, database=DATABASE)


def work(server: Database) -> None:
    server.execute(*DURING, END, database=DATABASE)
