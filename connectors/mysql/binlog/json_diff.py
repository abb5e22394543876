"""Differences between two JSON documents, as MySQL logs them, applied to the text of the first.

A difference is its operation (1 byte), a path with its length before it and, unless it removes, a value in binary form
with its length before it. https://dev.mysql.com/doc/dev/mysql-server/latest/json__diff_8h.html
The document is worked on as text, cut at its punctuation: every number and string that does not change stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import loads
from json.encoder import encode_basestring
from typing import Any

from connectors.mysql.binlog.json_binary import json_text
from connectors.mysql.binlog.reading import Malformed, Reader

_REPLACE, _INSERT, _REMOVE = 0, 1, 2
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^{}\[\]:,"]+', re.DOTALL)
_LEG = re.compile(r'\[(\d+)\]|\[last(?:-(\d+))?\]|\.("(?:[^"\\]|\\.)*")|\.([^.\["]+)', re.DOTALL)

Node = str | list["Node"] | dict[str, "Node"]
"""A scalar as its text, an array, or an object."""
Leg = str | int
"""A member's name, or an array's index, which counts from the end if it is negative."""


def with_differences(document: str, differences: Reader) -> str:
    """The document after them. Raises Malformed on what does not fit to it."""
    root: list[Node] = [_parsed(document)]
    while differences.left:
        operation = differences.uint(1)
        path = differences.text(differences.packed())
        legs = [0, *_legs(path)]
        place, last = _found(root, legs[:-1], path), legs[-1]
        if operation == _REMOVE:
            del _has(place, last, path)[last]
            continue
        value = _parsed(json_text(differences.take(differences.packed())))
        if operation == _REPLACE:
            _has(place, last, path)[last] = value
        elif operation == _INSERT:
            _insert(place, last, value, path)
        else:
            raise Malformed(f"operation {operation} on a JSON value is not known")
    return "".join(_written(root[0]))


def _legs(path: str) -> Iterator[Leg]:
    """The legs of a path as the server writes it: ``$.name[2]."two words"[last-1]``."""
    at = 1
    if not path.startswith("$"):
        raise Malformed(f"{path!r} is no JSON path")
    while at < len(path):
        leg = _LEG.match(path, at)
        if leg is None:
            raise Malformed(f"{path!r} is no JSON path")
        at = leg.end()
        if leg[1]:
            yield int(leg[1])
        elif leg[3]:
            yield loads(leg[3])
        else:
            yield leg[4] or -1 - int(leg[2] or 0)


def _found(node: Node, legs: list[Leg], path: str) -> Node:
    for leg in legs:
        node = _has(node, leg, path)[leg]
    return node


def _has(node: Node, leg: Leg, path: str) -> Any:
    """``node``, once it is known that ``leg`` leads to something in it."""
    fits = (
        leg in node
        if isinstance(node, dict)
        else isinstance(node, list) and isinstance(leg, int) and -len(node) <= leg < len(node)
    )
    if not fits:
        raise _nowhere(path)
    return node


def _nowhere(path: str) -> Malformed:
    return Malformed(f"a JSON value is changed at {path}, where there is nothing in it")


def _insert(place: Node, leg: Leg, value: Node, path: str) -> None:
    """As JSON_ARRAY_INSERT, which takes an index beyond either end for that end, and JSON_INSERT."""
    if isinstance(place, list) and isinstance(leg, int):
        place.insert(leg, value)
    elif isinstance(place, dict) and isinstance(leg, str) and leg not in place:
        place[leg] = value
    else:
        raise _nowhere(path)


def _parsed(text: str) -> Node:
    tokens = _TOKEN.findall(text)
    tokens.reverse()
    return _node(tokens)


def _node(tokens: list[str]) -> Node:
    """The node that begins the tokens, which are in reverse."""
    first = tokens.pop()
    if first == "[":
        items: list[Node] = []
        while tokens[-1] != "]":
            items.append(_node(tokens))
            if tokens[-1] == ",":
                tokens.pop()
        tokens.pop()
        return items
    if first == "{":
        members: dict[str, Node] = {}
        while tokens[-1] != "}":
            name = loads(tokens.pop())
            tokens.pop()
            members[name] = _node(tokens)
            if tokens[-1] == ",":
                tokens.pop()
        tokens.pop()
        return members
    return first


def _written(node: Node) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield "," if number else "["
            yield from _written(item)
        yield "]" if node else "[]"
    else:
        for number, (name, value) in enumerate(sorted(node.items(), key=_in_order)):
            yield ",{"[not number]
            yield encode_basestring(name)
            yield ":"
            yield from _written(value)
        yield "}" if node else "{}"


def _in_order(member: tuple[str, Node]) -> tuple[int, bytes]:
    """Where the server puts it in an object: shorter names first, then by their bytes."""
    name = member[0].encode()
    return len(name), name
