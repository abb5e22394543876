"""Writes of documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bson.raw_bson import RawBSONDocument

from tests.mongo_server import stages
from tests.mongo_server.commands.reading import selected
from tests.mongo_server.context import Context
from tests.mongo_server.differences import disambiguated
from tests.mongo_server.documents import MOST_BYTES, Document, decode, plain, raw
from tests.mongo_server.errors import CommandError
from tests.mongo_server.matching import matches
from tests.mongo_server.oplog import Operation
from tests.mongo_server.ordering import MISSING, sort_key
from tests.mongo_server.paths import value
from tests.mongo_server.rendering import rendered
from tests.mongo_server.storage import Collection
from tests.mongo_server.updating import Update, apply

NO_IDENTITIES = {0x04: "an array", 0x06: "a undefined", 0x0B: "a regex"}
"""BSON types that an ``_id`` cannot be of, as a server names them when one is inserted (``fix_document_for_insert``)."""
NO_UPSERTED = {0x04: "array", 0x06: "undefined", 0x0B: "regex"}
"""The same as it names them of an upsert (``storage_validation``)."""


def _insert(context: Context) -> Document:
    collection = context.engine.collection(context.database, context.collection, context.transaction)
    written, errors = 0, []
    for index, document in enumerate(context.documents("documents")):
        try:
            insert_one(context, collection, document)
            written += 1
        except CommandError as error:
            errors.append(_write_error(context, index, error))
            if context.option("ordered", True):
                break
    return _reply(context, {"n": written}, errors)


def insert_one(context: Context, collection: Collection, document: RawBSONDocument) -> None:
    """Store a new document; its ``_id`` is made where it has none and is put first."""
    if next(iter(document), None) != "_id":
        fields = decode(document.raw)
        document = raw({"_id": fields.pop("_id", None) or context.engine.new_id(), **fields})
    if len(document.raw) > MOST_BYTES:
        raise CommandError(2, f"object to insert too large. size in bytes: {len(document.raw)}, max size: {MOST_BYTES}")
    if (refused := NO_IDENTITIES.get(document.raw[4])) is not None:
        raise CommandError(2, f"can't use {refused} for _id")
    identity = document["_id"]
    while not context.engine.free(collection.record(identity), context.transaction):
        pass
    _check_unique(context, collection, document, None)
    operation = Operation(
        "insert", collection.database, collection.name, collection.uuid, {"_id": identity}, document,
        after=document if collection.keeps_images else None,
    )  # fmt: skip
    context.engine.write(collection, operation, document, context.transaction)


def _check_unique(
    context: Context, collection: Collection, document: RawBSONDocument, replaced: RawBSONDocument | None
) -> None:
    """Raise 11000 where another document has the same ``_id``, or the same values in a unique index."""
    identity = document["_id"]
    if replaced is None and collection.seen(identity, context.read_time, context.transaction) is not None:
        raise _duplicate(collection, {"_id": 1}, "_id_", document)
    for index in collection.indexes:
        if not index.get("unique"):
            continue
        wanted = _index_key(document, index)
        for other in collection.visible(context.read_time, context.transaction):
            if _index_key(other, index) == wanted and sort_key(other["_id"]) != sort_key(identity):
                raise _duplicate(collection, index["key"], index["name"], document)


def _index_key(document: Mapping[str, Any], index: Document) -> list[Any]:
    return [sort_key(value(document, path)) for path in index["key"]]


def _duplicate(collection: Collection, key: Document, name: str, document: RawBSONDocument) -> CommandError:
    found = {path: value(document, path) for path in key}
    values = {path: plain(None if one is MISSING else one) for path, one in found.items()}
    message = f"E11000 duplicate key error collection: {collection.namespace} index: {name} dup key: {rendered(values)}"
    return CommandError(11000, message, keyPattern=key, keyValue=values)


def _write_error(context: Context, index: int, error: CommandError) -> Document:
    """One failed write of a command; a conflict, and whatever stops a transaction, fails the command itself."""
    if error.code in {112, 251, 10107}:
        raise error
    if context.transaction is not None:
        context.engine.abort(context.transaction)
    return {"index": index, "code": error.code, **error.fields, "errmsg": error.message}


def _reply(context: Context, counts: Document, errors: list[Document]) -> Document:
    failed = {"writeErrors": errors} if errors else {}
    return {**counts, **failed, **context.written()}


def _update(context: Context) -> Document:
    matched, modified, upserted, errors = 0, 0, [], []
    for index, statement in enumerate(context.documents("updates")):
        try:
            done = _update_one_statement(context, plain(statement))
        except CommandError as error:
            errors.append(_write_error(context, index, error))
            if context.option("ordered", True):
                break
            continue
        matched += done["n"]
        modified += done["nModified"]
        if "upserted" in done:
            upserted.append({"index": index, "_id": done["upserted"]})
    more = {"upserted": upserted} if upserted else {}
    return _reply(context, {"n": matched, "nModified": modified, **more}, errors)


def _statement(context: Context, change: Any, query: Document, filters: list[Document]) -> Update:
    return Update(change, query, filters, context.version, now=context.engine.clock.wall())


def _update_one_statement(context: Context, statement: Document) -> Document:
    query = statement["q"]
    update = _statement(context, statement["u"], query, statement.get("arrayFilters", []))
    collection = context.engine.catalog.find(context.database, context.collection)
    counts = {"n": 0, "nModified": 0}
    if collection is not None:
        for document in _to_write(context, collection, query, None, many=bool(statement.get("multi"))):
            counts["n"] += 1
            counts["nModified"] += modify(context, collection, document, update) is not document
    if counts["n"] == 0 and statement.get("upsert"):
        counts = {"n": 1, "nModified": 0, "upserted": _upsert(context, update)["_id"]}
    return counts


def _to_write(
    context: Context, collection: Collection, query: Document, order: Document | None, *, many: bool
) -> Iterator[RawBSONDocument]:
    """Documents a write is for: all that come after a wait for a transaction are looked at again."""
    found = list(selected(context, collection.name, query))
    found = stages.ordered(found, order) if order else found
    waited = False
    for candidate in found:
        while not context.engine.free(collection.record(candidate["_id"]), context.transaction):
            waited = True
        document: RawBSONDocument | None = candidate
        if waited:
            document = collection.seen(candidate["_id"], context.read_time, context.transaction)
        if document is None or (waited and not matches(document, query)):
            continue
        yield document
        if not many:
            return


def modify(context: Context, collection: Collection, before: RawBSONDocument, update: Update) -> RawBSONDocument:
    """Update one document; returns it as it is then: the very same one where nothing changed."""
    changed = apply(update, decode(before.raw))
    if changed is None:
        return before
    after = raw(changed.document)
    if len(after.raw) > MOST_BYTES:
        raise CommandError(17419, f"Resulting document after update is larger than {MOST_BYTES}")
    _check_unique(context, collection, after, before)
    operation = Operation(
        "replace" if changed.delta is None else "update",
        collection.database,
        collection.name,
        collection.uuid,
        {"_id": before["_id"]},
        after if changed.delta is None else None,
        changed.delta,
        {} if changed.delta is None else disambiguated(changed.delta, changed.document),
        before if collection.keeps_pre_images else None,
        after if collection.keeps_images else None,
    )
    context.engine.write(collection, operation, after, context.transaction)
    return after


def _upsert(context: Context, update: Update) -> RawBSONDocument:
    start = _from_query(update.query)
    inserting = Update(
        update.change, update.query, update.array_filters, update.version, inserting=True, now=update.now
    )
    changed = apply(inserting, start)
    document = start if changed is None else changed.document
    identity = document.get("_id", start.get("_id", MISSING))
    fields = {name: one for name, one in document.items() if name != "_id"}
    made = raw({"_id": context.engine.new_id() if identity is MISSING else identity, **fields})
    if (refused := NO_UPSERTED.get(made.raw[4])) is not None:
        raise CommandError(53, f"The '_id' value cannot be of type {refused}")
    insert_one(context, context.engine.collection(context.database, context.collection, context.transaction), made)
    return made


def _from_query(query: Document) -> Document:
    """The fields that a query asks to be equal to something."""
    found: Document = {}
    for name, condition in query.items():
        if name == "$and":
            for one in condition:
                found |= _from_query(one)
        elif not name.startswith("$"):
            if not isinstance(condition, dict) or not next(iter(condition), "").startswith("$"):
                found[name] = condition
            elif "$eq" in condition:
                found[name] = condition["$eq"]
    return found


def _delete(context: Context) -> Document:
    deleted, errors = 0, []
    collection = context.engine.catalog.find(context.database, context.collection)
    for index, statement in enumerate(context.documents("deletes")):
        try:
            query = plain(statement["q"])
            if collection is None:
                break
            for document in _to_write(context, collection, query, None, many=statement["limit"] == 0):
                remove(context, collection, document)
                deleted += 1
        except CommandError as error:
            errors.append(_write_error(context, index, error))
            if context.option("ordered", True):
                break
    return _reply(context, {"n": deleted}, errors)


def remove(context: Context, collection: Collection, document: RawBSONDocument) -> None:
    """Delete one document."""
    before = document if collection.keeps_pre_images else None
    operation = Operation(
        "delete", collection.database, collection.name, collection.uuid, {"_id": document["_id"]}, before=before
    )
    context.engine.write(collection, operation, None, context.transaction)


def _find_and_modify(context: Context) -> Document:
    collection = context.engine.catalog.find(context.database, context.collection)
    query, order = context.option("query", {}), context.option("sort")
    found = None if collection is None else next(_to_write(context, collection, query, order, many=False), None)
    if context.option("remove"):
        if collection is not None and found is not None:
            remove(context, collection, found)
        return {"lastErrorObject": {"n": int(found is not None)}, "value": _fields(context, found)}
    update = _statement(context, context.option("update"), query, context.option("arrayFilters", []))
    last: Document = {"n": 0, "updatedExisting": False}
    after: RawBSONDocument | None = None
    if collection is not None and found is not None:
        after = modify(context, collection, found, update)
        last = {"n": 1, "updatedExisting": True}
    elif context.option("upsert"):
        after = _upsert(context, update)
        last = {"n": 1, "updatedExisting": False, "upserted": after["_id"]}
    return {"lastErrorObject": last, "value": _fields(context, after if context.option("new") else found)}


def _fields(context: Context, document: RawBSONDocument | None) -> Any:
    wanted = context.option("fields")
    return stages.projected(document, wanted) if document is not None and wanted else document


COMMANDS = {
    "insert": _insert,
    "update": _update,
    "delete": _delete,
    "findAndModify": _find_and_modify,
    "findandmodify": _find_and_modify,
}
