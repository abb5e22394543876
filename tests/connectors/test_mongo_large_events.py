"""Changes that are larger than a server can send. Sizes are those at which the stand-in refuses, as the recorded server did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest
from bson import DatetimeMS, Decimal128, Int64, MinKey, ObjectId, Regex, Timestamp, encode

from connectors.mongo.client import filter_for, filter_of
from connectors.mongo.server_errors import EventTooLarge
from connectors.mongo.snapshots.state import Job, SnapshotState
from connectors.serializing import JsonSerializer
from connectors.source import DeadLetter, DocumentChange, Position, SourceEvent, TransactionEvent
from streamtrain.envelope import Op
from tests.connectors.mongo_capture import drained, flat, folded, opened, settings
from tests.mongo_server import MongoServer, Settings
from tests.mongo_server.change_events import can_split
from tests.servers.mongo import Mongo

Server = MongoServer | Mongo
OLD, IMAGES_UNSPLIT = Settings(version=(4, 4, 1)), Settings(version=(6, 0, 8))
HALF = 9_000_000
"""Bytes of which the document and what an update says of it come to more than 16 MB together."""
LONG_ID = "i" * 9_000
"""The identity of a document of nearly 16 MB of which not even the insert can be sent: the event says it more than once."""


LARGEST = 16 * 1024 * 1024 - 1024
"""Bytes of a document that hardly fits."""


@pytest.fixture
def splitting(mongo_from_6_0: Mongo) -> Mongo:
    if not can_split(mongo_from_6_0.version):
        pytest.skip("a server that splits no events")
    return mongo_from_6_0


def letters(events: Sequence[SourceEvent]) -> list[tuple[str, Op, bytes]]:
    return [(each.collection.full_name, each.op, each.key) for each in events if isinstance(each, DeadLetter)]


def seen(events: Sequence[SourceEvent]) -> list[tuple[Op, bytes]]:
    return [(change.op, change.key) for change in flat(events)]


def wrote_between_others(events: Any) -> None:
    """A large update, with others before and after it that one batch would have."""
    events.insert_many([{"_id": 1, "a": "a" * HALF}, {"_id": 2}])
    events.update_one({"_id": 1}, {"$set": {"a": "b" * HALF}})
    events.update_one({"_id": 2}, {"$set": {"v": 1}})


def test_capture_stops_at_a_change_that_is_too_large_once_all_before_it_was_given(
    mongo_4_4: Server, tmp_path: Path
) -> None:
    server = mongo_4_4
    with pymongo.MongoClient[Any](server.url) as client:
        chosen, events = settings(server.url, tmp_path, "shop.events", after="lookup"), list[SourceEvent]()
        position: Position | None = None
        with opened(chosen) as source:
            position = drained(source)[1]
            wrote_between_others(client.shop.events)
            with pytest.raises(EventTooLarge, match=r"update of shop\.events 1 at 82"):
                for _ in range(20):
                    batch = source.read(0.02)
                    events, position = [*events, *batch.changes], batch.position
        assert seen(events) == [(Op.CREATE, b"1"), (Op.CREATE, b"2")]
        # Not passed over by whoever starts it again.
        with opened(chosen, position) as source, pytest.raises(EventTooLarge):
            drained(source)


@pytest.mark.parametrize("after", ["lookup", "post_image"])
def test_by_policy_a_change_that_is_too_large_is_named_and_its_document_is_read_again(
    tmp_path: Path, after: str
) -> None:
    version = OLD if after == "lookup" else IMAGES_UNSPLIT
    with MongoServer(version) as server, pymongo.MongoClient[Any](server.url) as client:
        if version is IMAGES_UNSPLIT:
            client.shop.create_collection("events", changeStreamPreAndPostImages={"enabled": True})
        chosen = settings(server.url, tmp_path, "shop.events", after=after, large_events="dead_letter")
        with opened(chosen) as source:
            drained(source)
            wrote_between_others(client.shop.events)
            events, position = drained(source)
        assert letters(events) == [("shop.events", Op.UPDATE, b"1")]
        assert set(seen(events)) == {(Op.CREATE, b"1"), (Op.CREATE, b"2"), (Op.UPDATE, b"2"), (Op.READ, b"1")}
        assert len(seen(events)) == 4
        (read,) = (change for change in flat(events) if change.op is Op.READ)
        assert read.after is not None
        assert b"bbb" in read.after
        with opened(chosen, position) as source:
            client.shop.events.update_one({"_id": 2}, {"$set": {"v": 2}})
            assert seen(drained(source)[0]) == [(Op.UPDATE, b"2")]


@pytest.mark.parametrize("version", [(6, 0, 8), (6, 1, 0), (6, 3, 2)], ids=str)
def test_with_held_documents_nothing_is_lost_of_a_change_whose_images_are_too_large(
    tmp_path: Path, version: tuple[int, ...]
) -> None:
    with MongoServer(Settings(version=version)) as server, pymongo.MongoClient[Any](server.url) as client:
        client.shop.create_collection("events", changeStreamPreAndPostImages={"enabled": True})
        with opened(settings(server.url, tmp_path, "shop.events")) as source:
            drained(source)
            wrote_between_others(client.shop.events)
            events, _ = drained(source)
        assert letters(events) == []
        assert seen(events) == [(Op.CREATE, b"1"), (Op.CREATE, b"2"), (Op.UPDATE, b"1"), (Op.UPDATE, b"2")]
        assert [change.after_from for change in flat(events)][2:] == ["delta", "post_image"]
        assert b"bbb" in folded(flat(events))["shop.events", b"1"]


@pytest.mark.parametrize("missing", [Op.CREATE, Op.UPDATE])
def test_a_document_of_which_a_change_is_missing_is_not_built_upon_until_it_was_read_again(
    tmp_path: Path, missing: Op
) -> None:
    """Killed at each read in turn."""
    with MongoServer(OLD) as server, pymongo.MongoClient[Any](server.url) as client:
        client.shop.events.insert_one({"_id": 0})
        if missing is Op.UPDATE:
            client.shop.events.insert_one({"_id": LONG_ID})
        chosen = settings(server.url, tmp_path, "shop.events", large_events="dead_letter")
        with opened(chosen) as source:
            position = drained(source)[1]
        large = {"m": 7, "n": 0, "a": "a" * (16 * 1024 * 1024 - 9_100)}
        client.shop.events.update_one({"_id": LONG_ID}, {"$set": large}, upsert=True)
        client.shop.events.update_one({"_id": LONG_ID}, {"$set": {"n": 1}, "$unset": {"a": ""}})
        client.shop.events.update_one({"_id": 0}, {"$set": {"n": 1}})
        committed = list[SourceEvent]()
        for _ in range(40):
            with opened(chosen, position) as source:
                end, batch = source.end(), source.read(0.02)
                while not batch.changes and not source.reached(end):
                    batch = source.read(0.02)
                committed, done = [*committed, *batch.changes], source.reached(end)
                assert batch.position is not None
                position = batch.position
                source.confirm(position)
            if done:
                break
        key = orjson.dumps(LONG_ID)
        assert letters(committed) == [("shop.events", missing, key)]
        client.shop.events.update_one({"_id": LONG_ID}, {"$set": {"n": 2}})
        with opened(chosen, position) as source:
            committed += drained(source)[0]
    changes = [change for change in flat(committed) if change.key == key]
    assert [(change.op, change.before is None, change.after_from) for change in changes] == [
        (Op.UPDATE, True, None), (Op.READ, True, None), (Op.UPDATE, False, "delta"),
    ]  # fmt: skip
    assert changes[0].after is None
    assert changes[-1].after == b'{"_id": %b,"m": 7,"n": 2}' % key


@pytest.mark.parametrize("version", [(6, 0, 9), (6, 0, 24), (7, 0, 0), (8, 0, 4)], ids=str)
def test_every_version_that_splits_events_is_asked_to(tmp_path: Path, version: tuple[int, ...]) -> None:
    with MongoServer(Settings(version=version)) as server, pymongo.MongoClient[Any](server.url) as client:
        client.shop.create_collection("events", changeStreamPreAndPostImages={"enabled": True})
        with opened(settings(server.url, tmp_path, "shop.events", after="post_image")) as source:
            drained(source)
            wrote_between_others(client.shop.events)
            assert seen(drained(source)[0])[2:] == [(Op.UPDATE, b"1"), (Op.UPDATE, b"2")]


def test_an_event_that_the_server_splits_is_one_and_comes_again_whole_after_a_restart_at_any_fragment(
    splitting: Mongo, tmp_path: Path
) -> None:
    """A document of nearly 16 MB: with it as it was, as it is and what changed the event has three times that."""
    with pymongo.MongoClient[Any](splitting.url) as client:
        client.shop.create_collection("events", changeStreamPreAndPostImages={"enabled": True})
        texts = [letter * (LARGEST - 22) for letter in "ab"]
        client.shop.events.insert_one({"_id": 1, "a": texts[0]})
        assert len(encode({"_id": 1, "a": texts[0]})) == LARGEST
        chosen = settings(splitting.url, tmp_path, "shop.events", after="post_image")
        with opened(chosen) as source:
            position = drained(source)[1]
        client.shop.events.update_one({"_id": 1}, {"$set": {"a": texts[1]}})
        client.shop.events.insert_one({"_id": 2})
        between = [position]
        with opened(chosen, position) as source:
            while not (batch := source.read(0.05)).changes:
                assert batch.position is not None
                between.append(batch.position)
    assert len(between) > 2
    for at in between:
        with opened(chosen, at) as source:
            update, created = flat(drained(source)[0])
        assert (update.op, update.key, update.after_from) == (Op.UPDATE, b"1", "post_image")
        images = zip((update.before, update.after), texts, strict=True)  # not shown by pytest for their size
        assert [image == b'{"_id": 1,"a": "%b"}' % text.encode() for image, text in images] == [True, True]
        assert (created.op, created.key) == (Op.CREATE, b"2")


def test_a_document_that_is_to_be_read_again_is_looked_for_under_the_new_name_of_its_collection() -> None:
    job = Job(
        "unsent", ("shop.a",), conditions={"shop.a": filter_for(encode({"_id": ObjectId("64f0c0ffee0123456789abcd")}))}
    )
    (renamed,) = SnapshotState((job,)).renamed("shop.a", "shop.b", (1, 1)).jobs
    assert renamed.conditions is not None
    assert job.conditions is not None
    assert (renamed.collections, renamed.conditions["shop.b"]) == (("shop.b",), job.conditions["shop.a"])


@pytest.mark.parametrize(
    "identity",
    [1, 2.5, "a", {"a": 1, "$b": [1]}, ObjectId("64f0c0ffee0123456789abcd"), Int64(1 << 40), Decimal128("1.50"), b"x", Regex("^a", "i"), None,
     datetime(2020, 1, 1, tzinfo=UTC), True, Timestamp(1, 2), MinKey(), DatetimeMS(1 << 50)],
    ids=repr,
)  # fmt: skip
def test_the_filter_for_one_document_is_read_back_as_it_was_meant(identity: Any) -> None:
    meant = encode({"_id": {"$eq": identity}})
    assert encode(filter_of(filter_for(encode({"_id": identity})))) == meant


def test_a_transaction_of_more_than_16_mb_is_resumed_after_each_of_its_changes_and_counted_on(
    mongo_4_4: Server, tmp_path: Path
) -> None:
    """The server writes it as several entries of its log; its events have one time."""
    server = mongo_4_4
    with pymongo.MongoClient[Any](server.url) as client:
        client.shop.create_collection("events")
        chosen = settings(server.url, tmp_path, "shop.events", transaction_metadata=True, max_rows=1)
        with opened(chosen) as source:
            position = drained(source)[1]
        with client.start_session() as session, session.start_transaction():
            for n in range(5):
                client.shop.events.insert_one({"_id": n, "a": "a" * 5_000_000}, session=session)
        committed = list[SourceEvent]()
        for _ in range(20):
            with opened(chosen, position) as source:
                batch = source.read(0.05)
                committed, done = [*committed, *batch.changes], source.reached(source.end())
                assert batch.position is not None
                position = batch.position
            if done:
                break
    assert seen(committed) == [(Op.CREATE, b"%d" % n) for n in range(5)]
    parts = [part for event in committed if isinstance(event, DocumentChange) for part in event.transactions]
    assert [part and part.total_order for part in parts] == [1, 2, 3, 4, 5]
    told = [event for event in committed if isinstance(event, TransactionEvent)]
    assert [(each.status, dict(each.counts)) for each in told] == [("BEGIN", {}), ("END", {"shop.events": 5})]


def test_a_change_that_is_too_large_for_the_stream_of_a_collection_that_is_not_captured_is_nothing(
    mongo_4_4: Server, tmp_path: Path
) -> None:
    server = mongo_4_4
    with pymongo.MongoClient[Any](server.url) as client:
        chosen = settings(server.url, tmp_path, "shop.events", "shop.more", after="lookup")
        with opened(chosen) as source:
            drained(source)
            wrote_between_others(client.shop.other)
            client.shop.events.insert_one({"_id": 1})
            assert seen(drained(source)[0]) == [(Op.CREATE, b"1")]


def test_a_dead_letter_is_a_record_with_key_place_and_reason(mongo_4_4: Server, tmp_path: Path) -> None:
    server = mongo_4_4
    with pymongo.MongoClient[Any](server.url) as client:
        chosen = settings(server.url, tmp_path, "shop.events", after="lookup", large_events="dead_letter")
        with opened(chosen) as source:
            drained(source)
            wrote_between_others(client.shop.events)
            events, _ = drained(source)
    (letter,) = (event for event in events if isinstance(event, DeadLetter))
    ((topic, messages, partitions),) = JsonSerializer("shop").serialize(letter, 5_000_000)
    key, value = (orjson.loads(part or b"") for part in (messages.keys[0], messages.values[0]))
    assert (topic, partitions, key) == ("shop.dead-letters", 1, {"topic": "shop.shop.events", "key": {"id": "1"}})
    assert list(value) == ["reason", "op", "source", "place", "ts_ms"]
    assert (value["op"], value["ts_ms"], value["place"]) == ("u", 5, letter.place)
    assert "16 MB" in value["reason"]
    assert value["source"]["collection"] == "events"
