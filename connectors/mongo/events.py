"""Change events as they come: each is a place in the bytes of a reply, with its parts.

https://www.mongodb.com/docs/manual/reference/change-events/
"""

from __future__ import annotations

from typing import NamedTuple

from bson import encode
from bson.raw_bson import RawBSONDocument

from connectors.mongo.change_event import ChangeEvent, cut_all
from connectors.mongo.client import Time

_UNKNOWN = Time(0, 0)


class Event(NamedTuple):
    """One change event."""

    data: bytes
    """What holds it."""
    parts: ChangeEvent
    """Where its documents lie in ``data``."""
    id: bytes
    """``{_id: …}`` of the document; empty where no document is meant."""

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
    events = list[Event]()
    for parts in cut_all(data, place):
        key = parts.document_key
        if key is None:
            events.append(Event(data, parts, b""))
        else:
            identity = document_of(data, key)
            events.append(Event(data, parts, id_of(identity) if sharded else identity))
    return events


def document_of(data: bytes, place: int) -> bytes:
    """A copy of the document at ``place``, which is known to be whole."""
    return data[place : place + int.from_bytes(data[place : place + 4], "little")]


def id_of(document: bytes) -> bytes:
    """``{_id: …}`` of a document or of a document's key."""
    return encode({"_id": RawBSONDocument(document)["_id"]})
