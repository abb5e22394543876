"""What a real replica set of 4.4.1 sent, fed straight to the connector (``tests/golden/mongo``)."""

from __future__ import annotations

import lzma
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from bson import encode
from bson.raw_bson import RawBSONDocument

from connectors.mongo.capture import Capture, CaptureParts
from connectors.mongo.change_event import document_at
from connectors.mongo.client import Time
from connectors.mongo.position import StreamPosition
from connectors.mongo.raw_bson import id_of
from connectors.mongo.settings import MongoSettings, Selection
from connectors.mongo.snapshots.snapshots import Snapshots
from connectors.mongo.snapshots.state import SnapshotState
from connectors.mongo.store import DocumentStore
from connectors.mongo.stream import Batch
from tests.connectors.mongo_capture import flat, statements

RECORDINGS = Path(__file__).parents[1] / "golden" / "mongo"
NEXT_BATCH = 4 + 1 + len("nextBatch") + 1
BEGINNING = {"_data": "82000000010000000029296E04"}


@pytest.fixture(scope="module")
def workload() -> RawBSONDocument:
    return RawBSONDocument(lzma.decompress((RECORDINGS / "workload.bson.xz").read_bytes()))


class Recorded:
    """The stream as it was, from a token on, in batches of random sizes."""

    ended = False
    behind = ""

    def __init__(self, events: Sequence[RawBSONDocument], chance: random.Random) -> None:
        self._events, self._chance = list(events), chance

    @property
    def left(self) -> bool:
        return bool(self._events)

    def read(self, _timeout_s: float) -> Batch:
        size = self._chance.randrange(1, 60)
        batch, self._events = self._events[:size], self._events[size:]
        token = batch[-1]["_id"] if batch else None
        return Batch(encode({"nextBatch": batch}), NEXT_BATCH, token)


def begun(stream: Recorded, store: DocumentStore, position: StreamPosition, directory: Path) -> Capture:
    settings = MongoSettings("mongodb://h/", ("*.*",), "shop", store=directory / "documents.db", max_rows=50)
    reader: Any = None  # nothing is left to be read
    snapshots = Snapshots(reader, store, SnapshotState(), keeps=lambda document: document, monotonic=lambda: 0.0)
    source: Any = stream
    parts = CaptureParts(source, snapshots, store, settings, lambda: 0.0, sharded=False, there=([], Time(0, 0)))
    return Capture(parts, position)


def whole(workload: RawBSONDocument) -> Iterator[tuple[str, bytes, bytes]]:
    """Collection, ``{_id: …}`` and bytes of each document at the end."""
    for name, documents in workload["final"].items():
        for document in documents:
            content = bytes(document.raw)
            yield name, id_of(content), content


@pytest.mark.parametrize("seed", range(3))
def test_deltas_alone_make_of_every_document_what_the_server_had_at_the_end_byte_for_byte(
    workload: RawBSONDocument, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    events = workload["events"]
    database = events[0]["ns"]["db"]
    store = DocumentStore(tmp_path / "documents.db")
    position = StreamPosition.begun("*", BEGINNING, Selection(("*.*",))).at(BEGINNING)
    committed = list[Any]()
    while True:  # each turn is a process that is killed some batches after its last commit
        assert store.go_back(store.identity, position.batch)
        stream = Recorded([event for event in events if event["_id"]["_data"] > position.data], chance)
        capture, changes, ended = begun(stream, store, position, tmp_path), list[Any](), False
        for _ in range(chance.randrange(3, 40)):
            read = capture.read(0).changes
            ended = not (stream.left or read)
            changes += read
            if chance.random() < 0.3 or ended:
                committed, changes = committed + changes, []
                position = StreamPosition.from_json(capture.position.to_json())
                store.confirm(position.batch)
        if ended:
            break
    final = list(whole(workload))
    numbers = {name: store.number(f"{database}.{name}") for name, _, _ in final}
    for name, number in numbers.items():
        contents = {identity: content for collection, identity, content in final if collection == name}
        assert store.get(number, list(contents)) == contents
    assert {change.after_from for change in flat(committed)} == {"event", "delta", None}
    assert statements(committed)
    store.close()


def test_places_of_documents_in_a_reply_are_those_of_the_documents(workload: RawBSONDocument) -> None:
    event = bytes(workload["events"][0].raw)
    assert document_at(b"\0" * 7 + event, 7) == event
