"""What is learned does not depend on the format in which the records are published."""

from __future__ import annotations

import json
import random
import struct
from binascii import b2a_base64
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.formats.avro import AvroSerializer
from connectors.formats.json_schemas import SchemaJsonSerializer
from connectors.mysql.values import float32
from connectors.serializing import JsonSerializer, Serializer
from connectors.source import Change, FieldType, Row, Table
from streamtrain.envelope import Op
from streamtrain.errors import ConfigError
from streamtrain.registry import Registry, RegistrySettings
from streamtrain.topic.file import FileWriter
from tests.formats.golden import WITH_DECIMALS
from tests.line import Line
from tests.servers.registry import SmallRegistry

PREFIX = "shop"
TYPES = {
    "id": FieldType("int64", optional=False),
    "price": FieldType("float32", optional=True),
    "amount": FieldType("bytes", True, "org.apache.kafka.connect.data.Decimal", 1, WITH_DECIMALS),
    "device": FieldType("string", True, "io.debezium.data.Enum", 1, (("allowed", "a,b"),)),
    "seen at": FieldType("string", True, "io.debezium.time.ZonedTimestamp", 1),
    "day": FieldType("int32", True, "io.debezium.time.Date", 1),
    "photo": FieldType("bytes", optional=True),
    "clicked": FieldType("int16", optional=True),
}
EXACT = Table("shop", "events", tuple(TYPES), (0,), tuple(TYPES.values()))
AS_TEXT = Table("shop", "events", tuple(TYPES), (0,), ())
ORIGIN = {
    "version": "0.1.0", "connector": "mysql", "name": PREFIX, "ts_ms": 1_700_000_000_000, "snapshot": "false",
    "db": "shop", "sequence": None, "ts_us": 1_700_000_000_000_000, "ts_ns": 1_700_000_000_000_000_000,
    "table": "events", "server_id": 1, "gtid": None, "file": "binlog.000001", "pos": 4, "row": 0, "thread": 7,
    "query": None,
}  # fmt: skip
AMOUNT = 2


def as_float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def changes(*, exact: bool) -> Iterator[Change]:
    """Inserts, labels that come later, moved keys and deletes; decimals as Debezium's exact bytes, or as text."""
    chance = random.Random(7)
    table = EXACT if exact else AS_TEXT

    def row(number: int) -> Row:
        amount = chance.choice([None, chance.randrange(-(10**9), 10**9)])
        return (
            number, chance.choice([None, float32(as_float32(chance.uniform(-9, 9)))]), cell(amount), chance.choice(["a", "b", None]),
            chance.choice([None, f"2024-01-0{chance.randrange(1, 9)}T00:00:01.5Z"]), chance.randrange(20_000),
            chance.choice([None, "AQID"]), chance.choice([0, 1, None]),
        )  # fmt: skip

    def cell(amount: int | None) -> str | None:
        if amount is None or not exact:
            return None if amount is None else str(Decimal(amount).scaleb(-2))
        return b2a_base64(amount.to_bytes(8, "big", signed=True), newline=False).decode()

    for number in range(0, 300, 3):
        first, second, third = row(number), row(number + 1), row(number + 2)
        yield Change(table, Op.CREATE, None, [first, second, third], ORIGIN)
        yield Change(
            table, Op.UPDATE, [first, second], [(*first[:-1], 1), (second[0] + 1000, *second[1:-1], 0)], ORIGIN
        )
        if number % 2:
            yield Change(table, Op.DELETE, [third], None, ORIGIN)


def publish(folder: Path, serializer: Serializer, *, exact: bool) -> None:
    folder.mkdir()
    writer = FileWriter(folder / "topics", PREFIX, partitions=1)
    for change in changes(exact=exact):
        for topic, messages, partitions in serializer.serialize(change, 1_700_000_000_123_456_789):
            writer.ensure_topic(topic, partitions)
            writer.send(topic, messages)
    writer.commit(b"{}")
    writer.close()


def train(folder: Path, serializer: Serializer, registry: SmallRegistry, *, exact: bool) -> tuple[str, int, Any]:
    """The state after training on the records that ``serializer`` makes, their number, and what they score."""
    publish(folder, serializer, exact=exact)
    line = Line(folder, config(folder, registry.url))
    line.run("train", "--until-caught-up")
    newest = line.json("checkpoints")[-1]
    return newest["state_sha256"], newest["events"], newest["metrics"]


def config(folder: Path, registry: str | None) -> dict[str, Any]:
    features = {
        "price": "numeric",
        "amount": "numeric",
        "device": "categorical",
        "seen at": "datetime",
        "day": "numeric",
    }
    return {
        "name": "formats",
        "source": {"kind": "none"},
        "topic": {"kind": "file", "directory": str(folder / "topics"), "prefix": PREFIX}
        | ({} if registry is None else {"registry": registry}),
        "state": {"url": f"sqlite:///{folder}/state.db"},
        "examples": {"from": "shop.events", "label": "clicked", "features": features},
    }


def test_the_state_is_the_same_bits_from_json_json_with_schemas_and_avro(
    tmp_path: Path, small_registry: SmallRegistry
) -> None:
    avro = AvroSerializer(PREFIX, Registry(RegistrySettings((small_registry.url,))).register)
    expected = train(tmp_path / "json", JsonSerializer(PREFIX), small_registry, exact=False)
    assert expected[1] > 500
    assert Line(tmp_path / "json", config(tmp_path / "json", None)).json("deadletters", "list") == []
    assert train(tmp_path / "schemas", SchemaJsonSerializer(PREFIX), small_registry, exact=True) == expected
    assert train(tmp_path / "avro", avro, small_registry, exact=True) == expected


def test_avro_without_a_registry_stops_the_trainer_and_says_what_to_set(
    tmp_path: Path, small_registry: SmallRegistry
) -> None:
    avro = AvroSerializer(PREFIX, Registry(RegistrySettings((small_registry.url,))).register)
    publish(tmp_path / "avro", avro, exact=True)
    line = Line(tmp_path / "avro", config(tmp_path / "avro", None))
    line.run("train", "--until-caught-up", check=False)
    assert line.returncode == ConfigError.exit_code
    assert "topic.registry" in line.stderr


@pytest.mark.parametrize("topic", [{"format": "avro"}, {"format": "json_with_schemas"}])
def test_a_source_whose_columns_have_no_types_is_refused_with_a_hint(
    tmp_path: Path, topic: dict[str, str], small_registry: SmallRegistry
) -> None:
    given = config(tmp_path, small_registry.url)
    given["source"] = {"kind": "sqlite", "url": f"sqlite:///{tmp_path}/s.db", "include": ["shop.events"]}
    given["topic"] |= topic
    line = Line(tmp_path, given)
    line.run("connect", check=False)
    assert line.returncode == ConfigError.exit_code
    assert "topic.format: must be json: SQLite" in line.stderr


def test_doctor_looks_at_the_registry(tmp_path: Path, small_registry: SmallRegistry) -> None:
    line = Line(tmp_path, config(tmp_path, small_registry.url))
    small_registry.schemas.level = "FULL"
    (check,) = [one for one in line.json("doctor") if one["name"] == "schema registry"]
    assert (check["status"], check["found"]) == ("ok", f"{small_registry.url}, compatibility FULL")
    small_registry.require("avro", "s3cret")
    told = json.loads(line.run("doctor", "--json", check=False))
    (check,) = [one for one in told if one["name"] == "schema registry"]
    assert (line.returncode, check["status"]) == (1, "fail")
    assert "topic.registry.user" in check["remedy"]
