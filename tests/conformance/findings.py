"""Where two publications of the same work differ, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from tests.conformance.capture import Record, Topics


@dataclass(frozen=True)
class Finding:
    """One field of one record that is not the same. ``theirs`` and ``ours`` are ABSENT where there is none."""

    kind: str
    """The server's."""
    topic: str
    path: tuple[str, ...]
    theirs: Any
    ours: Any
    their_record: Record | None
    our_record: Record | None


ABSENT = "(absent)"


def compare(kind: str, theirs: Topics, ours: Topics) -> Iterator[Finding]:
    """All differences of all topics. Records are lined up by what they are about; one without a partner is a finding."""
    for topic in sorted({*theirs, *ours}):
        for one, other in _lined_up(theirs.get(topic, []), ours.get(topic, [])):
            for path, a, b in _differences(_parts(one), _parts(other)):
                yield Finding(kind, topic, path, a, b, one, other)


def payload(record: Record | None) -> dict[str, Any]:
    """A record's value without its schema; empty for a tombstone and for none."""
    value = {} if record is None or record.value is None else record.value
    return dict(value.get("payload", value))


def _lined_up(theirs: list[Record], ours: list[Record]) -> Iterator[tuple[Record | None, Record | None]]:
    matcher = SequenceMatcher(None, [_about(one) for one in theirs], [_about(one) for one in ours], autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        left, right = theirs[start:end], ours[other_start:other_end]
        if tag == "equal":
            yield from zip(left, right, strict=True)
        else:
            yield from ((one, None) for one in left)
            yield from ((None, one) for one in right)


def _about(record: Record) -> str:
    """What lines two records up: key and operation, transaction and status, or statement."""
    key = record.key["payload"] if record.key is not None and "payload" in record.key else record.key
    value = payload(record)
    tables = [(change["type"], change["id"]) for change in value.get("tableChanges", ())]
    said = value.get("op") or value.get("status") or tables or value.get("ddl")
    return repr((key, said))


def _parts(record: Record | None) -> Any:
    return ABSENT if record is None else {"key": record.key, "value": record.value, "headers": record.headers}


def _differences(theirs: Any, ours: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if path and path[0] != "headers" and list(theirs) != list(ours) and set(theirs) == set(ours):
            yield (*path, "(order)"), list(theirs), list(ours)
        for name in {**theirs, **ours}:
            yield from _differences(theirs.get(name, ABSENT), ours.get(name, ABSENT), (*path, name))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            name = one.get("field", str(number)) if isinstance(one, dict) else str(number)
            yield from _differences(one, other, (*path, name))
    elif type(theirs) is not type(ours) or theirs != ours:
        yield path, theirs, ours
