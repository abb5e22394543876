"""Queries, aggregations and cursors."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument

from tests.mongo_server import stages
from tests.mongo_server.change_stream import ChangeStream
from tests.mongo_server.commands import statistics
from tests.mongo_server.context import Context
from tests.mongo_server.cursors import FIRST_BATCH, Cursor, Results
from tests.mongo_server.documents import Document, encode, plain, raw
from tests.mongo_server.errors import CommandError
from tests.mongo_server.matching import check, matches
from tests.mongo_server.oplog import Entry
from tests.mongo_server.ordering import sort_key
from tests.mongo_server.paths import values
from tests.mongo_server.replay import Playing
from tests.mongo_server.scopes import Scope
from tests.mongo_server.storage import Reader

LEAST, ABOVE = (0,), (100,)
"""Before and after the keys of all values."""
AWAIT_S = 1.0
"""How long ``getMore`` on a change stream waits where it does not say."""


def stored(context: Context, database: str, name: str) -> Iterable[RawBSONDocument]:
    """Documents of a collection as the command's moment and transaction see them."""
    if (database, name) == ("local", "oplog.rs"):
        return map(_oplog_document, context.engine.oplog.entries())
    collection = context.engine.catalog.find(database, name)
    return () if collection is None else collection.visible(context.read_time, context.transaction)


def selected(context: Context, name: str, query: Mapping[str, Any]) -> Iterator[RawBSONDocument]:
    """Documents of a collection that a query matches; one ``_id`` is looked up."""
    identity = query.get("_id")
    collection = context.engine.catalog.find(context.database, name)
    is_value = "_id" in query and not isinstance(identity, Mapping) and not hasattr(identity, "pattern")
    if collection is not None and is_value:
        found = collection.seen(identity, context.read_time, context.transaction)
        documents: Iterable[RawBSONDocument] = () if found is None else (found,)
    else:
        documents = stored(context, context.database, name)
    return (document for document in documents if not query or matches(document, query))


def _oplog_document(entry: Entry) -> RawBSONDocument:
    operation = entry.operations[0]
    return raw(
        encode(
            {
                "op": {"insert": "i", "update": "u", "replace": "u", "delete": "d", "noop": "n"}.get(
                    operation.kind, "c"
                ),
                "ns": f"{operation.database}.{operation.collection or '$cmd'}",
                "o": operation.document or operation.key or {operation.kind: operation.collection},
                "ts": entry.time,
                "t": Int64(1),
                "wall": entry.wall,
                "v": Int64(2),
            }
        )
    )


def _check_readable(context: Context) -> None:
    mode = context.option("$readPreference", {}).get("mode", "primary")
    if not context.member.primary and mode == "primary":
        raise CommandError(
            13435, "not primary and secondaryOk=false" if context.version >= (5, 0) else "not master and slaveOk=false"
        )


def _check_there(context: Context) -> None:
    """A read as of before a collection had its name is refused."""
    collection = context.engine.catalog.find(context.database, context.collection)
    if collection is not None and context.read_time is not None and context.read_time < collection.since:
        raise CommandError(
            246,
            "Unable to read from a snapshot due to pending collection catalog changes; please retry the operation. "
            f"Snapshot timestamp is {context.read_time}. Collection minimum is {collection.since}",
        )


def _find(context: Context) -> Document:
    _check_readable(context)
    _check_there(context)
    query, order = context.option("filter", {}), context.option("sort") or _order_of_hint(context)
    found = _by_identity(context, query, order)
    if found is None:
        found = stages.ordered(selected(context, context.collection, query), order)
    found = itertools.islice(found, context.option("skip", 0), None)
    limit = abs(context.option("limit", 0))
    found = itertools.islice(found, limit) if limit else found
    if projection := context.option("projection"):
        found = (stages.projected(document, projection) for document in found)
    # Real servers read on demand. What is there now is fixed here, which a reader cannot tell apart.
    batch_size = context.option("batchSize", FIRST_BATCH)
    one_batch = context.option("singleBatch", False)
    return _first_batch(context, list(found), batch_size, f"{context.database}.{context.collection}", single=one_batch)


