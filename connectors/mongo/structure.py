"""Events that are not about documents: what becomes of collections, and what that means for what is held and read.

https://www.mongodb.com/docs/manual/reference/change-events/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from connectors.documents import source_block
from connectors.mongo.change_event import Event
from connectors.mongo.origin import OriginWriter
from connectors.mongo.settings import MongoSettings
from connectors.mongo.snapshots.state import Job, Kind, SnapshotState
from connectors.mongo.store import DocumentStore
from connectors.source import Collection, DocumentOrigin, SchemaChange

_ALTERATIONS = frozenset({
    "create", "createIndexes", "dropIndexes", "modify", "refineCollectionShardKey", "reshardCollection", "shardCollection",
})  # fmt: skip
STRUCTURE = _ALTERATIONS | {"drop", "rename", "dropDatabase", "invalidate"}
_TYPES = {"create": "CREATE", "drop": "DROP"}


class Structure:
    """Follows collections under their names."""

    def __init__(self, settings: MongoSettings, store: DocumentStore, captures: Callable[[str, str], bool]) -> None:
        self._settings = settings
        self._store = store
        self._captures = captures
        self._origin = OriginWriter(settings.prefix)

    def changed(self, event: Event, state: SnapshotState) -> tuple[list[SchemaChange], SnapshotState]:
        """What is published of ``event``, and what is left to be read after it."""
        name = ".".join(event.name)
        concerned = [event.name]
        if event.kind == "drop":
            state = state.without({name}, event.time)
            self._store.rename(name, None)
        elif event.kind == "rename":
            concerned.append(event.to)
            state = self._renamed(event, state)
        if not self._tells(event, concerned):
            return [], state
        return [self._change(event)], state

    def _tells(self, event: Event, concerned: list[tuple[str, str]]) -> bool:
        if not self._settings.include_schema_changes:
            return False
        if event.kind == "invalidate":  # it is about the stream itself
            return True
        if event.kind == "dropDatabase":
            return any(pattern.split(".", 1)[0] == event.name[0] for pattern in self._settings.include) or (
                self._settings.scope.database is None
            )
        return any(self._captures(*each) for each in concerned)

    def _renamed(self, event: Event, state: SnapshotState) -> SnapshotState:
        name, target, at = ".".join(event.name), ".".join(event.to), event.time
        was_captured, is_captured = self._captures(*event.name), self._captures(*event.to)
        if was_captured and is_captured:
            self._store.rename(name, target)
            return state.renamed(name, target, at)
        if was_captured:
            self._store.rename(name, None)
            return state.without({name}, at)
        if not is_captured:
            return state
        # Its documents were never published under any name.
        self._store.rename(target, None)
        kind: Kind = "unpublished" if self._settings.snapshot == "no_data" else "initial"
        left = state.without({target}, at)
        return replace(left, jobs=(*left.jobs, Job(kind, (target,))))

    def _change(self, event: Event) -> SchemaChange:
        name = event.name if event.kind != "invalidate" else self._watched
        shared = self._origin.block(Collection(*name))
        origin = source_block(
            shared, DocumentOrigin(event.committed_us, event.ordinal, None, None, event.wall_time_ms, None), "false"
        )
        return SchemaChange(name[0], orjson.dumps(_command(event, *name)).decode(), origin, _table_changes(event))

    @property
    def _watched(self) -> tuple[str, str]:
        """What an ``invalidate``, which names nothing, says of: the stream's database, and its collection if it has one."""
        scope = self._settings.scope
        return scope.database or "", scope.collection or ""


def _command(event: Event, database: str, collection: str) -> Mapping[str, Any]:
    """The event as the command that would do the same; an ``invalidate``, for which there is none, in the form of one."""
    if event.kind in {"dropDatabase", "invalidate"} and not collection:
        return {event.kind: 1, "$db": database}
    if event.kind == "rename":
        return {"renameCollection": f"{database}.{collection}", "to": ".".join(event.to)}
    return {event.kind: collection, "$db": database}


def _table_changes(event: Event) -> list[Mapping[str, Any]]:
    """Debezium's ``tableChanges``, without a table: collections declare no columns."""
    if event.kind in {"dropDatabase", "invalidate"}:
        return []
    names, kinds = [event.name], [_TYPES.get(event.kind, "ALTER")]
    if event.kind == "rename":
        names, kinds = [event.name, event.to], ["DROP", "CREATE"]
    return [
        {"type": kind, "id": f'"{database}"."{collection}"', "table": None}
        for kind, (database, collection) in zip(kinds, names, strict=True)
    ]
