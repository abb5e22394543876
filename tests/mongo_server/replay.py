"""Change streams that were encoded beforehand, sent as fast as a client reads: for measuring a reader alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import bson
from bson import Timestamp

from tests.mongo_server.documents import Document

BATCH_OF_CURSOR = b"\x04nextBatch\0"


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A batch as it goes over the wire: a BSON array of events, made once, and the token after it."""

    events: bytes
    token: Document
    count: int


def encoded(events: Sequence[Document | bytes], token: Document) -> EncodedBatch:
    """Encode a batch of events, dictionaries or BSON."""
    content = bytearray()
    for at, event in enumerate(events):
        content += b"\x03" + str(at).encode() + b"\0" + (event if isinstance(event, bytes) else bson.encode(event))
    return EncodedBatch(struct.pack("<i", len(content) + 5) + bytes(content) + b"\0", token, len(events))


class Replay:
    """Batches of one stream; a token of a batch resumes after it."""

    def __init__(self, batches: Sequence[EncodedBatch], start: Document) -> None:
        self._batches = batches
        self._start = start
        self._next = 0

    def seek(self, token: Document | None) -> None:
        """Stand after the batch whose token it is; at the start for None."""
        self._next = 0
        if token is not None and token != self._start:
            tokens = [batch.token for batch in self._batches]
            self._next = tokens.index(token) + 1

    @property
    def token(self) -> Document:
        return self._batches[self._next - 1].token if self._next else self._start

    @property
    def ended(self) -> bool:
        return self._next >= len(self._batches)

    def reply(self, number: int, namespace: str, time: Timestamp) -> bytes:
        """A reply to ``getMore`` with the next batch, without its events being touched."""
        batch = self._batches[self._next]
        self._next += 1
        rest = bson.encode({"postBatchResumeToken": batch.token, "id": bson.Int64(number), "ns": namespace})[4:]
        cursor = BATCH_OF_CURSOR + batch.events + rest
        head = b"\x03cursor\0" + struct.pack("<i", len(cursor) + 4) + cursor
        tail = bson.encode({"ok": 1.0, "operationTime": time})[4:]
        return struct.pack("<i", len(head) + len(tail) + 4) + head + tail