def _explain(context: Context) -> Document:
    """Of a ``find``, and no more than whether its filter is one. https://www.mongodb.com/docs/manual/reference/command/explain/"""
    _check_readable(context)
    explained = context.option("explain")
    check(explained.get("filter", {}))
    return {"queryPlanner": {"namespace": f"{context.database}.{explained['find']}"}}


def _order_of_hint(context: Context) -> Mapping[str, Any]:
    hint = context.option("hint")
    if isinstance(hint, str):
        return {"_id": 1} if hint == "_id_" else {}
    return hint or {}


def _by_identity(context: Context, query: Mapping[str, Any], order: Mapping[str, Any]) -> Iterable[Any] | None:
    """What the index on ``_id`` finds, where a read is in its order; None where it is not."""
    bounds = {name: context.option(name) for name in ("min", "max") if context.command.get(name)}
    if bounds and "hint" not in context.command:
        raise CommandError(51173, "When using min()/max() a hint of which index to use must be provided")
    if list(order) != ["_id"]:
        if bounds:
            raise CommandError(51174, "The index chosen by hint is not compatible with min/max: only _id is known here")
        return None
    collection = context.engine.catalog.find(context.database, context.collection)
    if collection is None:
        return ()
    least = sort_key(bounds["min"]["_id"]) if "min" in bounds else LEAST
    below = sort_key(bounds["max"]["_id"]) if "max" in bounds else ABOVE
    reader = Reader(context.read_time, context.transaction)
    descending = order["_id"] < 0
    documents = collection.between(max(least, _least(query)), below, reader, descending=descending)
    return (document for document in documents if not query or matches(document, query))


