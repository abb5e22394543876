"""Updates as change events tell them."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.mongo.change_event import Event
from connectors.mongo.extended_json import update_json
from connectors.mongo.raw_bson import elements
from connectors.source import DocumentUpdate


def described(event: Event) -> DocumentUpdate | None:
    """What the ``updateDescription`` of an event says; None if it has none."""
    if event.update_description is None:
        return None
    data, fields = event.data, event.updated_fields
    updated = b"{}" if fields is None else update_json(data, fields)
    return DocumentUpdate(updated, _removed(data, event.removed_fields), _truncated(data, event.truncated_arrays))


def _removed(data: bytes, place: int | None) -> Sequence[str]:
    if place is None:
        return ()
    return [data[each.value + 4 : each.end - 1].decode() for each in elements(data, place)]


def _truncated(data: bytes, place: int | None) -> Sequence[tuple[str, int]]:
    if place is None:
        return ()
    found = list[tuple[str, int]]()
    for each in elements(data, place):
        parts = {part.name: data[part.value : part.end] for part in elements(data, each.value)}
        found.append((parts[b"field"][4:-1].decode(), int.from_bytes(parts[b"newSize"], "little")))
    return found
