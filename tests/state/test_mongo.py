"""State in MongoDB: locks, commits of which the answer was lost, the server's refusals, and what is told of them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import pymongo
import pytest
from pymongo.errors import ConfigurationError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from streamtrain.errors import AccessDenied, ConfigError, FatalError, FencedOut, StateUnavailable, StreamtrainError
from streamtrain.state.checkpoints import CheckpointStore
from streamtrain.state.layout import COMPONENTS, RUNS, SCHEDULE
from streamtrain.state.mongo import MongoDatabase
from streamtrain.state.mongo_client import failure
from streamtrain.state.mongo_errors import Failure, classified, missing_rights, unfit
from streamtrain.state.records import CheckpointDraft
from streamtrain.tls import Tls, TlsMode
from streamtrain.topic.base import TopicPartition
from tests.mongo_server import MongoServer
from tests.mongo_server.recordings import exchanges
from tests.servers.mongo import Mongo

LOG = TopicPartition("shop.shop.events", 0)
SHOP = {"name": "shop"}


class Time:
    """A clock that only its own sleep moves, and what is to happen meanwhile."""

    def __init__(self, *meanwhile: Callable[[], object]) -> None:
        self.now_s = 0.0
        self._meanwhile = list(meanwhile)

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self._meanwhile:
            self._meanwhile.pop(0)()


@pytest.fixture
def url(mongo: Mongo, mongo_database: str) -> str:
    # Failpoints fail commands without a change of the topology, which the driver would wait 10 s for.
    return mongo.database_url(mongo_database) + ("&" if "?" in mongo.url else "?") + "heartbeatFrequencyMS=500"


@pytest.fixture
def opened(url: str) -> Iterator[Callable[..., MongoDatabase]]:
    """Opens the database as another process would."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(closing(MongoDatabase(url, **options)))


@pytest.fixture
def database(opened: Callable[..., MongoDatabase]) -> MongoDatabase:
    found = opened()
    found.migrate()
    return found


def with_time(opened: Callable[..., MongoDatabase], time: Time, **options: Any) -> MongoDatabase:
    return opened(clock=time, sleep=time.sleep, **options)


def store_in(database: MongoDatabase) -> CheckpointStore:
    return CheckpointStore(database, lambda: 0)


def draft(number: int) -> CheckpointDraft:
    return CheckpointDraft(slice=number, events=number, blobs={"base/weights": b"w"}, weights_sha256="w" * 64,
                           offsets={LOG: 8}, resume_offsets={LOG: 8}, metrics={"auc": 0.5}, settings={}, versions={})  # fmt: skip


@pytest.fixture
def fail(mongo: Mongo) -> Iterator[Callable[..., None]]:
    """Makes the next commands of a name fail as a server with test commands can be told to; 0 of them: none any more."""
    with pymongo.MongoClient[dict[str, Any]](mongo.url) as client:

        def set_to(command: str, times: int, **data: Any) -> None:
            client.admin.command("configureFailPoint", "failCommand", mode={"times": times} if times else "off",
                                 data={"failCommands": [command], **data})  # fmt: skip

        yield set_to
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def test_a_lock_that_another_transaction_holds_is_waited_for(
    database: MongoDatabase, opened: Callable[..., MongoDatabase]
) -> None:
    for _ in range(3):  # a lock that was taken before is no weaker
        store_in(database).open_run("shop", {})
    with ExitStack() as first:
        held = first.enter_context(database.transaction())
        assert held.lock(RUNS, SHOP) is not None
        held.insert(COMPONENTS, [{"run": "shop", "component": "trainer"}])
        time = Time(lambda: None, first.close)
        with with_time(opened, time).transaction() as second:
            second.lock(RUNS, SHOP)
            assert second.count(COMPONENTS, {}, by="run") == {"shop": 1}
    assert time.now_s > 0


def test_a_transaction_that_a_killed_process_left_open_is_ended_by_the_next_one(
    database: MongoDatabase, opened: Callable[..., MongoDatabase]
) -> None:
    store = store_in(database)
    writer = store.open_run("shop", {})
    time = Time()
    with (
        pytest.raises(StateUnavailable, match="transactionLifetimeLimitSeconds"),
        opened().transaction() as left_open,
    ):
        left_open.lock(RUNS, SHOP)
        left_open.insert(SCHEDULE, [{"run": "shop", "number": 1}])
        newer = store_in(with_time(opened, time)).open_run("shop", {})
    assert newer.epoch == writer.epoch + 1
    assert 1 <= time.now_s < 2
    with database.transaction() as read:
        assert read.select(SCHEDULE, {}) == []
    with pytest.raises(FencedOut):
        store.open_run("shop", {}, held=writer)