def _least(query: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where the conditions of a query let the index on ``_id`` begin."""
    condition = query.get("_id")
    operands = [condition[name] for name in ("$gt", "$gte") if name in condition] if isinstance(condition, dict) else []
    return max((sort_key(operand) for operand in operands), default=LEAST)


def _first_batch(
    context: Context, found: list[Any], batch_size: int, namespace: str, *, single: bool = False
) -> Document:
    results = Results(found)
    first = results.read(batch_size) if batch_size else []
    number = 0
    if not results.ended and not single:
        number = context.member.cursors.add(namespace, results, context.session).number
    at = {} if context.cluster_read_time is None else {"atClusterTime": context.cluster_read_time}
    return {"cursor": {"firstBatch": first, "id": Int64(number), "ns": namespace, **at}}


def _aggregate(context: Context) -> Document | RawBSONDocument:
    _check_readable(context)
    pipeline = [plain(stage) for stage in context.documents("pipeline")]
    batch_size = context.option("cursor", {}).get("batchSize", FIRST_BATCH)
    whole_database = not isinstance(context.target, str)
    namespace = f"{context.database}.{'$cmd.aggregate' if whole_database else context.collection}"
    if pipeline and "$changeStream" in pipeline[0]:
        return _watch(context, pipeline, batch_size)
    if pipeline and "$collStats" in pipeline[0]:
        found: list[Any] = [statistics.stage(context, pipeline[0]["$collStats"])]
        pipeline = pipeline[1:]
    else:
        found = list(stored(context, context.database, context.collection))
    for stage in pipeline:
        found = stages.run(stage, found)
    return _first_batch(context, found, batch_size, namespace)


def _watch(context: Context, pipeline: list[Document], batch_size: int) -> Document:
    if context.member.settings.replica_set is None:
        raise CommandError(40573, "The $changeStream stage is only supported on replica sets")
    options = pipeline[0]["$changeStream"]
    whole = bool(options.get("allChangesForCluster"))
    collection = context.target if isinstance(context.target, str) else None
    scope = Scope(None if whole else context.database, collection)
    if (replay := context.member.replays.get(scope.namespace)) is not None:
        playing = replay.opened(options)
        cursor = context.member.cursors.add(scope.namespace, playing, context.session)
        return _stream_reply(cursor, [], playing.token, "firstBatch", ended=False)
    stream = ChangeStream(context.engine, scope, pipeline, context.version)
    cursor = context.member.cursors.add(scope.namespace, stream, context.session)
    try:
        batch = stream.read(batch_size)
    except CommandError:
        context.member.cursors.close(cursor.number)
        raise
    return _stream_reply(cursor, batch.events, batch.token, "firstBatch", ended=batch.ended)


def _stream_reply(cursor: Cursor, events: list[Any], token: Document, name: str, *, ended: bool) -> Document:
    number = Int64(0 if ended else cursor.number)
    return {"cursor": {name: events, "postBatchResumeToken": token, "id": number, "ns": cursor.namespace}}


def _get_more(context: Context) -> Document | RawBSONDocument:
    number = int(context.target)
    cursor = context.member.cursors.get(number, context.session)
    if isinstance(cursor.source, ChangeStream):
        return _more_events(context, cursor, cursor.source)
    if isinstance(cursor.source, Playing):
        return _more_of_replay(context, cursor, cursor.source)
    found = cursor.source.read(context.option("batchSize"))
    if cursor.source.ended:
        context.member.cursors.close(number)
        number = 0
    return {"cursor": {"nextBatch": found, "id": Int64(number), "ns": cursor.namespace}}


def _deadline(context: Context) -> float:
    milliseconds = context.option("maxTimeMS")
    return time.monotonic() + (AWAIT_S if milliseconds is None else milliseconds / 1000)


def _more_events(context: Context, cursor: Cursor, stream: ChangeStream) -> Document:
    deadline, interrupted = _deadline(context), context.member.interrupted
    most = context.option("batchSize") or None
    try:
        batch = stream.read(most)
        while not batch.events and not batch.ended:
            left = deadline - time.monotonic()
            if left <= 0 or context.member.stopping:
                break
            context.engine.changed.wait(left)
            _check_interrupted(context, cursor, interrupted)
            batch = stream.read(most)
    except CommandError:
        context.member.cursors.close(cursor.number)
        raise
    if batch.ended:
        context.member.cursors.close(cursor.number)
    return _stream_reply(cursor, batch.events, batch.token, "nextBatch", ended=batch.ended)


def _check_interrupted(context: Context, cursor: Cursor, before: int) -> None:
    if cursor.number not in context.member.cursors.open:
        raise CommandError(237, "cursor was killed while it waited")
    if context.member.interrupted != before:
        raise CommandError(11602, "operation was interrupted")


def _more_of_replay(context: Context, cursor: Cursor, playing: Playing) -> Document | RawBSONDocument:
    if playing.ended:
        deadline = _deadline(context)
        while (left := deadline - time.monotonic()) > 0 and not context.member.stopping:
            context.engine.changed.wait(left)
        return _stream_reply(cursor, [], playing.token, "nextBatch", ended=False)
    return raw(playing.reply(cursor.number, cursor.namespace, context.engine.clock.last))


def _kill(context: Context) -> Document:
    wanted = [int(number) for number in context.command["cursors"]]
    killed = [Int64(number) for number in wanted if context.member.cursors.close(number)]
    context.engine.changed.notify_all()
    return {
        "cursorsKilled": killed,
        "cursorsNotFound": [Int64(number) for number in wanted if number not in killed],
        "cursorsAlive": [],
        "cursorsUnknown": [],
    }


def _count(context: Context) -> Document:
    _check_readable(context)
    return {"n": sum(1 for _ in selected(context, context.collection, context.option("query", {})))}


def _distinct(context: Context) -> Document:
    _check_readable(context)
    found = []
    for document in selected(context, context.collection, context.option("query", {})):
        found += [one for one in values(document, context.option("key")) if one not in found]
    return {"values": found}


COMMANDS = {
    "find": _find,
    "explain": _explain,
    "aggregate": _aggregate,
    "getMore": _get_more,
    "killCursors": _kill,
    "count": _count,
    "distinct": _distinct,
}
