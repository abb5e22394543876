"""Collections of documents in memory, each document with its versions, so that reads see one moment."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.documents import Document
from tests.mongo_server.ordering import sort_key

if TYPE_CHECKING:
    from tests.mongo_server.transactions import Transaction

ID_INDEX = {"v": 2, "key": {"_id": 1}, "name": "_id_"}
Key = tuple[Any, ...]


class Reader(NamedTuple):
    """What a read sees: a moment (None: now), and what its own transaction wrote."""

    time: Timestamp | None = None
    transaction: Transaction | None = None


@dataclass(slots=True)
class Record:
    """A document's committed versions, the newest last, and the open transaction that writes it."""

    versions: list[tuple[Timestamp, RawBSONDocument | None]] = field(default_factory=list)
    writer: Transaction | None = None

    @property
    def newest(self) -> RawBSONDocument | None:
        return self.versions[-1][1] if self.versions else None

    def at(self, time: Timestamp) -> RawBSONDocument | None:
        for written, document in reversed(self.versions):
            if written <= time:
                return document
        return None

    def commit(self, time: Timestamp, document: RawBSONDocument | None, oldest_read: Timestamp) -> None:
        """Add a version; forget those that no read from ``oldest_read`` on can see."""
        kept = [version for version in self.versions if version[0] > oldest_read]
        before = self.versions[: len(self.versions) - len(kept)][-1:]
        self.versions = [*before, *kept, (time, document)]


class Collection:
    """Documents by ``_id`` in the order they were inserted."""

    def __init__(self, database: str, name: str, uuid: bytes, options: Document) -> None:
        self.database = database
        self.name = name
        self.uuid = uuid
        self.options = options
        self.since = Timestamp(0, 0)
        """When it was made or got its name; what a transaction makes has none."""
        self.indexes: list[Document] = [dict(ID_INDEX)]
        self.records: dict[Key, Record] = {}
        self._in_order: list[Key] | None = None
        """The keys as the index on ``_id`` has them; None until they are asked for."""

    @property
    def namespace(self) -> str:
        return f"{self.database}.{self.name}"

    @property
    def keeps_images(self) -> bool:
        """Both images, as ``changeStreamPreAndPostImages`` asks from 6.0 on."""
        return bool(self.options.get("changeStreamPreAndPostImages", {}).get("enabled"))

    @property
    def keeps_pre_images(self) -> bool:
        return self.keeps_images or bool(self.options.get("recordPreImages"))

    def record(self, identity: Any) -> Record | None:
        return self.records.get(sort_key(identity))

    def place(self, identity: Any) -> Record:
        """The record for a new document: at the end, as it is stored now."""
        key = sort_key(identity)
        if key not in self.records:
            self._in_order = None
        record = self.records.pop(key, None) or Record()
        self.records[key] = record
        return record

    def between(self, least: Key, below: Key, reader: Reader, *, descending: bool = False) -> Iterator[RawBSONDocument]:
        """Documents by the index on ``_id``, from a key on and below another one."""
        if self._in_order is None:
            self._in_order = sorted(self.records)
        keys = self._in_order[bisect.bisect_left(self._in_order, least) : bisect.bisect_left(self._in_order, below)]
        for key in reversed(keys) if descending else keys:
            document = self._seen(key, self.records[key], reader.time, reader.transaction)
            if document is not None:
                yield document

    def visible(self, time: Timestamp | None, transaction: Transaction | None) -> Iterator[RawBSONDocument]:
        """Documents as of ``time`` (None: now), with what ``transaction`` wrote itself."""
        for key, record in list(self.records.items()):
            document = self._seen(key, record, time, transaction)
            if document is not None:
                yield document

    def seen(self, identity: Any, time: Timestamp | None, transaction: Transaction | None) -> RawBSONDocument | None:
        """One document, by its ``_id``."""
        key = sort_key(identity)
        record = self.records.get(key)
        return None if record is None else self._seen(key, record, time, transaction)

    def _seen(
        self, key: Key, record: Record, time: Timestamp | None, transaction: Transaction | None
    ) -> RawBSONDocument | None:
        if transaction is not None and (self.uuid, key) in transaction.written:
            return transaction.written[self.uuid, key]
        return record.newest if time is None else record.at(time)


class Catalog:
    """The collections there are."""

    def __init__(self) -> None:
        self.collections: dict[tuple[str, str], Collection] = {}
        self._made = 0

    def find(self, database: str, name: str) -> Collection | None:
        return self.collections.get((database, name))

    def of(self, database: str) -> list[Collection]:
        return [collection for collection in self.collections.values() if collection.database == database]

    def add(self, database: str, name: str, options: Document) -> Collection:
        collection = Collection(database, name, self.new_uuid(), options)
        self.collections[database, name] = collection
        return collection

    def forget(self, collection: Collection) -> None:
        """Take a collection away, unless somebody else has stored something in it."""
        if all(record.newest is None for record in collection.records.values()):
            self.collections.pop((collection.database, collection.name), None)

    def new_uuid(self) -> bytes:
        """The next one: as good as random, and the same in each run."""
        self._made += 1
        content = bytearray(hashlib.sha256(f"collection {self._made}".encode()).digest()[:16])
        content[6], content[8] = content[6] & 0x0F | 0x40, content[8] & 0x3F | 0x80
        return bytes(content)
