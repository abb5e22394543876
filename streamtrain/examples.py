"""A slice of change records -> what there is to learn from it. Pure, and without torch.

The rules, by operation (docs/training.md tells them with their reasons):

    c, r   the row is an example if its label is there; if the label is NULL it waits
    u      label NULL -> value       an example: the row *before* the update, with the new label
           label value -> other      retract (row before, old label), then learn (row before, new label), unscored
           label value -> NULL       retract (row before, old label)
           label as it was           nothing
    d      recorded; the model keeps what it learned until ``forget``
    t      recorded as a delete without a key
    tombstone                        an empty slot

The features of an example are those of the row as it was before the event that brought the label: an application that
fills ``clicked`` may fill ``clicked_at`` in the same statement, and a model must not learn from what it cannot know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from streamtrain.envelope import Envelope, Op, Row, canonical_key, decode
from streamtrain.errors import RejectedRecord
from streamtrain.topic.base import Records


@dataclass(slots=True)
class Examples:
    """What one slice teaches, as columns of equal length; ``slots`` are indexes into the slice's records."""

    slots: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    """+1 to learn, -1 to retract."""
    scored: list[bool] = field(default_factory=list)
    """Whether the prediction made for the row counts in the prequential scores: not where the row was learned before."""
    rejected: dict[int, RejectedRecord] = field(default_factory=dict)
    """By slot."""
    deleted: list[int] = field(default_factory=list)
    """Slots of deletes and truncates."""
    unlabelled: int = 0
    """Rows that came without their label."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many records of each kind: events, inserts, updates, deletes, reads, truncates, unlabelled."""
    last_committed_ms: int = 0
    """The newest commit time among the slice's changes."""


_KINDS = {
    Op.CREATE: "inserts",
    Op.READ: "reads",
    Op.UPDATE: "updates",
    Op.DELETE: "deletes",
    Op.TRUNCATE: "truncates",
}


def read(records: Records, label: str) -> Examples:
    """Apply the rules above to every record. Nothing raises: what cannot be read is in ``rejected``."""
    examples = Examples()
    counted = ["events"] * sum(value is not None for value in records.values)
    for slot, value in enumerate(records.values):
        if value is None:
            continue
        try:
            envelope = decode(value)
            counted.append(_KINDS[envelope.op])
            examples.last_committed_ms = max(examples.last_committed_ms, envelope.committed_ms)
            _take(examples, slot, envelope, label)
        except RejectedRecord as error:
            examples.rejected[slot] = error
    examples.counts = dict(Counter(counted))
    if examples.unlabelled:
        examples.counts["unlabelled"] = examples.unlabelled
    return examples


def row_key(records: Records, slot: int) -> str | None:
    """The identity of the row that a record is about; None without a key, or where it cannot be read."""
    try:
        return canonical_key(records.keys[slot])
    except RejectedRecord:
        return None


def _take(examples: Examples, slot: int, envelope: Envelope, label: str) -> None:
    op = envelope.op
    if op is Op.DELETE or op is Op.TRUNCATE:
        examples.deleted.append(slot)
        return
    after = _label(envelope.after, label)
    if op is not Op.UPDATE:
        if after is None:
            examples.unlabelled += 1
        else:
            _add(examples, slot, envelope.after, after, weight=1.0, scored=True)
        return
    if envelope.before is None:
        raise RejectedRecord(
            "missing_before",
            "an update without 'before': the source must log full row images (MySQL: binlog_row_image=FULL; MongoDB: "
            "pre-images, or a connector that holds the documents)",
        )
    _take_update(examples, slot, envelope, label)


def _take_update(examples: Examples, slot: int, envelope: Envelope, label: str) -> None:
    before, after = _label(envelope.before, label), _label(envelope.after, label)
    if before == after and type(before) is type(after):
        return
    if before is not None:
        _add(examples, slot, envelope.before, before, weight=-1.0, scored=False)
    if after is not None:
        _add(examples, slot, envelope.before, after, weight=1.0, scored=before is None)


def _label(row: Row | None, label: str) -> Any:
    if row is None or label not in row:
        raise RejectedRecord("missing_column", f"the row has no column {label!r}, which is the label")
    return row[label]


def _add(examples: Examples, slot: int, row: Row | None, label: Any, *, weight: float, scored: bool) -> None:
    examples.slots.append(slot)
    examples.rows.append(row or {})
    examples.labels.append(label)
    examples.weights.append(weight)
    examples.scored.append(scored)
