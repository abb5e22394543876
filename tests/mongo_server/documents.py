"""BSON documents as dictionaries that lose nothing.

The driver's codec turns ``undefined``, ``symbol`` and ``DBPointer`` into other types. Where a document does not come
back as the same bytes, it is taken apart here and such values are carried as their own bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS, RawBSONDocument

Document = dict[str, Any]
OPTIONS: CodecOptions[Document] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
RAW_OPTIONS = DEFAULT_RAW_BSON_OPTIONS.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
MOST_BYTES = 16 * 1024 * 1024
"""Of a document that a client may store (``maxBsonObjectSize``)."""
MOST_BYTES_INSIDE = MOST_BYTES + 16 * 1024
"""Of a document that the server makes itself: a little more, for what it adds."""


@dataclass(frozen=True, slots=True)
class Element:
    """A value of a type that Python has no value for: its BSON type and its bytes."""

    type: int
    payload: bytes


def decode(raw: bytes) -> Document:
    """The document as a dictionary: exactly what ``encode`` makes ``raw`` of."""
    document = bson.decode(raw, OPTIONS)
    return document if _in_order(document) == raw else _taken_apart(raw)


def encode(document: Any) -> bytes:
    """The bytes of a dictionary, which may hold raw documents and ``Element`` values."""
    if isinstance(document, RawBSONDocument):
        return document.raw
    try:
        return _in_order(document)
    except bson.errors.InvalidDocument:
        return _put_together(document.items())


def _in_order(document: Document) -> bytes:
    """The codec puts ``_id`` first, but not in a document inside another."""
    return bson.encode({"": document}, codec_options=OPTIONS)[6:-1]


def raw(content: bytes | Document) -> RawBSONDocument:
    """A document whose fields are decoded when they are asked for, and which is sent as it is."""
    return RawBSONDocument(content if isinstance(content, bytes) else encode(content), RAW_OPTIONS)


def plain(value: Any) -> Any:
    """A value of a raw document with everything inside it as dictionaries, lists and numbers."""
    if isinstance(value, RawBSONDocument):
        return decode(value.raw)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def _taken_apart(raw_document: bytes) -> Document:
    end, at, document = len(raw_document) - 1, 4, {}
    while at < end:
        kind = raw_document[at]
        name_ends = raw_document.index(0, at + 1)
        name = raw_document[at + 1 : name_ends].decode()
        size = _size(kind, raw_document, name_ends + 1)
        payload = raw_document[name_ends + 1 : name_ends + 1 + size]
        document[name] = _value(kind, payload)
        at = name_ends + 1 + size
    return document


def _value(kind: int, payload: bytes) -> Any:
    if kind == 0x03:
        return decode(payload)
    if kind == 0x04:
        return list(decode(payload).values())
    if kind in {0x06, 0x0C, 0x0E}:
        return Element(kind, payload)
    alone = bytes([kind, 0]) + payload + b"\0"
    return bson.decode(struct.pack("<i", len(alone) + 4) + alone, OPTIONS)[""]


FIXED = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0}
"""Bytes of values whose type says their size (bsonspec.org, version 1.1)."""


def _size(kind: int, content: bytes, at: int) -> int:
    if kind in FIXED:
        return FIXED[kind]
    if kind == 0x0B:  # two strings up to a zero
        return content.index(0, content.index(0, at) + 1) + 1 - at
    length: int = struct.unpack_from("<i", content, at)[0]
    more: dict[int, Callable[[int], int]] = {
        0x02: lambda n: n + 4,
        0x0D: lambda n: n + 4,
        0x0E: lambda n: n + 4,
        0x0C: lambda n: n + 16,
        0x05: lambda n: n + 5,
    }
    return more.get(kind, lambda n: n)(length)


def _put_together(items: Iterable[tuple[str, Any]]) -> bytes:
    content = b"".join(_element(name, value) for name, value in items) + b"\0"
    return struct.pack("<i", len(content) + 4) + content


def _element(name: str, value: Any) -> bytes:
    if isinstance(value, Element):
        return bytes([value.type]) + name.encode() + b"\0" + value.payload
    if isinstance(value, dict):
        return b"\x03" + name.encode() + b"\0" + _put_together(value.items())
    if isinstance(value, list):
        return b"\x04" + name.encode() + b"\0" + _put_together((str(at), one) for at, one in enumerate(value))
    return bson.encode({name: value}, codec_options=OPTIONS)[4:-1]
