"""Change events as they come: each is a place in the bytes of a reply, with its parts.

https://www.mongodb.com/docs/manual/reference/change-events/
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

from bson.raw_bson import RawBSONDocument

from connectors.mongo.change_event import ChangeEvent, cut_all
from connectors.mongo.client import Time
from connectors.mongo.raw_bson import elements, malformed

_UNKNOWN = Time(0, 0)


class Event(NamedTuple):
    """One change event."""

    data: bytes
    """What holds it."""
    parts: ChangeEvent
    """Where its documents lie in ``data``."""
    id: bytes
    """``{_id: …}`` of the document; empty where no document is meant."""
    place: int = 0
    """Of a fragment: where it lies in ``data``."""

    @property
    def kind(self) -> str:
        """``operationType``."""
        return self.parts.operation_type or ""

    @property
    def name(self) -> tuple[str, str]:
        """Database and collection."""
        return self.parts.database or "", self.parts.collection or ""

    @property
    def to(self) -> tuple[str, str]:
        """Of a rename: database and collection that it is called now."""
        return self.parts.to_database or "", self.parts.to_collection or ""

    @property
    def time(self) -> Time:
        """The time of its transaction."""
        time = self.parts.cluster_time
        return _UNKNOWN if time is None else Time(time >> 32, time & 0xFFFFFFFF)

    @property
    def token(self) -> RawBSONDocument:
        """The resume token."""
        return RawBSONDocument(self.document(self.parts.token) or b"")

    @property
    def size(self) -> int:
        """Bytes of what it tells of the document after it, about."""
        place = self.parts.full_document or self.parts.update_description
        return 0 if place is None else int.from_bytes(self.data[place : place + 4], "little")

    def document(self, place: int | None) -> bytes | None:
        """A copy of one of its documents."""
        return None if place is None else document_of(self.data, place)


def events_of(data: bytes, place: int, *, sharded: bool) -> list[Event]:
    """The events of the array at ``place``. A sharded collection's keys have more fields than ``_id``."""
    found = cut_all(data, place)
    split = any(parts.fragment is not None for parts in found)
    places = [each.value for each in elements(data, place)] if split else repeat(0)
    events = list[Event]()
    for parts, at in zip(found, places, strict=False):
        key = parts.document_key
        identity = b"" if key is None else document_of(data, key)
        events.append(Event(data, parts, id_of(identity) if identity and sharded else identity, at))
    return events


def joined(fragments: Sequence[Event], *, sharded: bool) -> Event:
    """The event that the server has split because it was too large: its fragments have its fields, one after another.

    The token is the last one's. https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStreamSplitLargeEvent/
    """
    content = list[bytes]()
    for fragment in fragments:
        for each in elements(fragment.data, fragment.place):
            if each.name == b"splitEvent" or (each.name == b"_id" and fragment is not fragments[-1]):
                continue
            content.append(fragment.data[each.start : each.end])
    body = b"".join(content)
    event = (len(body) + 5).to_bytes(4, "little") + body + b"\0"
    array = b"\x030\0" + event
    return events_of((len(array) + 5).to_bytes(4, "little") + array + b"\0", 0, sharded=sharded)[0]


def document_of(data: bytes, place: int) -> bytes:
    """A copy of the document at ``place``, which is known to be whole."""
    return data[place : place + int.from_bytes(data[place : place + 4], "little")]


def id_of(document: bytes) -> bytes:
    """``{_id: …}`` of a document or of a document's key, with the very bytes of its value: no other type is made of it."""
    for each in elements(document):
        if each.name == b"_id":
            body = document[each.start : each.end]
            return (len(body) + 5).to_bytes(4, "little") + body + b"\0"
    raise malformed(0, "a document without _id")
