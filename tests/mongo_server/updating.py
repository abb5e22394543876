"""Updates of a document: what it becomes, and what an event says has changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.mongo_server import expressions
from tests.mongo_server.differences import difference
from tests.mongo_server.documents import Document, decode, encode, plain
from tests.mongo_server.errors import CommandError
from tests.mongo_server.modifiers import MODIFIERS, UNSET, Path, Target, identical
from tests.mongo_server.ordering import MISSING
from tests.mongo_server.positions import concrete_paths

FROM_5_0 = (5, 0)


@dataclass(frozen=True, slots=True)
class Update:
    """One update statement, apart from which documents it is for."""

    change: Any
    """Modifiers, a replacement, or a list of pipeline stages."""
    query: Document = field(default_factory=dict)
    array_filters: Sequence[Document] = ()
    version: tuple[int, ...] = (4, 4)
    inserting: bool = False
    now: dt.datetime | None = None

    @property
    def replaces(self) -> bool:
        return isinstance(self.change, Mapping) and not next(iter(self.change), "").startswith("$")


@dataclass(frozen=True, slots=True)
class Changed:
    """What an update made of a document; ``delta`` is None where the event is a replace."""

    document: Document
    delta: Document | None


def apply(update: Update, before: Document) -> Changed | None:
    """The document after ``update``; None where nothing changes (a replacement always counts as a change)."""
    if isinstance(update.change, list):
        return _by_pipeline(update, before)
    if update.replaces:
        return Changed(_replaced(before, dict(update.change)), None)
    after = decode(encode(before))
    changes = _modify(update, after)
    if not changes:
        return None
    if not identical(before.get("_id"), after.get("_id")) and "_id" in before:
        raise CommandError(66, "Performing an update on the path '_id' would modify the immutable field '_id'")
    return Changed(after, _described(changes))


def _replaced(before: Document, replacement: Document) -> Document:
    identity = before.get("_id", MISSING)
    if "_id" in replacement and identity is not MISSING and not identical(identity, replacement["_id"]):
        raise CommandError(
            66,
            "After applying the update, the (immutable) field '_id' was found to have been altered to "
            f"_id: {replacement['_id']}",
        )
    return replacement if identity is MISSING else {"_id": identity, **replacement}


def _by_pipeline(update: Update, before: Document) -> Changed | None:
    document = decode(encode(before))
    for stage in update.change:
        document = _staged(document, plain(stage))
    document = {"_id": before["_id"], **document} if "_id" in before else document
    if identical(document, before):
        return None
    return Changed(document, difference(before, document) if update.version >= FROM_5_0 else None)


def _staged(document: Document, stage: Document) -> Document:
    name, operand = next(iter(stage.items()))
    if name in {"$set", "$addFields"}:
        found = {path: expressions.evaluate(one, document) for path, one in operand.items()}
        for path, value in found.items():
            Target(document, tuple(path.split("."))).put(UNSET if value is MISSING else value)
    elif name == "$unset":
        for path in operand if isinstance(operand, list) else [operand]:
            Target(document, tuple(path.split("."))).put(UNSET)
    elif name in {"$replaceWith", "$replaceRoot"}:
        document = expressions.evaluate(operand if name == "$replaceWith" else operand["newRoot"], document)
    else:
        raise CommandError(40324, f"Unrecognized pipeline stage name: '{name}'")
    return document


def _modify(update: Update, document: Document) -> dict[Path, Any]:
    """Change ``document`` in place, path by path in the order the server takes; return what changed."""
    wanted: list[tuple[Path, str, Any]] = []
    for name, paths in update.change.items():
        if name not in MODIFIERS:
            raise CommandError(
                9, f"Unknown modifier: {name}. Expected a valid update modifier or pipeline-style update"
            )
        if name != "$setOnInsert" or update.inserting:
            wanted.extend((tuple(path.split(".")), name, operand) for path, operand in plain(paths).items())
    changes: dict[Path, Any] = {}
    for path, name, operand in sorted(wanted, key=lambda each: _order(each[0])):
        if name == "$rename":
            changes |= _renamed(document, path, tuple(operand.split(".")))
        else:
            modifier = MODIFIERS[name]
            operand = update.now if name == "$currentDate" else operand  # noqa: PLW2901
            changes |= _modified(update, document, path, lambda target, with_=operand, by=modifier: by(target, with_))
    return changes


def _modified(
    update: Update, document: Document, path: Path, modifier: Callable[[Target], dict[Path, Any]]
) -> dict[Path, Any]:
    changes: dict[Path, Any] = {}
    changed = 0
    targets = concrete_paths(document, path, update.query, update.array_filters)
    for concrete in targets.paths:
        now = modifier(Target(document, concrete))
        changed += bool(now)
        changes |= now
    if changed > 1 and targets.array is not None:  # more than one element: the event has the whole array
        return {targets.array: Target(document, targets.array).get()}
    return changes


def _renamed(document: Document, path: Path, to: Path) -> dict[Path, Any]:
    source = Target(document, path)
    value = source.get()
    if value is MISSING:
        return {}
    source.put(UNSET)
    Target(document, to).put(value)
    return {path: UNSET, to: value}


def _order(path: Path) -> tuple[tuple[bool, int, str], ...]:
    return tuple((not name.isdigit(), int(name) if name.isdigit() else 0, name) for name in path)


def _described(changes: dict[Path, Any]) -> Document:
    ordered = sorted(changes.items(), key=lambda each: _order(each[0]))
    return {
        "updatedFields": {".".join(path): value for path, value in ordered if value is not UNSET},
        "removedFields": [".".join(path) for path, value in ordered if value is UNSET],
    }
