"""Change streams that were encoded beforehand, sent as fast as a client reads: for measuring a reader alone."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import bson
from bson import DatetimeMS, Int64, Timestamp

from tests.mongo_server import tokens
from tests.mongo_server.documents import Document, encode
from tests.mongo_server.errors import CommandError

BATCH_OF_CURSOR = b"\x04nextBatch\0"


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


def inserts(namespace: str, documents: Iterable[Document], *, batch: int, start: Timestamp) -> Iterator[EncodedBatch]:
    """Batches of insert events, as a stream of ``namespace`` would have them: a time and a token each."""
    database, _, collection = namespace.partition(".")
    uuid = hashlib.sha256(namespace.encode()).digest()[:16]
    held: list[bytes] = []
    token: Document = {}
    for number, document in enumerate(documents):
        time = Timestamp(start.time + number // 1000, start.inc + number % 1000)
        key = {"_id": document["_id"]}
        token = tokens.of_event(time, 0, uuid, key, invalid=False).document
        head = {"_id": token, "operationType": "insert", "clusterTime": time, "fullDocument": document}
        held.append(encode({**head, "ns": {"db": database, "coll": collection}, "documentKey": key}))
        if len(held) == batch:
            yield encoded(held, token)
            held = []
    if held:
        yield encoded(held, token)


def orders(count: int) -> Iterator[Document]:
    """Documents of 12 fields, of the types that orders have."""
    for number in range(count):
        yield {
            "_id": number,
            "customer": number % 9_973,
            "product": f"product {number % 499}",
            "quantity": number % 7 + 1,
            "price": number % 10_000 / 100,
            "paid": number % 3 == 0,
            "note": None,
            "country": ("DE", "FR", "US", "JP")[number % 4],
            "channel": "web",
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
