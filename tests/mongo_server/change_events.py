"""Change events of oplog entries.

What 4.4 sends is as recorded; ``wallTime``, images after 5.0, expanded events and large events that are split are as
the MongoDB manual's pages "Change Events" and "$changeStreamSplitLargeEvent" say.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from bson import Binary, Int64
from bson.binary import UUID_SUBTYPE

from tests.mongo_server import tokens
from tests.mongo_server.documents import MOST_BYTES_INSIDE, Document, encode
from tests.mongo_server.engine import Engine
from tests.mongo_server.errors import CommandError
from tests.mongo_server.oplog import Entry, Operation
from tests.mongo_server.scopes import DATA

NOBODY = hashlib.sha256(b"").digest()
"""``lsid.uid`` of a user without a name."""
FROM_6_0 = (6, 0)
FROM_6_1 = (6, 1)


def can_split(version: tuple[int, ...]) -> bool:
    """Whether a server of this version knows ``$changeStreamSplitLargeEvent``: 6.0 from 6.0.9 on, and all from 7.0 on."""
    return version >= (7, 0) or (version[:2] == FROM_6_0 and version >= (6, 0, 9))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which fields a stream asks its events to have."""

    full_document: str = "default"
    before: str = "off"
    expanded: bool = False
    version: tuple[int, ...] = (4, 4)


def event(entry: Entry, number: int, wanted: Wanted, engine: Engine) -> tuple[tokens.Token, Document]:
    """The event of one operation of an entry, and its token."""
    operation = entry.operations[number]
    uuid = None if operation.kind == "dropDatabase" else operation.uuid
    token = tokens.of_event(entry.time, number, uuid, operation.key, invalid=False)
    body = _head(entry, operation, token, wanted)
    if operation.document is not None:
        body["fullDocument"] = operation.document
    if operation.kind == "update" and wanted.full_document != "default":
        body["fullDocument"] = _after(operation, wanted, engine)
    if wanted.before != "off" and operation.kind in DATA - {"insert"} and not _misses_before(operation, wanted):
        body["fullDocumentBeforeChange"] = operation.before
    place = {"db": operation.database}
    body["ns"] = {**place, "coll": operation.collection} if operation.collection else place
    if operation.key is not None:
        body["documentKey"] = operation.key
    if operation.delta is not None:
        body["updateDescription"] = _description(operation, wanted)
    if operation.kind not in DATA:
        _append_details(body, operation, wanted)
    _check_images(body, operation, wanted)
    return token, body


def _head(entry: Entry, operation: Operation, token: tokens.Token, wanted: Wanted) -> Document:
    body: Document = {}
    if operation.kind == "rename":
        body["to"] = operation.details["to"]
    if entry.session is not None:
        identity = {"id": entry.session["lsid"]["id"], "uid": NOBODY}
        body |= {"txnNumber": Int64(entry.session["txnNumber"]), "lsid": identity}
    body |= {"_id": token.document, "operationType": operation.kind, "clusterTime": entry.time}
    if wanted.version >= FROM_6_0:
        body["wallTime"] = entry.wall
    if wanted.expanded and operation.uuid is not None:
        body["collectionUUID"] = Binary(operation.uuid, UUID_SUBTYPE)
    return body


def invalidate(entry: Entry, number: int, wanted: Wanted) -> tuple[tokens.Token, Document]:
    """The last event of a stream whose collection or database is gone."""
    operation = entry.operations[number]
    uuid = None if operation.kind == "dropDatabase" else operation.uuid
    token = tokens.of_event(entry.time, number, uuid, None, invalid=True)
    body: Document = {"_id": token.document, "operationType": "invalidate", "clusterTime": entry.time}
    return token, body | ({"wallTime": entry.wall} if wanted.version >= FROM_6_0 else {})


def _after(operation: Operation, wanted: Wanted, engine: Engine) -> Any:
    """The document after an update: as it is now, or as it was kept."""
    if wanted.full_document == "updateLookup":
        collection = engine.catalog.find(operation.database, operation.collection)
        if collection is None or collection.uuid != operation.uuid:
            return None
        return collection.seen((operation.key or {})["_id"], engine.oplog.held, None)
    return operation.after


def _misses_before(operation: Operation, wanted: Wanted) -> bool:
    return wanted.before == "required" and operation.before is None and operation.kind in DATA - {"insert"}


def _check_images(body: Document, operation: Operation, wanted: Wanted) -> None:
    """Raise where the stream requires an image that was not kept."""
    if _misses_before(operation, wanted):
        required = "Change stream was configured to require a pre-image for all update, delete and replace events, but"
        if wanted.version < FROM_6_0:
            message = f"{required} no pre-image optime was recorded for event: {tokens.shown(body)}"
            raise CommandError(51770, message)
        message = f"{required} the pre-image was not found for event: {tokens.shown(body)}"
        raise CommandError(47, message)
    if wanted.full_document == "required" and operation.kind == "update" and operation.after is None:
        required = "Change stream was configured to require a post-image for all update events, but"
        message = f"{required} the post-image was not found for event: {tokens.shown(body)}"
        raise CommandError(47, message)


def _description(operation: Operation, wanted: Wanted) -> Document:
    delta: Document = dict(operation.delta or {})
    if wanted.version >= FROM_6_0:
        delta.setdefault("truncatedArrays", [])
        if wanted.version >= FROM_6_1 and wanted.expanded and operation.paths:
            delta["disambiguatedPaths"] = operation.paths
    return delta


def _append_details(body: Document, operation: Operation, wanted: Wanted) -> None:
    if wanted.expanded and operation.kind not in {"drop", "dropDatabase"}:
        body["operationDescription"] = operation.details


def checked_size(body: Document) -> None:
    """Raise what a server answers for an event over 16 MB."""
    size = len(encode(body))
    if size > MOST_BYTES_INSIDE:
        raise CommandError(
            10334,
            f"BSONObj size: {size} (0x{size:X}) is invalid. Size must be between 0 and {MOST_BYTES_INSIDE}(16MB) "
            f'First element: _id: {{ _data: "{body["_id"]["_data"]}" }}',
        )


def split(token: tokens.Token, body: Document) -> list[tuple[tokens.Token, Document]]:
    """The event, or where it is over 16 MB fragments of it: the largest fields last, each in the first it fits in."""
    if len(encode(body)) <= MOST_BYTES_INSIDE:
        return [(token, body)]
    fields = sorted((len(encode({name: value})), name) for name, value in body.items() if name != "_id")
    fragments: list[tuple[int, Document]] = [(0, {})]
    for size, name in fields:
        if fragments[-1][0] + size > MOST_BYTES_INSIDE - 4096:
            fragments.append((0, {}))
        held, fragment = fragments[-1]
        fragment[name] = body[name]
        fragments[-1] = (held + size, fragment)
    found = []
    for at, (_, fragment) in enumerate(fragments, 1):
        its = tokens.of_fragment(token, at)
        head = {"_id": its.document, "splitEvent": {"fragment": at, "of": len(fragments)}}
        found.append((its, head | fragment))
    return found
