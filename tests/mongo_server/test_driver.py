"""The stand-in as an unmodified driver sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pymongo
import pytest
from bson import ObjectId, Regex, Timestamp, decode, encode
from bson.raw_bson import RawBSONDocument
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure, WriteError

from connectors.mongo.change_event import cut
from connectors.mongo.delta import applied
from tests.mongo_server import MongoServer
from tests.mongo_server.connection import Connection
from tests.servers.mongo import Mongo

Client = pymongo.MongoClient[dict[str, Any]]


@pytest.fixture
def database(mongo: Mongo, mongo_database: str) -> Iterator[Any]:
    with Client(mongo.url) as client:
        yield client[mongo_database]


@pytest.mark.parametrize("version", [(4, 4, 1), (4, 4, 29), (6, 0, 0), (7, 0, 0), (8, 0, 0)])
def test_the_driver_speaks_to_each_version(mongo_server: Callable[..., MongoServer], version: tuple[int, ...]) -> None:
    with Client(mongo_server(version=version).url) as client:
        assert client.server_info()["versionArray"][:3] == list(version)
        client.shop.orders.insert_one({"_id": 1})


def test_a_stream_tells_each_write_in_order(database: Any) -> None:
    with database.orders.watch(max_await_time_ms=100) as stream:
        database.orders.insert_one({"_id": 1, "lines": [1, 2]})
        database.orders.update_one({"_id": 1}, {"$push": {"lines": 3}, "$set": {"paid": True}})
        database.orders.replace_one({"_id": 1}, {"paid": False})
        database.orders.delete_one({"_id": 1})
        events = [next(stream) for _ in range(4)]
        assert stream.try_next() is None
    assert [event["operationType"] for event in events] == ["insert", "update", "replace", "delete"]
    assert events[0]["fullDocument"] == {"_id": 1, "lines": [1, 2]}
    assert events[1]["updateDescription"]["updatedFields"] == {"lines.2": 3, "paid": True}
    assert {event["ns"]["coll"] for event in events} == {"orders"}


def test_a_stream_goes_on_after_a_token(database: Any) -> None:
    with database.orders.watch() as stream:
        database.orders.insert_many([{"_id": number} for number in range(5)])
        tokens = [next(stream)["_id"] for _ in range(2)]
    with database.orders.watch(resume_after=tokens[-1]) as stream:
        assert [next(stream)["documentKey"]["_id"] for _ in range(3)] == [2, 3, 4]


def test_a_transaction_is_seen_whole_or_not_at_all(mongo: Mongo, mongo_database: str) -> None:
    with Client(mongo.url) as client:
        orders = client[mongo_database].orders
        orders.insert_one({"_id": 0})
        with client[mongo_database].watch() as stream, client.start_session() as session:
            session.start_transaction()
            orders.insert_one({"_id": 1}, session=session)
            assert orders.find_one({"_id": 1}) is None
            assert orders.find_one({"_id": 1}, session=session) == {"_id": 1}
            session.abort_transaction()
            with session.start_transaction():
                orders.insert_one({"_id": 2}, session=session)
                orders.update_one({"_id": 0}, {"$set": {"v": 1}}, session=session)
            events = [next(stream), next(stream)]
    assert [event["documentKey"]["_id"] for event in events] == [2, 0]
    assert len({(event["clusterTime"], event["txnNumber"]) for event in events}) == 1


def test_the_second_of_two_transactions_on_a_document_conflicts(mongo: Mongo, mongo_database: str) -> None:
    with Client(mongo.url) as client, client.start_session() as first, client.start_session() as second:
        epochs = client[mongo_database].epochs
        epochs.insert_one({"_id": "run", "epoch": 1})
        first.start_transaction()
        second.start_transaction()
        epochs.update_one({"_id": "run"}, {"$set": {"epoch": 2}}, session=first)
        with pytest.raises(OperationFailure) as raised:
            epochs.update_one({"_id": "run"}, {"$set": {"epoch": 3}}, session=second)
        assert raised.value.code == 112
        assert raised.value.has_error_label("TransientTransactionError")
        first.commit_transaction()
        assert epochs.find_one() == {"_id": "run", "epoch": 2}


def test_a_transaction_conflicts_with_what_was_written_since_it_began(mongo: Mongo, mongo_database: str) -> None:
    with Client(mongo.url) as client, client.start_session() as session:
        orders = client[mongo_database].orders
        orders.insert_many([{"_id": 1, "v": 0}, {"_id": 2}])
        session.start_transaction()
        assert orders.find_one({"_id": 2}, session=session) == {"_id": 2}
        orders.update_one({"_id": 1}, {"$set": {"v": 1}})
        assert orders.find_one({"_id": 1}, session=session) == {"_id": 1, "v": 0}
        with pytest.raises(OperationFailure) as raised:
            orders.update_one({"_id": 1}, {"$set": {"v": 2}}, session=session)
        assert raised.value.code == 112
        assert orders.find_one({"_id": 1}) == {"_id": 1, "v": 1}


def test_two_transactions_cannot_insert_one_id(mongo: Mongo, mongo_database: str) -> None:
    with Client(mongo.url) as client, client.start_session() as first, client.start_session() as second:
        client[mongo_database].create_collection("parts")
        parts = client[mongo_database].parts
        first.start_transaction()
        second.start_transaction()
        parts.insert_one({"_id": 1, "by": "first"}, session=first)
        with pytest.raises(OperationFailure) as raised:
            parts.insert_one({"_id": 1, "by": "second"}, session=second)
        assert raised.value.code == 112
        first.commit_transaction()
        assert list(parts.find()) == [{"_id": 1, "by": "first"}]


def test_a_collection_that_a_transaction_made_is_there_if_it_commits(mongo: Mongo, mongo_database: str) -> None:
    with Client(mongo.url) as client, client.start_session() as session:
        database = client[mongo_database]
        with pytest.raises(ZeroDivisionError), session.start_transaction():
            database.parts.insert_one({"_id": 1}, session=session)
            raise ZeroDivisionError
        assert database.list_collection_names() == []
        with session.start_transaction():
            database.parts.insert_one({"_id": 1}, session=session)
        assert database.list_collection_names() == ["parts"]
        assert list(database.parts.find()) == [{"_id": 1}]


def test_an_id_is_unique_across_number_types(database: Any) -> None:
    database.orders.insert_one({"_id": 1})
    with pytest.raises(BulkWriteError, match="E11000"):
        database.orders.insert_many([{"_id": 1.0}])


@pytest.mark.parametrize(
    "refused",
    [{"_id": [1]}, {"_id": Regex("^a")}, RawBSONDocument(b"\x0a\0\0\0\x06_id\0\0")],
    ids=["array", "regular expression", "undefined"],
)
def test_an_id_of_a_type_that_none_may_be_of_is_refused(database: Any, refused: Any) -> None:
    with pytest.raises(WriteError) as inserted:
        database.orders.insert_one(refused)
    with pytest.raises(WriteError) as upserted:
        database.orders.replace_one({"n": 1}, refused, upsert=True)
    assert (inserted.value.code, upserted.value.code) == (2, 53)
    assert database.orders.count_documents({}) == 0


def test_a_snapshot_reads_the_moment_it_began(mongo: Mongo, mongo_database: str) -> None:
    if mongo.version < (5, 0):
        pytest.skip("snapshot sessions came with 5.0")
    with Client(mongo.url) as client:
        orders = client[mongo_database].orders
        orders.insert_many([{"_id": 0}, {"_id": 1}])
        with client.start_session(snapshot=True) as session:
            assert orders.find_one({"_id": 0}, session=session) == {"_id": 0}
            orders.delete_one({"_id": 0})
            orders.update_one({"_id": 1}, {"$set": {"v": 1}})
            assert list(orders.find(session=session).sort("_id")) == [{"_id": 0}, {"_id": 1}]


def test_the_same_clock_gives_the_same_times_and_tokens(mongo_server: Callable[..., MongoServer]) -> None:
    def told(server: MongoServer) -> list[dict[str, Any]]:
        with Client(server.url) as client, client.shop.orders.watch() as stream:
            client.shop.orders.insert_one({"_id": 1})
            return [next(stream)]

    first, second = (told(mongo_server(now=lambda: 1_700_000_000.0)) for _ in range(2))
    assert first == second
    assert first[0]["clusterTime"] == Timestamp(1_700_000_000, 3)


def test_a_driver_repeats_a_write_whose_connection_broke_and_it_is_done_once(
    mongo_server: Callable[..., MongoServer],
) -> None:
    server = mongo_server()
    with Client(server.url) as client:
        fail = {"failCommands": ["insert"], "closeConnection": True}
        client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail)
        client.shop.orders.insert_one({"_id": 1})
        assert client.shop.orders.count_documents({}) == 1


def test_connections_are_killed_when_a_test_says_so(mongo_server: Callable[..., MongoServer]) -> None:
    server = mongo_server()
    with Connection(server.port) as connection:
        assert connection.ask({"ping": 1, "$db": "admin"}) is not None
        server.kill_connections()
        assert connection.ask({"ping": 1, "$db": "admin"}) is None


def test_writes_are_refused_between_two_elections(mongo_server: Callable[..., MongoServer]) -> None:
    server = mongo_server()
    with Client(server.url, serverSelectionTimeoutMS=100, retryWrites=False) as client:
        client.shop.orders.insert_one({"_id": 1})
        server.member.step_down()
        with pytest.raises(AutoReconnect):
            client.shop.orders.insert_one({"_id": 2})
        server.member.step_up()
    with Client(server.url) as client:
        client.shop.orders.insert_one({"_id": 2})
        assert client.shop.orders.count_documents({}) == 2


MIXED = [None, -5, 2.5, 10, "a", "b", {"x": 1}, b"0", ObjectId("0123456789abcdef01234567"), True, Timestamp(1, 1)]
"""Ids of several types, in the order of the index."""


def test_a_collection_is_read_in_ranges_of_ids_of_every_type(database: Any) -> None:
    database.orders.insert_many([{"_id": identity} for identity in reversed(MIXED)])
    read: list[Any] = []
    while len(read) < len(MIXED):
        after = {"min": {"_id": read[-1]}} if read else {}
        command = {"sort": {"_id": 1}, "hint": {"_id": 1}, "limit": 4, **after}
        found = database.command("find", "orders", **command)["cursor"]["firstBatch"]
        read += [document["_id"] for document in found][1 if read else 0 :]
    assert read == MIXED
    found = database.orders.find({"_id": {"$gt": 2}}).sort("_id", -1)
    assert [document["_id"] for document in found] == [10, 2.5]


def test_what_an_event_says_makes_the_document_that_is_stored(database: Any) -> None:
    """For random documents and updates: the delta applied to the document before is the one after, byte for byte."""
    random = Random(7)
    with database.orders.watch() as stream:
        database.orders.insert_one(_random_document(random, {"_id": 1}))
        held = encode(next(stream)["fullDocument"])
        for _ in range(150):
            done = database.orders.update_one({"_id": 1}, _random_update(random))
            stored = database.orders.find_one({"_id": 1})
            assert stored is not None
            if done.modified_count:
                event = next(stream)
                held = (
                    applied(held, cut(encode(event)))
                    if event["operationType"] == "update"
                    else encode(event["fullDocument"])
                )
            assert decode(held) == stored
            assert held == encode(stored)


def _random_document(random: Random, start: dict[str, Any]) -> dict[str, Any]:
    inner = {name: _random_value(random) for name in random.sample(["x", "y", "0", "1"], 3)}
    return start | {"n": random.randrange(9), "arr": [1, 2, 3], "m": inner, "objs": [{"k": 1}, {"k": 2}]}


def _random_value(random: Random) -> Any:
    return random.choice([1, 2.5, "text", None, True, [1, {"a": 2}], {"p": {"q": 1}}, Timestamp(5, 5), b"x"])


def _random_update(random: Random) -> Any:
    value = _random_value(random)
    path = random.choice(["n", "m.x", "m.0", "m.new.deep", "arr.1", "arr.6", "objs.0.k", "objs.1.v", "fresh", "a.b.c"])
    changes: list[Any] = [
        {"$set": {path: value}},
        {"$set": {path: value, "z": random.random(), "b": 1}},
        {"$unset": {path: ""}},
        {"$set": {"arr": [1, 2, 3], "n": 1, "m": {"x": 1, "0": 2}, "objs": [{"k": 1}, {"k": 2}]}},
        [{"$set": {"computed": {"$literal": value}, "list": [1, 2, 3]}}],
        [{"$unset": random.choice(["computed", "m.x", "z"])}],
        [{"$set": {"list": {"$slice": ["$list", random.randrange(1, 3)]}}}],
    ]
    return random.choice(changes)
