"""Sizes of collections, as ``collStats`` and its stage tell them."""

from __future__ import annotations

from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document

STORAGE = 4096


def collection_statistics(context: Context, name: str) -> Document:
    """Counts and bytes of a collection."""
    engine = context.engine
    if (context.database, name) == ("local", "oplog.rs"):
        count = len(engine.oplog.entries())
        capped: Document = {"capped": True, "max": -1, "maxSize": 1 << 30}
        size, indexes = 256 * count, []
    else:
        collection = engine.catalog.find(context.database, name)
        sizes = [] if collection is None else [len(one.raw) for one in collection.visible(None, None)]
        count, size, capped = len(sizes), sum(sizes), {"capped": False}
        indexes = [] if collection is None else [index["name"] for index in collection.indexes]
    return {
        "ns": f"{context.database}.{name}",
        "size": size,
        "count": count,
        **({"avgObjSize": size // count} if count else {}),
        "storageSize": STORAGE,
        **capped,
        "nindexes": len(indexes),
        "indexBuilds": [],
        "totalIndexSize": STORAGE * len(indexes),
        "totalSize": STORAGE * (1 + len(indexes)),
        "indexSizes": dict.fromkeys(indexes, STORAGE),
        "scaleFactor": 1,
    }


def stage(context: Context, operand: Document) -> Document:
    """What ``$collStats`` makes."""
    found = collection_statistics(context, context.collection)
    made: Document = {"ns": found.pop("ns"), "host": context.member.address, "localTime": context.engine.clock.wall()}
    if "storageStats" in operand:
        made["storageStats"] = found
    if "count" in operand:
        made["count"] = found["count"]
    return made
