"""What has to be published of recorded change events: worked out from them alone, with none of the connector's rules for updates."""

from __future__ import annotations

from typing import Any, NamedTuple

from connectors.mongo.extended_json import id_json, update_json, value_json
from connectors.mongo.images import OPS
from connectors.mongo.raw_bson import id_of
from connectors.mongo.settings import MongoSettings
from connectors.source import DocumentUpdate
from streamtrain.envelope import Op
from tests.mongo_server.documents import Document, decode, encode

Name = tuple[str, str]


class Expected(NamedTuple):
    """One change of a document."""

    name: str
    op: Op
    key: bytes
    before: bytes | None
    after: bytes | None
    after_from: str | None
    update: DocumentUpdate | None


class Expectation:
    """Follows the events of a stream of a server before 5.0, and holds the documents that they make."""

    def __init__(self, captured: MongoSettings) -> None:
        self._captured = captured
        self._held: dict[Name, dict[bytes, bytes]] = {}
        self.changes: list[Expected] = []
        self.statements: list[Document] = []

    def follow(self, event: Document) -> None:
        """Take the next event."""
        kind, place = event["operationType"], event.get("ns", {})
        name = (place.get("db", ""), place.get("coll", ""))
        if kind in OPS:
            if self._captured.captures(*name):
                self.changes.append(self._change(kind, name, event))
            return
        self.statements += self._statement(kind, name, event)
        documents = self._held.pop(name, {})
        if kind == "rename":
            self._held[event["to"]["db"], event["to"]["coll"]] = documents

    def _change(self, kind: str, name: Name, event: Document) -> Expected:
        identity = id_of(encode(event["documentKey"]))
        held, whole = self._held.setdefault(name, {}), event.get("fullDocument")
        before = held.get(identity, event.get("fullDocumentBeforeChange") and encode(event["fullDocumentBeforeChange"]))
        after = None if whole is None else encode(whole)
        taken: str | None = {"update": "lookup", "delete": None}.get(kind, "event")
        if self._captured.after == "held":
            if kind == "update" and after is None:
                taken, after = "delta", encode(changed(decode(before or b""), event["updateDescription"]))
            held.pop(identity, None)
            if after is not None:
                held[identity] = after
        update = described(event["updateDescription"]) if kind == "update" else None
        text = [None if document is None else value_json(document) for document in (before, after)]
        return Expected(".".join(name), OPS[kind], id_json(identity), *text, taken, update)

    def _statement(self, kind: str, name: Name, event: Document) -> list[Document]:
        scope = self._captured.scope
        if kind == "invalidate":
            named = {kind: scope.collection or 1, "$db": scope.database}
            return [named]
        if kind == "dropDatabase":
            return [{kind: 1, "$db": name[0]}] if scope.database in {name[0], None} else []
        if kind == "rename":
            to = (event["to"]["db"], event["to"]["coll"])
            concerned = self._captured.captures(*name) or self._captured.captures(*to)
            return [{"renameCollection": ".".join(name), "to": ".".join(to)}] if concerned else []
        return [{kind: name[1], "$db": name[0]}] if self._captured.captures(*name) else []


def described(update: Document) -> DocumentUpdate:
    """An ``updateDescription`` as it is published."""
    return DocumentUpdate(update_json(encode(update["updatedFields"]), 0), list(update["removedFields"]), [])


def changed(document: Document, update: Document) -> Document:
    """The document after an update, by the manual's words on ``updatedFields`` and ``removedFields``."""
    for path in update["removedFields"]:
        *through, last = path.split(".")
        parent = _inside(document, through)
        if isinstance(parent, list):
            parent[int(last)] = None
        else:
            parent.pop(last, None)
    for path, value in update["updatedFields"].items():
        *through, last = path.split(".")
        parent = _inside(document, through)
        if isinstance(parent, list):
            parent += [None] * (int(last) + 1 - len(parent))
            parent[int(last)] = value
        else:
            parent[last] = value
    return document


def _inside(value: Any, through: list[str]) -> Any:
    for name in through:
        value = value[int(name)] if isinstance(value, list) else value.setdefault(name, {})
    return value
