"""A change event as the server sent it -> its parts, of which documents are not decoded: in C (``_change_event.c``) where built.

Format: https://www.mongodb.com/docs/manual/reference/change-events/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final

from bson.raw_bson import RawBSONDocument

from connectors.mongo.client import Time
from connectors.mongo.raw_bson import (
    ARRAY,
    DATE,
    DOCUMENT,
    INT32,
    INT64,
    NULL,
    STRING,
    TIMESTAMP,
    Element,
    document_end,
    elements,
    id_of,
    malformed,
)  # fmt: skip


@dataclass(slots=True)
class Event:
    """One change event: bytes, and where in them its parts lie.

    What it does not have, or has as null, is None; texts are then empty. Of an event that the server has split, each fragment has
    only some of the parts. In C it is a type of its own with the same attributes, which makes documents and numbers as they are
    asked for.
    """

    data: bytes
    """What holds it."""
    place: int
    """Where in ``data`` it begins, as are the other places."""
    kind: str = ""
    """``operationType``."""
    name: tuple[str, str] = ("", "")
    """Database and collection."""
    to: tuple[str, str] = ("", "")
    """Of a rename: database and collection that it is called now."""
    id: bytes = b""
    """``{_id: …}`` of the document; empty where no document is meant."""
    places: dict[str, int] = field(default_factory=dict)
    """Of documents, by name."""
    cluster_time: int = 0
    """Seconds since 1970 in the upper 32 bits, a counter within the second in the lower."""
    wall_time_ms: int | None = None
    """Milliseconds since 1970, from MongoDB 6.0 on."""
    txn_number: int | None = None
    """Only within a transaction, as ``lsid``."""
    fragment: int | None = None
    """Of a split event: which part of it this is, from 1 on, and of how many."""
    fragments: int | None = None

    @property
    def time(self) -> Time:
        """The time of its transaction."""
        return Time(self.cluster_time >> 32, self.ordinal)

    @property
    def ordinal(self) -> int:
        """The number of that time within its second."""
        return self.cluster_time & 0xFFFFFFFF

    @property
    def committed_us(self) -> int:
        """Microseconds since 1970, as precise as the server tells."""
        if self.wall_time_ms is None:
            return (self.cluster_time >> 32) * 1_000_000
        return self.wall_time_ms * 1_000

    @property
    def token(self) -> RawBSONDocument:
        """The resume token."""
        return RawBSONDocument(self._document("token") or b"")

    @property
    def size(self) -> int:
        """Bytes of what it tells of the document after it, about."""
        return len(self.full_document or self._document("update_description") or b"")

    @property
    def full_document(self) -> bytes | None:
        return self._document("full_document")

    @property
    def full_document_before_change(self) -> bytes | None:
        return self._document("full_document_before_change")

    @property
    def lsid(self) -> bytes | None:
        """The session's id, within a transaction."""
        return self._document("lsid")

    @property
    def operation_description(self) -> bytes | None:
        """From MongoDB 6.0 on with ``showExpandedEvents``."""
        return self._document("operation_description")

    @property
    def update_description(self) -> int | None:
        """A place, as are the next four, which lie within it. Of those the last three are None too if nothing is in them."""
        return self.places.get("update_description")

    @property
    def updated_fields(self) -> int | None:
        return self.places.get("updated_fields")

    @property
    def removed_fields(self) -> int | None:
        return self._filled("removed_fields")

    @property
    def truncated_arrays(self) -> int | None:
        return self._filled("truncated_arrays")

    @property
    def disambiguated_paths(self) -> int | None:
        return self._filled("disambiguated_paths")

    def _filled(self, name: str) -> int | None:
        place = self.places.get(name)
        return None if place is None or self.data.startswith(_EMPTY, place) else place

    def _document(self, name: str) -> bytes | None:
        place = self.places.get(name)
        return None if place is None else document_at(self.data, place)


def python_cut(data: bytes, start: int = 0, /) -> Event:
    """The event that begins at ``start``. Raises UnsupportedChange with the place of what cannot be read."""
    found: dict[str, Any] = {}
    _read(data, elements(data, start), _EVENT, found)
    places = {name: found.pop(name) for name in _PLACES & found.keys()}
    key = places.pop("document_key", None)
    name = (found.pop("database", ""), found.pop("collection", ""))
    to = (found.pop("to_database", ""), found.pop("to_collection", ""))
    identity = b"" if key is None else id_of(data, key)
    return Event(data, start, name=name, to=to, id=identity, places=places, **found)


