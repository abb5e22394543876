"""Change -> Debezium's JSON messages: key, envelope, tombstone, and the split of an update that moves the key.

Format: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-events (JSON without schemas).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from connectors.row_json import RowEncoder, row_encoder
from connectors.source import Change, Row
from streamtrain.envelope import Op
from streamtrain.topic.base import Header, Messages

OLD_KEY_HEADER = "__debezium.oldkey"
NEW_KEY_HEADER = "__debezium.newkey"

_IMAGES = (b'{"before":', b',"after":')


def messages(change: Change, now_ns: int, encoder: RowEncoder | None = None) -> Messages:
    """The messages of every row of ``change``, in order. ``now_ns`` is the connector's clock, for the envelope's ``ts_*``.

    ``encoder`` is that of the change's table, if the caller keeps one.
    """
    write = _Writer(change, now_ns, encoder or row_encoder(change.table))
    before, after = change.before, change.after
    if change.op is Op.TRUNCATE:
        return Messages([None], write.envelopes("t", None, None))
    if before is None:
        rows = after or ()
        values = write.marked(rows) if change.markers else write.envelopes(change.op.value, None, rows)
        return Messages(write.keys(rows), values)
    if after is None:
        return _deleted(write, before)
    return _updated(write, before, after)


def _deleted(write: _Writer, rows: Sequence[Row]) -> Messages:
    """Each row and, if the table has a key, the tombstone by which compaction forgets it."""
    keys, values = write.keys(rows), write.envelopes("d", rows, None)
    if not write.has_key:
        return Messages(keys, values)
    return Messages([key for key in keys for _ in range(2)], [part for value in values for part in (value, None)])


def _updated(write: _Writer, before: Sequence[Row], after: Sequence[Row]) -> Messages:
    old, new = write.keys(before), write.keys(after)
    values = write.envelopes("u", before, after)
    if old == new:
        return Messages(new, values)
    return _with_moved_keys(write, (before, after), (old, new), values)


def _with_moved_keys(
    write: _Writer,
    rows: tuple[Sequence[Row], Sequence[Row]],
    keys: tuple[Sequence[bytes | None], Sequence[bytes | None]],
    values: Sequence[bytes | None],
) -> Messages:
    """Updates, of which those that change the key become a delete, its tombstone and an insert that name each other."""
    sent: tuple[list[bytes | None], list[bytes | None]] = ([], [])
    headers: dict[int, tuple[Header, ...]] = {}
    for n, (old, new, value) in enumerate(zip(*keys, values, strict=True)):
        if old == new:
            sent[0].append(new)
            sent[1].append(value)
            continue
        headers[len(sent[0])] = ((NEW_KEY_HEADER, new or b""),)
        headers[len(sent[0]) + 2] = ((OLD_KEY_HEADER, old or b""),)
        (gone,) = write.envelopes("d", rows[0][n : n + 1], None, first=n)
        (come,) = write.envelopes("c", None, rows[1][n : n + 1], first=n)
        sent[0].extend((old, old, new))
        sent[1].extend((gone, None, come))
    return Messages(*sent, headers)


class _Writer:
    """What the rows of one change share: columns, source block, clock, place in the transaction."""

    def __init__(self, change: Change, now_ns: int, encoder: RowEncoder) -> None:
        self._change = change
        self._now_ns = now_ns
        self._encoder = encoder
        self.has_key = bool(change.table.key)
        self.keys = encoder.keys

    def envelopes(
        self, op: str, before: Sequence[Row] | None, after: Sequence[Row] | None, first: int = 0
    ) -> list[bytes | None]:
        """The envelope of each row, of which the first is number ``first`` of the change."""
        source, rest = _around_row(self._change.origin)
        rest += self._op_and_clock(op)
        part = self._change.transaction
        if part is None:
            counters: tuple[int, ...] = (first,)
            tails: tuple[bytes, ...] = (rest + b',"transaction":null}',)
        else:
            counters = (first, part.total_order + first, part.data_collection_order + first)
            rest += b',"transaction":{"id":%b,"total_order":' % orjson.dumps(part.id)
            tails = (rest, b',"data_collection_order":', b"}}")
        return self._encoder.documents(before, after, (*_IMAGES, b',"source":' + source, *tails), counters)

    def marked(self, rows: Sequence[Row]) -> list[bytes | None]:
        """The envelopes of a snapshot's rows, which have markers and no numbers."""
        found: list[bytes | None] = []
        for marker, run in groupby(zip(rows, self._change.markers, strict=True), lambda pair: pair[1]):
            source = orjson.dumps({**self._change.origin, "row": 0, "snapshot": marker})
            tail = b',"source":' + source + self._op_and_clock(self._change.op.value) + b',"transaction":null}'
            found += self._encoder.documents(None, [row for row, _ in run], (*_IMAGES, tail), ())
        return found

    def _op_and_clock(self, op: str) -> bytes:
        now_ns = self._now_ns
        return b',"op":"%b","ts_ms":%d,"ts_us":%d,"ts_ns":%d' % (
            op.encode(),
            now_ns // 1_000_000,
            now_ns // 1_000,
            now_ns,
        )


def _around_row(origin: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The JSON of ``origin`` before and after its row's number, which is 0 there or missing."""
    text = orjson.dumps(origin if origin.get("row") == 0 else {**origin, "row": 0})
    # Quotes within a text are escaped: these can only be the field's own.
    before, _, after = text.partition(b'"row":0')
    return before + b'"row":', after
