"""What a real replica set sent, as bytes; see the README beside the recordings for what it is of."""

from __future__ import annotations

import json
import lzma
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from connectors.mongo.raw_bson import DOCUMENT, elements

GOLDEN = Path(__file__).parent.parent / "golden" / "mongo"
Collections = dict[str, list[bytes]]


@dataclass(frozen=True)
class Workload:
    """Random operations on four collections: a stream from the start, the collections in between and at the end."""

    events: tuple[bytes, ...]
    snapshot: Collections
    snapshot_operation_time: int
    final: Collections


@cache
def workload() -> Workload:
    data = lzma.decompress((GOLDEN / "workload.bson.xz").read_bytes())
    parts = {one.name.decode(): one for one in elements(data)}
    time = parts["snapshot_operation_time"]

    def collections(name: str) -> Collections:
        return {one.name.decode(): documents(data, one.value) for one in elements(data, parts[name].value)}

    return Workload(
        tuple(documents(data, parts["events"].value)),
        collections("snapshot"),
        int.from_bytes(data[time.value : time.end], "little"),
        collections("final"),
    )


@cache
def update_events() -> tuple[bytes, ...]:
    """The events of some thirty forms of update, with the full document after each where that was asked for."""
    found: list[bytes] = []
    for line in lzma.decompress((GOLDEN / "updates.jsonl.xz").read_bytes()).splitlines():
        message = json.loads(line)
        if message["from"] == "server" and "bson" in message:
            found += batch(b64decode(message["bson"]))
    return tuple(found)


def batch(reply: bytes) -> list[bytes]:
    """The change events of a reply."""
    for cursor in elements(reply):
        if cursor.name == b"cursor" and cursor.kind == DOCUMENT:
            for one in elements(reply, cursor.value):
                if one.name in {b"firstBatch", b"nextBatch"}:
                    return [event for event in documents(reply, one.value) if b"\x02operationType\0" in event]
    return []


def documents(data: bytes, start: int) -> list[bytes]:
    return [data[one.value : one.end] for one in elements(data, start)]