def python_cut_all(data: bytes, start: int, /) -> list[Event]:
    """Each event of the array that begins at ``start``: a batch of a server's reply."""
    return [python_cut(data, _place(data, element)) for element in elements(data, start)]


def document_at(data: bytes, start: int) -> bytes:
    """A copy of the document that begins at ``start``."""
    return data[start : document_end(data, start, len(data))]


def _place(_data: bytes, element: Element) -> int:
    if element.kind != DOCUMENT:
        raise _unlike(element, "a document")
    return element.value


def _array(_data: bytes, element: Element) -> int:
    if element.kind != ARRAY:
        raise _unlike(element, "an array")
    return element.value


def _text(data: bytes, element: Element) -> str:
    if element.kind != STRING:
        raise _unlike(element, "a string")
    try:
        return data[element.value + 4 : element.end - 1].decode()
    except UnicodeDecodeError:
        raise malformed(element.value, "text is not UTF-8") from None


def _integer(data: bytes, element: Element) -> int:
    if element.kind not in {INT32, INT64}:
        raise _unlike(element, "an integer")
    return int.from_bytes(data[element.value : element.end], "little", signed=True)


def _timestamp(data: bytes, element: Element) -> int:
    if element.kind != TIMESTAMP:
        raise _unlike(element, "a timestamp")
    return int.from_bytes(data[element.value : element.end], "little")


def _date(data: bytes, element: Element) -> int:
    if element.kind != DATE:
        raise _unlike(element, "a date")
    milliseconds: int = _INT64(data, element.value)[0]
    return milliseconds


def _unlike(element: Element, what: str) -> Exception:
    return malformed(element.start, f"a field of a change event is not {what}")


_EMPTY = b"\x05\0\0\0\0"
_INT64 = Struct("<q").unpack_from
_Fields = dict[bytes, tuple[str, Any]]
"""By name: the part's name and what reads it; an empty name for what is only looked into, with the fields in it."""

_UPDATE: Final[_Fields] = {
    b"updatedFields": ("updated_fields", _place),
    b"removedFields": ("removed_fields", _array),
    b"truncatedArrays": ("truncated_arrays", _array),
    b"disambiguatedPaths": ("disambiguated_paths", _place),
}
_EVENT: Final[_Fields] = {
    b"_id": ("token", _place),
    b"operationType": ("kind", _text),
    b"ns": ("", {b"db": ("database", _text), b"coll": ("collection", _text)}),
    b"to": ("", {b"db": ("to_database", _text), b"coll": ("to_collection", _text)}),
    b"documentKey": ("document_key", _place),
    b"fullDocument": ("full_document", _place),
    b"fullDocumentBeforeChange": ("full_document_before_change", _place),
    b"updateDescription": ("update_description", _UPDATE),
    b"clusterTime": ("cluster_time", _timestamp),
    b"wallTime": ("wall_time_ms", _date),
    b"lsid": ("lsid", _place),
    b"txnNumber": ("txn_number", _integer),
    b"operationDescription": ("operation_description", _place),
    b"splitEvent": ("", {b"fragment": ("fragment", _integer), b"of": ("fragments", _integer)}),
}


_PLACES: Final = frozenset({
    name for fields in (_EVENT, _UPDATE) for name, read in fields.values() if read in (_place, _array) or isinstance(read, dict)
})  # fmt: skip


def _read(data: bytes, found: Any, fields: _Fields, parts: dict[str, Any]) -> None:
    for element in found:
        field = fields.get(element.name)
        if field is None or element.kind == NULL:
            continue
        name, read = field
        if not isinstance(read, dict):
            parts[name] = read(data, element)
            continue
        place = _place(data, element)
        if name:
            parts[name] = place
        _read(data, elements(data, place, element.end), read, parts)


cut = python_cut
cut_all = python_cut_all
try:
    from connectors.mongo import _change_event

    _change_event.set_types(Time, RawBSONDocument)
except (ImportError, AttributeError):  # no compiler was there when this was installed, or what was built then is older
    BUILT = False
else:
    BUILT = True
    cut, cut_all = _change_event.cut, _change_event.cut_all
