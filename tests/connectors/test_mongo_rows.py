"""Flat rows of documents, beside the documents' own records."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest
from bson import Decimal128, Int64, ObjectId

from connectors.flat_rows import FlatRowsSerializer
from connectors.formats.json_schemas import SchemaJsonSerializer
from connectors.serializing import JsonSerializer
from connectors.source import DocumentChange, Heartbeat, SourceEvent
from streamtrain.cli.build import serializer
from streamtrain.config import Config
from streamtrain.errors import ConfigError
from streamtrain.features.labels import LabelSpec
from streamtrain.features.spec import parse_features
from streamtrain.learner import Learner, LearnerSpec
from streamtrain.state.records import state_sha256
from streamtrain.topic.base import Message, Records, TopicPartition
from streamtrain.topic.names import MAX_NAME_LENGTH
from tests.config.samples import smallest
from tests.connectors.mongo_capture import drained, opened, settings
from tests.servers.mongo import Mongo

NOW = 5_000_000
CHOSEN = {"shop.*": ["price", "user.id"], "shop.events": ["items.0", "price"]}
AROUND = ("source", "transaction", "op", "ts_ms", "ts_us", "ts_ns")


@pytest.fixture
def server(cleared_mongo: Mongo) -> Mongo:
    return cleared_mongo


def sent(events: Sequence[SourceEvent | Heartbeat], *, chosen: dict[str, list[str]]) -> dict[str, list[Message]]:
    """The messages by topic."""
    made, found = FlatRowsSerializer(JsonSerializer("p"), "p", chosen), dict[str, list[Message]]()
    for event in events:
        for addressed in made.serialize(event, NOW):
            found.setdefault(addressed.topic, []).extend(addressed.messages)
    return found


def read(messages: Sequence[Message]) -> list[tuple[Any, Any]]:
    """Keys and values, None for a tombstone."""
    return [
        (orjson.loads(each.key or b""), None if each.value is None else orjson.loads(each.value)) for each in messages
    ]


def test_every_change_of_a_document_is_a_row_of_the_chosen_paths_beside_it(
    server: Mongo, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    events = client.shop.events
    events.insert_many([{"_id": n, "price": n * 1.5, "user": {"id": Int64(n)}} for n in range(2)])
    with opened(settings(server.url, tmp_path, "shop.*", transaction_metadata=True)) as source:
        told = drained(source)[0]
        client.shop.other.insert_one({"_id": "x", "price": Decimal128("1.50"), "items": ["not chosen here"]})
        with client.start_session() as session, session.start_transaction():
            events.insert_one({"_id": 2, "items": [{"a": 1}], "other": True}, session=session)
            events.update_one({"_id": 1}, {"$set": {"user.id": "u"}, "$unset": {"price": ""}}, session=session)
            events.replace_one({"_id": 2}, {"price": True}, session=session)
            events.delete_one({"_id": 0}, session=session)
        told += drained(source)[0]
    found = sent(told, chosen=CHOSEN)
    rows, documents = read(found["p-rows.shop.events"]), read(found["p.shop.events"])
    nothing = {"price": None, "user.id": None, "items.0": None}
    first, second = ({"_id": n, "price": n * 1.5, "user.id": n, "items.0": None} for n in range(2))
    third = {"_id": 2, **nothing, "items.0": {"a": 1}}
    assert [(key, value and (value["before"], value["after"])) for key, value in rows] == [
        ({"_id": 0}, (None, first)),
        ({"_id": 1}, (None, second)),
        ({"_id": 2}, (None, third)),
        ({"_id": 1}, (second, {"_id": 1, **nothing, "user.id": "u"})),
        ({"_id": 2}, (third, {"_id": 2, **nothing, "price": True})),
        ({"_id": 0}, (first, None)),
        ({"_id": 0}, None),
    ]
    for (_, row), (_, document) in zip(rows, documents, strict=True):
        assert (row is None) == (document is None)
        if row is not None:
            assert list(row) == ["before", "after", *AROUND]
            assert {name: row[name] for name in AROUND} == {name: document[name] for name in AROUND}
    assert [row["source"]["snapshot"] for _, row in rows if row][:3] == ["first", "last", "false"]
    assert rows[2][1]["transaction"]["data_collection_order"] == 1
    ((key, row),) = read(found["p-rows.shop.other"])
    assert (key, row["after"]) == ({"_id": "x"}, {"_id": "x", "price": "1.50", "user.id": None})


def test_a_row_of_which_no_image_is_known_keeps_its_key(
    server: Mongo, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    one, other = ObjectId("65a000000000000000000001"), "65a000000000000000000001"
    client.shop.events.insert_many([{"_id": one}, {"_id": other}])
    with opened(settings(server.url, tmp_path, "shop.events", after="lookup", snapshot="no_data")) as source:
        for identity in (one, other):
            client.shop.events.update_one({"_id": identity}, {"$set": {"price": 1}})
        client.shop.events.delete_one({"_id": one})
        found = read(sent(drained(source)[0], chosen=CHOSEN)["p-rows.shop.events"])
    known = {"_id": other, "price": 1, "user.id": None, "items.0": None}
    assert [(key, value and (value["op"], value["before"], value["after"])) for key, value in found] == [
        ({"_id": {"$oid": str(one)}}, ("u", None, None)),
        ({"_id": other}, ("u", None, known)),
        ({"_id": {"$oid": str(one)}}, ("d", None, None)),
        ({"_id": {"$oid": str(one)}}, None),
    ]


def documents(server: Mongo, client: pymongo.MongoClient[Any], directory: Path) -> list[DocumentChange]:
    """What one document was."""
    with opened(settings(server.url, directory, "shop.events", include_schema_changes=False)) as source:
        client.shop.events.insert_one({"_id": 1, "price": float("nan"), "user": {"id": float("-inf")}})
        client.shop.events.delete_one({})
        return [event for event in drained(source)[0] if isinstance(event, DocumentChange)]


def test_numbers_that_json_has_none_for_are_text(
    server: Mongo, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    changes = documents(server, client, tmp_path)
    far = b'{"_id": 1,"price": {"$numberLong": "100000000000000000000"},"user": {"id": 18446744073709551615}}'
    changes.append(replace(changes[0], after=[far, None]))
    found = read(sent(changes, chosen=CHOSEN)["p-rows.shop.events"])
    assert [(row["after"]["price"], row["after"]["user.id"]) for _, row in found if row and row["after"]] == [
        ("NaN", "-Infinity"), ("100000000000000000000", 18446744073709551615),
    ]  # fmt: skip


def test_rows_are_json_without_a_schema_whatever_the_format_and_collections_that_are_not_chosen_have_none(
    server: Mongo, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    (change,) = documents(server, client, tmp_path)
    plain, wrapped = (
        [*FlatRowsSerializer(form, "p", CHOSEN).serialize(change, NOW)]
        for form in (JsonSerializer("p"), SchemaJsonSerializer("p"))
    )
    assert [each.topic for each in plain] == ["p.shop.events", "p-rows.shop.events"]
    assert list(plain[1].messages) == list(wrapped[1].messages)
    assert list(plain[0].messages) != list(wrapped[0].messages)
    for event, chosen in ((change, {"other.*": ["a"]}), (Heartbeat(), CHOSEN)):
        made = FlatRowsSerializer(JsonSerializer("p"), "p", chosen).serialize(event, NOW)
        assert [each.topic for each in made] == [each.topic for each in JsonSerializer("p").serialize(event, NOW)]


def test_rows_of_which_the_topics_name_would_be_cut_off_stop_capture(
    server: Mongo, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    (change,) = documents(server, client, tmp_path)
    prefix = "p" * (MAX_NAME_LENGTH - len("-rows.shop.events"))
    with pytest.raises(ConfigError, match=r"shop\.events would have a name that is too long"):
        list(FlatRowsSerializer(JsonSerializer(prefix), prefix, CHOSEN).serialize(change, NOW))
    made = FlatRowsSerializer(JsonSerializer(prefix[1:]), prefix[1:], CHOSEN).serialize(change, NOW)
    assert [each.topic for each in made] == [f"{prefix[1:]}.shop.events", f"{prefix[1:]}-rows.shop.events"]


def test_what_is_left_out_of_documents_is_left_out_of_rows_and_nothing_is_wrapped_where_none_are_asked_for(
    server: Mongo, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    source = {"kind": "mongo", "url": "mongodb://h/", "include": ["shop.*"]}
    assert type(serializer(Config.model_validate(smallest(source=source)))) is JsonSerializer
    asked = {**source, "rows": CHOSEN, "skipped_operations": ["c"], "tombstones_on_delete": False}
    (change,) = documents(server, client, tmp_path)
    made = serializer(Config.model_validate(smallest(source=asked))).serialize(change, NOW)
    found = {each.topic: [value["op"] for _, value in read(list(each.messages))] for each in made}
    assert found == {"shop.shop.events": ["d"], "shop-rows.shop.events": ["d"]}


def test_a_learner_comes_to_the_same_state_by_rows_as_by_documents(
    server: Mongo, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    chance = random.Random(1)
    with opened(settings(server.url, tmp_path, "shop.events")) as source:
        for n in range(60):
            user = {
                "id": chance.choice([1, "a", Int64(7), ObjectId(b"%012d" % n)]),
                "at": datetime(2020, 1, 1 + n % 9, n % 24, tzinfo=UTC),
            }
            price = chance.choice([n, n / 7, Decimal128(f"{n}.50"), None, float("nan"), "dear"])
            client.shop.events.insert_one(
                {"_id": n, "price": price, "user": user, "bought": chance.choice([True, False, None])}
            )
            client.shop.events.update_one(
                {"_id": chance.randrange(n + 1)}, {"$set": {"bought": n % 3 == 0}, "$inc": {"items.n": 1}}
            )
            if n % 7 == 0:
                client.shop.events.delete_one({"_id": n})
        found = sent(drained(source)[0], chosen={"shop.events": ["price", "user.id", "user.at", "bought", "items.n"]})
    kinds = {"price": "numeric", "user.id": "categorical", "user.at": "datetime", "items.n": "numeric"}
    states = list[tuple[int, dict[int, str], str]]()
    for messages in (found["p.shop.events"], found["p-rows.shop.events"]):
        features = parse_features({name: {"kind": kind} for name, kind in kinds.items()})
        learner = Learner(LearnerSpec(LabelSpec("bought", "binary"), features, hash_bits=6))
        keys, values = [each.key for each in messages], [each.value for each in messages]
        count = len(messages)
        place = TopicPartition("a topic", 0)
        report = learner.learn(Records(place, range(count), keys, values, [0] * count, count))
        rejected = {at: error.reason for at, error in report.rejected.items()}
        states.append((report.learned, rejected, state_sha256(learner.state())))
    assert states[0] == states[1]
    assert states[0][0] > 20
    assert set(states[0][1].values()) == {"not_finite", "wrong_type"}
