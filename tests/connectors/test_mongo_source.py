from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp, encode
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from connectors.mongo.change_event import cut
from connectors.mongo.extended_json import id_json, value_json
from connectors.mongo.raw_bson import id_of
from connectors.mongo.source import MongoSource
from connectors.mongo.store import DocumentStore
from connectors.source import Position
from streamtrain.envelope import Op
from streamtrain.errors import AccessDenied, PositionLost, SourceUnavailable
from tests.connectors.mongo_capture import drained, flat, folded, opened, settings, statements
from tests.mongo_server import MongoServer, Settings
from tests.servers.mongo import Mongo

IDS: list[Any] = [
    1, 2.5, Int64(2_147_483_657), Decimal128("7.5"), "1", "123", {"a": 1, "b": "x"}, b"bytes", ObjectId("65a000000000000000000001"),
    False, True, datetime(2020, 1, 1, tzinfo=UTC), Timestamp(5, 1), MinKey(), MaxKey(), -4, "", None,
    Binary.from_uuid(uuid.UUID("c0ffee00-0123-4567-89ab-cdef01234567")), Code("f()"),
]  # fmt: skip
"""One ``_id`` of every type that a driver writes and a server takes; it takes no array, no regular expression, no undefined."""
Server = MongoServer | Mongo


def stored(client: pymongo.MongoClient[Any], *names: str) -> dict[tuple[str, bytes], bytes]:
    """The collections' documents as they are shown."""
    found = {}
    for name in names:
        database, collection = name.split(".", 1)
        options: Any = client.codec_options.with_options(document_class=RawBSONDocument)
        for document in client[database].get_collection(collection, options).find():
            content = bytes(document.raw)
            found[name, id_json(id_of(content))] = value_json(content)
    return found


