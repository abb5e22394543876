"""What tests make the stand-in do: lose its history, elections, logins, streams encoded beforehand."""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import Timestamp
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from tests.mongo_server import MongoServer, User
from tests.mongo_server.replay import Replay, inserts
from tests.servers.certificates import Authority

Client = pymongo.MongoClient[dict[str, Any]]
Started = Callable[..., MongoServer]


def test_a_stream_outlives_an_election(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client, client.shop.orders.watch() as stream:
        client.shop.orders.insert_one({"_id": 1})
        assert next(stream)["documentKey"] == {"_id": 1}
        elected = threading.Timer(0.1, lambda: (server.step_down(), server.step_up()))
        elected.start()
        assert stream.try_next() is None  # waits over the election, is interrupted, and goes on
        client.shop.orders.insert_one({"_id": 2})
        assert next(stream)["documentKey"] == {"_id": 2}
        elected.join()


def test_a_lost_position_looks_healthy_until_the_next_event(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client:
        with client.shop.orders.watch() as stream:
            client.shop.orders.insert_many([{"_id": number} for number in range(2)])
            token = next(stream)["_id"]
        client.other.noise.insert_many([{"_id": number} for number in range(10)])
        server.roll_oplog(keep=5)
        with client.shop.orders.watch(resume_after=token, max_await_time_ms=1) as stream:
            assert stream.try_next() is None
            assert stream.resume_token["_data"] > token["_data"]
            client.shop.orders.insert_one({"_id": 2})
            with pytest.raises(OperationFailure) as raised:
                next(stream)
        assert raised.value.code == 280
        with (
            pytest.raises(OperationFailure) as raised,
            client.shop.orders.watch(start_at_operation_time=Timestamp(2, 1)),
        ):
            pass
        assert raised.value.code == 286


def test_streams_see_no_more_than_a_majority_has(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client, client.shop.orders.watch(max_await_time_ms=1) as stream:
        client.shop.orders.insert_one({"_id": 1})
        time_of_first = next(stream)["clusterTime"]
        server.hold_majority(time_of_first)
        client.shop.orders.insert_one({"_id": 2})
        assert stream.try_next() is None
        server.hold_majority(None)
        assert next(stream)["documentKey"] == {"_id": 2}


def test_a_write_waits_for_the_transaction_that_holds_its_document(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client, client.start_session() as session:
        client.shop.orders.insert_one({"_id": 1, "v": 0})
        session.start_transaction()
        client.shop.orders.update_one({"_id": 1}, {"$inc": {"v": 1}}, session=session)
        other = threading.Thread(target=client.shop.orders.update_one, args=({"_id": 1}, {"$inc": {"v": 10}}))
        other.start()
        session.commit_transaction()
        other.join()
        assert client.shop.orders.find_one() == {"_id": 1, "v": 11}


def test_a_write_of_many_documents_that_has_waited_finds_the_others_as_they_are_by_then(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client, client.start_session() as session, client.shop.orders.watch() as stream:
        client.shop.orders.insert_many([{"_id": number, "v": 0} for number in (1, 2, 3)])
        session.start_transaction()
        client.shop.orders.update_one({"_id": 1}, {"$inc": {"v": 1}}, session=session)
        client.shop.orders.delete_one({"_id": 2}, session=session)
        client.shop.orders.update_one({"_id": 3}, {"$inc": {"v": 1}}, session=session)
        other = threading.Thread(target=client.shop.orders.update_many, args=({}, {"$inc": {"v": 10}}))
        other.start()
        assert server.member.engine.held_up.wait(30)
        session.commit_transaction()
        other.join()
        assert list(client.shop.orders.find()) == [{"_id": 1, "v": 11}, {"_id": 3, "v": 11}]
        told = [next(stream) for _ in range(8)]
    assert [(event["operationType"], event["documentKey"]["_id"]) for event in told[3:]] == [
        ("update", 1), ("delete", 2), ("update", 3), ("update", 1), ("update", 3),
    ]  # fmt: skip


def test_a_password_is_needed_and_a_role_bounds_what_may_be_read(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client:
        client.shop.orders.insert_one({"_id": 1})
        client.other.orders.insert_one({"_id": 1})
    server.add_user(User("reader", "admin", "right, or =", [{"role": "read", "db": "shop"}]))
    address = f"127.0.0.1:{server.port}"
    with Client(address, username="reader", password="wrong") as client, pytest.raises(OperationFailure) as raised:
        client.shop.orders.find_one()
    assert raised.value.code == 18
    with Client(address, username="reader", password="right, or =") as client:
        assert client.shop.orders.find_one() == {"_id": 1}
        with client.shop.orders.watch():
            pass
        with pytest.raises(OperationFailure) as raised:
            client.other.orders.find_one()
        assert raised.value.code == 13
        assert client.list_database_names() == ["shop"]
        status = client.admin.command("connectionStatus")
        assert status["authInfo"]["authenticatedUserRoles"] == [{"role": "read", "db": "shop"}]


def test_a_stream_of_everything_needs_a_role_for_every_database(mongo_server: Started) -> None:
    server = mongo_server()
    server.add_user(User("one", "admin", "p", [{"role": "read", "db": "admin"}]))
    server.add_user(User("all", "admin", "p", [{"role": "readAnyDatabase", "db": "admin"}]))
    address = f"127.0.0.1:{server.port}"
    with Client(address, username="one", password="p") as client, pytest.raises(OperationFailure) as raised:
        client.watch()
    assert raised.value.code == 13
    with Client(address, username="all", password="p") as client, client.watch(max_await_time_ms=1) as stream:
        assert stream.try_next() is None


def test_a_replay_is_what_the_stream_would_be_and_resumes_after_a_batch(mongo_server: Started) -> None:
    server = mongo_server()
    documents = [{"_id": number, "name": f"order {number}"} for number in range(2_500)]
    batches = list(inserts("shop.orders", documents, batch=1_000, start=Timestamp(1_700_000_000, 1)))
    server.replay("shop.orders", Replay(batches))
    with Client(server.url) as client:
        with client.shop.orders.watch(max_await_time_ms=1) as stream:
            events = [next(stream) for _ in documents]
            assert stream.try_next() is None
        assert [event["fullDocument"] for event in events] == documents
        assert [event["_id"]["_data"] for event in events] == sorted(event["_id"]["_data"] for event in events)
        with client.shop.orders.watch(resume_after=batches[1].token) as stream:
            assert next(stream)["documentKey"] == {"_id": 2_000}


def test_many_clients_write_at_once_and_nothing_is_lost(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client, client.shop.watch() as stream:
        client.shop.counters.insert_one({"_id": 0, "n": 0})

        def count() -> None:
            for _ in range(25):
                client.shop.counters.update_one({"_id": 0}, {"$inc": {"n": 1}})

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.shop.counters.find_one() == {"_id": 0, "n": 100}
        events = [next(stream) for _ in range(101)][1:]
    assert [event["updateDescription"]["updatedFields"]["n"] for event in events] == list(range(1, 101))


def test_a_certificate_is_a_login(mongo_server: Started, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, reader, stranger = (
        authority.certify("server", "127.0.0.1"),
        authority.certify("reader"),
        authority.certify("x"),
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own.cert, own.key)
    tls.load_verify_locations(authority.ca)
    tls.verify_mode = ssl.CERT_OPTIONAL
    server = mongo_server(tls=tls)
    server.add_user(User("CN=reader", "$external", "", [{"role": "read", "db": "shop"}]))
    options = {"tls": True, "tlsCAFile": str(authority.ca), "authMechanism": "MONGODB-X509"}
    with Client(server.url, tlsCertificateKeyFile=str(reader.both), **options) as client:
        assert client.shop.orders.find_one() is None
    with (
        Client(server.url, tlsCertificateKeyFile=str(stranger.both), **options) as client,
        pytest.raises(OperationFailure) as raised,
    ):
        client.shop.orders.find_one()
    assert raised.value.code == 18
    with (
        Client(server.url, serverSelectionTimeoutMS=500) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        client.shop.orders.find_one()


def test_a_cluster_is_read_through_its_router(mongo_server: Started) -> None:
    server = mongo_server(sharded=True)
    with Client(server.url) as client, client.shop.watch() as stream, client.start_session() as session:
        client.shop.orders.insert_one({"_id": 1})
        assert client.is_mongos
        with session.start_transaction():
            client.shop.orders.insert_one({"_id": 2}, session=session)
        assert [next(stream)["documentKey"]["_id"] for _ in range(2)] == [1, 2]


def test_a_standalone_has_neither_transactions_nor_streams(mongo_server: Started) -> None:
    server = mongo_server(replica_set=None)
    with Client(server.url) as client, client.start_session() as session:
        client.shop.orders.insert_one({"_id": 1})
        session.start_transaction()
        with pytest.raises(OperationFailure) as raised:
            client.shop.orders.insert_one({"_id": 2}, session=session)
        assert raised.value.code == 20
        with pytest.raises(OperationFailure) as raised:
            client.shop.orders.watch()
        assert raised.value.code == 40573


def test_a_wait_ends_when_its_cursor_is_killed(mongo_server: Started) -> None:
    server = mongo_server()
    with Client(server.url) as client:
        client.shop.orders.insert_one({"_id": 1})
        opened = client.shop.command("aggregate", "orders", pipeline=[{"$changeStream": {}}], cursor={})["cursor"]
        killed = threading.Timer(0.1, server.kill_cursors)
        killed.start()
        with pytest.raises(OperationFailure) as raised, client.start_session():
            client.shop.command({"getMore": opened["id"], "collection": "orders", "maxTimeMS": 30_000})
        assert raised.value.code in {237, 43}
        killed.join()


def test_it_runs_as_a_process_of_its_own_with_a_stream_made_beforehand() -> None:
    command = (sys.executable, "-m", "tests.mongo_server", "--replay", "shop.orders", "--events", "30", "--batch", "10")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with Client(process.stdout.readline().strip()) as client, client.shop.orders.watch() as stream:
            events = [next(stream) for _ in range(30)]
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert {len(event["fullDocument"]) for event in events} == {12}
