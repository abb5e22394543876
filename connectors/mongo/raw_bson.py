"""BSON as bytes: where each element of a document lies, with every bound checked.

``_bson.h`` is this in C, for the parts that are in C; ``all_elements`` is in ``_raw_bson.c`` where that was built.
Format: https://bsonspec.org/spec.html
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from streamtrain.errors import UnsupportedChange

MAX_DEPTH = 200
"""Levels of documents and arrays within each other. MongoDB documents 100; its parameter ``maxBSONDepth`` is 200, and it
stores what is 180 levels deep: https://www.mongodb.com/docs/manual/reference/limits/"""

DOUBLE, STRING, DOCUMENT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOLEAN, DATE, NULL = range(1, 11)
REGEX, DB_POINTER, CODE, SYMBOL, CODE_WITH_SCOPE, INT32, TIMESTAMP, INT64, DECIMAL128 = range(11, 20)
MIN_KEY, MAX_KEY = 0xFF, 0x7F

SHORTEST_DOCUMENT = 5
SHORTEST_CODE_WITH_SCOPE = 14
OLD_BINARY = 2
"""The subtype whose data begin with their length once more."""

_INT32 = Struct("<i").unpack_from
_FIXED = {
    DOUBLE: 8, UNDEFINED: 0, OBJECT_ID: 12, BOOLEAN: 1, DATE: 8, NULL: 0, INT32: 4, TIMESTAMP: 8, INT64: 8, DECIMAL128: 16,
    MIN_KEY: 0, MAX_KEY: 0,
}  # fmt: skip
_STRINGS = frozenset({STRING, CODE, SYMBOL})
_DOCUMENTS = frozenset({DOCUMENT, ARRAY})


class Element(NamedTuple):
    """One element of a document; all positions are within the bytes that were given."""

    kind: int
    """The byte of its type."""
    name: bytes
    start: int
    """Where its type stands."""
    value: int
    """Where its value begins."""
    end: int


def malformed(at: int, what: str) -> UnsupportedChange:
    """The error for bytes that are no BSON, or none that is known here."""
    return UnsupportedChange(
        f"byte {at} of a BSON document from MongoDB: {what}",
        hint="either the bytes were changed under way, or they come of a MongoDB that is newer than this connector; "
        "db.collection.validate({full: true}) tells whether the collection is whole",
    )


def elements(data: bytes, start: int = 0, limit: int | None = None) -> Iterator[Element]:
    """The elements of the document or array that begins at ``start``. Raises UnsupportedChange, as all here do.

    ``limit`` is where the bytes end that the document may take; None for all.
    """
    last = document_end(data, start, len(data) if limit is None else limit) - 1
    at = start + 4
    while at < last:
        kind = data[at]
        name_end = cstring_end(data, at + 1, last)
        value = name_end + 1
        end = value_end(data, kind, value, last, at)
        yield Element(kind, data[at + 1 : name_end], at, value, end)
        at = end


def python_all_elements(data: bytes, start: int, limit: int, /) -> list[Element]:
    """The same as a list: the whole document is looked through before the first is given."""
    return list(elements(data, start, limit))


def document_end(data: bytes, at: int, limit: int) -> int:
    """Where the document or array ends that begins at ``at``."""
    if at < 0 or limit - at < SHORTEST_DOCUMENT:
        raise malformed(at, "a document is cut off")
    end = at + _sized(data, at, SHORTEST_DOCUMENT, limit - at)
    if data[end - 1] != 0:
        raise malformed(end - 1, "a document does not end with a zero byte")
    return end


def value_end(data: bytes, kind: int, at: int, limit: int, start: int) -> int:
    """Where a value ends, without a look into documents. ``start`` is where its element begins."""
    if (fixed := _FIXED.get(kind)) is not None:
        end = _within(at, fixed, limit)
    elif kind in _STRINGS:
        end = string_end(data, at, limit)
    elif kind in _DOCUMENTS:
        end = document_end(data, at, limit)
    elif kind == BINARY:
        end = _within(at, 5, limit) + _sized(data, at, 0, limit - at - 5)
    elif kind == REGEX:
        end = cstring_end(data, cstring_end(data, at, limit) + 1, limit) + 1
    elif kind == DB_POINTER:
        end = _within(string_end(data, at, limit), 12, limit)
    elif kind == CODE_WITH_SCOPE:
        _within(at, 4, limit)
        end = at + _sized(data, at, SHORTEST_CODE_WITH_SCOPE, limit - at)
    else:
        raise malformed(start, f"no element has type 0x{kind:02x}")
    return end


def string_end(data: bytes, at: int, limit: int) -> int:
    """Where a string ends: a length, the text, and a zero byte that the length counts."""
    _within(at, 4, limit)
    end = at + 4 + _sized(data, at, 1, limit - at - 4)
    if data[end - 1] != 0:
        raise malformed(end - 1, "a string does not end with a zero byte")
    return end


def cstring_end(data: bytes, at: int, limit: int) -> int:
    """Where the zero byte stands that ends a name."""
    end = data.find(0, at, limit)
    if end < 0:
        raise malformed(at, "a name does not end")
    return end


def _within(at: int, size: int, limit: int) -> int:
    if limit - at < size:
        raise malformed(at, "a value is cut off")
    return at + size


def _sized(data: bytes, at: int, shortest: int, left: int) -> int:
    length: int = _INT32(data, at)[0]
    if length < shortest or length > left:
        raise malformed(at, f"a length of {length}, and {left} bytes are left")
    return length


def id_of(data: bytes, start: int = 0) -> bytes:
    """``{_id: …}`` of the document at ``start``, or of a document's key, which has more fields in sharded collections."""
    for element in elements(data, start):
        if element.name == b"_id":
            return _document(data[element.start : element.end])
    raise malformed(start, "a document without _id")


def value_as(name: bytes, document: bytes) -> bytes:
    """``{name: …}`` with the value of the only element of ``document``, of whatever type it is."""
    (element,) = elements(document)
    return _document(b"%c%b\0%b" % (element.kind, name, document[element.value : element.end]))


def _document(content: bytes) -> bytes:
    return b"%b%b\0" % ((len(content) + SHORTEST_DOCUMENT).to_bytes(4, "little"), content)


all_elements = python_all_elements
try:
    from connectors.mongo import _raw_bson

    _raw_bson.set_element(Element)
except (ImportError, AttributeError):  # no compiler was there when this was installed, or what was built then is older
    BUILT = False
else:
    BUILT = True
    all_elements = _raw_bson.all_elements
