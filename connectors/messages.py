"""Change -> Debezium's messages, whatever their format: envelope, tombstone, and the split of an update that moves the key.

https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-events
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connectors.source import Change, Row
from streamtrain.envelope import Op
from streamtrain.topic.base import Header, Messages

OLD_KEY_HEADER = "__debezium.oldkey"
NEW_KEY_HEADER = "__debezium.newkey"

Encoded = Sequence[bytes | None]


class ChangeEncoder(Protocol):
    """Encodes the rows of one change, all of them at a time."""

    @property
    def has_key(self) -> bool:
        """Whether the table has a key."""

    def keys(self, rows: Sequence[Row], /) -> Encoded:
        """Each row's key; None for each if the table has none."""

    def header_keys(self, rows: Sequence[Row], /) -> Encoded:
        """Each row's key as JSON, as headers hold it in every format."""

    def envelopes(
        self, op: str, before: Sequence[Row] | None, after: Sequence[Row] | None, first: int = 0, moved: int = 0
    ) -> Encoded:
        """The envelope of each row; one if there is neither ``before`` nor ``after``.

        The first is row ``first`` of the change; before it, the change had ``moved`` records more than rows.
        """

    def marked(self, rows: Sequence[Row]) -> Encoded:
        """The envelopes of a snapshot's rows, each with its ``snapshot`` marker and without a number."""


def published(change: Change, encoder: ChangeEncoder) -> Messages:
    """The messages of every row of ``change``, in order."""
    before, after = change.before, change.after
    if change.op is Op.TRUNCATE:
        return Messages([None], encoder.envelopes("t", None, None))
    if before is None:
        rows = after or ()
        values = encoder.marked(rows) if change.markers else encoder.envelopes(change.op.value, None, rows)
        return Messages(encoder.keys(rows), values)
    if after is None:
        return _deleted(encoder, before)
    return _updated(encoder, before, after)


def _deleted(encoder: ChangeEncoder, rows: Sequence[Row]) -> Messages:
    """Each row and, if the table has a key, the tombstone by which compaction forgets it."""
    keys, values = encoder.keys(rows), encoder.envelopes("d", rows, None)
    if not encoder.has_key:
        return Messages(keys, values)
    return Messages([key for key in keys for _ in range(2)], [part for value in values for part in (value, None)])


def _updated(encoder: ChangeEncoder, before: Sequence[Row], after: Sequence[Row]) -> Messages:
    old, new = encoder.keys(before), encoder.keys(after)
    if old == new:
        return Messages(new, encoder.envelopes("u", before, after))
    return _with_moved_keys(encoder, (before, after), (old, new))


def _with_moved_keys(
    encoder: ChangeEncoder, rows: tuple[Sequence[Row], Sequence[Row]], keys: tuple[Encoded, Encoded]
) -> Messages:
    """Updates, of which those that change the key become a delete, its tombstone and an insert that name each other.

    Such a row counts twice in its transaction, so what comes after it is moved on by one.
    """
    (before, after), (old, new) = rows, keys
    sent_keys: list[bytes | None] = []
    sent: list[bytes | None] = []
    headers: dict[int, tuple[Header, ...]] = {}
    start = moved = 0
    for n in [n for n, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]:
        sent_keys += new[start:n]
        sent += encoder.envelopes("u", before[start:n], after[start:n], start, moved)
        place, start = len(sent), n + 1
        headers[place] = headers[place + 1] = ((NEW_KEY_HEADER, encoder.header_keys(after[n:start])[0] or b""),)
        headers[place + 2] = ((OLD_KEY_HEADER, encoder.header_keys(before[n:start])[0] or b""),)
        sent_keys += (old[n], old[n], new[n])
        sent += encoder.envelopes("d", before[n:start], None, n, moved)
        moved += 1
        sent += (None, *encoder.envelopes("c", None, after[n:start], n, moved))
    sent_keys += new[start:]
    sent += encoder.envelopes("u", before[start:], after[start:], start, moved)
    return Messages(sent_keys, sent, headers)
