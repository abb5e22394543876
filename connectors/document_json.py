"""Changes of documents -> the texts of their messages, all of a change at a time: in C (``_document_json.c``) where built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from connectors.source import DocumentChange, DocumentUpdate, TransactionPart
from streamtrain.envelope import Op

_OPS = {op: b'"%b"' % op.value.encode() for op in Op}
_NULL = b"null"
_BARE = b'{"before":null,"after":null,"updateDescription":null'
Columns = tuple[list[Any], ...]
"""Of each change: before, after, update, the six columns of ``DocumentOrigins``, snapshot marker, and ready to be written its
place in its transaction and the end of its envelope."""
Texts = tuple[bytes, bytes, bytes]
"""What source blocks share: up to the time, between the marker and the next time, and up to the number."""


def envelopes(change: DocumentChange, now_ns: int) -> list[bytes]:
    """The envelope of each change. ``now_ns`` is the connector's clock, for its ``ts_*``."""
    columns, texts = _columns(change, now_ns), _texts(change)
    if BUILT:
        try:
            return _document_json.envelopes(columns, texts, _update, _session)
        except OverflowError:  # a time that no server has, in nanoseconds
            pass
    return python_envelopes(columns, texts)


def endings(change: DocumentChange, now_ns: int) -> list[bytes]:
    """Each envelope from the comma before its ``source`` on: what does not depend on the documents."""
    nothing = [None] * len(change)
    return [
        text[len(_BARE) :]
        for text in envelopes(replace(change, before=nothing, after=nothing, updates=nothing), now_ns)
    ]


def python_envelopes(columns: Columns, texts: Texts) -> list[bytes]:
    """The same without C."""
    start, names, collection = texts
    return [
        b'{"before":%b,"after":%b,"updateDescription":%b,"source":%b,"ts_ms":%d,"snapshot":"%b"%b,"ts_us":%d,"ts_ns":%d%b,"ord":%d%b},'
        b'"transaction":%b%b'
        % (
            _NULL if before is None else _text(before),
            _NULL if after is None else _text(after),
            _NULL if update is None else _update(update),
            start,
            micros // 1_000,
            marker.encode(),
            names,
            micros,
            micros * 1_000,
            collection,
            number,
            _session(*session),
            part,
            end,
        )
        for before, after, update, micros, number, *session, marker, part, end in zip(*columns, strict=True)
    ]


def python_keys(ids: list[bytes], /) -> list[bytes]:
    """The key of each message, of documents' ids in extended JSON."""
    return [b'{"id":%b}' % _text(identity) for identity in ids]


def update_block(update: DocumentUpdate) -> dict[str, Any]:
    """An envelope's ``updateDescription``."""
    truncated = [{"field": name, "size": size} for name, size in update.truncated]
    return {
        "removedFields": list(update.removed) or None,
        "updatedFields": update.updated.decode(),
        "truncatedArrays": truncated or None,
    }


def _columns(change: DocumentChange, now_ns: int) -> Columns:
    clock = b',"ts_ms":%d,"ts_us":%d,"ts_ns":%d}' % (now_ns // 1_000_000, now_ns // 1_000, now_ns)
    ends = {op: b',"op":%b%b' % (name, clock) for op, name in _OPS.items()}
    origins = change.origins
    columns: tuple[Sequence[Any], ...] = (
        change.before, change.after, change.updates,
        origins.committed_us, origins.ord, origins.lsid, origins.txn_number, origins.wall_ms, origins.after_from,
        change.markers or [change.origin["snapshot"]] * len(change), _parts(change), [ends[op] for op in change.ops],
    )  # fmt: skip
    return tuple(column if isinstance(column, list) else list(column) for column in columns)


def _texts(change: DocumentChange) -> Texts:
    head = {name: change.origin[name] for name in ("version", "connector", "name")}
    return (
        orjson.dumps(head)[:-1],
        b',"db":%b,"sequence":null' % orjson.dumps(change.collection.database),
        b',"collection":%b' % orjson.dumps(change.collection.name),
    )


def _text(document: bytes) -> bytes:
    """A document's text as a text within JSON."""
    return orjson.dumps(document.decode())


def _update(update: DocumentUpdate) -> bytes:
    return orjson.dumps(update_block(update))


def _session(lsid: str | None, txn_number: int | None, wall_ms: int | None, after_from: str | None) -> bytes:
    if lsid is None:
        txn_number = None
    values = {"lsid": lsid, "txnNumber": txn_number, "wallTime": wall_ms, "after_from": after_from}
    return b"," + orjson.dumps(values)[1:-1]


def _parts(change: DocumentChange) -> list[bytes]:
    return [_part(part) for part in change.transactions] if change.transactions else [_NULL] * len(change)


def _part(part: TransactionPart | None) -> bytes:
    if part is None:
        return _NULL
    return b'{"id":%b,"total_order":%d,"data_collection_order":%d}' % (
        orjson.dumps(part.id), part.total_order, part.data_collection_order,
    )  # fmt: skip


keys = python_keys
try:
    from connectors import _document_json
except ImportError:  # no compiler was there when this was installed
    BUILT = False
else:
    BUILT = True
    keys = _document_json.keys
