"""BSON -> the text that a message has to have, by rules of the checker's own: nothing of the connector is used.

Format: ``docs/mongodb.md``, "Values", and https://bsonspec.org/spec.html
"""

from __future__ import annotations

import datetime as dt
import json
import math
import struct
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bson.decimal128 import Decimal128

ESCAPED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Mc", "Me", "Mn", "Lm"}
SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\"}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def document_text(raw: bytes) -> str:
    """As ``before`` and ``after`` hold it."""
    return _Reader(raw, relaxed=False).document(0)[0]


def key_text(raw: bytes) -> str:
    """The ``_id`` of a document as a key holds it."""
    return dict(_Reader(raw, relaxed=True).fields(0)[0])["_id"]


def quoted(text: str) -> str:
    return '"' + "".join(map(_character, text)) + '"'


def _character(one: str) -> str:
    if one in SHORT:
        return SHORT[one]
    if ord(one) > 0xFFFF:
        return "".join(f"\\u{half:04x}" for half in struct.unpack(">HH", one.encode("utf-16-be")))
    return f"\\u{ord(one):04x}" if unicodedata.category(one) in ESCAPED else one


def double_text(number: float) -> str:
    """As Java's ``Double.toString``: with an exponent below 0.001 and from 10 million on."""
    if not math.isfinite(number):
        name = "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
        return f'{{"$numberDouble": "{name}"}}'
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        whole = f"{Decimal(repr(number)):f}"
        return whole if "." in whole else f"{whole}.0"
    # Two digits at least, and those that come nearest: the smallest number is 4.9E-324.
    shortest = repr(number).replace(".0e", "e")
    figures, _, power = (shortest if "." in shortest.partition("e")[0] else f"{number:.1e}").partition("e")
    if not power:
        figures, _, power = f"{Decimal(shortest).normalize():E}".partition("E")
    return f"{figures if '.' in figures else figures + '.0'}E{int(power)}"


class _Reader:
    def __init__(self, raw: bytes, *, relaxed: bool) -> None:
        self._raw = raw
        self._relaxed = relaxed

    def document(self, at: int) -> tuple[str, int]:
        """Text, and where it ends."""
        found, end = self.fields(at)
        return "{" + ",".join(f"{quoted(name)}: {text}" for name, text in found) + "}", end

    def fields(self, at: int) -> tuple[list[tuple[str, str]], int]:
        (size,) = struct.unpack_from("<i", self._raw, at)
        end, at, found = at + size, at + 4, list[tuple[str, str]]()
        while at < end - 1:
            kind = self._raw[at]
            name_end = self._raw.index(0, at + 1)
            name = self._raw[at + 1 : name_end].decode()
            text, at = self._value(kind, name_end + 1)
            found.append((name, text))
        return found, end

    def _value(self, kind: int, at: int) -> tuple[str, int]:
        if kind == 3:
            return self.document(at)
        if kind == 4:
            found, end = self.fields(at)
            return "[" + ",".join(text for _, text in found) + "]", end
        if kind in CONSTANTS:
            return CONSTANTS[kind], at
        if kind in FIXED:
            size, make = FIXED[kind]
            return make(self._raw[at : at + size], self._relaxed), at + size
        return self._of_any_length(kind, at)

    def _of_any_length(self, kind: int, at: int) -> tuple[str, int]:
        if kind == 0x0B:
            middle = self._raw.index(0, at)
            end = self._raw.index(0, middle + 1)
            pattern, options = quoted(self._raw[at:middle].decode()), quoted(self._raw[middle + 1 : end].decode())
            if self._relaxed:
                return f'{{"$regularExpression": {{"pattern": {pattern},"options": {options}}}}}', end + 1
            return f'{{"$regex": {pattern},"$options": {options}}}', end + 1
        (size,) = struct.unpack_from("<i", self._raw, at)
        if kind == 5:
            return self._binary(self._raw[at + 4], self._raw[at + 5 : at + 5 + size]), at + 5 + size
        if kind == 0x0F:
            (length,) = struct.unpack_from("<i", self._raw, at + 4)
            code = quoted(self._raw[at + 8 : at + 7 + length].decode())
            scope, end = self.document(at + 8 + length)
            return f'{{"$code": {code},"$scope": {scope}}}', end
        end = at + 4 + size
        text = quoted(self._raw[at + 4 : end - 1].decode())
        if kind == 0x0C:
            pointed = self._raw[end : end + 12].hex()
            return f'{{"$ref": {text},"$id": {{"$oid": "{pointed}"}}}}', end + 12
        return {2: text, 0x0D: f'{{"$code": {text}}}', 0x0E: f'{{"$symbol": {text}}}'}[kind], end

    def _binary(self, subtype: int, content: bytes) -> str:
        data = b64encode(content).decode()
        if self._relaxed:
            return f'{{"$binary": {{"base64": "{data}","subType": "{subtype:02x}"}}}}'
        return f'{{"$binary": "{data}","$type": "{subtype:02x}"}}'


def _date(content: bytes, relaxed: bool) -> str:
    (ms,) = struct.unpack("<q", content)
    if not relaxed:
        return f'{{"$date": {ms}}}'
    if not 0 <= ms < 253_402_300_800_000:
        return f'{{"$date": {{"$numberLong": "{ms}"}}}}'
    moment = EPOCH + dt.timedelta(milliseconds=ms)
    part = f".{ms % 1000:03d}".rstrip("0") if ms % 1000 else ""
    return f'{{"$date": "{moment:%Y-%m-%dT%H:%M:%S}{part}Z"}}'


def _int64(content: bytes, relaxed: bool) -> str:
    (number,) = struct.unpack("<q", content)
    return str(number) if relaxed else f'{{"$numberLong": "{number}"}}'


def _timestamp(content: bytes, _relaxed: bool) -> str:
    ordinal, seconds = struct.unpack("<II", content)
    return f'{{"$timestamp": {{"t": {seconds},"i": {ordinal}}}}}'


FIXED: dict[int, tuple[int, Callable[[bytes, bool], str]]] = {
    1: (8, lambda content, _: double_text(struct.unpack("<d", content)[0])),
    7: (12, lambda content, _: f'{{"$oid": "{content.hex()}"}}'),
    8: (1, lambda content, _: "true" if content != b"\0" else "false"),
    9: (8, _date),
    0x10: (4, lambda content, _: str(struct.unpack("<i", content)[0])),
    0x11: (8, _timestamp),
    0x12: (8, _int64),
    0x13: (16, lambda content, _: f'{{"$numberDecimal": "{Decimal128.from_bid(content)}"}}'),
}
CONSTANTS = {6: '{"$undefined": true}', 0x0A: "null", 0xFF: '{"$minKey": 1}', 0x7F: '{"$maxKey": 1}'}


def marks(text: str | None) -> dict[str, Any] | None:
    """What the checker looks at of a message's document: its text, and the fields that the workload puts into each."""
    if text is None:
        return None
    fields = json.loads(text)
    return {"text": text} | {name: _number(fields.get(name)) for name in MARKS}


MARKS = ("home", "tx", "born", "ver", "began", "low", "high")


def _number(value: Any) -> int | None:
    return int(value["$numberLong"]) if isinstance(value, dict) and "$numberLong" in value else value
