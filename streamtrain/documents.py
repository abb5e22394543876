"""MongoDB's documents as rows: a column is a dotted path, and extended JSON's values are what features take.

A change record of MongoDB holds a document as JSON text in ``before`` and ``after``. Read are extended JSON before version 2,
which is what Debezium and this project write, and version 2, relaxed and canonical:
https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from streamtrain.errors import RejectedRecord

UUID_SUBTYPE = 4

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _END_MS = -62_135_596_800_000, 253_402_300_800_000
"""The years 1 to 9999."""
_CYCLE_YEARS, _CYCLE_MS = 400, 146_097 * 86_400_000
"""After 400 years the calendar begins anew."""


class Document(Mapping[str, Any]):
    """One document. ``document["address.city"]``, ``document["items.0.price"]``: None where there is nothing.

    A field whose own name has dots is found too, unless its parts lead somewhere. See ``plain`` for the values.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getitem__(self, path: str) -> Any:
        return plain(_within(self._fields, path.split(".")) if "." in path else self._fields.get(path))

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Document({self._fields!r})"


def document(text: str | bytes) -> Document:
    """Read a document's text. Raises RejectedRecord (``malformed``) if it is no JSON object."""
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        fields = _with_bare_nan(text)
    if type(fields) is not dict:
        raise RejectedRecord("malformed", "a document is not a JSON object")
    return Document(fields)


def plain(value: Any) -> Any:
    """A value of extended JSON as JSON's own.

    Numbers are numbers; a decimal is its text, as a DECIMAL is; times are ISO 8601 text in UTC; an ObjectId, a UUID, binary data
    in base64, a symbol, code and the pattern of a regular expression are text; undefined is None. Documents, arrays and what is
    left of MongoDB's types are as they are.
    """
    if type(value) is not dict or not value:
        return value
    name = next(iter(value))
    convert = _CONVERSIONS.get(name) if name[:1] == "$" else None
    if convert is None or len(value) > 2:
        return value
    try:
        return convert(value)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return value  # a field of that name that is none of MongoDB's types


def iso_text(milliseconds: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC, with as many digits of the second as it needs.

    A year before 1 or after 9999 has a sign and six digits or more, as in ECMAScript.
    """
    cycles = 0
    if not _FIRST_MS <= milliseconds < _END_MS:
        cycles = (milliseconds - _EPOCH_CYCLE_MS) // _CYCLE_MS
    moment = _EPOCH + timedelta(milliseconds=milliseconds - cycles * _CYCLE_MS)
    text = moment.isoformat(timespec="milliseconds")[:-6]
    text = (text.rstrip("0") if milliseconds % 1000 else text[:-4]) + "Z"
    return f"{moment.year + cycles * _CYCLE_YEARS:+07d}{text[4:]}" if cycles else text


_EPOCH_CYCLE_MS = _FIRST_MS + _CYCLE_MS
"""When the cycle of the years 401 to 800 begins: what is moved there stays within what datetime has."""


def _within(value: Any, names: Sequence[str]) -> Any:
    """What a path leads to: as few of its names as possible make up the name of a field."""
    if not names:
        return value
    if type(value) is list:
        index = int(names[0]) if names[0].isdecimal() and len(names[0]) <= 9 else len(value)
        return _within(value[index], names[1:]) if index < len(value) else None
    if not isinstance(value, Mapping):
        return None
    for count in range(1, len(names) + 1):
        name = ".".join(names[:count])
        if name in value and (found := _within(value[name], names[count:])) is not None:
            return found
    return None


def _with_bare_nan(text: str | bytes) -> Any:
    """Debezium writes doubles that are not finite as NaN and Infinity, which Python's own parser takes."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise RejectedRecord("malformed", f"a document is not JSON: {error}") from None


def _date(value: Mapping[str, Any]) -> str:
    date = plain(value["$date"])
    return date if type(date) is str else iso_text(_integer(date))


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def _binary(value: Mapping[str, Any]) -> str:
    data, subtype = value["$binary"], value.get("$type", "")
    if type(data) is dict:
        data, subtype = data["base64"], data["subType"]
    if int(subtype, 16) == UUID_SUBTYPE:
        return str(UUID(bytes=a2b_base64(data)))
    return _text(data)


_CONVERSIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "$numberInt": lambda value: int(value["$numberInt"]),
    "$numberLong": lambda value: int(value["$numberLong"]),
    "$numberDouble": lambda value: float(value["$numberDouble"]),
    "$numberDecimal": lambda value: _text(value["$numberDecimal"]),
    "$date": _date,
    "$oid": lambda value: _text(value["$oid"]),
    "$binary": _binary,
    "$uuid": lambda value: _text(value["$uuid"]),
    "$symbol": lambda value: _text(value["$symbol"]),
    "$code": lambda value: _text(value["$code"]),
    "$regex": lambda value: _text(value["$regex"]),
    "$regularExpression": lambda value: _text(value["$regularExpression"]["pattern"]),
    "$timestamp": lambda value: iso_text(_integer(value["$timestamp"]["t"]) * 1000),
    "$undefined": lambda _value: None,
}
"""By the first name of an object that stands for a value."""
