"""BSON documents -> the JSON text in Debezium's messages: in C (``_extended_json.c``) where that was built.

Debezium has three ways of writing, one for each place, and this has the same. ``docs/mongodb.md`` has the table.
Source: ``JsonSerialization`` and ``MongoDbCollectionSchema`` of debezium-connector-mongodb 3.5, which call ``org.bson.json``.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable
from enum import Enum
from struct import Struct
from typing import ClassVar

from connectors.mongo import raw_bson as bson
from connectors.mongo.escaped_characters import escaped_bits
from connectors.mongo.json_values import END_OF_9999_MS, decimal_text, double_text, quoted
from connectors.mongo.raw_bson import Element, elements, malformed
from streamtrain.documents import iso_text

Write = Callable[[bytes, int, bool], bytes]
"""Writes the document that begins at a place, or a part of it. True: bytes that are not UTF-8 become U+FFFD, as Debezium
has them; False: they stop. Raises UnsupportedChange with the place of what cannot be read."""


class Style(Enum):
    """How a document is written: whether in the old way that tells the types of numbers, and what stands after a comma."""

    VALUE = (False, ",")
    """``before`` and ``after``: the extended JSON that was before version 2."""
    UPDATE = (True, ", ")
    """``updateDescription.updatedFields``: version 2, relaxed."""
    KEY = (True, ",")
    """The key's ``id``: version 2, relaxed."""

    def __init__(self, relaxed: bool, comma: str) -> None:
        self.relaxed = relaxed
        self.comma = comma


def python_value_json(data: bytes, start: int = 0, replace: bool = False, /) -> bytes:
    """A document as ``before`` and ``after`` hold it."""
    return _Writer(data, Style.VALUE, replace).document(start, len(data), 1, False).encode()


def python_update_json(data: bytes, start: int = 0, replace: bool = False, /) -> bytes:
    """A document as ``updatedFields`` holds it."""
    return _Writer(data, Style.UPDATE, replace).document(start, len(data), 1, False).encode()


def python_id_json(data: bytes, start: int = 0, replace: bool = False, /) -> bytes:
    """The ``_id`` of a document or of its key, as ``id`` of a message's key holds it."""
    for element in elements(data, start):
        if element.name == b"_id":
            return _Writer(data, Style.KEY, replace).value(element, 1).encode()
    raise malformed(start, "a document without _id")


def as_string(text: bytes) -> bytes:
    """JSON as a string within JSON. ``text`` is what the functions here write: it has no control characters."""
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


_DOUBLE = Struct("<d").unpack_from
_INT32 = Struct("<i").unpack_from
_INT64 = Struct("<q").unpack_from
_INCREMENT_AND_TIME = Struct("<II").unpack_from
_CONSTANTS = {
    bson.UNDEFINED: '{"$undefined": true}',
    bson.NULL: "null",
    bson.MIN_KEY: '{"$minKey": 1}',
    bson.MAX_KEY: '{"$maxKey": 1}',
}


