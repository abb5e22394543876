"""Collections, databases and indexes: made, changed, renamed, dropped and listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import Binary, Int64, Timestamp
from bson.binary import UUID_SUBTYPE

from tests.mongo_server.commands.statistics import collection_statistics
from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document, plain
from tests.mongo_server.errors import CommandError
from tests.mongo_server.matching import matches
from tests.mongo_server.oplog import Operation
from tests.mongo_server.storage import Collection

NOT_OPTIONS = {
    "lsid", "$clusterTime", "$db", "$readPreference", "writeConcern", "txnNumber", "comment", "autocommit",
    "startTransaction", "readConcern", "maxTimeMS",
}  # fmt: skip
FIRST_WITH_IMAGES = (6, 0)
STEPS_OF_AN_INDEX_BUILD = 4
"""Entries of the oplog before the one that an event is made of."""


def _existing(context: Context, name: str | None = None) -> Collection:
    name = context.collection if name is None else name
    found = context.engine.catalog.find(context.database, name)
    if found is None:
        raise CommandError(
            26, f"ns not found {context.database}.{name}" if context.name == "collMod" else "ns not found"
        )
    return found


def _options(context: Context) -> Document:
    names = [name for name in context.command if name not in NOT_OPTIONS][1:]
    options = {name: context.option(name) for name in names}
    unknown = "recordPreImages" if context.version >= FIRST_WITH_IMAGES else "changeStreamPreAndPostImages"
    if unknown in options:
        raise CommandError(40415, f"BSON field '{context.name}.{unknown}' is an unknown field.")
    return options


def _create(context: Context) -> Document:
    context.engine.create(context.database, context.collection, _options(context), context.transaction)
    return {}


def _modify(context: Context) -> Document:
    collection, options = _existing(context), _options(context)
    collection.options |= options
    _log(context, "modify", collection, options)
    return {}


def _log(context: Context, kind: str, collection: Collection, details: Document) -> Timestamp:
    return context.engine.log(Operation(kind, collection.database, collection.name, collection.uuid, details=details))


def _drop(context: Context) -> Document:
    collection = _existing(context)
    context.engine.require_quiet(collection)
    count = len(collection.indexes)
    _remove(context, collection)
    return {"nIndexesWas": count, "ns": collection.namespace}


def _remove(context: Context, collection: Collection) -> None:
    del context.engine.catalog.collections[collection.database, collection.name]
    _log(context, "drop", collection, {})


def _drop_database(context: Context) -> Document:
    found = context.engine.catalog.of(context.database)
    context.engine.require_quiet(*found)
    for collection in sorted(found, key=lambda one: one.name, reverse=True):
        _remove(context, collection)
    if not found:
        return {}
    context.engine.log(Operation("dropDatabase", context.database))
    return {"dropped": context.database}


def _rename(context: Context) -> Document:
    database, _, name = str(context.target).partition(".")
    to_database, _, to_name = str(context.option("to")).partition(".")
    catalog = context.engine.catalog
    collection = catalog.find(database, name)
    if collection is None:
        raise CommandError(26, f"Source collection {database}.{name} does not exist")
    target = catalog.find(to_database, to_name)
    if target is not None and not context.option("dropTarget"):
        raise CommandError(48, "target namespace exists")
    context.engine.require_quiet(collection, *([] if target is None else [target]))
    if to_database != database:
        _rename_across(context, collection, to_database, to_name)
    else:
        _rename_inside(context, collection, to_name, target)
    return {}


def _rename_inside(context: Context, collection: Collection, name: str, target: Collection | None) -> None:
    details: Document = {"to": {"db": collection.database, "coll": name}}
    if target is not None:
        details["dropTarget"] = Binary(target.uuid, UUID_SUBTYPE)
    collection.since = _log(context, "rename", collection, details)
    del context.engine.catalog.collections[collection.database, collection.name]
    collection.name = name
    context.engine.catalog.collections[collection.database, name] = collection


def _rename_across(context: Context, collection: Collection, database: str, name: str) -> None:
    """A copy under a temporary name, which is then renamed; the original is dropped."""
    copy = context.engine.create(database, "tmpVHmWw.renameCollection", dict(collection.options))
    context.engine.log(*(Operation("noop", database) for _ in collection.records))
    copy.records, copy.indexes = collection.records, collection.indexes
    _rename_inside(context, copy, name, context.engine.catalog.find(database, name))
    _remove(context, collection)


def _list(context: Context) -> Document:
    wanted = context.option("filter", {})
    found = [_described(collection) for collection in context.engine.catalog.of(context.database)]
    found = [one for one in found if matches(one, wanted)]
    if context.option("nameOnly"):
        found = [{"name": one["name"], "type": one["type"]} for one in found]
    return {"cursor": {"id": Int64(0), "ns": f"{context.database}.$cmd.listCollections", "firstBatch": found}}


def _described(collection: Collection) -> Document:
    return {
        "name": collection.name,
        "type": "collection",
        "options": collection.options,
        "info": {"readOnly": False, "uuid": Binary(collection.uuid, UUID_SUBTYPE)},
        "idIndex": collection.indexes[0],
    }


def _list_databases(context: Context) -> Document:
    names = dict.fromkeys(["admin", "config", "local"]) | dict.fromkeys(
        database for database, _ in context.engine.catalog.collections
    )
    access, user = context.member.access, context.client.user
    seen = [name for name in sorted(names) if access.sees(user, name)]
    found: list[Document] = [{"name": name, "sizeOnDisk": Int64(4096), "empty": False} for name in seen]
    wanted: Mapping[str, Any] = context.option("filter", {})
    found = [one for one in found if matches(one, wanted)]
    if context.option("nameOnly"):
        return {"databases": [{"name": one["name"]} for one in found]}
    return {"databases": found, "totalSize": Int64(4096 * len(found))}


def _create_indexes(context: Context) -> Document:
    made = context.engine.catalog.find(context.database, context.collection) is None
    collection = context.engine.collection(context.database, context.collection)
    before = len(collection.indexes)
    names = {index["name"] for index in collection.indexes}
    added = [{"v": 2, **index} for index in plain(context.documents("indexes")) if index["name"] not in names]
    collection.indexes += added
    if added:
        for _ in range(STEPS_OF_AN_INDEX_BUILD):
            context.engine.log(Operation("noop", context.database))
        _log(context, "createIndexes", collection, {"indexes": added})
    return {
        "createdCollectionAutomatically": made,
        "numIndexesBefore": before,
        "numIndexesAfter": len(collection.indexes),
        **({"commitQuorum": "votingMembers"} if added else {"note": "all indexes already exist"}),
    }


def _list_indexes(context: Context) -> Document:
    collection = _existing(context)
    namespace = collection.namespace
    return {"cursor": {"id": Int64(0), "ns": namespace, "firstBatch": collection.indexes}}


def _drop_indexes(context: Context) -> Document:
    collection, wanted = _existing(context), context.option("index")
    before = len(collection.indexes)
    gone = [index for index in collection.indexes[1:] if wanted in {"*", index["name"]}]
    if not gone and wanted != "*":
        raise CommandError(27, f"index not found with name [{wanted}]")
    collection.indexes = [index for index in collection.indexes if index not in gone]
    _log(context, "dropIndexes", collection, {"indexes": gone})
    return {"nIndexesWas": before}


COMMANDS = {
    "create": _create,
    "collMod": _modify,
    "drop": _drop,
    "dropDatabase": _drop_database,
    "renameCollection": _rename,
    "listCollections": _list,
    "listDatabases": _list_databases,
    "createIndexes": _create_indexes,
    "listIndexes": _list_indexes,
    "dropIndexes": _drop_indexes,
    "collStats": lambda context: collection_statistics(context, context.collection),
}
