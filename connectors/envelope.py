"""Change -> Debezium's JSON messages: key, envelope, tombstone, and the split of an update that moves the key.

Format: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-events (JSON without schemas).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from connectors.source import Change, Row
from streamtrain.envelope import Op
from streamtrain.topic.base import Message

OLD_KEY_HEADER = "__debezium.oldkey"
NEW_KEY_HEADER = "__debezium.newkey"


def messages(change: Change, now_ns: int) -> Iterator[Message]:
    """The messages of every row of ``change``, in order. ``now_ns`` is the connector's clock, for the envelope's ``ts_*``."""
    write = _Writer(change, now_ns)
    if change.op is Op.TRUNCATE:
        yield Message(None, write.envelope("t", None, None, 0))
    elif change.before is None:
        yield from _inserted(change, write)
    elif change.after is None:
        for index, row in enumerate(change.before):
            yield from write.deleted(row, index)
    else:
        for index, (before, after) in enumerate(zip(change.before, change.after, strict=True)):
            yield from write.updated(before, after, index)


def _inserted(change: Change, write: _Writer) -> Iterator[Message]:
    op = change.op.value
    rows = change.after or ()
    if not change.markers:
        for index, row in enumerate(rows):
            yield Message(write.key(row), write.envelope(op, None, row, index))
        return
    for row, marker in zip(rows, change.markers, strict=True):
        yield Message(write.key(row), write.envelope(op, None, row, 0, marker))


class _Writer:
    """What the rows of one change share: columns, source block, clock."""

    def __init__(self, change: Change, now_ns: int) -> None:
        self._columns = change.table.columns
        self._key = tuple((change.table.columns[index], index) for index in change.table.key)
        self._source = dict(change.origin)
        self._now_ns = now_ns
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
        return orjson.dumps(document)

    def deleted(self, row: Row, index: int, headers: tuple[tuple[str, bytes], ...] = ()) -> Iterator[Message]:
        key = self.key(row)
        yield Message(key, self.envelope("d", row, None, index), headers)
        if key is not None:
            yield Message(key, None)

    def updated(self, before: Row, after: Row, index: int) -> Iterator[Message]:
        old, new = self.key(before), self.key(after)
        if old == new:
            yield Message(new, self.envelope("u", before, after, index))
            return
        yield from self.deleted(before, index, ((NEW_KEY_HEADER, new or b""),))
        yield Message(new, self.envelope("c", None, after, index), ((OLD_KEY_HEADER, old or b""),))
