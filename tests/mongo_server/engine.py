"""The database itself: collections, oplog, clock and transactions, under one lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from bson import ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.clock import ClusterClock
from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError, WriteConflict
from tests.mongo_server.oplog import Entry, Operation, Oplog
from tests.mongo_server.ordering import sort_key
from tests.mongo_server.storage import Catalog, Collection, Record
from tests.mongo_server.transactions import TRANSIENT, Sessions, Transaction

HIDDEN_DATABASES = {"admin", "config", "local"}


class Engine:
    """State that commands read and change while they hold ``changed``."""

    def __init__(self, now: Callable[[], float], *, oplog_entries: int, transaction_lifetime_s: float = 60.0) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.clock = ClusterClock(now)
        self.catalog = Catalog()
        self.oplog = Oplog(oplog_entries)
        self.sessions = Sessions()
        self.stopping = False
        self.held_up = threading.Event()
        """Set once a write has had to wait for a transaction."""
        self._transaction_lifetime_s = transaction_lifetime_s
        self._ids = 0
        with self.changed:
            self.log(Operation("noop", "", details={"msg": "initiating set"}))

    def collection(self, database: str, name: str, transaction: Transaction | None = None) -> Collection:
        """The collection, made where it is not there yet."""
        return self.catalog.find(database, name) or self.create(database, name, {}, transaction)

    def create(self, database: str, name: str, options: Document, transaction: Transaction | None = None) -> Collection:
        """Make a collection; one that a transaction makes goes again if that ends in nothing."""
        if self.catalog.find(database, name) is not None:
            raise CommandError(48, f"Collection already exists. NS: {database}.{name}")
        collection = self.catalog.add(database, name, options)
        details = {**options, "idIndex": collection.indexes[0]}
        operation = Operation("create", database, name, collection.uuid, details=details)
        if transaction is None:
            collection.since = self.log(operation)
        else:
            transaction.operations.append(operation)
            transaction.undo.append(lambda: self.catalog.forget(collection))
        return collection

    def new_id(self) -> ObjectId:
        """An ``_id`` for an upsert without one."""
        self._ids += 1
        return ObjectId(b"\0" * 4 + self._ids.to_bytes(8, "big"))

    def log(self, *operations: Operation, session: Document | None = None) -> Timestamp:
        """Commit operations as one entry, and wake whoever waits for changes."""
        time = self.clock.next()
        self.oplog.append(Entry(time, self.clock.wall(), operations, session))
        self.changed.notify_all()
        return time

    def write(
        self,
        collection: Collection,
        operation: Operation,
        document: RawBSONDocument | None,
        transaction: Transaction | None,
    ) -> None:
        """Store a document, or None where it is deleted, and log it; in a transaction when that commits."""
        identity = (operation.key or {})["_id"]
        if transaction is None:
            time = self.log(operation)
            self._store(collection, identity, time, document)
        else:
            self._claim(collection, identity, transaction)
            transaction.written[collection.uuid, sort_key(identity)] = document
            transaction.operations.append(operation)

    def free(self, record: Record | None, transaction: Transaction | None) -> bool:
        """Whether a document may be written now: waits for other transactions to let go of it, or conflicts.

        After a wait the caller has to look at the document again.
        """
        if record is None or record.writer is None or record.writer is transaction:
            return True
        if transaction is not None:
            raise self._conflict(transaction)
        self._wait_for_transactions()
        return False

    def require_quiet(self, *collections: Collection) -> None:
        """Wait until no open transaction has written to these: whoever drops or renames a collection waits for its lock."""
        wanted = {collection.uuid for collection in collections}
        while any(uuid in wanted for one in self.sessions.open_transactions() for uuid, _ in one.written):
            self._wait_for_transactions()

    def _wait_for_transactions(self) -> None:
        """Until something has changed; transactions that are too old are ended."""
        if self.stopping:
            raise CommandError(11600, "interrupted at shutdown")
        oldest = time.monotonic() - self._transaction_lifetime_s
        expired = [one for one in self.sessions.open_transactions() if one.began_s < oldest]
        for transaction in expired:
            self.abort(transaction)
        if not expired:
            self.held_up.set()
            self.changed.wait(1.0)

    def _claim(self, collection: Collection, identity: Any, transaction: Transaction) -> None:
        record = collection.record(identity)
        if record is None:
            record = collection.place(identity)
        newer = bool(record.versions) and record.versions[-1][0] > transaction.read_time
        if newer or record.writer not in {None, transaction}:
            raise self._conflict(transaction)
        record.writer = transaction
        transaction.records[collection.uuid, sort_key(identity)] = record

    def _conflict(self, transaction: Transaction) -> CommandError:
        self.abort(transaction)
        conflict = WriteConflict()
        conflict.labels = (TRANSIENT,)
        return conflict

    def _store(self, collection: Collection, identity: Any, time: Timestamp, document: RawBSONDocument | None) -> None:
        record = collection.record(identity)
        if record is None or record.newest is None:
            record = collection.place(identity)
        record.commit(time, document, self._oldest_read())

    def _oldest_read(self) -> Timestamp:
        open_times = [transaction.read_time for transaction in self.sessions.open_transactions()]
        return min([self.oplog.oldest or self.clock.last, *open_times])

    def commit(self, transaction: Transaction) -> None:
        """Make everything the transaction wrote visible at one time."""
        if transaction.state == "open":
            if transaction.operations:
                session = {"lsid": transaction.lsid, "txnNumber": transaction.number}
                transaction.commit_time = self.log(*transaction.operations, session=session)
                oldest = self._oldest_read()
                for key, record in transaction.records.items():
                    record.commit(transaction.commit_time, transaction.written[key], oldest)
            transaction.end("committed")
        self.changed.notify_all()

    def abort(self, transaction: Transaction) -> None:
        transaction.end("aborted")
        self.changed.notify_all()
