"""Heartbeats in every format: Debezium's topic, key and value."""

from __future__ import annotations

from io import BytesIO

import orjson
from fastavro import schemaless_reader

from connectors.formats.avro import AvroSerializer
from connectors.formats.json_schemas import SchemaJsonSerializer
from connectors.serializing import Addressed, JsonSerializer, Serializer
from connectors.source import Heartbeat
from tests.formats.test_avro import Schemas

NOW_NS = 1_700_000_000_123_456_789
VALUE = {"ts_ms": 1_700_000_000_123}


def beat(serializer: Serializer) -> Addressed:
    (addressed,) = serializer.serialize(Heartbeat(), NOW_NS)
    assert (addressed.topic, addressed.partitions) == ("__debezium-heartbeat.shop", 1)
    return addressed


def test_plain_json_holds_the_name_and_the_time() -> None:
    messages = beat(JsonSerializer("shop")).messages
    assert [orjson.loads(messages.keys[0] or b""), orjson.loads(messages.values[0] or b"")] == [
        {"serverName": "shop"}, VALUE,
    ]  # fmt: skip


def test_json_with_schemas_names_debeziums() -> None:
    messages = beat(SchemaJsonSerializer("shop")).messages
    key, value = orjson.loads(messages.keys[0] or b""), orjson.loads(messages.values[0] or b"")
    assert (key["payload"], value["payload"]) == ({"serverName": "shop"}, VALUE)
    assert key["schema"]["name"] == "io.debezium.connector.common.ServerNameKey"
    assert value["schema"]["name"] == "io.debezium.connector.common.Heartbeat"
    assert value["schema"]["fields"] == [{"type": "int64", "optional": False, "field": "ts_ms"}]


def test_avro_is_registered_under_the_topics_subjects() -> None:
    registry = Schemas()
    messages = beat(AvroSerializer("shop", registry.register)).messages
    names = [name for name, _ in registry.subjects]
    assert names == ["__debezium-heartbeat.shop-key", "__debezium-heartbeat.shop-value"]
    value = messages.values[0] or b""
    schema = orjson.loads(registry.schema(int.from_bytes(value[1:5], "big")))
    assert schemaless_reader(BytesIO(value[5:]), schema, None) == VALUE