def test_a_writer_that_was_replaced_ends_no_transaction_of_the_newer_one(
    database: MongoDatabase, opened: Callable[..., MongoDatabase]
) -> None:
    old = store_in(database).open_run("shop", {})
    store_in(database).open_run("shop", {})
    with ExitStack() as newer:
        held = newer.enter_context(database.transaction())
        held.lock(RUNS, SHOP)
        held.insert(COMPONENTS, [{"run": "shop", "component": "trainer"}])
        time = Time(*[lambda: None] * 30, newer.close)
        store = store_in(with_time(opened, time))
        with pytest.raises(FencedOut):
            store.open_run("shop", {}, held=old)
        assert time.now_s == 0
        with pytest.raises(FencedOut):
            store.save(old, draft(1), keep=5)
        assert time.now_s > 2
    with database.transaction() as read:
        assert read.count(COMPONENTS, {}, by="run") == {"shop": 1}


def test_a_server_that_ends_no_session_is_waited_for(
    database: MongoDatabase, opened: Callable[..., MongoDatabase], fail: Callable[..., None]
) -> None:
    store_in(database).open_run("shop", {})
    fail("killSessions", 1000, errorCode=8000)
    with ExitStack() as first:
        first.enter_context(database.transaction()).lock(RUNS, SHOP)
        time = Time(*[lambda: None] * 30, first.close)
        assert store_in(with_time(opened, time)).open_run("shop", {}).epoch == 2
    assert time.now_s > 2


def test_a_lock_that_is_not_got_is_given_up_in_time(
    database: MongoDatabase, opened: Callable[..., MongoDatabase]
) -> None:
    time = Time()
    with database.transaction() as first:
        first.insert(COMPONENTS, [{"run": "shop", "component": "trainer"}])
        waiting = with_time(opened, time, timeout_s=6)
        with pytest.raises(StateUnavailable, match="onflict"), waiting.transaction() as second:
            second.insert(COMPONENTS, [{"run": "shop", "component": "trainer"}])
    assert 5 <= time.now_s < 6


def test_a_conflict_in_the_middle_of_a_transaction_ends_it(
    database: MongoDatabase, opened: Callable[..., MongoDatabase]
) -> None:
    store_in(database).open_run("shop", {})
    with database.transaction() as first:
        first.insert(COMPONENTS, [{"run": "shop", "component": "trainer"}])
        time = Time()
        with pytest.raises(StateUnavailable), with_time(opened, time).transaction() as second:
            second.lock(RUNS, SHOP)
            second.update(RUNS, SHOP, {"epoch": 9})
            second.insert(COMPONENTS, [{"run": "shop", "component": "trainer"}])
    assert time.now_s == 0
    with database.transaction() as read:
        assert read.select(RUNS, SHOP, columns=["epoch"]) == [{"epoch": 1}]


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("checkpoint_transaction_conflicts", {112: StateUnavailable, 251: StateUnavailable, 11000: FatalError}),
        ("standalone_refuses", {40573: FatalError}),
        ("roles_nobody", {13: AccessDenied}),
    ],
)
def test_what_a_real_server_answered_comes_to_this_and_shows_no_document(
    scenario: str, expected: dict[int, type[StreamtrainError]]
) -> None:
    replies = [exchange.reply for exchange in exchanges(scenario) if exchange.reply is not None]
    refusals = [(one, labels_of(reply)) for reply in replies for one in [reply, *reply.get("writeErrors", [])]]
    found = {
        one["code"]: classified(Failure(one["errmsg"], one["code"], labels), "here")
        for one, labels in refusals
        if "errmsg" in one
    }
    assert {code: type(error) for code, error in found.items()} == expected
    assert not any(sign in error.message for error in found.values() for sign in "{}")


def labels_of(reply: dict[str, Any]) -> list[str]:
    return list(reply.get("errorLabels", []))


def test_hosts_that_cannot_be_looked_up_may_come_back_and_servers_that_do_not_fit_will_not() -> None:
    error = ConfigurationError("The DNS query name does not exist: _mongodb._tcp.nowhere.invalid.")
    with pymongo.MongoClient[dict[str, Any]]("mongodb://nowhere.invalid", connect=False) as client:
        said = failure(error, client.topology_description)
    assert type(classified(said, "here")) is StateUnavailable
    assert type(classified(replace(said, unreached=False, misfit=True), "here")) is ConfigError


def test_two_runs_do_not_wait_for_each_other(database: MongoDatabase, opened: Callable[..., MongoDatabase]) -> None:
    store, other = store_in(database), store_in(with_time(opened, Time()))
    writer, another = store.open_run("shop", {}), other.open_run("other", {})
    saved = store.save(writer, draft(1), keep=5)
    with database.transaction() as transaction:
        transaction.lock(RUNS, SHOP)
        number = database.next_number(RUNS)
        assert other.save(another, draft(1), keep=5).id == saved.id + 1
    assert database.next_number(RUNS) == number + 1


