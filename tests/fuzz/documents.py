"""Damaged documents and change events of MongoDB: read the same in C and in Python, or stopped with the place, and soon."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import orjson

from connectors.flat_rows import Flattener
from connectors.mongo import change_event, extended_json
from connectors.mongo.change_event import Event
from connectors.mongo.delta import applied, python_applied
from connectors.mongo.extended_json import Write
from streamtrain.errors import UnsupportedChange
from tests.connectors.bson_documents import ALL, attributes, nested, random_document
from tests.connectors.mongo_recordings import update_events, workload
from tests.fuzz.mutations import change
from tests.golden.mongo.record import cases

PLACE = re.compile(r"byte -?\d+ of a BSON document from MongoDB: |an update of '")
LONGEST = 60
"""Bytes of JSON that one byte of a document may become: an element with an empty name takes three, as does a smallest key."""
PATHS = ("_id", "a", "a.b", "fullDocument.arr.0", "0.0")


class Unlike(Exception):
    """Two readers differ, or one has done what it may not do."""


class Readers(NamedTuple):
    """What reads documents, in one language."""

    writes: tuple[Write, Write, Write]
    cut: Callable[[bytes, int], Event]
    cut_all: Callable[[bytes, int], list[Event]]


def readers() -> dict[str, Readers]:
    """Those that there are."""
    json, event = extended_json, change_event
    found = {
        "in Python": Readers(
            (json.python_value_json, json.python_update_json, json.python_id_json),
            event.python_cut,
            event.python_cut_all,
        )
    }
    if json.BUILT and event.BUILT:
        found["in C"] = Readers((json.value_json, json.update_json, json.id_json), event.cut, event.cut_all)
    return found


def play(rng: random.Random, all_: dict[str, Readers]) -> bool:
    """One damaged document to all readers; whether it went through. Raises Unlike."""
    data = bytearray(_whole(rng))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 5))):
        change(data, rng, rng.randrange(len(data)))
        data = data or bytearray(1)
    given, start, replace = bytes(data), rng.choice((0,) * 9 + (rng.randrange(-5, len(data) + 5),)), rng.random() < 0.5
    seen = {name: _seen(one, given, start, replace) for name, one in all_.items()}
    first = next(iter(seen.values()))
    for name, other in seen.items():
        if other != first:
            raise Unlike(f"{name} and {next(iter(seen))} differ: {other!r:.1000} {first!r:.1000}")
    for text in first[:3]:
        if isinstance(text, bytes):
            _check_json(text, len(given))
    if isinstance(first[0], bytes):
        Flattener(PATHS).row(first[0])
    if not isinstance(first[3], str):
        event = change_event.cut(given, start)
        held = _whole(rng) if rng.random() < 0.5 else given
        after = _outcome(applied, held, event)
        if after != _outcome(python_applied, held, event):
            raise Unlike("an update is applied otherwise in C")
        if isinstance(after, bytes) and rng.random() < 0.1 and len(after) < 10_000:
            _seen(all_["in Python"], after, 0, replace)
    return isinstance(first[0], bytes)


@cache
def _recorded() -> tuple[bytes, ...]:
    pages = (data for name, data in cases().items() if not name.startswith("U+"))
    return (*workload().events[::5], *update_events(), *pages)


def _whole(rng: random.Random) -> bytes:
    how = rng.randrange(10)
    if how == 0:
        return nested(rng.choice((2, 100, 199, 200, 201, 300)))
    return random_document(rng, ALL) if how < 4 else rng.choice(_recorded())


def _seen(one: Readers, data: bytes, start: int, replace: bool) -> list[Any]:
    texts = [_outcome(write, data, start, replace) for write in one.writes]
    return [
        *texts,
        _outcome(lambda: attributes(one.cut(data, start))),
        _outcome(lambda: [*map(attributes, one.cut_all(data, start))]),
    ]


def _outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives, or how it stops."""
    try:
        return function(*arguments)
    except UnsupportedChange as stop:
        if not stop.hint or not PLACE.match(stop.message):
            raise Unlike(f"an error without place or hint: {stop.message}") from stop
        return str(stop)


def _check_json(text: bytes, length: int) -> None:
    if len(text) > LONGEST * (length + 1):
        raise Unlike(f"{len(text)} bytes of JSON came of {length}")
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unlike(f"no JSON was written: {error}") from None
