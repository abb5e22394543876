"""The order of BSON values across types (MongoDB manual, "Comparison/Sort Order")."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.documents import Element, plain

MISSING = object()
"""What a path finds where there is no field: sorts as null, but is not equal to it."""
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the codec's dates are naive and mean UTC


def sort_key(value: Any) -> tuple[Any, ...]:
    """A tuple that compares as the server compares ``value``, and is equal (and hashes so) where the server's is."""
    if isinstance(value, bool):
        return (40, value)
    if isinstance(value, int | float | Decimal128):
        return _number(value)
    if isinstance(value, str) and not isinstance(value, Code):
        return (15, value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict | RawBSONDocument):
        return (20, *((sort_key(one)[0], name, sort_key(one)) for name, one in plain(value).items()))
    if isinstance(value, list):
        return (25, *(sort_key(one) for one in value))
    return _rare(value)


def _number(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Decimal128):
        value = value.to_decimal()
        if value.is_nan():
            return (10, 0)
    elif value != value:  # noqa: PLR0124 - a NaN
        return (10, 0)
    return (10, 1, value)


def _rare(value: Any) -> tuple[Any, ...]:
    if value is None or value is MISSING or (isinstance(value, Element) and value.type == 0x06):
        return (5,)
    for types, key in RARE:
        if isinstance(value, types):
            return key(value)
    raise TypeError(f"no order for {type(value).__name__}")


def _milliseconds(value: dt.datetime) -> int:
    return (value.replace(tzinfo=None) - EPOCH) // dt.timedelta(milliseconds=1)


RARE: list[tuple[type | tuple[type, ...], Any]] = [
    (MinKey, lambda _: (1,)),
    (MaxKey, lambda _: (99,)),
    (ObjectId, lambda value: (35, value.binary)),
    (DatetimeMS, lambda value: (45, int(value))),
    (dt.datetime, lambda value: (45, _milliseconds(value))),
    (Timestamp, lambda value: (47, value.time, value.inc)),
    (Binary, lambda value: (30, len(value), value.subtype, bytes(value))),
    (bytes, lambda value: (30, len(value), 0, value)),
    (Regex, lambda value: (50, value.pattern, value.flags)),
    (re.Pattern, lambda value: (50, value.pattern, value.flags)),
    (DBRef, lambda value: (55, str(value))),
    (Code, lambda value: (60 if value.scope is None else 65, str(value))),
    (Element, lambda value: (15, value.payload[4:-1]) if value.type == 0x0E else (55, value.payload)),
]