@pytest.mark.parametrize(
    "failing",
    [
        {"writeConcernError": {"code": 91, "errmsg": "shutting down"}},
        {"errorCode": 50, "errorLabels": ["UnknownTransactionCommitResult"]},
        {"closeConnection": True},
    ],
)
def test_a_commit_of_which_the_answer_was_lost_is_repeated_and_done_once(
    opened: Callable[..., MongoDatabase], database: MongoDatabase, fail: Callable[..., None], failing: dict[str, Any]
) -> None:
    time = Time()
    store = store_in(with_time(opened, time))
    writer = store.open_run("shop", {})
    fail("commitTransaction", 3, **failing)
    saved = store.save(writer, draft(1), keep=5)
    assert time.now_s > 0
    assert store.list("shop") == [saved]


def test_a_commit_that_stays_in_doubt_is_said_to_be(
    opened: Callable[..., MongoDatabase], database: MongoDatabase, fail: Callable[..., None]
) -> None:
    time = Time(lambda: None, lambda: time.pass_by(60))
    store = store_in(with_time(opened, time))
    writer = store.open_run("shop", {})
    fail("commitTransaction", 1000, closeConnection=True)
    with pytest.raises(StateUnavailable, match="not known whether the transaction was committed"):
        store.save(writer, draft(1), keep=5)
    assert 60 <= time.now_s < 61
    fail("commitTransaction", 0)
    assert store_in(opened()).open_run("shop", {}).epoch == writer.epoch + 1  # it does not wait for what is in doubt


@pytest.mark.parametrize("code", [112, 251, 246, 91, 10107])
def test_what_passes_in_the_middle_of_a_checkpoint_is_retryable_and_leaves_nothing(
    database: MongoDatabase, fail: Callable[..., None], code: int
) -> None:
    store = store_in(database)
    writer = store.open_run("shop", {})
    store.save(writer, draft(1), keep=5)
    fail("insert", 1, errorCode=code, errorLabels=["TransientTransactionError"])
    with pytest.raises(StateUnavailable):
        store.save(writer, draft(2), keep=5)
    assert [one.slice for one in store.list("shop")] == [1]
    store.save(writer, draft(2), keep=5)


def test_a_row_that_is_there_already_stops_and_is_not_shown(database: MongoDatabase) -> None:
    row = {"run": "geheim", "component": "trainer", "state": "running"}
    with database.transaction() as transaction:
        transaction.insert(COMPONENTS, [row])
    with pytest.raises(FatalError, match="E11000 duplicate key") as raised, database.transaction() as transaction:
        transaction.insert(COMPONENTS, [row])
    assert "geheim" not in told(raised.value)


def test_a_document_that_is_too_large_stops_and_leaves_nothing(database: MongoDatabase) -> None:
    store = store_in(database)
    writer = store.open_run("shop", {"version": 1})
    with pytest.raises(FatalError, match="too large") as raised:
        store.record_config(writer, {"version": "x" * 17_000_000})
    assert "16 MB" in raised.value.hint
    assert store.run_config("shop") == {"version": 1}


def test_tables_of_a_newer_version_are_refused_with_the_way_out(
    database: MongoDatabase, url: str, opened: Callable[..., MongoDatabase]
) -> None:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        client.get_default_database().streamtrain_migrations.update_one({}, {"$set": {"revision": "9999"}})
    for refused in (database.migrate, database.pending_migration):
        with pytest.raises(FatalError, match="9999") as raised:
            refused()
        assert "install that version" in raised.value.hint


