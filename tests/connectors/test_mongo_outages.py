"""Elections, ended cursors and connections, and a router: capture goes on at its position, and nothing is lost or comes twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.mongo.source import MongoSource
from connectors.source import Position, SourceEvent
from streamtrain.errors import RetryableError
from tests.connectors.mongo_capture import drained, flat, folded, opened, settings
from tests.mongo_server import MongoServer

Started = Callable[..., MongoServer]
DISTURBANCES: dict[str, Callable[[MongoServer], None]] = {
    "election": lambda server: server.step_down(),
    "cursors ended": lambda server: server.kill_cursors(),
    "connections ended": lambda server: server.kill_connections(),
}


def captured(source: MongoSource) -> tuple[list[SourceEvent], Position | None]:
    """What three reads give, all or nothing, as a transaction of the topics would have it."""
    batches = [source.read(0.02) for _ in range(3)]
    return [event for batch in batches for event in batch.changes], batches[-1].position


@pytest.mark.parametrize(
    ("disturbance", "sharded"),
    # A router hides elections.
    [
        ("election", False),
        *((each, sharded) for each in ("cursors ended", "connections ended") for sharded in (False, True)),
    ],
)
def test_capture_goes_on_where_it_was(
    mongo_server: Started, tmp_path: Path, disturbance: str, *, sharded: bool
) -> None:
    server, chance = mongo_server(sharded=sharded), random.Random(7)
    chosen, committed, refusals = settings(server.url, tmp_path, "shop.events", timeout_s=0.6), list[SourceEvent](), 0
    position: Position | None = None
    with pymongo.MongoClient[Any](server.url) as client:
        events = client.shop.events
        events.insert_many([{"_id": n, "n": 0} for n in range(20)])
        for turn in range(12):
            try:
                with opened(chosen, position) as source:
                    for step in range(3):
                        events.update_one({"_id": chance.randrange(20)}, {"$inc": {"n": 1}})
                        if step and turn % 2:
                            DISTURBANCES[disturbance](server)
                        changes, position = captured(source)
                        committed += changes
            except RetryableError:
                refusals += 1
            finally:
                server.step_up()
        expected = documents(events)
        with opened(chosen, position) as source:
            for turn in range(200):
                # As the shards of a cluster do by themselves, so that its router knows that nothing is to come before it.
                client.other.noise.insert_one({"_id": turn})
                committed += source.read(0.02).changes
                if folded(flat(committed)) == expected:
                    break
    assert folded(flat(committed)) == expected
    assert refusals


def documents(collection: Any) -> dict[tuple[str, bytes], bytes]:
    """The collection as folded changes make it."""
    return {
        ("shop.events", b"%d" % each["_id"]): b'{"_id": %d,"n": %d}' % (each["_id"], each["n"])
        for each in collection.find()
    }


def test_while_there_is_no_primary_capture_says_that_it_waits_and_not_that_it_failed(
    mongo_server: Started, tmp_path: Path
) -> None:
    server = mongo_server()
    chosen = settings(server.url, tmp_path, "shop.events", timeout_s=0.5)
    with opened(chosen) as source:
        position = drained(source)[1]
    server.step_down()
    with pytest.raises(RetryableError), opened(chosen, position):
        pass
    server.step_up()
    with opened(chosen, position) as source:
        assert drained(source)[0] == []
