"""Random updates: modifiers of every kind, with and without array filters, and pipelines.

Each raises ``ver`` by one and puts the transaction's tag into ``tx``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bson import Int64

from tests.chaos.mongo import values

Operators = dict[str, dict[str, Any]]


class Update(NamedTuple):
    """What an update statement has beside its filter."""

    change: Operators | list[Mapping[str, Any]]
    array_filters: list[Mapping[str, Any]] | None
    name: str


def modifiers(chance: random.Random, tag: int) -> Update:
    """One to three modifiers on fields that do not overlap."""
    operators: Operators = {"$inc": {"ver": 1}, "$set": {"tx": tag}}
    chosen = chance.sample(_FIELDS, chance.choice([0, 1, 1, 2, 3]))
    filters: list[Mapping[str, Any]] | None = None
    for field, kinds in chosen:
        name, operand = chance.choice(kinds)(chance)
        if "$[big]" in str(operand):
            filters = [{"big.k": {"$gte": 2}}]
        operators.setdefault(name, {})
        for path, one in operand.items():
            operators[name][f"{field}{path}"] = one
    return Update(operators, filters, "update" if filters is None else "update by array filters")


def pipeline(chance: random.Random, tag: int) -> Update:
    """Stages that compute the new document."""
    set_: dict[str, Any] = {"ver": {"$add": ["$ver", 1]}, "tx": tag}
    stages: list[Mapping[str, Any]] = [{"$set": set_}]
    kind = chance.randrange(5)
    if kind == 0:
        set_["a"] = {"$literal": values.value(chance, 2)}
    elif kind == 1:
        stages.append({"$unset": chance.choice(["a", ["b", "c"], "m.a"])})
    elif kind == 2:
        set_["copied"] = {"$ifNull": ["$num", 0]}
    elif kind == 3:
        is_array = {"$eq": [{"$type": "$set"}, "array"]}
        set_["set"] = {"$cond": [is_array, "$set", []]} if chance.random() < 0.5 else [chance.randrange(9), "$ver"]
    else:
        stages.append({"$replaceWith": {"_id": "$_id", "home": "$home", "tx": tag, "born": "$born", "ver": "$ver"}})
    return Update(stages, None, "update by pipeline")


_Kind = Callable[[random.Random], tuple[str, dict[str, Any]]]


def _numbers(chance: random.Random) -> tuple[str, dict[str, Any]]:
    by = chance.choice([1, -3, Int64(7), 0.5])
    each: list[tuple[str, dict[str, Any]]] = [
        ("$inc", {"": by}),
        ("$min", {"": by}),
        ("$max", {"": by}),
        ("$mul", {"": chance.choice([0, 1])}),
    ]
    return chance.choice(each)


def _elements(chance: random.Random) -> tuple[str, dict[str, Any]]:
    some = [values.value(chance, 3) for _ in range(chance.choice([0, 1, 3]))]
    options: dict[str, Any] = {"$each": some}
    if chance.random() < 0.3:
        options["$slice"] = chance.choice([0, 2, -3])
    if chance.random() < 0.3:
        options["$position"] = chance.choice([0, 1])
    each = [
        ("$push", {"": values.value(chance, 3)}),
        ("$push", {"": options}),
        ("$pop", {"": chance.choice([1, -1])}),
        ("$set", {f".{chance.choice([0, 1, 4, 12])}": values.value(chance, 3)}),
        ("$unset", {f".{chance.choice([0, 1])}": 1}),
    ]
    return chance.choice(each)


def _members(chance: random.Random) -> tuple[str, dict[str, Any]]:
    one, two = chance.randrange(5), chance.randrange(5)
    each: list[tuple[str, dict[str, Any]]] = [
        ("$addToSet", {"": one}),
        ("$addToSet", {"": {"$each": [one, two, 9]}}),
        ("$pull", {"": one}),
        ("$pull", {"": {"$gte": 3}}),
        ("$pullAll", {"": [one, two]}),
        ("$push", {"": {"$each": [one], "$sort": -1}}),
        ("$inc", {".$[]": 1}),
    ]
    return chance.choice(each)


def _whole(chance: random.Random) -> tuple[str, dict[str, Any]]:
    return chance.choice([("$set", {"": values.value(chance, 1)}), ("$unset", {"": 1}), ("$currentDate", {"": True})])


_FIELDS: list[tuple[str, tuple[_Kind, ...]]] = [
    ("num", (_numbers,)),
    ("bits", (lambda chance: ("$bit", {"": {chance.choice(["and", "or", "xor"]): chance.randrange(256)}}),)),
    ("arr", (_elements,)),
    ("set", (_members,)),
    ("m", (
        lambda chance: ("$set", {f".{chance.choice('01ab')}": values.value(chance, 3)}),
        lambda chance: ("$set", {f".{chance.choice('ab')}.deep.er": chance.randrange(9)}),
        lambda chance: ("$unset", {f".{chance.choice('01ab')}": 1}),
    )),
    ("list", (
        lambda chance: ("$set", {".$[big].v": values.value(chance, 3)}),
        lambda chance: ("$set", {".0.v": values.value(chance, 3)}),
        lambda chance: ("$pull", {"": {"k": chance.randrange(4)}}),
    )),
    ("a", (_whole, lambda _: ("$rename", {"": "renamed"}))),
    ("b", (_whole,)),
    ("é", (_whole,)),
    ("once", (lambda chance: ("$setOnInsert", {"": chance.randrange(9)}),)),
]  # fmt: skip
