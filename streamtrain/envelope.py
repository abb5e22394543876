"""Debezium's JSON change envelope, as the trainer reads it, with or without the schema wrapper.

Format: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-change-event-values
The writing half is ``connectors/envelope.py``; the two packages meet here and in the topic.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from streamtrain.documents import document as document_row
from streamtrain.errors import RejectedRecord

Fields = dict[str, Any]
Row = Mapping[str, Any]
"""The columns of a row, or a document of MongoDB, of which every dotted path is a column."""


class Op(Enum):
    """What happened to the row, in Debezium's letters."""

    CREATE = "c"
    UPDATE = "u"
    DELETE = "d"
    READ = "r"
    TRUNCATE = "t"

    # Members are singletons, so identity will do; Enum's own hash is a Python call, and there were eight an event.
    __hash__ = object.__hash__


_IMAGES = ("before", "after")
_DECIMAL_NAME = "org.apache.kafka.connect.data.Decimal"
_DECIMAL = _DECIMAL_NAME.encode()
_OPS = {op.value: op for op in Op}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One change of one row: the row before and after it, and when the source committed it."""

    op: Op
    before: Row | None
    after: Row | None
    committed_ms: int
    """Commit time by the source's clock, milliseconds since 1970; 0 if the record does not say."""


def decimal_text(unscaled: int, scale: int) -> str:
    """An exact decimal as text: 125 with scale 2 is ``1.25``. A negative scale appends zeros."""
    if scale <= 0:
        return str(unscaled * 10**-scale)
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    return f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def decode(value: bytes) -> Envelope:
    """Read one record's value. Raises RejectedRecord (``malformed``, ``unknown_op``) on anything else than an envelope."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        what = "is Avro that does not fit the schema that it names" if value[:1] == b"\0" else f"is not JSON: {error}"
        raise RejectedRecord("malformed", f"the value {what}") from None
    if type(document) is dict and "payload" in document and "schema" in document:
        document = _payload(document, value)
    if type(document) is not dict or "op" not in document:
        raise RejectedRecord("malformed", "the value is not a change envelope: it has no field 'op'")
    letter = document["op"]
    op = _OPS.get(letter) if type(letter) is str else None
    if op is None:
        raise RejectedRecord("unknown_op", f"unknown operation {letter!r}")
    before, after = (_image(document.get(image)) for image in _IMAGES)
    _check_images(op, before, after)
    return Envelope(op, before, after, _committed_ms(document))


def decode_key(key: bytes | None) -> Fields | None:
    """The key's columns, or None if the table has no key. Raises RejectedRecord (``malformed``)."""
    if key is None:
        return None
    try:
        document = orjson.loads(key)
    except orjson.JSONDecodeError as error:
        raise RejectedRecord("malformed", f"the key is not JSON: {error}") from None
    if isinstance(document, dict) and "payload" in document and "schema" in document:
        document = document["payload"] if _DECIMAL not in key else _exact(document["schema"], document["payload"])
    if document is None or isinstance(document, dict):
        return document
    raise RejectedRecord("malformed", "the key is not an object")


def canonical_key(key: bytes | None) -> str | None:
    """One text per row identity, whatever the writer's spacing or column order; None without a key."""
    fields = decode_key(key)
    return None if fields is None else orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def _payload(document: Fields, text: bytes) -> Any:
    """What the schema wrapper holds. Decimals are bytes in it, which only the schema tells from other text."""
    payload = document["payload"]
    if _DECIMAL not in text or type(payload) is not dict:
        return payload
    for field in _fields_of(document["schema"]):
        if field.get("field") in _IMAGES:
            payload[field["field"]] = _exact(field, payload.get(field["field"]))
    return payload


def _exact(schema: Any, row: Any) -> Any:
    """A row with its decimals as text, digit by digit: ``12.50``. Raises RejectedRecord (``malformed``)."""
    if type(row) is not dict:
        return row
    for field in _fields_of(schema):
        name = field.get("field")
        if field.get("name") == _DECIMAL_NAME and row.get(name) is not None:
            try:
                scale = int(field["parameters"]["scale"])
                row[name] = decimal_text(int.from_bytes(a2b_base64(row[name]), "big", signed=True), scale)
            except (KeyError, TypeError, ValueError):
                raise RejectedRecord("malformed", f"{name!r} is not the decimal that the schema says it is") from None
    return row


def _fields_of(schema: Any) -> list[Fields]:
    fields = schema.get("fields") if type(schema) is dict else None
    return [field for field in fields if type(field) is dict] if type(fields) is list else []


def _image(image: object) -> Row | None:
    """One side of a change; MongoDB's documents are text in it."""
    if image is None or type(image) is dict:
        return image
    if type(image) is str:
        return document_row(image)
    raise RejectedRecord("malformed", "'before' and 'after' must be objects, the text of a document, or null")


def _check_images(op: Op, before: object, after: object) -> None:
    if op is Op.DELETE:
        if after is not None:
            raise RejectedRecord("malformed", "a delete with 'after'")
    elif op is Op.TRUNCATE:
        if before is not None or after is not None:
            raise RejectedRecord("malformed", "a truncate with a row")
    elif after is None:
        raise RejectedRecord("malformed", f"operation {op.value!r} without 'after'")


def _committed_ms(document: Fields) -> int:
    source = document.get("source")
    stamp = source.get("ts_ms") if type(source) is dict else None
    return stamp if type(stamp) is int else 0
