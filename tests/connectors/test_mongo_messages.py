from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest

from connectors.formats.avro import AvroSerializer
from connectors.formats.json_schemas import SchemaJsonSerializer
from connectors.serializing import JsonSerializer
from connectors.shaping import ShapingSerializer, ShapingSettings
from connectors.source import DocumentChange, TransactionEvent
from streamtrain.avro import AvroReader
from streamtrain.envelope import Op
from tests.connectors.mongo_capture import drained, opened, settings
from tests.mongo_server import MongoServer, Settings
from tests.servers.mongo import Mongo


@pytest.fixture
def changed(mongo_from_6_0: Mongo, tmp_path: Path) -> list[DocumentChange]:
    """An insert, updates that set, remove and cut, a replace and a delete."""
    with (
        pymongo.MongoClient[Any](mongo_from_6_0.url) as client,
        opened(settings(mongo_from_6_0.url, tmp_path, "shop.events", include_schema_changes=False)) as source,
    ):
        drained(source)
        events = client.shop.events
        events.insert_one({"_id": 'é"1', "n": 1, "list": [1, 2, 3], "gone": True, "text": 'a "quoted" \\ é' * 50})
        events.update_one({}, {"$set": {"n": 2}, "$unset": {"gone": ""}})
        events.update_one({}, [{"$set": {"list": {"$slice": ["$list", 1]}}}])
        events.replace_one({}, {"n": 3})
        events.delete_one({})
        return [event for event in drained(source)[0] if isinstance(event, DocumentChange)]


def test_json_with_and_without_schemas_holds_the_same_envelopes(changed: list[DocumentChange]) -> None:
    for change in changed:
        (plain,), (wrapped,) = (
            JsonSerializer("p").serialize(change, 5_000_000),
            SchemaJsonSerializer("p").serialize(change, 5_000_000),
        )
        assert plain.topic == wrapped.topic == "p.shop.events"
        for bare, whole in zip(plain.messages, wrapped.messages, strict=True):
            assert bare.key is not None
            assert whole.key is not None
            assert orjson.loads(whole.key)["payload"] == orjson.loads(bare.key) == {"id": '"é\\"1"'}
            if bare.value is None or whole.value is None:
                assert bare.value is whole.value
                continue
            envelope, both = orjson.loads(bare.value), orjson.loads(whole.value)
            assert both["payload"] == envelope
            assert list(envelope) == [field["field"] for field in both["schema"]["fields"]]
            source = next(field for field in both["schema"]["fields"] if field["field"] == "source")
            assert list(envelope["source"]) == [field["field"] for field in source["fields"]]


def test_avro_holds_what_json_does(changed: list[DocumentChange]) -> None:
    schemas: dict[int, str] = {}

    def register(_name: str, schema: str) -> int:
        schemas[len(schemas) + 1] = schema
        return len(schemas)

    serializer, plain = AvroSerializer("p", register), JsonSerializer("p")
    for change in changed:
        (written,), (expected,) = serializer.serialize(change, 5_000_000), plain.serialize(change, 5_000_000)
        for one, other in zip(written.messages, expected.messages, strict=True):
            assert (one.value is None) == (other.value is None)
            if one.value is not None and other.value is not None:
                found = AvroReader(schemas[int.from_bytes(one.value[1:5], "big")]).decode(one.value)
                assert orjson.loads(orjson.dumps(found)) == orjson.loads(other.value)


def test_update_descriptions_tell_what_was_set_removed_and_cut(changed: list[DocumentChange]) -> None:
    envelopes = [
        orjson.loads(message.value)
        for change in changed
        for sent in JsonSerializer("p").serialize(change, 0)
        for message in sent.messages
        if message.value is not None
    ]
    assert [each["op"] for each in envelopes] == ["c", "u", "u", "u", "d"]
    first, second = envelopes[1]["updateDescription"], envelopes[2]["updateDescription"]
    assert first == {"removedFields": ["gone"], "updatedFields": '{"n": 2}', "truncatedArrays": None}
    assert second["truncatedArrays"] == [{"field": "list", "size": 1}]
    assert orjson.loads(envelopes[2]["after"])["list"] == [1]
    assert all(each["updateDescription"] is None for each in (envelopes[0], *envelopes[3:]))


def test_operations_and_tombstones_can_be_left_out(changed: list[DocumentChange]) -> None:
    chosen = ShapingSettings(skipped=frozenset({Op.UPDATE}), tombstones=False)
    sent = [one for change in changed for one in ShapingSerializer(JsonSerializer("p"), chosen).serialize(change, 0)]
    values = [message.value for one in sent for message in one.messages]
    assert [orjson.loads(value or b"null")["op"] for value in values] == ["c", "d"]


@pytest.fixture
def server() -> Iterator[MongoServer]:
    with MongoServer(Settings(version=(4, 4, 1))) as started:
        yield started


def test_a_transaction_is_counted_over_restarts_in_its_middle_with_one_beginning_and_one_end(
    server: MongoServer, tmp_path: Path
) -> None:
    chosen = settings(server.url, tmp_path, "shop.*", transaction_metadata=True, include_schema_changes=False)
    with pymongo.MongoClient[Any](server.url) as client:
        for name in ("a", "b"):
            client.shop.create_collection(name)
        with opened(chosen) as source:
            position = drained(source)[1]
        with client.start_session() as session, session.start_transaction():
            for n in range(24):
                client.shop["a" if n % 2 else "b"].insert_one({"_id": n}, session=session)
    events, reads = list[Any](), 0
    while not any(isinstance(event, TransactionEvent) and event.status == "END" for event in events):
        with opened(chosen, position) as source:
            batch = source.read(0.05)
        assert batch.position is not None
        events, position, reads = [*events, *batch.changes], batch.position, reads + 1
        assert reads < 30
    told = [event for event in events if isinstance(event, TransactionEvent)]
    assert [event.status for event in told] == ["BEGIN", "END"]
    assert told[-1].counts == {"shop.a": 12, "shop.b": 12}
    parts = [part for event in events if isinstance(event, DocumentChange) for part in event.transactions if part]
    assert sorted(part.total_order for part in parts) == list(range(1, 25))
    assert {part.id for part in parts} == {told[0].id}
    assert sorted(part.data_collection_order for part in parts) == sorted([*range(1, 13)] * 2)
