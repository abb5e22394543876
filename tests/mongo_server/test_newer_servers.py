"""What servers from 5.0 on do, and no recording shows: held to MongoDB's manual, and to a real server where there is one.

Pages: "Change Streams", "Change Events", "$changeStreamSplitLargeEvent", "Change Streams with Document Pre- and
Post-Images", "Read Concern snapshot".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure

from tests.servers.mongo import Mongo

Client = pymongo.MongoClient[dict[str, Any]]
IMAGES = {"changeStreamPreAndPostImages": {"enabled": True}}


@pytest.fixture
def database(mongo: Mongo, mongo_database: str) -> Iterator[Any]:
    if not mongo.keeps_images:
        pytest.skip("a server before 6.0")
    with Client(mongo.url) as client:
        yield client[mongo_database]


def test_images_are_of_the_moment_of_the_event(database: Any) -> None:
    database.create_collection("orders", **IMAGES)
    modes = {"full_document": "whenAvailable", "full_document_before_change": "whenAvailable"}
    with database.orders.watch(**modes) as stream:
        database.orders.insert_one({"_id": 1, "v": 0})
        database.orders.update_one({"_id": 1}, {"$set": {"v": 1}})
        database.orders.update_one({"_id": 1}, {"$set": {"v": 2}})
        database.orders.delete_one({"_id": 1})
        insert, first, second, delete = (next(stream) for _ in range(4))
    assert "fullDocumentBeforeChange" not in insert or insert["fullDocumentBeforeChange"] is None
    assert (first["fullDocumentBeforeChange"]["v"], first["fullDocument"]["v"]) == (0, 1)
    assert (second["fullDocumentBeforeChange"]["v"], second["fullDocument"]["v"]) == (1, 2)
    assert delete["fullDocumentBeforeChange"] == {"_id": 1, "v": 2}


def test_an_image_that_was_not_kept_is_null_where_it_may_be(database: Any) -> None:
    with database.orders.watch(full_document="whenAvailable", full_document_before_change="whenAvailable") as stream:
        database.orders.insert_one({"_id": 1, "v": 0})
        database.orders.update_one({"_id": 1}, {"$set": {"v": 1}})
        next(stream)
        update = next(stream)
    assert update["fullDocument"] is None
    assert update["fullDocumentBeforeChange"] is None


@pytest.mark.parametrize("mode", [{"full_document": "required"}, {"full_document_before_change": "required"}])
def test_a_required_image_that_was_not_kept_ends_the_stream(database: Any, mode: dict[str, str]) -> None:
    with database.orders.watch(**mode) as stream:
        database.orders.insert_one({"_id": 1})
        database.orders.update_one({"_id": 1}, {"$set": {"v": 1}})
        with pytest.raises(OperationFailure) as raised:
            for _ in range(2):
                next(stream)
    assert raised.value.code == 47
    assert not raised.value.has_error_label("ResumableChangeStreamError")


def test_expanded_events_tell_of_collections_and_indexes(database: Any) -> None:
    with database.watch(show_expanded_events=True) as stream:
        database.create_collection("orders")
        database.orders.create_index("customer")
        database.orders.drop_index("customer_1")
        database.command("collMod", "orders", **IMAGES)
        database.orders.rename("old_orders")
        database.old_orders.drop()
        events = [next(stream) for _ in range(6)]
    kinds = [event["operationType"] for event in events]
    assert kinds == ["create", "createIndexes", "dropIndexes", "modify", "rename", "drop"]
    assert events[1]["operationDescription"]["indexes"][0]["key"] == {"customer": 1}
    assert len({event["collectionUUID"] for event in events}) == 1


def test_plain_streams_do_not_show_expanded_events(database: Any) -> None:
    with database.watch() as stream:
        database.create_collection("orders")
        database.orders.insert_one({"_id": 1})
        assert next(stream)["operationType"] == "insert"


def test_an_update_by_pipeline_is_an_update_that_truncates(database: Any) -> None:
    database.orders.insert_one({"_id": 1, "lines": list(range(40)), "note": "x" * 400})
    with database.orders.watch() as stream:
        database.orders.update_one({"_id": 1}, [{"$set": {"lines": {"$slice": ["$lines", 2]}, "paid": True}}])
        event = next(stream)
    assert event["operationType"] == "update"
    assert event["updateDescription"]["updatedFields"] == {"paid": True}
    assert event["updateDescription"]["truncatedArrays"] == [{"field": "lines", "newSize": 2}]


def test_expanded_updates_say_which_numbers_are_names(mongo: Mongo, database: Any) -> None:
    if mongo.version < (6, 1):
        pytest.skip("a server before 6.1")
    database.orders.insert_one({"_id": 1, "m": {"0": "a"}, "arr": [1, 2]})
    with database.orders.watch(show_expanded_events=True) as stream:
        database.orders.update_one({"_id": 1}, {"$set": {"m.0": "b", "arr.0": 3}})
        paths = next(stream)["updateDescription"]["disambiguatedPaths"]
    assert paths["m.0"] == ["m", "0"]


def test_a_large_event_comes_in_fragments(database: Any) -> None:
    database.create_collection("orders", **IMAGES)
    modes = {"full_document": "required", "full_document_before_change": "required"}
    database.orders.insert_one({"_id": 1, "pad": "x" * 9_000_000})
    with database.orders.watch([{"$changeStreamSplitLargeEvent": {}}], **modes) as stream:
        database.orders.update_one({"_id": 1}, {"$set": {"v": 1}})
        database.orders.insert_one({"_id": 2})
        first = next(stream)
        token = stream.resume_token
        second, after = next(stream), next(stream)
    assert first["splitEvent"] == {"fragment": 1, "of": 2}
    assert second["splitEvent"] == {"fragment": 2, "of": 2}
    whole = first | second
    assert whole["fullDocument"]["v"] == 1
    assert "v" not in whole["fullDocumentBeforeChange"]
    assert after["documentKey"] == {"_id": 2}
    with database.orders.watch([{"$changeStreamSplitLargeEvent": {}}], resume_after=token, **modes) as stream:
        assert next(stream)["splitEvent"]["fragment"] == 2


def test_a_read_names_the_moment_it_sees(database: Any) -> None:
    database.orders.insert_one({"_id": 1, "v": 0})
    time = database.command("find", "orders", readConcern={"level": "snapshot"})["cursor"]["atClusterTime"]
    database.orders.update_one({"_id": 1}, {"$set": {"v": 1}})
    found = database.command("find", "orders", readConcern={"level": "snapshot", "atClusterTime": time})
    assert found["cursor"]["firstBatch"] == [{"_id": 1, "v": 0}]
