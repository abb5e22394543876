"""Which documents of a snapshot are marked as the first and the last, as Debezium marks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.source import DocumentChange, SourceEvent
from streamtrain.envelope import Op
from tests.connectors.mongo_capture import drained, opened, settings
from tests.mongo_server import MongoServer
from tests.servers.mongo import Mongo

Server = MongoServer | Mongo


def marked(events: Sequence[SourceEvent]) -> list[tuple[str, int, str]]:
    """Collection, ``_id`` and marker of each document that a snapshot has read."""
    changes = [event for event in events if isinstance(event, DocumentChange) and event.ops[0] is Op.READ]
    return [
        (change.collection.name, int(key), marker)
        for change in changes
        for key, marker in zip(change.keys, change.markers or ["true"] * len(change), strict=True)
    ]


def test_the_first_and_the_last_documents_are_marked_even_if_collections_are_empty_or_have_one(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    for name, count in {"a": 0, "b": 3, "c": 1, "d": 0, "e": 2, "f": 0, "g": 0}.items():
        client.shop.create_collection(name)
        if count:
            client.shop[name].insert_many([{"_id": n} for n in range(count)])
    with opened(settings(server.url, tmp_path, "shop.*")) as source:
        events, position = drained(source)
    assert marked(events) == [
        ("b", 0, "first"), ("b", 1, "true"), ("b", 2, "last_in_data_collection"), ("c", 0, "last_in_data_collection"),
        ("e", 0, "first_in_data_collection"), ("e", 1, "last"),
    ]  # fmt: skip
    assert "snapshots" not in position


@pytest.mark.parametrize("more", [False, True], ids=["nothing is left behind them", "a document is left behind them"])
def test_what_the_stream_has_given_meanwhile_is_not_waited_for_as_the_last(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path, *, more: bool
) -> None:
    """Several chunks of it, in the collection that is read, and in the one behind, around a document that it did not give."""
    client.shop.a.insert_many([{"_id": n} for n in range(10)])
    client.shop.create_collection("b")
    if more:
        client.shop.b.insert_one({"_id": 50})
    client.shop.create_collection("c")
    with opened(settings(server.url, tmp_path, "shop.*")) as source:
        for name in ("a", "b"):
            client.shop[name].insert_many([{"_id": n} for n in range(30, 50)])
        events, position = drained(source)
    ending = [(9, "last_in_data_collection"), (50, "last")] if more else [(9, "last")]
    found = marked(events)
    assert [(number, marker) for _, number, marker in found] == [
        (0, "first"),
        *((n, "true") for n in range(1, 9)),
        *ending,
    ]
    assert "snapshots" not in position


def test_a_collection_that_is_renamed_while_it_is_looked_for_behind_another_is_not_taken_for_empty(
    server: Server, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        client.shop[name].insert_many([{"_id": n} for n in range(2)])
    with opened(settings(server.url, tmp_path, "shop.*")) as source:
        source.read(0.0)  # the chunk of a is read, and waits until the stream is there
        client.shop.b.rename("z")
        events, _ = drained(source)
    assert [(name, number) for name, number, _ in marked(events)] == [("a", 0), ("a", 1), ("z", 0), ("z", 1)]
