"""Filters of a query, as far as clients of these tests ask them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bson import Regex

from tests.mongo_server import expressions
from tests.mongo_server.documents import Document, plain
from tests.mongo_server.errors import CommandError
from tests.mongo_server.ordering import MISSING, sort_key
from tests.mongo_server.paths import values

TYPES = {
    "double": (10, float),
    "string": (15, str),
    "object": (20, Mapping),
    "array": (25, list),
    "binData": (30, bytes),
    "objectId": (35, object),
    "bool": (40, bool),
    "date": (45, object),
    "null": (5, type(None)),
    "int": (10, int),
    "long": (10, int),
    "timestamp": (47, object),
    "number": (10, object),
}


def matches(document: Any, query: Mapping[str, Any]) -> bool:
    """Whether ``document`` satisfies every condition of ``query``."""
    return all(_holds(document, name, condition) for name, condition in query.items())


def check(query: Mapping[str, Any]) -> None:
    """Refuse operators that are not known, though there may be no document to try them on."""
    for name, condition in query.items():
        if name in {"$and", "$or", "$nor"}:
            for one in condition:
                check(one)
        else:
            _holds({}, name, condition)


def _holds(document: Any, name: str, condition: Any) -> bool:
    if name in {"$and", "$or", "$nor"}:
        held = (matches(document, one) for one in condition)
        return {"$and": all, "$or": any, "$nor": lambda each: not any(each)}[name](held)
    if name == "$expr":
        return bool(expressions.evaluate(plain(condition), document))
    if name == "$comment":
        return True
    if name.startswith("$"):
        raise CommandError(2, f"unknown top level operator: {name}")
    return field_matches(list(values(document, name)), condition)


def field_matches(found: list[Any], condition: Any) -> bool:
    """Whether what a path found satisfies a condition: operators, or a value to be equal to."""
    if isinstance(condition, Mapping) and next(iter(condition), "").startswith("$"):
        return all(_operator(found, name, operand, condition) for name, operand in condition.items())
    if isinstance(condition, Regex | re.Pattern):
        return _operator(found, "$regex", condition, {})
    return _equal(found, condition)


def _alternatives(found: list[Any]) -> list[Any]:
    """Each value, and the elements of those that are arrays."""
    return [*found, *(one for value in found if isinstance(value, list) for one in value)]


def _equal(found: list[Any], wanted: Any) -> bool:
    key = sort_key(wanted)
    return any(sort_key(value) == key for value in _alternatives(found))


def _compared(found: list[Any], operand: Any, holds: Callable[[Any, Any], bool]) -> bool:
    key = sort_key(operand)
    everything = key[0] in {1, 99}  # MinKey and MaxKey compare with every type, other values with their own
    keys = (sort_key(value) for value in _alternatives(found) if value is not MISSING)
    return any(holds(one, key) for one in keys if everything or (one[0] == key[0] and _ordered(one, key)))


def _ordered(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """A NaN compares with nothing but itself."""
    return one[0] != 10 or len(one) == len(other)


def _operator(found: list[Any], name: str, operand: Any, condition: Mapping[str, Any]) -> bool:
    operators: dict[str, Callable[[], bool]] = {
        "$eq": lambda: _equal(found, operand),
        "$ne": lambda: not _equal(found, operand),
        "$gt": lambda: _compared(found, operand, lambda one, other: one > other),
        "$gte": lambda: _compared(found, operand, lambda one, other: one >= other),
        "$lt": lambda: _compared(found, operand, lambda one, other: one < other),
        "$lte": lambda: _compared(found, operand, lambda one, other: one <= other),
        "$in": lambda: any(field_matches(found, one) for one in operand),
        "$nin": lambda: not any(field_matches(found, one) for one in operand),
        "$not": lambda: not field_matches(found, operand),
        "$exists": lambda: bool(operand) == any(value is not MISSING for value in found),
        "$type": lambda: any(_is_of_type(value, operand) for value in _alternatives(found)),
        "$regex": lambda: _regex(found, operand, condition.get("$options", "")),
        "$options": lambda: True,
        "$size": lambda: any(isinstance(value, list) and len(value) == operand for value in found),
        "$elemMatch": lambda: any(
            _element(one, operand) for value in found if isinstance(value, list) for one in value
        ),
        "$mod": lambda: any(
            isinstance(value, int | float) and int(value) % int(operand[0]) == int(operand[1])
            for value in _alternatives(found)
        ),
    }
    if name not in operators:
        raise CommandError(2, f"unknown operator: {name}")
    return operators[name]()


def _element(value: Any, condition: Document) -> bool:
    if next(iter(condition), "").startswith("$"):
        return field_matches([value], condition)
    return isinstance(value, Mapping) and matches(value, condition)


def _regex(found: list[Any], operand: Any, options: str) -> bool:
    flags = re.IGNORECASE if "i" in options else 0
    pattern = re.compile(operand, flags) if isinstance(operand, str) else re.compile(operand.pattern, operand.flags)
    return any(isinstance(value, str) and pattern.search(value) is not None for value in _alternatives(found))


def _is_of_type(value: Any, names: Any) -> bool:
    if value is MISSING:
        return False
    for name in names if isinstance(names, list) else [names]:
        if name not in TYPES:
            raise CommandError(2, f"Unknown type name alias: {name}")
        rank, python_type = TYPES[name]
        if sort_key(value)[0] == rank and isinstance(value, python_type):
            return True
    return False