class _Writer:
    def __init__(self, data: bytes, style: Style, replace: bool) -> None:
        self._data = data
        self._relaxed = style.relaxed
        self._comma = style.comma
        self._errors = "replace" if replace else "strict"

    def document(self, at: int, limit: int, depth: int, array: bool) -> str:
        if depth > bson.MAX_DEPTH:
            raise malformed(at, f"more than {bson.MAX_DEPTH} levels of nesting")
        found = elements(self._data, at, limit)
        if array:
            return f"[{self._comma.join([self.value(element, depth) for element in found])}]"
        text, value = self._text, self.value
        fields = [f"{text(one.start + 1, one.value - 1)}: {value(one, depth)}" for one in found]
        return f"{{{self._comma.join(fields)}}}"

    def value(self, element: Element, depth: int) -> str:
        kind, at, end = element.kind, element.value, element.end
        if kind in {bson.DOCUMENT, bson.ARRAY}:
            return self.document(at, end, depth + 1, kind == bson.ARRAY)
        if kind == bson.CODE_WITH_SCOPE:
            return self._code_with_scope(at, end, depth)
        constant = _CONSTANTS.get(kind)
        return self._OF_KIND[kind](self, at, end) if constant is None else constant

    def _text(self, at: int, end: int) -> str:
        try:
            return quoted(self._data[at:end].decode("utf-8", self._errors))
        except UnicodeDecodeError:
            raise malformed(at, "text is not UTF-8") from None

    def _string(self, at: int, end: int) -> str:
        return self._text(at + 4, end - 1)

    def _double(self, at: int, _end: int) -> str:
        value = _DOUBLE(self._data, at)[0]
        if math.isfinite(value):
            return double_text(value)
        # Debezium writes a bare NaN in values, which no JSON parser has to take; this is version 2's way.
        return f'{{"$numberDouble": "{"NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}"}}'  # noqa: PLR0124

    def _binary(self, at: int, end: int) -> str:
        subtype, data = self._data[at + 4], at + 5
        if subtype == bson.OLD_BINARY:
            if end - data < 4 or _INT32(self._data, data)[0] != end - data - 4:
                raise malformed(at, "two lengths of one value differ")
            data += 4
        text = b64encode(self._data[data:end]).decode()
        if self._relaxed:
            return f'{{"$binary": {{"base64": "{text}"{self._comma}"subType": "{subtype:02X}"}}}}'
        return f'{{"$binary": "{text}"{self._comma}"$type": "{subtype:02X}"}}'

    def _object_id(self, at: int, end: int) -> str:
        return f'{{"$oid": "{self._data[at:end].hex()}"}}'

    def _boolean(self, at: int, _end: int) -> str:
        if self._data[at] > 1:
            raise malformed(at, "a boolean is neither 0 nor 1")
        return "true" if self._data[at] else "false"

    def _date(self, at: int, _end: int) -> str:
        milliseconds = _INT64(self._data, at)[0]
        if not self._relaxed:
            return f'{{"$date": {milliseconds}}}'
        if 0 <= milliseconds < END_OF_9999_MS:
            return f'{{"$date": "{iso_text(milliseconds)}"}}'
        return f'{{"$date": {{"$numberLong": "{milliseconds}"}}}}'

    def _regex(self, at: int, end: int) -> str:
        middle = bson.cstring_end(self._data, at, end)
        pattern, options = self._text(at, middle), self._text(middle + 1, end - 1)
        if self._relaxed:
            return f'{{"$regularExpression": {{"pattern": {pattern}{self._comma}"options": {options}}}}}'
        return f'{{"$regex": {pattern}{self._comma}"$options": {options}}}'

    def _db_pointer(self, at: int, end: int) -> str:
        return f'{{"$ref": {self._string(at, end - 12)}{self._comma}"$id": {self._object_id(end - 12, end)}}}'

    def _code_with_scope(self, at: int, end: int, depth: int) -> str:
        scope = bson.string_end(self._data, at + 4, end)
        code = self._string(at + 4, scope)
        if bson.document_end(self._data, scope, end) != end:
            raise malformed(at, "two lengths of one value differ")
        return f'{{"$code": {code}{self._comma}"$scope": {self.document(scope, end, depth + 1, False)}}}'

    def _timestamp(self, at: int, _end: int) -> str:
        increment, time = _INCREMENT_AND_TIME(self._data, at)
        return f'{{"$timestamp": {{"t": {time}{self._comma}"i": {increment}}}}}'

    def _int32(self, at: int, _end: int) -> str:
        return f"{_INT32(self._data, at)[0]}"

    def _int64(self, at: int, _end: int) -> str:
        number = _INT64(self._data, at)[0]
        return f"{number}" if self._relaxed else f'{{"$numberLong": "{number}"}}'

    def _decimal(self, at: int, end: int) -> str:
        return f'{{"$numberDecimal": "{decimal_text(self._data[at:end])}"}}'

    def _code(self, at: int, end: int) -> str:
        return f'{{"$code": {self._string(at, end)}}}'

    def _symbol(self, at: int, end: int) -> str:
        return f'{{"$symbol": {self._string(at, end)}}}'

    _OF_KIND: ClassVar[dict[int, Callable[[_Writer, int, int], str]]] = {
        bson.DOUBLE: _double,
        bson.STRING: _string,
        bson.BINARY: _binary,
        bson.OBJECT_ID: _object_id,
        bson.BOOLEAN: _boolean,
        bson.DATE: _date,
        bson.REGEX: _regex,
        bson.DB_POINTER: _db_pointer,
        bson.CODE: _code,
        bson.SYMBOL: _symbol,
        bson.INT32: _int32,
        bson.TIMESTAMP: _timestamp,
        bson.INT64: _int64,
        bson.DECIMAL128: _decimal,
    }


value_json = python_value_json
update_json = python_update_json
id_json = python_id_json
try:
    from connectors.mongo import _extended_json

    _extended_json.set_escaped(escaped_bits())
except (ImportError, AttributeError):  # no compiler was there when this was installed, or what was built then is older
    BUILT = False
else:
    BUILT = True
    value_json, update_json, id_json = _extended_json.value_json, _extended_json.update_json, _extended_json.id_json
