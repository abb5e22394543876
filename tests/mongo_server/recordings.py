"""Recorded conversations of a real replica set, read from ``tests/golden/mongo``."""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
from bson import Binary
from bson.binary import OLD_UUID_SUBTYPE, UUID_SUBTYPE
from bson.json_util import CANONICAL_JSON_OPTIONS, loads

from tests.mongo_server.documents import Document, decode

FOLDER = Path(__file__).parent.parent / "golden" / "mongo"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and the reply to it; no reply where the connection was closed."""

    number: int
    connection: int
    command: Document
    reply: Document | None


def scenarios() -> list[str]:
    """Names of the conversations there are."""
    return sorted(path.name.removesuffix(".jsonl.xz") for path in FOLDER.glob("*.jsonl.xz"))


def exchanges(scenario: str) -> Iterator[Exchange]:
    """The conversation, command by command; heartbeats, which wait for a change of the topology, are left out."""
    with lzma.open(FOLDER / f"{scenario}.jsonl.xz", "rt") as lines:
        messages = [json.loads(line) for line in lines]
    for number, message in enumerate(messages):
        if message["from"] == "client" and "maxAwaitTimeMS" not in message["message"]:
            yield Exchange(number, message["connection"], _command(message, messages), _reply_to(number, messages))


def codes() -> frozenset[int]:
    """Of all errors in all replies: of commands, of their writes, and of what was to be confirmed by a majority."""
    replies = [exchange.reply or {} for scenario in scenarios() for exchange in exchanges(scenario)]
    answers = [
        one for reply in replies for one in (reply, *reply.get("writeErrors", ()), reply.get("writeConcernError", {}))
    ]
    return frozenset(int(answer["code"]) for answer in answers if "code" in answer)


def workload() -> Document:
    """The random workload: events, a snapshot and the collections at its end."""
    return bson.decode(lzma.decompress((FOLDER / "workload.bson.xz").read_bytes()))


def _command(message: Document, messages: list[Document]) -> Document:
    """The command, its UUIDs as they were sent: the driver that read them wrote all of them as of the old kind.

    The one insert that could not be written down holds what the event of it shows.
    """
    if _unreadable(message):
        events = decode(base64.b64decode(messages[-1]["bson"]))["cursor"]["nextBatch"]
        return {"insert": "far", "$db": "shop", "documents": [event["fullDocument"] for event in events]}
    return _new_uuids(loads(json.dumps(message["message"]), json_options=CANONICAL_JSON_OPTIONS))


def _new_uuids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _new_uuids(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_new_uuids(one) for one in value]
    if isinstance(value, Binary) and value.subtype == OLD_UUID_SUBTYPE:
        return Binary(value, UUID_SUBTYPE)
    return value


def _reply_to(number: int, messages: list[Document]) -> Document | None:
    """The next message of the connection, if it is the server's; one that Python cannot hold names no connection."""
    asked = messages[number]
    for message in messages[number + 1 :]:
        alike = message["connection"] == asked["connection"]
        if message["from"] == "client" and alike:
            return None
        if message["from"] == "server" and (alike or _unreadable(message) or _unreadable(asked)):
            if "bson" in message:
                return decode(base64.b64decode(message["bson"]))
            return dict(loads(json.dumps(message["message"]), json_options=CANONICAL_JSON_OPTIONS))
    return None


def _unreadable(message: Document) -> bool:
    return "unreadable_in_python" in message["message"]
