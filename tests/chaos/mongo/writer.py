"""A connection of the workload: random statements and transactions, and an account of what each of them did.

A transaction puts one document into the journal before it commits: its tag, the moment at which it began, and how many
changes of captured documents it made. Whether it committed is then a question to the journal.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pymongo
from bson import Int64
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from tests.chaos.acting import Actor
from tests.chaos.history import History
from tests.chaos.mongo import updates, values
from tests.chaos.mongo.answers import DUPLICATE, REFUSED, require_foreseen
from tests.chaos.mongo.catalog import DATABASE, JOURNAL, Catalog, CollectionModel

PAUSE_S = 0.03
Document = dict[str, Any]
Where = Collection[Document]
Session = ClientSession | None


class Abandoned(Exception):
    """The transaction under way came to nothing."""


@dataclass
class Pace:
    """How hard the workload works: what is large."""

    large: int = 4_000
    before: bool = True
    """Deletes can be told from their records alone."""


class Writer(Actor):
    """One connection's worth of work, until ``stop`` is set. Runs in a thread of its own."""

    def __init__(self, name: str, chance: random.Random, url: str, catalog: Catalog, history: History) -> None:
        super().__init__(chance, PAUSE_S)
        self.name = name
        self.pace = Pace()
        self._url = url
        self._catalog = catalog
        self._history = history
        self._connected: pymongo.MongoClient[Document] | None = None
        self._ids = [values.identity(chance) for _ in range(60)]
        self._low = self._high = 0
        self._did: list[str] = []

    def close(self) -> None:
        """Let go of the connections."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def run(self, stop: threading.Event) -> None:
        try:
            super().run(stop)
        finally:
            self.close()

    def turn(self) -> None:
        """One statement or transaction, whatever becomes of it."""
        with self._catalog.gate.shared():
            tag, moment = self._history.begin()
            self._low, self._high, self._did = 0, 0, []
            try:
                if self._chance.random() < 0.35:
                    self._alone(tag, moment)
                else:
                    self._together(tag, moment, roll_back=self._chance.random() < 0.12)
            except Abandoned:
                self._history.undo(tag)
                self._did = ["transaction that came to nothing"]
            for what in self._did:
                self._history.count(what)

    @property
    def _client(self) -> pymongo.MongoClient[Document]:
        if self._connected is None:
            self._connected = pymongo.MongoClient(
                self._url,
                serverSelectionTimeoutMS=5_000,
                socketTimeoutMS=20_000,
                appname=self.name,
                w="majority",
                datetime_conversion="DATETIME_AUTO",
            )
        return self._connected

    # Transactions

    def _alone(self, tag: int, moment: int) -> None:
        """A statement that is its own transaction. It has nothing in the journal: its own documents show that it happened."""
        try:
            self._statement(tag, None)
        except PyMongoError as error:
            require_foreseen(error)
            self._history.lose_sight(tag)
            return
        leaves_no_tag = any(what.startswith("delete") for what in self._did)
        self._history.acknowledge_alone(tag, moment, 0 if leaves_no_tag else self._low, self._high)
        self._did.append("outside of transactions")

    def _together(self, tag: int, moment: int, *, roll_back: bool) -> None:
        try:
            with self._client.start_session() as session:
                self._fill(session, tag, moment)
                if roll_back:
                    session.abort_transaction()
                    raise Abandoned
                try:
                    session.commit_transaction()
                except PyMongoError as error:
                    require_foreseen(error)
                    self._history.lose_sight(tag)
                    return
        except PyMongoError as error:
            require_foreseen(error)
            raise Abandoned from None
        self._history.acknowledge(tag)
        self._did.append("transaction")

    def _fill(self, session: ClientSession, tag: int, moment: int) -> None:
        session.start_transaction()
        if self._chance.random() < 0.02 and self._catalog.captured.is_set():
            self._large(tag, session)
        for _ in range(self._chance.choice([1, 1, 2, 3, 5, 8])):
            self._statement(tag, session)
        numbers = {"low": self._low, "high": self._high}
        entry = {"_id": tag, "tx": tag, "began": Int64(moment), **numbers}
        self._client[DATABASE][JOURNAL].insert_one(entry, session=session)
        if self._chance.random() < 0.2:
            self._client[DATABASE]["noise"].insert_one({"text": "noise" * 20}, session=session)

    # Statements

    def _statement(self, tag: int, session: Session) -> None:
        """One statement. One that the server refused has ended its transaction."""
        found = self._catalog.collections()
        if not found:
            return
        model = self._chance.choice(found)
        name, act = self._chance.choices(self._acts, [weight for weight, _ in self._weights])[0]
        database, collection = model.place
        try:
            changed = act(self, self._client[database][collection], model, tag, session)
        except OperationFailure as error:
            # Outside of a transaction a statement may have changed some documents before it was refused.
            if session is None or error.code not in REFUSED | {DUPLICATE} or isinstance(error, BulkWriteError):
                raise
            raise Abandoned from None
        if changed:
            self._did.append(name)
            self._count(model, changed)

    def _count(self, model: CollectionModel, changed: int) -> None:
        if self._catalog.captures(model.name):
            self._low += 0 if model.home in self._catalog.entered else changed
            self._high += changed

    def _new(self, model: CollectionModel, tag: int, version: int = 1) -> Document:
        return {
            "home": model.home,
            "tx": tag,
            "born": self._history.birth(),
            "ver": version,
            **values.fields(self._chance),
        }

    def _insert(self, where: Where, model: CollectionModel, tag: int, session: Session) -> int:
        document = {"_id": self._chance.choice(self._ids), **self._new(model, tag)}
        if self._chance.random() < 0.15:
            where.insert_one(values.with_deprecated(document, self._chance), session=session)
        else:
            where.insert_one(document, session=session)
        return 1

    def _insert_many(self, where: Where, model: CollectionModel, tag: int, session: Session) -> int:
        documents = [
            {
                "_id": self._chance.choice(self._ids)
                if self._chance.random() < 0.2
                else values.object_id(self._chance),
                **self._new(model, tag),
            }
            for _ in range(self._chance.randint(2, 20))
        ]
        ordered = session is not None or self._chance.random() < 0.5
        try:
            where.insert_many(documents, ordered=ordered, session=session)
        except BulkWriteError as error:
            if session is not None or {one["code"] for one in error.details["writeErrors"]} != {DUPLICATE}:
                raise
            return int(error.details["nInserted"])
        return len(documents)

    def _large(self, tag: int, session: ClientSession) -> None:
        """More documents than a capture keeps in memory or in one of its own transactions."""
        found = [model for model in self._catalog.collections() if self._catalog.captures(model.name)]
        if not found:
            return
        model = self._chance.choice(found)
        database, collection = model.place
        born = self._history.birth()
        marks = {"home": model.home, "tx": tag, "born": born, "ver": 1}
        documents = [{"_id": values.object_id(self._chance), **marks} for _ in range(self.pace.large)]
        self._client[database][collection].insert_many(documents, session=session)
        self._count(model, len(documents))
        self._did.append("large insert")

    def _some(self, model: CollectionModel) -> Document:
        """A filter that finds a few documents."""
        if self._chance.random() < 0.7:
            return {"home": model.home, "_id": self._chance.choice(self._ids)}
        if self._chance.random() < 0.7:
            return {
                "home": model.home,
                "_id": {"$in": [self._chance.choice(self._ids) for _ in range(self._chance.choice([2, 6]))]},
            }
        return {"home": model.home, "bits": {"$lt": self._chance.choice([2, 10, 60])}}

    def _update(self, where: Where, model: CollectionModel, tag: int, session: Session) -> int:
        made = updates.modifiers(self._chance, tag)
        filters = made.array_filters
        if self._chance.random() < 0.5:
            return where.update_one(
                self._some(model), made.change, array_filters=filters, session=session
            ).modified_count
        return where.update_many(self._some(model), made.change, array_filters=filters, session=session).modified_count

    def _pipeline(self, where: Where, model: CollectionModel, tag: int, session: Session) -> int:
        made = updates.pipeline(self._chance, tag)
        return where.update_one(self._some(model), made.change, session=session).modified_count

    def _replace(self, where: Where, model: CollectionModel, tag: int, session: Session) -> int:
        """A whole document for one that is as it was looked at."""
        there = where.find_one({"_id": self._chance.choice(self._ids)}, {"born": 1, "ver": 1}, session=session)
        if there is None:
            return 0
        new = {**self._new(model, tag, there["ver"] + 1), "born": there["born"]}
        return where.replace_one({**there, "home": model.home}, new, session=session).modified_count

    def _upsert(self, where: Where, model: CollectionModel, tag: int, session: Session) -> int:
        made = updates.modifiers(self._chance, tag)
        assert isinstance(made.change, dict)
        if made.array_filters is not None or "once" in made.change.get("$setOnInsert", {}):
            return 0
        born = {"home": model.home, "born": self._history.birth()}
        where.update_one(
            {"_id": self._chance.choice(self._ids)}, {**made.change, "$setOnInsert": born}, upsert=True, session=session
        )
        return 1

    def _find_and_update(self, where: Where, model: CollectionModel, tag: int, session: Session) -> int:
        made = updates.modifiers(self._chance, tag)
        found = where.find_one_and_update(
            self._some(model), made.change, {"_id": 1}, array_filters=made.array_filters, session=session
        )
        return int(found is not None)

    def _delete(self, where: Where, model: CollectionModel, _tag: int, session: Session) -> int:
        if self._chance.random() < 0.7:
            return where.delete_one(self._some(model), session=session).deleted_count
        return where.delete_many(self._some(model), session=session).deleted_count

    _Act = Callable[["Writer", Where, CollectionModel, int, Session], int]
    _weights: tuple[tuple[float, tuple[str, _Act]], ...] = (
        (5, ("insert", _insert)),
        (1, ("insert of many documents", _insert_many)),
        (6, ("update", _update)),
        (2, ("update by pipeline", _pipeline)),
        (2, ("replace", _replace)),
        (1.5, ("upsert", _upsert)),
        (1, ("find and modify", _find_and_update)),
        (2, ("delete", _delete)),
    )
    _acts = tuple(act for _, act in _weights)
