"""Change events as they come, cut into their parts.

https://www.mongodb.com/docs/manual/reference/change-events/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bson import encode
from bson.raw_bson import RawBSONDocument

from connectors.mongo.client import Time


class Event(NamedTuple):
    """One change event. Documents are BSON."""

    kind: str
    """``operationType``."""
    token: Mapping[str, Any]
    time: Time
    wall_ms: int | None
    database: str
    collection: str
    to: tuple[str, str] | None
    """Of a rename: database and collection that it is called now."""
    id: bytes
    """``{_id: …}`` of the document; empty where no document is meant."""
    full: bytes | None
    before: bytes | None
    update: bytes | None
    """``updateDescription``."""
    lsid: bytes | None
    txn_number: int | None


def cut(raw: bytes) -> Event:
    """The parts of one event."""
    event = RawBSONDocument(raw)
    names = event.get("ns") or {}
    to = event.get("to")
    key = event.get("documentKey")
    wall = event.get("wallTime")
    full, before, update, lsid = (
        None if part is None else part.raw
        for part in map(event.get, ("fullDocument", "fullDocumentBeforeChange", "updateDescription", "lsid"))
    )
    return Event(
        event["operationType"],
        event["_id"],
        Time.of(event["clusterTime"]),
        None if wall is None else int(wall.timestamp() * 1_000),
        names.get("db", ""),
        names.get("coll", ""),
        None if to is None else (to["db"], to["coll"]),
        b"" if key is None else id_of(key.raw),
        full,
        before,
        update,
        lsid,
        event.get("txnNumber"),
    )


def id_of(document: bytes) -> bytes:
    """``{_id: …}`` of a document or of a document's key."""
    return encode({"_id": RawBSONDocument(document)["_id"]})
