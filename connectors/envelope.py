"""Change -> Debezium's messages as JSON without schemas, the fields in Debezium's order.

Format: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-events
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import orjson

from connectors.messages import Encoded, published
from connectors.row_json import RowEncoder, row_encoder
from connectors.source import Change, Row
from streamtrain.topic.base import Messages

_IMAGES = (b'{"before":', b',"after":')


def messages(change: Change, now_ns: int, encoder: RowEncoder | None = None) -> Messages:
    """The messages of every row of ``change``, in order. ``now_ns`` is the connector's clock, for the envelope's ``ts_*``.

    ``encoder`` is that of the change's table, if the caller keeps one.
    """
    return published(change, _Writer(change, now_ns, encoder or row_encoder(change.table)))


class _Writer:
    """What the rows of one change share: columns, source block, clock, place in the transaction."""

    def __init__(self, change: Change, now_ns: int, encoder: RowEncoder) -> None:
        self._change = change
        self._now_ns = now_ns
        self._encoder = encoder
        self.keys = encoder.keys
        self.header_keys = encoder.keys

    @property
    def has_key(self) -> bool:
        return bool(self._change.table.key)

    def envelopes(
        self, op: str, before: Sequence[Row] | None, after: Sequence[Row] | None, first: int = 0, moved: int = 0
    ) -> Encoded:
        source, rest = _around_row(self._change.origin)
        end = _op_and_clock(op, self._now_ns)
        part = self._change.transaction
        row = self._change.first_row + first
        if part is None:
            counters: tuple[int, ...] = (row,)
            tails: tuple[bytes, ...] = (rest + b',"transaction":null' + end,)
        else:
            orders = (part.total_order, part.data_collection_order)
            counters = (row, *(order + first + moved for order in orders))
            rest += b',"transaction":{"id":%b,"total_order":' % orjson.dumps(part.id)
            tails = (rest, b',"data_collection_order":', b"}" + end)
        return self._encoder.documents(before, after, (*_IMAGES, b',"source":' + source, *tails), counters)

    def marked(self, rows: Sequence[Row]) -> Encoded:
        found: list[bytes | None] = []
        end = b',"transaction":null' + _op_and_clock(self._change.op.value, self._now_ns)
        for marker, run in groupby(zip(rows, self._change.markers, strict=True), lambda pair: pair[1]):
            source = orjson.dumps({**self._change.origin, "row": 0, "snapshot": marker})
            tail = b',"source":' + source + end
            found += self._encoder.documents(None, [row for row, _ in run], (*_IMAGES, tail), ())
        return found


@lru_cache(maxsize=8)
def _op_and_clock(op: str, now_ns: int) -> bytes:
    clock = (now_ns // 1_000_000, now_ns // 1_000, now_ns)
    return b',"op":"%b","ts_ms":%d,"ts_us":%d,"ts_ns":%d}' % (op.encode(), *clock)


def _around_row(origin: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The JSON of ``origin`` before and after its row's number, which is 0 there or missing."""
    text = orjson.dumps(origin if origin.get("row") == 0 else {**origin, "row": 0})
    # Quotes within a text are escaped: these can only be the field's own.
    before, _, after = text.partition(b'"row":0')
    return before + b'"row":', after
