"""Records how Debezium 3.5 declares and shows a value of every column type, in each of its modes, into ``*.json``.

    python -m tests.golden.debezium.record mysql mysql://root:streamtrain@127.0.0.1:3306
    python -m tests.golden.debezium.record mariadb mysql://root:streamtrain@127.0.0.1:3307

It runs Debezium on a Kafka Connect of its own, with JsonConverter's schemas, once for each mode. For each column the
recording holds its schema, and its value in a row that the snapshot read and in one that was inserted after it. Modes other
than ``default`` hold only what differs from it. MariaDB is recorded in the default mode only: the modes are one code.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer

from tests.servers import Address, Database, PrivateKafka
from tests.servers.debezium import VERSION, Debezium

HERE = Path(__file__).parent
CONVERTER = "org.apache.kafka.connect.json.JsonConverter"
DATABASE = "golden"
WAIT_S = 60.0

_POINT = "ST_GeomFromText('POINT(1.5 -2)')"
_SHARED = {
    "ti TINYINT": "-128", "tiu TINYINT UNSIGNED": "255", "ti1 TINYINT(1)": "1", "bo BOOLEAN": "TRUE",
    "ti1n TINYINT(1) NOT NULL": "5", "si SMALLINT": "-32768", "siu SMALLINT UNSIGNED": "65535", "mi MEDIUMINT": "-8388608",
    "miu MEDIUMINT UNSIGNED": "16777215", "i INT": "-2147483648", "iu INT UNSIGNED": "4294967295", "izf INT(8) ZEROFILL": "42",
    "bi BIGINT": "-9223372036854775808", "biu BIGINT UNSIGNED": "18446744073709551615", "ye YEAR": "2024", "ye0 YEAR": "0",
    "fl FLOAT": "0.1", "fl2 FLOAT(7,3)": "1.5", "fl24 FLOAT(24)": "1.5", "fl53 FLOAT(53)": "1.5", "flu FLOAT UNSIGNED": "2.5",
    "dbl DOUBLE": "0.1", "dbl2 DOUBLE(20,4)": "1.5", "re REAL": "1.5",
    "de DECIMAL(10,2)": "-1234.50", "de0 DECIMAL(5,0)": "-12345", "deb DECIMAL(65,30)": "0.5",
    "deu DECIMAL(8,3) UNSIGNED": "12.5", "ded DECIMAL": "7",
    "ch CHAR(10)": "'abc'", "vc VARCHAR(300)": "'abc'", "tt TINYTEXT": "'x'", "te TEXT": "'x'", "lt LONGTEXT": "'x'",
    "vl VARCHAR(20) CHARACTER SET latin2": "'ř'",
    "en ENUM('a','bee','c,d','e''f')": "'bee'", "en2 ENUM('ř','z') CHARACTER SET latin2 NOT NULL": "'ř'",
    "se SET('one','two','three')": "'three,one'", "sen SET('one') NOT NULL": "''",
    "bin BINARY(4)": "0x0102", "vb VARBINARY(300)": "0xFBFF", "tb TINYBLOB": "0xFE", "bl BLOB": "0xCAFEBABE",
    "lb LONGBLOB": "0x09",
    "b1 BIT(1)": "b'1'", "b12 BIT(12)": "b'101000000001'",
    "b64 BIT(64)": "b'1000000000000000000000000000000000000000000000000000000000000001'",
    "b8 BIT(8) NOT NULL": "b'10000001'",
    "da DATE": "'2024-02-29'", "da2 DATE": "'0018-04-01'", "da3 DATE NOT NULL": "'0000-00-00'", "da4 DATE": "'0000-00-00'",
    "dt DATETIME": "'2024-01-02 03:04:05'", "dt3 DATETIME(3)": "'2024-01-02 03:04:05.678'",
    "dt6 DATETIME(6)": "'2024-01-02 03:04:05.000001'", "dtz DATETIME NOT NULL": "'0000-00-00'",
    "dt6z DATETIME(6) NOT NULL": "'0000-00-00'", "dtold DATETIME(6)": "'1969-12-31 23:59:59.999999'",
    "tm TIME": "'12:34:56'", "tmn TIME": "'-838:59:59'", "tm3 TIME(3)": "'-1:59:59.001'", "tm6 TIME(6)": "'23:59:59.000001'",
    "tmbig TIME(6)": "'25:00:00.5'",
    "ts TIMESTAMP NULL": "'2024-06-30 12:00:00'", "ts3 TIMESTAMP(3) NULL": "'2024-06-30 12:00:00.120'",
    "ts6 TIMESTAMP(6) NULL": "'2024-06-30 12:00:00.000001'",
    "tsz TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00'": "'0000-00-00'", "tsz0 TIMESTAMP NULL": "'0000-00-00'",
    "po POINT": _POINT, "ge GEOMETRY": "ST_GeomFromText('POINT(1.5 -2)', 3857)",
    "ls LINESTRING": "ST_GeomFromText('LINESTRING(0 0,1 1)')",
    "gc GEOMETRYCOLLECTION": "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2))')",
    "mp MULTIPOINT": "ST_GeomFromText('MULTIPOINT(0 0,1 1)')",
    "nn INT NOT NULL": "1", "df VARCHAR(5) DEFAULT 'x'": "'y'",
}  # fmt: skip
COLUMNS = {
    "mysql": {
        **_SHARED,
        "js JSON": '\'{"b": [1, 2.5], "a": null}\'',
        "js2 JSON": "JSON_OBJECT('blob', x'cafebabe')",
        "ve VECTOR(3)": "STRING_TO_VECTOR('[0.1,-2.5,3e10]')",
    },
    # Not INET4 and INET6, at whose DDL this Debezium stops, and not a YEAR of 0, at which its snapshot does.
    "mariadb": {
        **{column: literal for column, literal in _SHARED.items() if column != "ye0 YEAR"},
        "js JSON": "'{\"b\": [1, 2.5]}'",
        "uu UUID": "'123e4567-e89b-12d3-a456-426655440000'",
    },
}
"""Declaration -> literal."""
MODES: dict[str, dict[str, str]] = {
    "default": {},
    "connect": {
        "decimal.handling.mode": "string",
        "bigint.unsigned.handling.mode": "precise",
        "binary.handling.mode": "base64",
        "time.precision.mode": "connect",
    },
    "isostring": {
        "decimal.handling.mode": "double",
        "binary.handling.mode": "hex",
        "time.precision.mode": "isostring",
    },
    "microseconds": {"binary.handling.mode": "base64-url-safe", "time.precision.mode": "microseconds"},
    "nanoseconds": {"time.precision.mode": "nanoseconds"},
}
_CLASSES = {"mysql": "mysql.MySqlConnector", "mariadb": "mariadb.MariaDbConnector"}
_NO_TLS = {"mysql": "disabled", "mariadb": "disable"}


def statements(flavor: str) -> tuple[str, str]:
    """What creates table ``t``, and what inserts the row, with ``{id}`` for its key."""
    columns = COLUMNS[flavor]
    create = f"CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, {', '.join(columns)}) CHARACTER SET utf8mb4"
    return create, f"INSERT INTO t VALUES (@id, {', '.join(columns.values())})"


def condensed(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A snapshot's message and a later one -> schema and values by column."""
    (after,) = (field for field in messages[0]["schema"]["fields"] if field["field"] == "after")
    read, streamed = (message["payload"]["after"] for message in messages)
    return {
        field["field"]: {
            "schema": {key: value for key, value in field.items() if key != "field"},
            "snapshot": read[field["field"]],
            "streamed": streamed[field["field"]],
        }
        for field in after["fields"]
    }


