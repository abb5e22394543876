"""A small application that writes documents, and knows exactly what their change history is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pymongo

from tests.line import Published

Document = dict[str, Any]
Write = Callable[[Any, Any], None]
"""Writes to a collection in a session."""


class DocumentApplication:
    """Writes seeded transactions of inserts, updates and deletes; ``history`` is what must be published."""

    def __init__(self, url: str, database: str, seed: int) -> None:
        self._client = pymongo.MongoClient[Document](url)
        self.collection = self._client[database].create_collection("events")
        self._random = random.Random(seed)
        self._documents: dict[int, Document] = {}
        self._next = 1
        self.history: list[Published] = []

    def fill(self, count: int) -> None:
        """Documents that are there before capture begins: they are read by the snapshot, in the order of their ``_id``."""
        for _ in range(count):
            document = self._new_document()
            self.collection.insert_one(dict(document))
            self.history.append(_published("r", None, document))

    def transact(self, statements: int) -> None:
        """One transaction of this many writes."""
        writes = [self._write() for _ in range(statements)]
        with self._client.start_session() as session, session.start_transaction():
            for write in writes:
                write(self.collection, session)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _write(self) -> Write:
        chance = self._random.random()
        if chance < 0.6 or len(self._documents) < 5:
            document = self._new_document()
            self.history.append(_published("c", None, document))
            return lambda events, session: events.insert_one(dict(document), session=session)
        identity = self._random.choice(sorted(self._documents))
        before = self._documents[identity]
        if chance < 0.9:
            after = {**before, "price": before["price"] + 1, "clicked": self._label()}
            self._documents[identity] = after
            self.history.append(_published("u", before, after))
            changed = {"$set": {"clicked": after["clicked"]}, "$inc": {"price": 1}}
            return lambda events, session: events.update_one({"_id": identity}, changed, session=session)
        del self._documents[identity]
        self.history += [_published("d", before, None), Published(None, _key(identity), None, None)]
        return lambda events, session: events.delete_one({"_id": identity}, session=session)

    def _new_document(self) -> Document:
        document = {
            "_id": self._next,
            "user": {"id": self._random.randrange(40), "device": self._random.choice(["phone", "desk", "tab"])},
            "price": self._random.randrange(100),
            "clicked": self._label(),
        }
        self._next += 1
        self._documents[document["_id"]] = document
        return document

    def _label(self) -> int | None:
        return self._random.choice([0, 0, 1, None])


def _published(op: str, before: Document | None, after: Document | None) -> Published:
    identity = (before or after or {})["_id"]
    return Published(op, _key(identity), _text(before), _text(after))


def _key(identity: int) -> Document:
    return {"id": str(identity)}


def _text(document: Document | None) -> str | None:
    return None if document is None else json.dumps(document, separators=(",", ": "))
