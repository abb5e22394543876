"""Change streams that were encoded beforehand, sent as fast as a client reads: for measuring a reader alone."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson import Binary, DatetimeMS, Int64, ObjectId, Timestamp
from bson.binary import UUID_SUBTYPE

from tests.mongo_server import tokens
from tests.mongo_server.documents import Document, encode
from tests.mongo_server.errors import CommandError

BATCH_OF_CURSOR = b"\x04nextBatch\0"
EVENTS_PER_S = 1_000
"""By the events' own times."""
KINDS = ("insert", "update", "insert", "update", "insert", "update", "insert", "update", "insert", "delete")


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A batch as it goes over the wire: a BSON array of events, made once, and the token after it."""

    events: bytes
    token: Document


def encoded(events: Iterable[Document | bytes], token: Document) -> EncodedBatch:
    """Encode a batch of events, dictionaries or BSON."""
    content = bytearray()
    for at, event in enumerate(events):
        content += b"\x03%d\0" % at + (event if isinstance(event, bytes) else encode(event))
    return EncodedBatch(struct.pack("<i", len(content) + 5) + bytes(content) + b"\0", token)


class Events:
    """Events of one collection as a server from 6.0 on tells them, in BSON: a time and a token each."""

    def __init__(self, namespace: str, start: Timestamp) -> None:
        database, _, collection = namespace.partition(".")
        self._namespace = {"db": database, "coll": collection}
        self._uuid = hashlib.sha256(namespace.encode()).digest()[:16]
        self._start = start
        self._made = 0
        self.token: Document = {}
        """The last event's."""

    def insert(self, document: Document) -> bytes:
        return self._event("insert", document["_id"], document=document)

    def update(self, identity: Any, fields: Document) -> bytes:
        """``fields`` are set."""
        description = {"updatedFields": fields, "removedFields": [], "truncatedArrays": []}
        return self._event("update", identity, description=description)

    def delete(self, identity: Any) -> bytes:
        return self._event("delete", identity)

    def _event(
        self, kind: str, identity: Any, *, document: Document | None = None, description: Document | None = None
    ) -> bytes:
        seconds, number = divmod(self._made, EVENTS_PER_S)
        self._made += 1
        time, key = Timestamp(self._start.time + seconds, self._start.inc + number), {"_id": identity}
        wall = DatetimeMS(1_000 * time.time + 1_000 * number // EVENTS_PER_S)
        self.token = tokens.of_event(time, 0, self._uuid, key, invalid=False).document
        event: Document = {"_id": self.token, "operationType": kind, "clusterTime": time, "wallTime": wall}
        event["collectionUUID"] = Binary(self._uuid, UUID_SUBTYPE)
        event |= {} if document is None else {"fullDocument": document}
        event |= {"ns": self._namespace, "documentKey": key}
        return encode(event | ({} if description is None else {"updateDescription": description}))


def inserts(namespace: str, documents: Iterable[Document], *, batch: int, start: Timestamp) -> Iterator[EncodedBatch]:
    """Batches of inserts."""
    events = Events(namespace, start)
    return _batches(events, map(events.insert, documents), batch)


def changes(namespace: str, count: int, *, batch: int, start: Timestamp, seed: int = 7) -> Iterator[EncodedBatch]:
    """Batches of changes to orders: in ten, five inserts, four updates of three fields, and a delete.

    Updates are of any order that is there, deletes of the oldest.
    """
    events = Events(namespace, start)
    return _batches(events, _changes(events, count, random.Random(seed)), batch)


def _changes(events: Events, count: int, rng: random.Random) -> Iterator[bytes]:
    documents = orders(count)
    oldest = made = 0
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        if kind == "insert":
            made += 1
            yield events.insert(next(documents))
        elif kind == "update":
            fields = {"quantity": number % 50, "note": f"changed {number}", "total": Int64(number * 99)}
            yield events.update(order_id(rng.randrange(oldest, made)), fields)
        else:
            oldest += 1
            yield events.delete(order_id(oldest - 1))


def _batches(events: Events, encoded_events: Iterable[bytes], size: int) -> Iterator[EncodedBatch]:
    held: list[bytes] = []
    for event in encoded_events:
        held.append(event)
        if len(held) == size:
            yield encoded(held, events.token)
            held = []
    if held:
        yield encoded(held, events.token)


def order_id(number: int) -> ObjectId:
    """As a driver gives them to one document after another: seconds, the process, a counter."""
    return ObjectId(struct.pack(">I5s", 1_700_000_000 + number // EVENTS_PER_S, b"order") + number.to_bytes(3, "big"))


def orders(count: int, *, text: int = 0) -> Iterator[Document]:
    """Documents of 12 fields, of the types that orders have; the channel has ``text`` characters more."""
    return (order(number, text) for number in range(count))


def order(number: int, text: int = 0) -> Document:
    """One of them."""
    return {
        "_id": order_id(number),
        "customer": number % 9_973,
        "product": f"product {number % 499}",
        "quantity": number % 7 + 1,
        "price": number % 10_000 / 100,
        "paid": number % 3 == 0,
        "note": None,
        "country": ("DE", "FR", "US", "JP")[number % 4],
        "channel": "web" + "." * text,
        "discount": 0.0,
        "created": DatetimeMS(1_700_000_000_000 + number),
        "total": Int64(number % 10_000 * (number % 7 + 1)),
    }


@dataclass(frozen=True, slots=True)
class Replay:
    """A stream's batches, and the token of the position before them."""

    batches: Sequence[EncodedBatch]
    start: Document = field(default_factory=lambda: tokens.high_water_mark(Timestamp(1, 1)).document)

    def opened(self, options: Document) -> Playing:
        """A cursor after the batch whose token ``options`` resume from; else from the first one on."""
        token = options.get("resumeAfter") or options.get("startAfter")
        if token is None or token == self.start:
            return Playing(self)
        ends = [batch.token for batch in self.batches]
        if token not in ends:
            raise CommandError(280, "cannot resume stream; the resume token was not found.")
        return Playing(self, ends.index(token) + 1)


@dataclass(slots=True)
class Playing:
    """One cursor on a replay."""

    replay: Replay
    at: int = 0

    @property
    def token(self) -> Document:
        return self.replay.batches[self.at - 1].token if self.at else self.replay.start

    @property
    def ended(self) -> bool:
        return self.at >= len(self.replay.batches)

    def reply(self, number: int, namespace: str, time: Timestamp) -> bytes:
        """A reply to ``getMore`` with the next batch, without its events being touched."""
        batch = self.replay.batches[self.at]
        self.at += 1
        rest = bson.encode({"postBatchResumeToken": batch.token, "id": Int64(number), "ns": namespace})[4:]
        cursor_size = 4 + len(BATCH_OF_CURSOR) + len(batch.events) + len(rest)
        tail = bson.encode({"ok": 1.0, "operationTime": time})[4:]
        whole = 4 + len(b"\x03cursor\0") + cursor_size + len(tail)
        head = struct.pack("<i", whole) + b"\x03cursor\0" + struct.pack("<i", cursor_size) + BATCH_OF_CURSOR
        return b"".join((head, batch.events, rest, tail))
