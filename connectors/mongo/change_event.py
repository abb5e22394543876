"""A change event as the server sent it -> where its parts lie, without decoding them: in C (``_change_event.c``) where built.

Format: https://www.mongodb.com/docs/manual/reference/change-events/
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final, NamedTuple

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
    malformed,
)  # fmt: skip


class ChangeEvent(NamedTuple):
    """The parts of one event. A place is where a document begins in the bytes that were given.

    What the event does not have, or has as null, is None. Of a split event, each fragment has only some of its parts.
    """

    token: int | None = None
    """Place of ``_id``, the resume token."""
    operation_type: str | None = None
    database: str | None = None
    collection: str | None = None
    to_database: str | None = None
    """Of a rename: the new name."""
    to_collection: str | None = None
    document_key: int | None = None
    """A place, as are the next three."""
    full_document: int | None = None
    full_document_before_change: int | None = None
    update_description: int | None = None
    updated_fields: int | None = None
    """A place within ``update_description``, as are the next three."""
    removed_fields: int | None = None
    truncated_arrays: int | None = None
    disambiguated_paths: int | None = None
    cluster_time: int | None = None
    """Seconds since 1970 in the upper 32 bits, a counter within the second in the lower."""
    wall_time_ms: int | None = None
    """Milliseconds since 1970, from MongoDB 6.0 on."""
    lsid: int | None = None
    """Place of the session's id; only within a transaction, as ``txn_number``."""
    txn_number: int | None = None
    operation_description: int | None = None
    """A place, from MongoDB 6.0 on with ``showExpandedEvents``."""
    fragment: int | None = None
    """Of a split event: which part of it this is, from 1 on, and of how many."""
    fragments: int | None = None


def python_cut(data: bytes, start: int = 0, /) -> ChangeEvent:
    """The parts of the event that begins at ``start``. Raises UnsupportedChange with the place of what cannot be read."""
    found: dict[str, Any] = {}
    _read(data, elements(data, start), _EVENT, found)
    return ChangeEvent(**found)


def python_cut_all(data: bytes, start: int, /) -> list[ChangeEvent]:
    """The parts of each event of the array that begins at ``start``: a batch of a server's reply."""
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
    b"operationType": ("operation_type", _text),
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
except ImportError:  # no compiler was there when this was installed
    BUILT = False
else:
    BUILT = True
    _change_event.set_event(ChangeEvent)
    cut, cut_all = _change_event.cut, _change_event.cut_all
