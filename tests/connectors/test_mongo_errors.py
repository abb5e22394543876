from __future__ import annotations

from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.mongo.server_errors import CODES, Handling, translate
from connectors.mongo.settings import Scope
from streamtrain.errors import (
    AccessDenied,
    PositionLost,
    SourceMisconfigured,
    SourceUnavailable,
    UnsupportedChange,
    Verdict,
)
from streamtrain.state import mongo_errors
from tests.chaos.mongo import acts
from tests.connectors.mongo_capture import drained, flat, opened, settings
from tests.mongo_server import MongoServer, Settings
from tests.mongo_server.recordings import codes
from tests.servers.mongo import Mongo

OF_WRITES = {11000}
"""Recorded codes that no read is answered with."""
INJECTED = (6, 8, 43, 50, 63, 91, 133, 189, 234, 262, 10107, 11600, 40671)


def test_every_recorded_code_is_classed_once_with_its_own_reason() -> None:
    recorded = codes()
    assert len(recorded) > 25
    assert recorded - CODES.keys() == OF_WRITES <= mongo_errors.CLASSED.keys()
    for table in (CODES, mongo_errors.CLASSED):
        assert all(" " in classed.why for classed in table.values())


def test_the_reasons_of_a_code_in_the_two_tables_begin_with_the_same_name() -> None:
    """A name of error_codes.yml, where the code has one."""
    for code in CODES.keys() & mongo_errors.CLASSED.keys():
        ours, states = (table[code].why.partition(":")[0] for table in (CODES, mongo_errors.CLASSED))
        assert ours == states


def test_rounds_of_faults_play_every_recorded_code_that_a_read_may_be_answered_with() -> None:
    played = [*acts.RESUMABLE, *acts.LOST, *acts.STOPPING]
    assert len(played) == len(set(played))
    # What 40671 says is what failpoints make of 13388.
    assert set(played) == {13388 if code == 40671 else code for code in codes() - OF_WRITES}
    for code in played:
        lost, resumed = CODES[code].handling is Handling.START_AGAIN, CODES[code].handling is Handling.RESUME
        assert (code in acts.LOST, code in acts.RESUMABLE) == (lost, resumed)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_becomes_the_error_of_its_class(code: int) -> None:
    made = {
        Handling.RESUME: SourceUnavailable,
        Handling.START_AGAIN: PositionLost,
        Handling.DENIED: AccessDenied,
        Handling.MISCONFIGURED: SourceMisconfigured,
        Handling.TOO_LARGE: UnsupportedChange,
    }
    error = translate(code, "said so", (), "reading")
    assert isinstance(error, made[CODES[code].handling])
    assert f"(error {code})" in error.message


def test_a_code_that_is_not_known_is_retried_only_where_the_server_says_that_it_may_be() -> None:
    assert translate(99_999, "new", ("ResumableChangeStreamError",), "reading").verdict is Verdict.RETRY
    assert isinstance(translate(99_999, "new", ("NonResumableChangeStreamError",), "reading"), PositionLost)
    assert isinstance(translate(99_999, "new", (), "reading"), SourceMisconfigured)


@pytest.mark.parametrize("code", INJECTED)
def test_after_an_error_that_passes_capture_goes_on_where_it_was(
    mongo_of_each_version: MongoServer | Mongo, code: int, tmp_path: Path
) -> None:
    url = mongo_of_each_version.url
    with pymongo.MongoClient[Any](url) as client:
        client.shop.events.insert_one({"_id": 0})
        chosen = settings(url, tmp_path, "shop.events")
        with opened(chosen) as source:
            position = drained(source)[1]
            client.shop.events.insert_one({"_id": 1})
            fails = {"failCommands": ["getMore"], "errorCode": code, "appName": "streamtrain"}
            client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fails)
            with pytest.raises(SourceUnavailable):
                for _ in range(20):
                    source.read(0.02)
        with opened(chosen, position) as source:
            assert [change.key for change in flat(drained(source)[0])] == [b"1"]


def test_a_stream_over_which_the_oplog_rolled_is_lost(tmp_path: Path) -> None:
    small = Settings(version=(4, 4, 1), oplog_entries=30)
    with MongoServer(small) as server, pymongo.MongoClient[Any](server.url) as client:
        client.shop.events.insert_one({"_id": 0})
        with opened(settings(server.url, tmp_path, "shop.events")) as source:
            drained(source)
            for n in range(50):
                client.noise.other.insert_one({"_id": n})
            with pytest.raises(PositionLost, match="136"):
                for _ in range(5):
                    source.read(0.02)
        again = settings(server.url, tmp_path, "shop.events", snapshot="when_needed")
        with opened(again) as source:
            drained(source)
            for n in range(50, 100):
                client.noise.other.insert_one({"_id": n})
            assert [change.key for change in flat(drained(source)[0])] == [b"0"]


def test_a_server_that_is_no_replica_set_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with (
        MongoServer(Settings(replica_set=None)) as server,
        pytest.raises(SourceMisconfigured, match="standalone") as refused,
        opened(settings(server.url, tmp_path, "shop.events")),
    ):
        pass
    assert "--replSet" in refused.value.hint


@pytest.mark.parametrize(
    ("include", "scope"),
    [
        (("shop.events",), Scope("shop", "events")),
        (("shop.a", "shop.b"), Scope("shop")),
        (("shop.*",), Scope("shop")),
        (("shop.a", "other.b"), Scope()),
        (("*.a",), Scope()),
    ],
)
def test_the_stream_is_the_narrowest_that_has_all_collections(
    include: tuple[str, ...], scope: Scope, tmp_path: Path
) -> None:
    assert settings("mongodb://h", tmp_path, *include).scope == scope


@pytest.mark.parametrize("name", ["system.views", "tmpAbC12.renameCollection", "tmp.agg_out.1"])
def test_what_the_server_fills_for_itself_is_not_captured(name: str, tmp_path: Path) -> None:
    assert not settings("mongodb://h", tmp_path, "*.*").captures("shop", name)
    assert not settings("mongodb://h", tmp_path, "*.*").captures("local", "oplog.rs")
