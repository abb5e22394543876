from __future__ import annotations

from typing import Any

import orjson

from connectors.formats.avro import AvroSerializer
from connectors.large_records import LargeRecordsSerializer
from connectors.serializing import JsonSerializer, Serializer
from connectors.source import Change, FieldType, Heartbeat, Table
from streamtrain.envelope import Op
from streamtrain.topic.base import Messages

TYPES = (FieldType("int32", optional=False), FieldType("string", optional=True))
ROWS = [(1, "a"), (2, "b" * 500), (3, "c")]
ORIGIN: dict[str, Any] = {
    "version": "1", "connector": "mysql", "name": "shop", "ts_ms": 1, "snapshot": "false", "db": "shop", "sequence": None,
    "ts_us": 1, "ts_ns": 1, "table": "events", "server_id": 1, "gtid": None, "file": "b", "pos": 1, "thread": None,
    "query": None, "row": 0,
}  # fmt: skip


def change(op: Op, key: tuple[int, ...] = (0,)) -> Change:
    table = Table("shop", "events", ("id", "note"), key, TYPES)
    before, after = (ROWS, None) if op is Op.DELETE else (None, ROWS)
    return Change(table, op, before, after, ORIGIN)


def sent(serializer: Serializer, event: Change | Heartbeat, most_bytes: int = 600) -> dict[str, Messages]:
    return {
        topic: messages
        for topic, messages, _ in LargeRecordsSerializer(serializer, "shop", most_bytes).serialize(event, 7_000_000)
    }


def test_a_record_that_is_too_large_is_named_in_the_place_of_being_sent_and_the_others_are_sent_in_order() -> None:
    found = sent(JsonSerializer("shop"), change(Op.CREATE))
    assert found["shop.shop.events"].keys == [b'{"id":1}', b'{"id":3}']
    (letter,) = found["shop.dead-letters"]
    assert orjson.loads(letter.key or b"") == {"topic": "shop.shop.events", "key": {"id": 2}}
    value = orjson.loads(letter.value or b"")
    assert value["bytes"] > 600
    assert (value["ts_ms"], "600" in value["reason"]) == (7, True)
    assert "bbb" not in str(value)


def test_what_fits_is_sent_as_it_is() -> None:
    for event in (change(Op.CREATE), Heartbeat()):
        plain = {topic: messages for topic, messages, _ in JsonSerializer("shop").serialize(event, 7_000_000)}
        assert sent(JsonSerializer("shop"), event, most_bytes=5_000) == plain


def test_the_tombstone_of_a_delete_that_is_too_large_is_sent() -> None:
    messages = sent(JsonSerializer("shop"), change(Op.DELETE))["shop.shop.events"]
    assert [(key, value is None) for key, value in zip(messages.keys, messages.values, strict=True)] == [
        (b'{"id":1}', False), (b'{"id":1}', True), (b'{"id":2}', True), (b'{"id":3}', False), (b'{"id":3}', True),
    ]  # fmt: skip


def test_keys_that_are_no_json_and_records_without_a_key_are_named_too() -> None:
    avro = sent(AvroSerializer("shop", lambda *_: 4), change(Op.CREATE), most_bytes=400)["shop.dead-letters"]
    assert [orjson.loads(key or b"")["key"] for key in avro.keys] == ["AAAAAAQE"]
    without = sent(JsonSerializer("shop"), change(Op.CREATE, key=()))["shop.dead-letters"]
    assert [orjson.loads(key or b"")["key"] for key in without.keys] == [None]