def test_a_snapshot_reads_documents_of_every_type_of_id_and_the_stream_goes_on(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.events.insert_many([{"_id": each, "v": {"n": 0, "list": [1, 2]}} for each in IDS])
    with opened(settings(server.url, tmp_path, "shop.events")) as source:
        read, _ = drained(source)
        assert [change.op for change in flat(read)] == [Op.READ] * len(IDS)
        for each in IDS:
            client.shop.events.update_one({"_id": each}, {"$set": {"v.n": 1}, "$push": {"v.list": 3}})
        streamed, _ = drained(source)
        assert {change.after_from for change in flat(streamed)} <= {"delta", "post_image"}
        assert folded(flat(read + streamed)) == stored(client, "shop.events")
        client.shop.events.delete_many({})
        gone, _ = drained(source)
    assert folded(flat(read + streamed + gone)) == {}


def test_a_snapshot_is_resumed_behind_an_id_of_each_type(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.events.insert_many([{"_id": each, "v": 0} for each in IDS])
    chosen = settings(server.url, tmp_path, "shop.events", chunk_rows=1)
    committed, position = list[Any](), None
    for _ in IDS:
        with opened(chosen, position) as source:  # which is killed as soon as one document is committed
            for _ in range(20):
                batch = source.read(0.02)
                if batch.changes:
                    break
            committed, position = [*committed, *batch.changes], batch.position
    assert len({change.key for change in flat(committed)}) == len(IDS)
    assert [change.op for change in flat(committed)] == [Op.READ] * len(IDS)
    assert folded(flat(committed)) == stored(client, "shop.events")


@pytest.mark.parametrize("content", [b"\x09_id\0" + (1 << 50).to_bytes(8, "little"), b"\x0e_id\0\x02\0\0\0a\0"])
def test_an_identity_that_python_has_no_value_for_is_that_of_the_document(content: bytes) -> None:
    """A date past the year 9999, and a symbol, which is not a string."""
    identity = (len(content) + 5).to_bytes(4, "little") + content + b"\0"
    document = (len(content) + 12).to_bytes(4, "little") + b"\x10n\0\x01\0\0\0" + content + b"\0"
    assert id_of(document) == identity


def test_the_key_of_a_sharded_collection_is_its_identity_alone() -> None:
    event = encode({
        "_id": {"_data": "82"}, "operationType": "delete", "ns": {"db": "shop", "coll": "a"},
        "documentKey": {"region": "eu", "_id": 7},
    })  # fmt: skip
    assert cut(event).id == encode({"_id": 7})


def wrote(collection: Any, chance: random.Random) -> None:
    """One random change of one document."""
    key = {"_id": chance.choice([*range(20), "1", 2.0, "z"])}
    updates: list[Any] = [
        {"$set": {"a.b.c": chance.random()}}, {"$unset": {"a": ""}}, {"$push": {"list": chance.randrange(9)}},
        {"$pop": {"list": 1}}, {"$inc": {"n": 1}}, {"$set": {"list.5": "far"}}, {"$rename": {"n": "m"}},
    ]  # fmt: skip
    step = chance.randrange(4)
    if step == 0:
        collection.delete_one(key)
    elif step == 1:
        collection.replace_one(key, {"n": chance.randrange(99), "list": [1, 2, 3]}, upsert=True)
    else:
        collection.update_one(key, chance.choice(updates))


def test_a_snapshot_reads_what_a_driver_cannot_decode(server: Server, tmp_path: Path) -> None:
    """Dates before the year 1 and after 9999, and types that no driver writes any more: a symbol as ``_id``, an undefined value."""
    symbol = b"\x0e_id\0" + (4).to_bytes(4, "little") + b"sym\0"
    undefined = b"\x06u\0"
    odd = (len(symbol + undefined) + 5).to_bytes(4, "little") + symbol + undefined + b"\0"
    early = [{"_id": DatetimeMS(-62_135_596_800_001 - n), "late": DatetimeMS(253_402_300_800_000)} for n in range(8)]
    with pymongo.MongoClient[dict[str, Any]](server.url) as client:
        client.shop.orders.insert_many([*early, RawBSONDocument(odd)])
    with opened(settings(server.url, tmp_path, "shop.orders")) as source:
        changes = flat(drained(source)[0])
    dates = {b'{"$date": {"$numberLong": "%d"}}' % int(one["_id"]) for one in early}
    assert {change.key for change in changes} == dates | {b'{"$symbol": "sym"}'}
    assert b'{"_id": {"$symbol": "sym"},"u": {"$undefined": true}}' in {change.after for change in changes}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_read_a_kill_comes_after_what_was_committed_and_what_follows_fold_to_the_collections(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    names = ("shop.a", "shop.b")
    client.shop.a.insert_many([{"_id": each, "n": 0, "list": [0]} for each in [*range(20), "1", "z"]])
    chosen = settings(server.url, tmp_path, "shop.*")
    committed, position = list[Any](), None
    for _ in range(8):
        unconfirmed = list[Any]()
        with opened(chosen, position) as source:
            for _ in range(chance.randrange(1, 7)):
                for _ in range(chance.randrange(4)):
                    wrote(chance.choice([client.shop.a, client.shop.b]), chance)
                batch = source.read(0.02)
                unconfirmed += batch.changes
                if chance.random() < 0.4 and batch.position is not None:  # the topics' transaction is committed
                    committed, position, unconfirmed = committed + unconfirmed, batch.position, []
                    if chance.random() < 0.7:
                        source.confirm(position)
    with opened(chosen, position) as source:
        committed += drained(source)[0]
    assert folded(flat(committed)) == stored(client, *names)


def test_a_store_that_is_not_the_positions_stops_capture_or_begins_again(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.events.insert_many([{"_id": n} for n in range(3)])
    with opened(settings(server.url, tmp_path, "shop.events")) as source:
        position = drained(source)[1]
    other = tmp_path / "other.db"
    with (
        pytest.raises(PositionLost, match="store of documents"),
        opened(settings(server.url, tmp_path, "shop.events", store=other), position),
    ):
        pass
    again = settings(server.url, tmp_path, "shop.events", store=other, snapshot="when_needed")
    with opened(again, position) as source:
        assert [change.op for change in flat(drained(source)[0])] == [Op.READ] * 3
    with opened(settings(server.url, tmp_path, "shop.events", store=other, after="lookup"), position) as source:
        assert drained(source)[0] == []


def test_two_captures_do_not_share_a_store(server: Server, tmp_path: Path) -> None:
    chosen = settings(server.url, tmp_path, "shop.events")
    with opened(chosen), pytest.raises(SourceUnavailable, match="in use"), opened(chosen):
        pass


@pytest.mark.parametrize("include", ["shop.events", "shop.*", "*.*"])
def test_drops_and_renames_are_told_and_the_stream_goes_on(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, include: str
) -> None:
    client.shop.events.insert_one({"_id": 1})
    with opened(settings(server.url, tmp_path, include)) as source:
        drained(source)
        client.shop.events.rename("moved")
        client.shop.events.insert_one({"_id": 2})
        client.shop.events.drop()
        client.shop.events.insert_one({"_id": 3})
        client.drop_database("shop")
        client.shop.events.insert_one({"_id": 4})
        events, position = drained(source)
        told = statements(events)
        assert {"renameCollection": "shop.events", "to": "shop.moved"} in told
        assert {"drop": "events", "$db": "shop"} in told
        assert ({"dropDatabase": 1, "$db": "shop"} in told) == (include != "shop.events")
        assert [change.key for change in flat(events) if change.name == "shop.events"] == [b"2", b"3", b"4"]
    with opened(settings(server.url, tmp_path, include), position) as source:
        client.shop.events.update_one({"_id": 4}, {"$set": {"v": 1}})
        changes = flat(drained(source)[0])
    assert [(each.before, each.after) for each in changes] == [(b'{"_id": 4}', b'{"_id": 4,"v": 1}')]


def test_documents_of_a_dropped_collection_are_not_held_any_more(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.events.insert_many([{"_id": n} for n in range(5)])
    with opened(settings(server.url, tmp_path, "shop.*")) as source:
        drained(source)
        client.shop.events.drop()
        client.shop.events.insert_one({"_id": 5})
        drained(source)
    with closing(DocumentStore(tmp_path / "documents.db")) as store:
        number = store.number("shop.events")
        held = store.get(number, [encode({"_id": n}) for n in range(6)])
    assert list(held.values()) == [encode({"_id": 5})]


def test_a_restart_goes_on_after_an_invalidate_that_nothing_has_followed(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.orders.insert_one({"_id": 1})
    chosen = settings(server.url, tmp_path, "shop.orders")
    with opened(chosen) as source:
        drained(source)
        client.shop.orders.drop()
        for _ in range(20):  # the stream that is started after it says its token again, as long as nothing follows
            position = source.read(0.02).position
    client.shop.orders.insert_one({"_id": 2})
    with opened(chosen, position) as source:
        assert [change.key for change in flat(drained(source)[0])] == [b"2"]


def test_documents_of_a_renamed_collection_are_still_held(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.events.insert_many([{"_id": n} for n in range(20)])
    client.other.plain.insert_many([{"_id": n} for n in range(4)])
    with opened(settings(server.url, tmp_path, "shop.*")) as source:
        source.read(0.05)
        client.shop.events.rename("moved")
        client.admin.command("renameCollection", "other.plain", to="shop.plain")
        read, _ = drained(source)
        client.shop.moved.update_many({}, {"$set": {"v": 1}})
        client.shop.plain.update_many({}, {"$set": {"v": 1}})
        changed, _ = drained(source)
    reads = [(each.name, each.key) for each in flat(read) if each.op is Op.READ]
    assert len(reads) == len(set(reads)) == 24
    assert len([each for each in flat(changed) if each.before is not None]) == 24


def test_a_collection_that_is_renamed_while_a_chunk_of_it_is_asked_for_is_read_under_its_new_name(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.orders.insert_many([{"_id": n} for n in range(5)])
    slow = {"failCommands": ["find"], "appName": "streamtrain", "blockConnection": True, "blockTimeMS": 300}
    met = client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=slow)["count"]

    def rename() -> None:
        client.admin.command("waitForFailPoint", "failCommand", timesEntered=met + 1, maxTimeMS=60_000)
        client.shop.orders.rename("orders2")

    with opened(settings(server.url, tmp_path, "shop.orders*")) as source, ThreadPoolExecutor(1) as other:
        renamed = other.submit(rename)
        changes = flat(drained(source)[0])
        renamed.result()
        changes += flat(drained(source)[0])
    assert sorted((change.name, change.key) for change in changes) == [("shop.orders2", b"%d" % n) for n in range(5)]


def test_a_position_that_the_oplog_has_lost_is_never_passed_over_in_silence(tmp_path: Path) -> None:
    small = Settings(version=(4, 4, 1), oplog_entries=40)
    with MongoServer(small) as server, pymongo.MongoClient[Any](server.url) as client:
        client.shop.events.insert_one({"_id": 0})
        chosen = settings(server.url, tmp_path, "shop.events")
        with opened(chosen) as source:
            drained(source)
            client.shop.events.insert_one({"_id": 0.5})
            position = drained(source)[1]
        client.shop.events.insert_one({"_id": 1})
        client.noise.other.insert_many([{"_id": n} for n in range(60)])
        for n in range(60):
            client.noise.other.update_one({"_id": n}, {"$set": {"v": 1}})
        with pytest.raises(PositionLost), opened(chosen, position):
            pass
        with opened(settings(server.url, tmp_path, "shop.events", snapshot="when_needed"), position) as source:
            assert [change.key for change in flat(drained(source)[0])] == [b"0", b"0.5", b"1"]


def test_an_idle_collection_keeps_its_place_while_the_oplog_rolls(tmp_path: Path) -> None:
    small = Settings(version=(4, 4, 1), oplog_entries=40)
    with MongoServer(small) as server, pymongo.MongoClient[Any](server.url) as client:
        client.shop.events.insert_one({"_id": 0})
        chosen = settings(server.url, tmp_path, "shop.events")
        position: Position | None = None
        with opened(chosen) as source:
            drained(source)
            for turn in range(8):
                client.noise.other.insert_many([{"_id": turn * 10 + n} for n in range(10)])
                position = source.read(0.05).position
        with opened(chosen, position) as source:
            client.shop.events.update_one({"_id": 0}, {"$set": {"v": 1}})
            assert [change.before for change in flat(drained(source)[0])] == [b'{"_id": 0}']


def test_collections_that_are_captured_from_now_on_are_read_though_the_stream_gets_wider(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.a.insert_one({"_id": 1})
    client.shop.b.insert_one({"_id": 2})
    with opened(settings(server.url, tmp_path, "shop.a")) as source:
        client.shop.a.insert_one({"_id": 3})
        first, position = drained(source)
    client.shop.a.insert_one({"_id": 4})
    with opened(settings(server.url, tmp_path, "shop.a", "shop.b"), position) as source:
        second, _ = drained(source)
    assert folded(flat([*first, *second])) == stored(client, "shop.a", "shop.b")


def test_what_the_document_after_an_update_is_from_is_said(mongo_from_6_0: Mongo, tmp_path: Path) -> None:
    server = mongo_from_6_0
    with pymongo.MongoClient[Any](server.url) as client:
        client.shop.create_collection("events", changeStreamPreAndPostImages={"enabled": True})
        for after, said in (("held", "post_image"), ("post_image", "post_image"), ("lookup", "lookup")):
            client.shop.events.delete_many({})
            client.shop.events.insert_one({"_id": 1})
            store = tmp_path / f"{after}.db"
            with opened(settings(server.url, tmp_path, "shop.events", after=after, store=store)) as source:
                drained(source)
                client.shop.events.update_one({"_id": 1}, {"$set": {"v": 1}})
                (change,) = flat(drained(source)[0])
            assert (change.after_from, change.before, change.after) == (said, b'{"_id": 1}', b'{"_id": 1,"v": 1}')


def test_an_update_of_a_document_that_cannot_be_had_stops_or_is_empty_but_never_guessed(
    client: pymongo.MongoClient[Any], server: Server, tmp_path: Path
) -> None:
    client.shop.events.insert_one({"_id": 1, "reference": DBRef("a", 1)})
    with opened(settings(server.url, tmp_path, "shop.events", after="lookup", snapshot="no_data")) as source:
        client.shop.events.update_one({"_id": 1}, {"$set": {"v": 1}})
        client.shop.events.delete_one({"_id": 1})
        changes = flat(drained(source)[0])
    assert [(each.op, each.after, each.after_from) for each in changes] == [
        (Op.UPDATE, None, "lookup"), (Op.DELETE, None, None),
    ]  # fmt: skip


def test_documents_that_are_held_without_being_published_are_read_on_after_a_restart(
    client: pymongo.MongoClient[Any], server: Server, tmp_path: Path
) -> None:
    client.shop.events.insert_many([{"_id": n} for n in range(20)])
    chosen = settings(server.url, tmp_path, "shop.events", snapshot="no_data")
    with opened(chosen) as source:
        source.read(0.0)
        position = source.read(0.0).position
    client.shop.events.update_one({"_id": 19}, {"$set": {"v": 1}})
    with opened(chosen, position) as source:
        assert [change.after for change in flat(drained(source)[0])] == [b'{"_id": 19,"v": 1}']


class Said:
    """Signals that are all there from the beginning."""

    def __init__(self, *values: dict[str, Any]) -> None:
        self._values = [orjson.dumps(value) for value in values]

    def read(self, offset: int | None) -> tuple[int | None, Sequence[bytes]]:
        return len(self._values), self._values[offset or 0 :]

    def close(self) -> None:
        """Nothing is open."""


def test_a_signal_reads_a_collection_again_while_it_is_written_to(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    client.shop.events.insert_many([{"_id": n, "n": n} for n in range(30)])
    chosen = settings(server.url, tmp_path, "shop.events")
    with opened(chosen) as source:
        first, position = drained(source)
    condition = {"data-collection": "shop.events", "filter": '{"n": {"$gte": 10}}'}
    data = {"data-collections": ["shop.events"], "additional-conditions": [condition]}
    again, events = Said({"id": "1", "type": "execute-snapshot", "data": data}), list[Any]()
    for turn in range(40):
        with closing(MongoSource(chosen, signals=again)) as source:
            source.open(position)
            client.shop.events.update_one({"_id": turn % 30}, {"$set": {"n": turn}})
            batch = source.read(0.05)
            batch = replace(batch, changes=[*batch.changes, *(following := source.read(0.05)).changes])
        assert following.position is not None
        events, position = [*events, *batch.changes], following.position
        if turn > 5 and "snapshots" not in position:
            break
    with opened(chosen, position) as source:
        events += drained(source)[0]
    reads = [change for change in flat(events) if change.op is Op.READ]
    assert {change.key for change in reads} >= {b"%d" % n for n in range(10, 30)}
    latest = {change.key: change.after for change in flat([*first, *events])}
    assert latest == {key: document for (_, key), document in stored(client, "shop.events").items()}


def test_a_signal_is_obeyed_for_the_names_of_its_time_though_the_stream_is_behind_them(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    """What the stream tells later of a collection that had the name before is none of the signal's business."""
    for name in ("first", "second", "third"):
        client.shop[name].insert_one({"_id": name})
    chosen = settings(server.url, tmp_path, "shop.*")
    with opened(chosen) as source:
        position = drained(source)[1]
    client.shop.first.drop()
    client.shop.second.rename("first")
    client.shop.third.drop()
    client.shop.third.insert_one({"_id": "another"})
    signal = {"id": "1", "type": "execute-snapshot", "data": {"data-collections": [r"shop[.].*"]}}
    with closing(MongoSource(chosen, signals=Said(signal))) as source:
        source.open(position)
        heard = orjson.loads(orjson.dumps(source.read(0.0).position))
    with closing(MongoSource(chosen, signals=Said(signal))) as source:
        source.open(heard)  # the first has not committed what it may have read
        reads = [change for change in flat(drained(source)[0]) if change.op is Op.READ]
    assert {(change.name, change.key) for change in reads} == {
        ("shop.first", b'"second"'), ("shop.third", b'"another"'),
    }  # fmt: skip


class Growing(Said):
    """Signals that come one after another; who has not read any begins at the end."""

    def say(self, value: dict[str, Any]) -> None:
        self._values.append(orjson.dumps(value))

    def read(self, offset: int | None) -> tuple[int | None, Sequence[bytes]]:
        return super().read(len(self._values) if offset is None else offset)


def test_a_signal_is_obeyed_though_the_position_is_lost_before_it_is_heard(tmp_path: Path) -> None:
    small, signals = Settings(version=(4, 4, 1), oplog_entries=40), Growing()
    with MongoServer(small) as server, pymongo.MongoClient[Any](server.url) as client:
        client.shop.events.insert_one({"_id": 1})
        chosen = settings(server.url, tmp_path, "shop.events", snapshot="when_needed")
        with closing(MongoSource(chosen, signals=signals)) as source:
            source.open(None)
            position = drained(source)[1]
        signals.say({"id": "1", "type": "execute-snapshot", "data": {"data-collections": ["shop.events"]}})
        client.shop.events.update_one({"_id": 1}, {"$set": {"a": 1}})
        client.noise.other.insert_many([{"_id": n} for n in range(60)])
        with closing(MongoSource(chosen, signals=signals)) as source:
            source.open(position)
            assert [change.op for change in flat(drained(source)[0])] == [Op.READ, Op.READ]


def test_a_url_that_lets_nobody_in_shows_no_password(tmp_path: Path) -> None:
    url = "mongodb://reader:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=200"
    with (
        pytest.raises((SourceUnavailable, AccessDenied)) as refused,
        opened(settings(url, tmp_path, "a.b", timeout_s=0.2)),
    ):
        pass
    assert "hunter2" not in str(refused.value)
    assert encode({}) == b"\x05\0\0\0\0"
