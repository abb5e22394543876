"""Change -> Debezium's JSON messages: key, envelope, tombstone, and the split of an update that moves the key.

Format: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-events (JSON without schemas).
"""

from __future__ import annotations

from typing import Any

import orjson

from connectors.source import Change, Row, TransactionPart
from streamtrain.envelope import Op
from streamtrain.topic.base import Header, Messages

OLD_KEY_HEADER = "__debezium.oldkey"
NEW_KEY_HEADER = "__debezium.newkey"


def messages(change: Change, now_ns: int) -> Messages:
    """The messages of every row of ``change``, in order. ``now_ns`` is the connector's clock, for the envelope's ``ts_*``."""
    write = _Writer(change, now_ns)
    if change.op is Op.TRUNCATE:
        return Messages([None], [write.envelope("t", None, None, 0)])
    if change.before is None:
        return _inserted(change, write)
    if change.after is None:
        for index, row in enumerate(change.before):
            write.deleted(row, index)
    else:
        for index, (before, after) in enumerate(zip(change.before, change.after, strict=True)):
            write.updated(before, after, index)
    return Messages(write.keys, write.values, write.headers)


def _inserted(change: Change, write: _Writer) -> Messages:
    op = change.op.value
    rows = change.after or ()
    keys = [write.key(row) for row in rows]
    if not change.markers:
        return Messages(keys, [write.envelope(op, None, row, index) for index, row in enumerate(rows)])
    marked = zip(rows, change.markers, strict=True)
    return Messages(keys, [write.envelope(op, None, row, 0, marker) for row, marker in marked])


class _Writer:
    """What the rows of one change share: columns, source block, clock; and the messages of updates and deletes."""

    def __init__(self, change: Change, now_ns: int) -> None:
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: dict[int, tuple[Header, ...]] = {}
        self._columns = change.table.columns
        self._key = tuple((change.table.columns[index], index) for index in change.table.key)
        self._source = dict(change.origin)
        self._transaction = change.transaction
        self._template = {
            "before": None, "after": None, "source": self._source, "op": "", "ts_ms": now_ns // 1_000_000,
            "ts_us": now_ns // 1_000, "ts_ns": now_ns, "transaction": None,
        }  # fmt: skip

    def key(self, row: Row) -> bytes | None:
        if not self._key:
            return None
        return orjson.dumps({name: row[index] for name, index in self._key})

    def envelope(self, op: str, before: Row | None, after: Row | None, index: int, marker: str | None = None) -> bytes:
        document: dict[str, Any] = self._template
        document["op"] = op
        document["before"] = None if before is None else dict(zip(self._columns, before, strict=True))
        document["after"] = None if after is None else dict(zip(self._columns, after, strict=True))
        self._source["row"] = index
        if marker is not None:
            self._source["snapshot"] = marker
        if self._transaction is not None:
            document["transaction"] = transaction_block(self._transaction, index)
        return orjson.dumps(document)

    def deleted(self, row: Row, index: int, *headers: Header) -> None:
        key = self.key(row)
        self._add(key, self.envelope("d", row, None, index), headers)
        if key is not None:
            self._add(key, None)

    def updated(self, before: Row, after: Row, index: int) -> None:
        old, new = self.key(before), self.key(after)
        if old == new:
            self._add(new, self.envelope("u", before, after, index))
            return
        self.deleted(before, index, (NEW_KEY_HEADER, new or b""))
        self._add(new, self.envelope("c", None, after, index), ((OLD_KEY_HEADER, old or b""),))

    def _add(self, key: bytes | None, value: bytes | None, headers: tuple[Header, ...] = ()) -> None:
        if headers:
            self.headers[len(self.values)] = headers
        self.keys.append(key)
        self.values.append(value)


def transaction_block(part: TransactionPart, index: int) -> dict[str, str | int]:
    """The ``transaction`` block of row ``index`` of a change."""
    return {
        "id": part.id,
        "total_order": part.total_order + index,
        "data_collection_order": part.data_collection_order + index,
    }
