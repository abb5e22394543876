"""Dotted paths through documents and arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.mongo_server.ordering import MISSING


def values(document: Any, path: str) -> Iterator[Any]:
    """What a query's path finds: through arrays, by index and in each element; MISSING where it ends early."""
    yield from _values(document, path.split("."))


def _values(value: Any, names: Sequence[str]) -> Iterator[Any]:
    if not names:
        yield value
    elif isinstance(value, Mapping):
        yield from _values(value[names[0]], names[1:]) if names[0] in value else (MISSING,)
    elif isinstance(value, list):
        if names[0].isdigit() and int(names[0]) < len(value):
            yield from _values(value[int(names[0])], names[1:])
        for one in value:
            if isinstance(one, Mapping):
                yield from _values(one, names)
    else:
        yield MISSING


def value(document: Any, path: str) -> Any:
    """What an expression's path finds; of an array the list of what its elements have there."""
    found = document
    for at, name in enumerate(names := path.split(".")):
        if isinstance(found, Mapping):
            found = found.get(name, MISSING)
        elif isinstance(found, list):
            rest = ".".join(names[at:])
            inside = (value(one, rest) for one in found if isinstance(one, Mapping))
            return [one for one in inside if one is not MISSING]
        else:
            return MISSING
    return found
