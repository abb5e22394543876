"""DocumentChange -> Debezium's messages of its MongoDB connector as JSON without schemas, fields in its order.

``before``, ``after`` and ``updatedFields`` are texts that hold a document in extended JSON.
Format: https://debezium.io/documentation/reference/stable/connectors/mongodb.html#mongodb-events
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from connectors.source import DocumentChange, DocumentOrigin, DocumentUpdate, TransactionPart
from streamtrain.envelope import Op
from streamtrain.topic.base import Messages

_OPS = {op: b'"%b"' % op.value.encode() for op in Op}
_NULL = b"null"


def document_messages(change: DocumentChange, now_ns: int) -> Messages:
    """The messages of every document of ``change``, in order: envelopes, and tombstones behind deletes.

    ``now_ns`` is the connector's clock, for the envelope's ``ts_*``.
    """
    keys = [b'{"id":%b}' % _text(key) for key in change.keys]
    return with_tombstones(change.ops, keys, _envelopes(change, now_ns))


def document_envelopes(change: DocumentChange, now_ns: int) -> Iterator[dict[str, Any]]:
    """The same envelopes as values of a schema."""
    clock = {"ts_ms": now_ns // 1_000_000, "ts_us": now_ns // 1_000, "ts_ns": now_ns}
    markers = change.markers or [change.origin["snapshot"]] * len(change)
    parts = change.transactions or [None] * len(change)
    for at, (origin, update, part) in enumerate(zip(change.origins, change.updates, parts, strict=True)):
        before, after = change.before[at], change.after[at]
        yield {
            "before": None if before is None else before.decode(),
            "after": None if after is None else after.decode(),
            "updateDescription": None if update is None else _update_block(update),
            "source": source_block(change.origin, origin, markers[at]),
            "transaction": None if part is None else asdict(part),
            "op": change.ops[at].value,
            **clock,
        }


def source_block(shared: Mapping[str, Any], origin: DocumentOrigin, snapshot: str) -> dict[str, Any]:
    """The ``source`` block of one change."""
    micros = origin.committed_us
    return {
        "version": shared["version"],
        "connector": shared["connector"],
        "name": shared["name"],
        "ts_ms": micros // 1_000,
        "snapshot": snapshot,
        "db": shared["db"],
        "sequence": None,
        "ts_us": micros,
        "ts_ns": micros * 1_000,
        "collection": shared["collection"],
        "ord": origin.ord,
        "lsid": origin.lsid,
        "txnNumber": origin.txn_number,
        "wallTime": origin.wall_ms,
        "after_from": origin.after_from,
    }


def _update_block(update: DocumentUpdate) -> dict[str, Any]:
    truncated = [{"field": name, "size": size} for name, size in update.truncated]
    return {
        "removedFields": list(update.removed) or None,
        "updatedFields": update.updated.decode(),
        "truncatedArrays": truncated or None,
    }


def with_tombstones(ops: Sequence[Op], keys: Sequence[bytes], values: Sequence[bytes]) -> Messages:
    """The messages, each delete with the record by which compaction forgets the document."""
    if Op.DELETE not in ops:
        return Messages(keys, values)
    sent_keys: list[bytes | None] = []
    sent: list[bytes | None] = []
    for op, key, value in zip(ops, keys, values, strict=True):
        sent_keys.append(key)
        sent.append(value)
        if op is Op.DELETE:
            sent_keys.append(key)
            sent.append(None)
    return Messages(sent_keys, sent)


def _envelopes(change: DocumentChange, now_ns: int) -> list[bytes]:
    clock = b',"ts_ms":%d,"ts_us":%d,"ts_ns":%d}' % (now_ns // 1_000_000, now_ns // 1_000, now_ns)
    ends = {op: b',"op":%b%b' % (name, clock) for op, name in _OPS.items()}
    return [
        b'{"before":%b,"after":%b,"updateDescription":%b,"source":%b,"transaction":%b%b'
        % (
            _NULL if before is None else _text(before),
            _NULL if after is None else _text(after),
            _NULL if update is None else _update(update),
            source,
            part,
            ends[op],
        )
        for op, before, after, update, source, part in zip(
            change.ops, change.before, change.after, change.updates, _sources(change), _parts(change), strict=True
        )
    ]


def _text(document: bytes) -> bytes:
    """A document's text as a text within JSON."""
    return orjson.dumps(document.decode())


def _update(update: DocumentUpdate) -> bytes:
    if not (update.removed or update.truncated):
        return b'{"removedFields":null,"updatedFields":%b,"truncatedArrays":null}' % _text(update.updated)
    return orjson.dumps(_update_block(update))


def _sources(change: DocumentChange) -> Iterator[bytes]:
    head = {name: change.origin[name] for name in ("version", "connector", "name")}
    start = orjson.dumps(head)[:-1]
    names = b',"db":%b,"sequence":null' % orjson.dumps(change.collection.database)
    collection = b',"collection":%b' % orjson.dumps(change.collection.name)
    markers = change.markers or [change.origin["snapshot"]] * len(change)
    for origin, marker in zip(change.origins, markers, strict=True):
        micros = origin.committed_us
        yield b'%b,"ts_ms":%d,"snapshot":"%b"%b,"ts_us":%d,"ts_ns":%d%b,"ord":%d%b}' % (
            start, micros // 1_000, marker.encode(), names, micros, micros * 1_000, collection, origin.ord,
            _session(origin),
        )  # fmt: skip


def _session(origin: DocumentOrigin) -> bytes:
    wall = _NULL if origin.wall_ms is None else b"%d" % origin.wall_ms
    taken = _NULL if origin.after_from is None else b'"%b"' % origin.after_from.encode()
    if origin.lsid is None:
        return b',"lsid":null,"txnNumber":null,"wallTime":%b,"after_from":%b' % (wall, taken)
    return b',"lsid":%b,"txnNumber":%b,"wallTime":%b,"after_from":%b' % (
        orjson.dumps(origin.lsid), orjson.dumps(origin.txn_number), wall, taken,
    )  # fmt: skip


def _parts(change: DocumentChange) -> Sequence[bytes]:
    return [_part(part) for part in change.transactions] if change.transactions else [_NULL] * len(change)


def _part(part: TransactionPart | None) -> bytes:
    if part is None:
        return _NULL
    return b'{"id":%b,"total_order":%d,"data_collection_order":%d}' % (
        orjson.dumps(part.id), part.total_order, part.data_collection_order,
    )  # fmt: skip
