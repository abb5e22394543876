"""DocumentChange -> Debezium's messages of its MongoDB connector as JSON without schemas, fields in its order.

``before``, ``after`` and ``updatedFields`` are texts that hold a document in extended JSON.
Format: https://debezium.io/documentation/reference/stable/connectors/mongodb.html#mongodb-events
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from connectors.document_json import envelopes, keys, update_block
from connectors.source import DocumentChange, DocumentOrigin
from streamtrain.envelope import Op
from streamtrain.topic.base import Messages


def document_messages(change: DocumentChange, now_ns: int) -> Messages:
    """The messages of every document of ``change``, in order: envelopes, and tombstones behind deletes.

    ``now_ns`` is the connector's clock, for the envelope's ``ts_*``.
    """
    return with_tombstones(change.ops, keys(list(change.keys)), envelopes(change, now_ns))


def document_envelopes(change: DocumentChange, now_ns: int) -> Iterator[dict[str, Any]]:
    """The same envelopes as values of a schema."""
    clock = {"ts_ms": now_ns // 1_000_000, "ts_us": now_ns // 1_000, "ts_ns": now_ns}
    markers = change.markers or [change.origin["snapshot"]] * len(change)
    parts = change.transactions or [None] * len(change)
    for at, (update, part) in enumerate(zip(change.updates, parts, strict=True)):
        before, after = change.before[at], change.after[at]
        yield {
            "before": None if before is None else before.decode(),
            "after": None if after is None else after.decode(),
            "updateDescription": None if update is None else update_block(update),
            "source": source_block(change.origin, change.origins.at(at), markers[at]),
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
