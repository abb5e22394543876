"""Aggregation expressions, as far as updates by pipeline, ``$project`` and ``$expr`` of these tests use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.mongo_server.errors import CommandError
from tests.mongo_server.ordering import MISSING, sort_key
from tests.mongo_server.paths import value as value_at

REMOVE = "$$REMOVE"


def evaluate(expression: Any, document: Any) -> Any:
    """The value of ``expression``; MISSING where it is a field that is not there."""
    if isinstance(expression, str) and expression.startswith("$"):
        return _variable(expression, document)
    if isinstance(expression, list):
        each = (evaluate(one, document) for one in expression)
        return [None if one is MISSING else one for one in each]
    if not isinstance(expression, Mapping):
        return expression
    name = next(iter(expression), "")
    if name == "$literal":
        return expression[name]
    if name.startswith("$"):
        return _call(name, expression[name], document)
    made = {field: evaluate(one, document) for field, one in expression.items()}
    return {field: one for field, one in made.items() if one is not MISSING}


def _variable(name: str, document: Any) -> Any:
    if name == REMOVE:
        return MISSING
    if name.startswith(("$$ROOT", "$$CURRENT")):
        path = name.partition(".")[2]
        return value_at(document, path) if path else document
    if name.startswith("$$"):
        raise CommandError(17276, f"Use of undefined variable: {name[2:]}")
    return value_at(document, name[1:])


def _call(name: str, operand: Any, document: Any) -> Any:
    if name not in OPERATORS:
        raise CommandError(168, f"Unrecognized expression '{name}'")
    arguments = evaluate(operand if isinstance(operand, list) else [operand], document)
    return OPERATORS[name](*arguments)


def _slice(values: list[Any] | None, at: int, count: int | None = None) -> list[Any] | None:
    if values is None:
        return None
    if count is None:
        return values[:at] if at >= 0 else values[at:]
    start = at if at >= 0 else max(0, len(values) + at)
    return values[start : start + count]


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: holds(sort_key(one), sort_key(other))


def _sum(*values: Any) -> Any:
    return None if None in values else sum(values)


OPERATORS: dict[str, Callable[..., Any]] = {
    "$slice": _slice,
    "$concat": lambda *parts: None if None in parts else "".join(parts),
    "$concatArrays": lambda *parts: None if None in parts else [one for part in parts for one in part],
    "$add": _sum,
    "$multiply": lambda one, other: None if None in {one, other} else one * other,
    "$subtract": lambda one, other: None if None in {one, other} else one - other,
    "$ifNull": lambda value, other: other if value is None else value,
    "$cond": lambda condition, yes, no: yes if condition else no,
    "$size": len,
    "$type": lambda value: type(value).__name__,
    "$toString": str,
    "$eq": _compare(lambda one, other: one == other),
    "$ne": _compare(lambda one, other: one != other),
    "$gt": _compare(lambda one, other: one > other),
    "$gte": _compare(lambda one, other: one >= other),
    "$lt": _compare(lambda one, other: one < other),
    "$lte": _compare(lambda one, other: one <= other),
    "$and": lambda *each: all(each),
    "$or": lambda *each: any(each),
    "$not": lambda value: not value,
    "$in": lambda value, values: any(sort_key(value) == sort_key(one) for one in values),
}
