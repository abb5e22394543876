"""Signals with conditions by which a collection cannot be read, at once or not any more: capture goes on without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest
from structlog.testing import capture_logs

from connectors.mongo.client import filter_of
from connectors.mongo.source import MongoSource
from connectors.source import Position
from streamtrain.envelope import Op
from streamtrain.errors import ConfigError
from tests.connectors.mongo_capture import drained, flat, opened, settings
from tests.mongo_server import MongoServer, Settings

REFUSED = "a signal is refused, nothing is read"
GIVEN_UP = "a collection cannot be read, its incremental snapshot is given up"
VERSIONS = ((4, 4, 1), (8, 0, 0))
NAMES = ["shop.first", "shop.second"]


class Said:
    """Signals that are all there from the beginning."""

    def __init__(self, *values: Mapping[str, Any]) -> None:
        self.values = [orjson.dumps(value) for value in values]

    def read(self, offset: int | None) -> tuple[int | None, Sequence[bytes]]:
        return len(self.values), self.values[offset or 0 :]

    def close(self) -> None:
        """Nothing is open."""


def execute(condition: str | None = None) -> dict[str, Any]:
    """A signal for two collections, with a condition on the first."""
    conditions = [] if condition is None else [{"data-collection": NAMES[0], "filter": condition}]
    data = {"data-collections": NAMES, "additional-conditions": conditions}
    return {"id": "1", "type": "execute-snapshot", "data": data}


def filled(client: pymongo.MongoClient[Any], chosen: Any) -> Position:
    """Ten documents in each collection, and the position at which they have been read."""
    for name in ("first", "second"):
        client.shop[name].insert_many([{"_id": number} for number in range(10)])
    with opened(chosen) as source:
        return drained(source)[1]


def came(source: MongoSource) -> tuple[list[tuple[str, bytes]], list[bytes], Position]:
    """Names and keys of what was read again, keys of what was written, and the position after them."""
    events, position = drained(source)
    reads = [(change.name, change.key) for change in flat(events) if change.op is Op.READ]
    return reads, [change.key for change in flat(events) if change.op is Op.CREATE], position


@pytest.mark.parametrize(
    "condition",
    ["{", "5", '{"$nope": 1}', '{"n": {"$nope": 1}}', '{"n": 99999999999999999999}', '{"a\\u0000": 1}'],
)
@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_condition_that_is_no_filter_refuses_the_signal_and_capture_goes_on(
    tmp_path: Path, version: tuple[int, int, int], condition: str
) -> None:
    with (
        MongoServer(Settings(version=version)) as server,
        pymongo.MongoClient[Any](server.url) as client,
        capture_logs() as logs,
    ):
        chosen = settings(server.url, tmp_path, "shop.*")
        position = filled(client, chosen)
        with closing(MongoSource(chosen, signals=Said(execute(condition)))) as source:
            source.open(position)
            client.shop.first.insert_one({"_id": 1_000})
            reads, written, position = came(source)
        assert (reads, written) == ([], [b"1000"])
        assert position["signals"] == 1
        assert [(line["id"], line["log_level"]) for line in logs if line["event"] == REFUSED] == [("1", "error")]


@pytest.mark.parametrize("code", [2, 9, 13, 168], ids=str)
def test_a_collection_that_the_server_does_not_read_by_its_condition_is_given_up_alone(
    tmp_path: Path, code: int
) -> None:
    with (
        MongoServer(Settings()) as server,
        pymongo.MongoClient[Any](server.url) as client,
        capture_logs() as logs,
    ):
        chosen = settings(server.url, tmp_path, "shop.*", snapshot="when_needed")
        position = filled(client, chosen)
        with closing(MongoSource(chosen, signals=Said(execute('{"_id": {"$gte": 5}}')))) as source:
            source.open(position)
            fail = {"failCommands": ["find"], "errorCode": code}
            client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail)
            client.shop.first.insert_one({"_id": 1_000})
            reads, written, position = came(source)
        assert sorted(reads) == [("shop.second", b"%d" % number) for number in range(10)]
        assert written == [b"1000"]
        assert "snapshots" not in position
        told = [(line["collection"], line["id"]) for line in logs if line["event"] == GIVEN_UP]
        assert told == [("shop.first", "1")]


def test_a_stop_is_heard_before_anything_is_read_on(tmp_path: Path) -> None:
    with (
        MongoServer(Settings()) as server,
        pymongo.MongoClient[Any](server.url) as client,
        capture_logs() as logs,
    ):
        chosen = settings(server.url, tmp_path, "shop.*")
        position, said = filled(client, chosen), Said(execute())
        with closing(MongoSource(chosen, signals=said)) as source:
            source.open(position)
            begun = orjson.loads(orjson.dumps(source.read(0.0).position))
        assert begun["snapshots"]
        said.values.append(orjson.dumps({"id": "2", "type": "stop-snapshot", "data": {}}))
        fail = {"failCommands": ["find"], "errorCode": 2}
        client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=fail)
        with closing(MongoSource(chosen, signals=said)) as source:
            source.open(begun)
            assert came(source)[0] == []
        assert [line for line in logs if line["event"] == GIVEN_UP] == []


@pytest.mark.parametrize(
    "text",
    [
        '{"n": {"$date": {"$numberLong": "99999999999999999999"}}}',
        '{"n": {"$numberDecimal": "x"}}',
        '{"n": {"$oid": "x"}}',
        '{"n": {"$binary": {}}}',
        '{"n": {"$date": []}}',
        '{"n": {"$regularExpression": 1}}',
        '{"$ref": "a", "$id": 1}',
        '{"n":' * 5_000 + "1" + "}" * 5_000,
    ],
)
def test_what_cannot_be_sent_is_no_filter(text: str) -> None:
    with pytest.raises(ConfigError):
        filter_of(text)
