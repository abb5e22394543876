"""Updates as change events tell them."""

from __future__ import annotations

from connectors.mongo.change_event import ChangeEvent
from connectors.mongo.extended_json import update_json
from connectors.mongo.raw_bson import elements
from connectors.source import DocumentUpdate

_EMPTY = b"\x05\0\0\0\0"


def described(data: bytes, parts: ChangeEvent) -> DocumentUpdate | None:
    """What the ``updateDescription`` of an event in ``data`` says; None if it has none."""
    if parts.update_description is None:
        return None
    updated = b"{}" if parts.updated_fields is None else update_json(data, parts.updated_fields)
    return DocumentUpdate(updated, _removed(data, parts.removed_fields), _truncated(data, parts.truncated_arrays))


def _removed(data: bytes, place: int | None) -> list[str]:
    if place is None or data.startswith(_EMPTY, place):
        return []
    return [data[each.value + 4 : each.end - 1].decode() for each in elements(data, place)]


def _truncated(data: bytes, place: int | None) -> list[tuple[str, int]]:
    if place is None or data.startswith(_EMPTY, place):
        return []
    found = list[tuple[str, int]]()
    for each in elements(data, place):
        parts = {part.name: data[part.value : part.end] for part in elements(data, each.value)}
        found.append((parts[b"field"][4:-1].decode(), int.from_bytes(parts[b"newSize"], "little")))
    return found