def record(flavor: str, url: str) -> dict[str, Any]:
    """All modes of one kind of server."""
    recording: dict[str, Any] = {"version": VERSION, "modes": {}}
    with PrivateKafka() as kafka, tempfile.TemporaryDirectory() as folder:
        for mode in MODES if flavor == "mysql" else ("default",):
            columns = condensed(
                _messages(flavor, Database(Address.parse(url)), mode, kafka.bootstrap, Path(folder) / mode)
            )
            common = recording["modes"].get("default", {})
            recording["modes"][mode] = {
                name: found for name, found in columns.items() if name != "id" and common.get(name) != found
            }
    return recording


def _messages(flavor: str, server: Database, mode: str, bootstrap: str, workdir: Path) -> list[dict[str, Any]]:
    create, insert = statements(flavor)
    lax = "SET sql_mode = '', time_zone = '+00:00'"
    server.execute(f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}")
    server.execute(lax, create, "SET @id = 1", insert, database=DATABASE)
    properties = {
        "connector.class": f"io.debezium.connector.{_CLASSES[flavor]}",
        "database.hostname": server.address.host,
        "database.port": str(server.port),
        "database.user": server.address.user,
        "database.password": server.address.password,
        "database.server.id": "98765",
        "database.ssl.mode": _NO_TLS[flavor],
        "driver.allowPublicKeyRetrieval": "true",
        "database.include.list": DATABASE,
        "topic.prefix": mode,
        "schema.history.internal.kafka.bootstrap.servers": bootstrap,
        "schema.history.internal.kafka.topic": f"{mode}.history",
        "value.converter": CONVERTER,
        "value.converter.schemas.enable": "true",
    }
    running = Debezium.start(properties | MODES[mode], bootstrap, workdir)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": mode, "auto.offset.reset": "earliest"})
    consumer.subscribe([f"{mode}.{DATABASE}.t"])
    try:
        first = _next(consumer)
        server.execute(lax, "SET @id = 2", insert, database=DATABASE)
        return [first, _next(consumer)]
    finally:
        consumer.close()
        running.stop()


def _next(consumer: Consumer) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            return dict(json.loads(message.value() or b"{}"))
    raise TimeoutError("Debezium has written nothing")


def main() -> None:
    flavor, url = sys.argv[1:3]
    recording = record(flavor, url)
    (HERE / f"{flavor}.json").write_text(json.dumps(recording, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
