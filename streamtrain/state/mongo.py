"""The state database in MongoDB: a replica set or a sharded cluster, 4.4 or newer, as transactions need one.

A table is a collection of the same name, a row a document of its columns; ``_id`` is made of the key. Transactions read a
snapshot, and are committed by a majority (https://www.mongodb.com/docs/manual/core/transactions/).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING, ReadPreference, ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from streamtrain.errors import FatalError, StreamtrainError
from streamtrain.state.database import Not, OneOf, Range, Row, Where
from streamtrain.state.layout import TABLES, Table
from streamtrain.state.mongo_client import Document, client, failure, parsed
from streamtrain.state.mongo_errors import UNKNOWN_COMMIT, WRITE_CONFLICT, classified, missing_rights, unfit
from streamtrain.tls import Tls

_Result = TypeVar("_Result")

REVISION = "0001"
"""The form of the collections. Changed only together with a step in ``migrate``."""

_MIGRATIONS, _NUMBERS, _LOCKS = "streamtrain_migrations", "streamtrain_numbers", "streamtrain_locks"
_TAKEN = "locks_taken"
# Half of what a document may hold (https://www.mongodb.com/docs/manual/reference/limits/#mongodb-limit-BSON-Document-Size).
_PART_BYTES = 8 * 1024 * 1024
_NAMESPACE_EXISTS = 48
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.005, 0.1
# The transaction of a process that was killed holds its rows until the server gives it up, by default after a minute:
# whoever replaces it does not wait that long.
_HELD_TOO_LONG_S = 1.0


class MongoDatabase:
    """A database of MongoDB, as ``state.database.Database`` describes it."""

    def __init__(
        self,
        url: str,
        *,
        tls: Tls | None = None,
        connect_timeout_s: int = 5,
        timeout_s: int = 60,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock, self.sleep = clock, sleep
        # Shorter than the wait for any answer: a lock that is not got is told from a server that is away.
        self.lock_wait_s = max(1.0, timeout_s * 5 / 6)
        self._timeout_s = timeout_s
        self._where, self._name = parsed(url)
        self._client = client(url, tls or Tls(), connect_timeout_s, timeout_s)
        # Whatever the URL says of these: less would lose a checkpoint that was reported.
        self._durable = WriteConcern("majority", wtimeout=timeout_s * 1000)
        self._database = self._client.get_database(
            self._name, None, ReadPreference.PRIMARY, self._durable, ReadConcern("majority")
        )

    @property
    def where(self) -> str:
        return self._where

    @contextmanager
    def transaction(self) -> Iterator[MongoTransaction]:
        with self._mapped(), self._client.start_session() as session:
            self.begin(session)
            yield MongoTransaction(self, session)
            self._commit(session)

    def migrate(self) -> None:
        if self.pending_migration() is None:
            return
        for problem in self._unfit():
            raise problem
        with self._mapped():
            for table in TABLES:
                self._create(table)
            for name in (_NUMBERS, _LOCKS):
                self._create(Table(name, ()))
            # Last: a migration that was killed is done again, and leaves alone what is there.
            self._put(_MIGRATIONS, "revision", {"revision": REVISION})

    def pending_migration(self) -> tuple[str | None, str] | None:
        with self._mapped():
            stored = self._database[_MIGRATIONS].find_one({"_id": "revision"})
        found = None if stored is None else str(stored["revision"])
        if found is not None and found > REVISION:
            raise FatalError(
                f"state database {self.where}: its tables are not of a version known here: {found}",
                hint="a newer streamtrain has migrated them: install that version, or name another database in state.url",
            )
        return None if found == REVISION else (found, REVISION)

    def problems(self) -> Iterator[StreamtrainError]:
        found = list(self._unfit())
        yield from found
        if found:
            return
        with self._mapped():
            status = self._client.admin.command("connectionStatus", showPrivileges=True)
        yield from missing_rights(status["authInfo"], self._name, self.where)

    def part_bytes(self) -> int:
        return _PART_BYTES

    def close(self) -> None:
        self._client.close()

    def begin(self, session: ClientSession) -> None:
        """Start a transaction of the session, whose last one has ended."""
        session.start_transaction(ReadConcern("snapshot"), self._durable, ReadPreference.PRIMARY)

    def collection(self, table: Table) -> Collection[Document]:
        """The collection of a table."""
        return self._database[table.name]

    def next_number(self, table: Table) -> int:
        """A number above all that the table's rows have had. One that a rolled back transaction took is left out, as in SQL.

        Not part of a transaction, in which the runs that are kept here would have to wait for each other.
        """
        counter = self._database[_NUMBERS].find_one_and_update(
            {"_id": table.name}, {"$inc": {"last": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        return int((counter or {})["last"])

    def note_holder(self, lock: Document, session: ClientSession) -> None:
        """Write down whose transaction holds a lock, for ``end_holder``."""
        self._put(_LOCKS, lock, {"session": (session.session_id or {}).get("id")})

    def end_holder(self, lock: Document) -> None:
        """End the transaction of the session that took the lock last: the user's own, so that no right is needed.

        https://www.mongodb.com/docs/manual/reference/command/killSessions/
        """
        holder = self._database[_LOCKS].find_one({"_id": lock})
        if holder is not None:
            # A shared cluster of Atlas has no such command; there the server's own limit of a transaction ends the wait.
            with suppress(OperationFailure):
                self._client.admin.command("killSessions", [{"id": holder["session"]}])

    def _unfit(self) -> Iterator[StreamtrainError]:
        with self._mapped():
            version = self._client.server_info()["versionArray"]
        servers = self._client.topology_description.server_descriptions().values()
        yield from unfit(version, {server.server_type_name for server in servers}, self.where)

    def _create(self, table: Table) -> None:
        # Not left to the first transaction, which would hold up all others.
        try:
            self._database.create_collection(table.name, check_exists=False)
        except OperationFailure as error:
            if error.code != _NAMESPACE_EXISTS:
                raise
        for columns in (table.key, table.index):
            if len(columns) > 1:  # one column alone is the _id
                self.collection(table).create_index([(column, ASCENDING) for column in columns])

    def _put(self, name: str, identity: object, values: Document) -> None:
        try:
            self._database[name].update_one({"_id": identity}, {"$set": values}, upsert=True)
        except DuplicateKeyError:  # another process was first to insert it
            self._database[name].update_one({"_id": identity}, {"$set": values})

    def _commit(self, session: ClientSession) -> None:
        """Ask until it is known what became of it: a commit may be repeated, and is done once."""
        deadline = self.clock() + self._timeout_s
        while True:
            try:
                session.commit_transaction()
            except PyMongoError as error:
                if not error.has_error_label(UNKNOWN_COMMIT) or self.clock() >= deadline:
                    raise
                self.sleep(_LONGEST_WAIT_S)
            else:
                return

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except (PyMongoError, BSONError) as error:
            # Without the driver's error, whose text shows commands with the rows in them.
            raise classified(failure(error, self._client.topology_description), self.where) from None


class MongoTransaction:
    """A transaction of MongoDB, as ``state.database.Transaction`` describes it."""

    def __init__(self, database: MongoDatabase, session: ClientSession) -> None:
        self._database = database
        self._session = session
        self._begun = False

    def lock(self, table: Table, key: Row, *, replacing: bool = False) -> Row | None:
        collection = self._database.collection(table)
        lock = {"table": table.name, **key}

        def take() -> Row | None:
            # A write that changed nothing would keep nobody out.
            return collection.find_one_and_update(
                dict(key), {"$inc": {_TAKEN: 1}}, projection={"_id": 0, _TAKEN: 0}, session=self._session
            )

        found = self._first(take, (lambda: self._database.end_holder(lock)) if replacing else None)
        if found is not None:
            self._database.note_holder(lock, self._session)
        return found

    def select(
        self,
        table: Table,
        where: Where,
        *,
        columns: Sequence[str] = (),
        order: Sequence[str] = (),
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        shown: dict[str, int] = {"_id": 0, **(dict.fromkeys(columns, 1) if columns else {_TAKEN: 0})}
        direction = DESCENDING if descending else ASCENDING

        def read() -> list[Row]:
            cursor = self._database.collection(table).find(_filter(where), shown, session=self._session)
            if order:
                cursor = cursor.sort([(column, direction) for column in order])
            return list(cursor if limit is None else cursor.limit(limit))

        return self._first(read)

    def count(self, table: Table, where: Where, by: str) -> dict[Any, int]:
        stages: list[Mapping[str, Any]] = [
            {"$match": _filter(where)},
            {"$group": {"_id": f"${by}", "number": {"$sum": 1}}},
            {"$sort": {"_id": 1}},
        ]
        counted = self._first(lambda: list(self._database.collection(table).aggregate(stages, session=self._session)))
        return {one["_id"]: one["number"] for one in counted}

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        documents = [_document(table, row) for row in rows]
        self._first(lambda: self._database.collection(table).insert_many(documents, session=self._session))

    def insert_numbered(self, table: Table, row: Row) -> int:
        number = self._database.next_number(table)
        self.insert(table, [{**row, "id": number}])
        return number

    def update(self, table: Table, where: Where, values: Row) -> int:
        collection, change = self._database.collection(table), {"$set": dict(values)}
        return self._first(lambda: collection.update_many(_filter(where), change, session=self._session)).matched_count

    def delete(self, table: Table, where: Where) -> None:
        self._first(lambda: self._database.collection(table).delete_many(_filter(where), session=self._session))

    def _first(self, operate: Callable[[], _Result], end_holder: Callable[[], None] | None = None) -> _Result:
        """Carry out an operation; if it is the transaction's first, wait until no other transaction holds its rows.

        The server does not wait: it ends the transaction that comes second with a write conflict. As long as nothing
        was done in it, another one serves as well.
        """
        started, wait_s = self._database.clock(), _SHORTEST_WAIT_S
        while True:
            try:
                result = operate()
            except OperationFailure as error:
                waited_s = self._database.clock() - started
                if self._begun or error.code != WRITE_CONFLICT or waited_s >= self._database.lock_wait_s:
                    raise
                self._session.abort_transaction()
                if end_holder is not None and waited_s >= _HELD_TOO_LONG_S:
                    end_holder()
                self._database.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                self._database.begin(self._session)
            else:
                self._begun = True
                return result


def _document(table: Table, row: Row) -> Document:
    key = {column: row[column] for column in table.key}
    return {"_id": key if len(key) > 1 else next(iter(key.values())), **row}


def _filter(where: Where) -> Document:
    return {column: _condition(wanted) for column, wanted in where.items()}


def _condition(wanted: object) -> object:
    match wanted:
        case OneOf(values):
            return {"$in": list(values)}
        case Not(value):
            return {"$ne": value}
        case Range(at_least, below):
            bounds = {"$gte": at_least, "$lt": below}
            return {operator: bound for operator, bound in bounds.items() if bound is not None}
        case _:
            return {"$eq": wanted}