def test_a_migration_that_was_killed_is_gone_on_with(database: MongoDatabase, url: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        held = client.get_default_database()
        held.drop_collection("streamtrain_migrations")
        held.drop_collection("streamtrain_dead_letters")
        assert database.pending_migration() == (None, "0001")
        database.migrate()
        assert database.pending_migration() is None
        indexes = held.streamtrain_dead_letters.index_information().values()
        assert [[name for name, _ in index["key"]] for index in indexes] == [
            ["_id"],
            ["run", "topic", "partition", "offset"],
            ["run", "row_key"],
        ]


def test_an_election_is_waited_out(mongo_server: Callable[..., MongoServer]) -> None:
    server = mongo_server()
    with closing(MongoDatabase(f"mongodb://127.0.0.1:{server.port}/state", connect_timeout_s=1)) as database:
        database.migrate()
        store = store_in(database)
        writer = store.open_run("shop", {})
        server.member.step_down()
        with pytest.raises(StateUnavailable):
            store.save(writer, draft(1), keep=5)
        server.member.step_up()
        assert [store.save(writer, draft(1), keep=5)] == store.list("shop")


def test_a_server_without_transactions_is_told_how_to_have_them(mongo_server: Callable[..., MongoServer]) -> None:
    server = mongo_server(replica_set=None)
    with closing(MongoDatabase(f"mongodb://127.0.0.1:{server.port}/state")) as database:
        with pytest.raises(ConfigError, match="stands alone") as raised:
            database.migrate()
        assert "rs.initiate()" in raised.value.hint
        assert [type(problem) for problem in database.problems()] == [ConfigError]


def test_a_server_that_is_too_old_is_told() -> None:
    assert [problem.message for problem in unfit([4, 2, 24, 0], {"RSPrimary"}, "here")] == [
        "state database here: MongoDB 4.2.24 is too old"
    ]
    assert list(unfit([4, 4, 1, 0], {"RSPrimary"}, "here")) == []


def privilege(actions: list[str], **resource: object) -> dict[str, Any]:
    return {"resource": resource, "actions": actions}


WRITING = ["find", "insert", "update", "remove", "createCollection", "createIndex"]


@pytest.mark.parametrize(
    ("privileges", "lacking"),
    [
        ([privilege(WRITING, db="state", collection="")], None),
        ([privilege(WRITING, db="", collection="")], None),
        ([privilege(["anyAction"], anyResource=True)], None),
        ([privilege(["find"], db="state", collection="")], "insert, update, remove, createCollection, createIndex"),
        (
            [privilege(WRITING, db="other", collection=""), privilege(WRITING, db="state", collection="x")],
            "find, insert",
        ),
        ([privilege(["find", "insert"], cluster=True)], "find, insert"),
    ],
)
def test_the_rights_that_are_missing_are_named(privileges: list[dict[str, Any]], lacking: str | None) -> None:
    granted = {"authenticatedUsers": [{"user": "someone", "db": "admin"}], "authenticatedUserPrivileges": privileges}
    problems = list(missing_rights(granted, "state", "here"))
    assert [type(problem) for problem in problems] == ([] if lacking is None else [AccessDenied])
    for problem in problems:
        assert f"someone lacks {lacking}" in problem.message
        assert "readWrite" in problem.hint


def told(error: StreamtrainError) -> str:
    return "".join(traceback.format_exception(error, chain=True))


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://someone:geheim@db:verborgen/state",
        "mongodb://someone:ge:heim@db/state",
        "mongodb://db/state?authMechanism=geheim",
        "mongodb://someone:geheim@db",
    ],
)
def test_a_url_that_cannot_be_used_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        MongoDatabase(url)
    shown = told(raised.value).replace(url, "")
    assert not any(secret in shown for secret in ("geheim", "verborgen", "ge:heim"))


def test_neither_password_nor_options_are_shown_by_an_error() -> None:
    url = "mongodb://someone:geheim@127.0.0.1:1,127.0.0.1:2/state?authSource=verborgen&appname=ours"
    with closing(MongoDatabase(url, connect_timeout_s=1)) as database, pytest.raises(StateUnavailable) as raised:
        database.migrate()
    assert "127.0.0.1:1,127.0.0.1:2/state" in database.where
    assert "rs.conf()" in raised.value.hint
    for shown in (database.where, repr(database), told(raised.value)):
        assert not any(secret in shown for secret in ("geheim", "verborgen", "ours"))


def test_no_option_of_the_url_lowers_what_a_commit_means() -> None:
    url = "mongodb://db/state?w=1&journal=false&readPreference=secondary&readConcernLevel=local"
    with closing(MongoDatabase(url)) as database:
        with database._client.start_session() as session:
            database.begin(session)
            options = session._transaction.opts
            assert options is not None
            assert options.read_concern == ReadConcern("snapshot")
            for chosen in (options, database._database):
                assert chosen.write_concern == WriteConcern("majority", wtimeout=60_000)
                assert chosen.read_preference == pymongo.ReadPreference.PRIMARY
        assert database._database.read_concern == ReadConcern("majority")


def test_a_key_in_a_file_of_its_own_is_refused_with_the_way_out(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="key") as raised:
        MongoDatabase("mongodb://db/state", tls=Tls(TlsMode.REQUIRED, cert="c.pem", key="k.pem"))
    assert "cert" in raised.value.hint


def test_tls_files_that_cannot_be_read_are_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.pem"):
        MongoDatabase("mongodb://db/state", tls=Tls(TlsMode.VERIFY_IDENTITY, ca="nowhere.pem"))
