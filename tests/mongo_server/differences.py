"""What differs between two documents, as servers from 5.0 on say it of an update by pipeline.

Source: MongoDB manual, "update Event" (``truncatedArrays``, ``disambiguatedPaths``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.mongo_server.documents import Document, encode


def difference(before: Document, after: Document) -> Document | None:
    """An ``updateDescription``; None where it is no smaller than the document, which then is sent as a replace."""
    delta: Document = {"updatedFields": {}, "removedFields": [], "truncatedArrays": []}
    _documents(before, after, "", delta)
    return delta if len(encode(delta)) < len(encode(after)) + len(encode({"updatedFields": {}})) else None


def _documents(before: Document, after: Document, prefix: str, delta: Document) -> None:
    kept = [name for name in before if name in after]
    moved = _out_of_order(kept, [name for name in after if name in before])
    delta["removedFields"] += [prefix + name for name in before if name not in after]
    for name, value in after.items():
        if name not in before or name in moved:
            delta["updatedFields"][prefix + name] = value
        else:
            _values(before[name], value, prefix + name, delta)


def _out_of_order(before: list[str], after: list[str]) -> set[str]:
    """Fields that have to be taken away and set again for the rest to be in order."""
    moved = set()
    at = 0
    for name in before:
        if at < len(after) and after[at] == name:
            at += 1
        else:
            moved.add(name)
    return moved


def _values(before: Any, after: Any, path: str, delta: Document) -> None:
    if encode({"": before}) == encode({"": after}):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        _documents(before, after, f"{path}.", delta)
    elif isinstance(before, list) and isinstance(after, list) and after:
        for at, value in enumerate(after):
            if at < len(before):
                _values(before[at], value, f"{path}.{at}", delta)
            else:
                delta["updatedFields"][f"{path}.{at}"] = value
        if len(after) < len(before):
            delta["truncatedArrays"].append({"field": path, "newSize": len(after)})
    else:
        delta["updatedFields"][path] = after


def disambiguated(delta: Document, document: Mapping[str, Any]) -> Document:
    """Paths of ``delta`` with a number or a dot in a name, taken apart: an index as a number, a name as a string."""
    paths = [*delta["updatedFields"], *delta["removedFields"]]
    return {path: parts for path in paths if (parts := _parts(path, document)) is not None}


def _parts(path: str, document: Any) -> list[Any] | None:
    names = path.split(".")
    if not any(name.isdigit() for name in names):
        return None
    parts: list[Any] = []
    for name in names:
        index = isinstance(document, list) and name.isdigit()
        parts.append(int(name) if index else name)
        if index:
            document = document[int(name)] if int(name) < len(document) else None
        else:
            document = document.get(name) if isinstance(document, Mapping) else None
    return parts
