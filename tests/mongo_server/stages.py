"""Stages of an aggregation that work on one document after another, or on all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.mongo_server import expressions
from tests.mongo_server.documents import Document, plain
from tests.mongo_server.errors import CommandError
from tests.mongo_server.matching import matches
from tests.mongo_server.modifiers import UNSET, Target
from tests.mongo_server.ordering import MISSING, sort_key
from tests.mongo_server.paths import value

OF_A_STREAM = {"$changeStreamSplitLargeEvent"}


def run_on_event(stages: Sequence[Document], event: Document) -> Document | None:
    """A change event after the stages of its stream; None where they leave it out."""
    documents: list[Document] = [event]
    for stage in stages:
        if next(iter(stage)) not in OF_A_STREAM:
            documents = run(stage, documents)
        if not documents:
            return None
    return documents[0]


def run(stage: Mapping[str, Any], documents: Iterable[Any]) -> list[Any]:
    """What one stage makes of documents."""
    name, operand = next(iter(stage.items()))
    if name not in STAGES:
        raise CommandError(40324, f"Unrecognized pipeline stage name: '{name}'")
    return STAGES[name](list(documents), operand)


def projected(document: Mapping[str, Any], projection: Mapping[str, Any]) -> Document:
    """The fields that ``projection`` names, or all but those it takes away."""
    wanted = {path: one for path, one in projection.items() if path != "_id"}
    takes_away = [path for path, one in wanted.items() if not isinstance(one, str | dict) and not one]
    if takes_away or (not wanted and not projection.get("_id", True)):
        return _without(document, [*takes_away, *([] if projection.get("_id", True) else ["_id"])])
    made: Document = {"_id": document["_id"]} if "_id" in document and projection.get("_id", True) else {}
    for path, one in wanted.items():
        plainly = isinstance(one, int | float)
        found = value(document, path) if plainly else expressions.evaluate(one, document)
        if found is not MISSING:
            Target(made, tuple(path.split("."))).put(plain(found))
    return made


def _without(document: Mapping[str, Any], paths: list[str]) -> Document:
    left = {name: one for name, one in document.items() if name not in paths}
    for path in paths:
        names = tuple(path.split("."))
        if len(names) > 1 and names[0] in left:
            left[names[0]] = copy.deepcopy(plain(left[names[0]]))
            Target(left, names).put(UNSET)
    return left


def ordered(documents: Iterable[Any], order: Mapping[str, Any]) -> list[Any]:
    """Documents by the paths of ``order``; ``$natural`` keeps or turns round the order they are stored in."""
    found = list(documents)
    for path, way in reversed(list(order.items())):
        if path == "$natural":
            found = found if way > 0 else found[::-1]
        else:
            found.sort(key=lambda one, path=path: sort_key(value(one, path)), reverse=way < 0)
    return found


def _buckets(documents: list[Any], operand: Document) -> list[Document]:
    """As even as they come: each of them the rounded share of what is there, the last one the rest."""
    values = sorted((expressions.evaluate(operand["groupBy"], one) for one in documents), key=sort_key)
    size = max(1, int(len(values) / operand["buckets"] + 0.5))
    found: list[Document] = []
    at = 0
    while at < len(values):
        last = len(found) == operand["buckets"] - 1
        end = len(values) if last else min(len(values), at + size)
        while end < len(values) and sort_key(values[end]) == sort_key(values[end - 1]):
            end += 1
        edge = values[end] if end < len(values) else values[-1]
        found.append({"_id": {"min": values[at], "max": edge}, "count": end - at})
        at = end
    return found


def _sampled(documents: list[Any], operand: Document) -> list[Any]:
    """Evenly spread: the same ones each time."""
    size = int(operand["size"])
    if size >= len(documents):
        return documents
    return [documents[at * len(documents) // size] for at in range(size)]


def _grouped(documents: list[Any], operand: Document) -> list[Document]:
    groups: dict[Any, list[Any]] = {}
    identities: dict[Any, Any] = {}
    for one in documents:
        identity = expressions.evaluate(operand["_id"], one)
        identities.setdefault(sort_key(identity), identity)
        groups.setdefault(sort_key(identity), []).append(one)
    made = []
    for key, members in groups.items():
        group = {"_id": None if identities[key] is MISSING else identities[key]}
        for name, accumulator in operand.items():
            if name != "_id":
                group[name] = _accumulated(accumulator, members)
        made.append(group)
    return made


def _accumulated(accumulator: Document, members: list[Any]) -> Any:
    name, expression = next(iter(accumulator.items()))
    values = [one for one in (expressions.evaluate(expression, member) for member in members) if one is not MISSING]
    if name == "$sum":
        return sum(one for one in values if isinstance(one, int | float))
    chosen: dict[str, Callable[[], Any]] = {
        "$min": lambda: min(values, key=sort_key, default=None),
        "$max": lambda: max(values, key=sort_key, default=None),
        "$first": lambda: values[0] if values else None,
        "$last": lambda: values[-1] if values else None,
        "$push": lambda: values,
    }
    if name not in chosen:
        raise CommandError(15952, f"unknown group operator '{name}'")
    return chosen[name]()


def _with_fields(documents: list[Any], operand: Document) -> list[Document]:
    made = []
    for document in documents:
        changed = dict(document)
        for path, expression in operand.items():
            found = expressions.evaluate(expression, document)
            Target(changed, tuple(path.split("."))).put(UNSET if found is MISSING else found)
        made.append(changed)
    return made


STAGES: dict[str, Callable[[list[Any], Any], list[Any]]] = {
    "$match": lambda documents, operand: [one for one in documents if matches(one, operand)],
    "$project": lambda documents, operand: [projected(one, operand) for one in documents],
    "$unset": lambda documents, operand: [
        _without(one, operand if isinstance(operand, list) else [operand]) for one in documents
    ],
    "$set": _with_fields,
    "$addFields": _with_fields,
    "$sort": ordered,
    "$limit": lambda documents, operand: documents[: int(operand)],
    "$skip": lambda documents, operand: documents[int(operand) :],
    "$count": lambda documents, operand: [{operand: len(documents)}] if documents else [],
    "$group": _grouped,
    "$bucketAuto": _buckets,
    "$sample": _sampled,
}
