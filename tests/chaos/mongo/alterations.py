"""The connection that changes collections: created, dropped, renamed in and out of what is captured, and altered."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from tests.chaos.acting import Actor
from tests.chaos.history import History
from tests.chaos.mongo.answers import require_foreseen
from tests.chaos.mongo.catalog import DATABASE, SECOND, Catalog, CollectionModel

MOST_COLLECTIONS = 6
PATIENCE_S = 120.0
TAKEN, ABSENT = 48, 26
Document = dict[str, Any]


class Alterations(Actor):
    """Changes a random collection now and then, while no writer is at work. Runs in a thread of its own."""

    name = "alterations"

    def __init__(self, chance: random.Random, url: str, catalog: Catalog, history: History, pause_s: float) -> None:
        super().__init__(chance, pause_s)
        self.done = 0
        self.images = False
        """Whether collections keep images of their documents: it is switched on the way, unless they always have to."""
        self.always_images = False
        self.renames = True
        self._url = url
        self._catalog = catalog
        self._history = history
        self._homes: dict[bytes, int] = {}
        """By the server's own mark of a collection."""
        self._next_home = 1

    def turn(self) -> None:
        """One command. None before the snapshot is captured: what is then read under two names is more than the checker can follow."""
        if not self._catalog.captured.is_set():
            return
        with self._catalog.gate.alone():
            name, act = self._chance.choices(self._acts, [weight for weight, _ in self._weights])[0]
            if act(self):
                self.done += 1
                self._history.count(name)

    def create(self, name: str) -> None:
        """A collection of this name, which there is not yet."""
        with self._catalog.gate.alone():
            self._create(name)

    def _create(self, name: str) -> bool:
        options = {"changeStreamPreAndPostImages": {"enabled": True}} if self._draw_images() else {}
        database, _, collection = name.partition(".")
        self._command(database, {"create": collection, **options}, settled={TAKEN})
        self._look_again(bool(options))
        return True

    def _draw_images(self) -> bool:
        return self.always_images or (self.images and self._chance.random() < 0.5)

    def _command(self, database: str, command: Document, settled: set[int]) -> None:
        """Until it is done. ``settled``: codes that say that it was done at an earlier try whose answer was lost."""
        deadline, tried = time.monotonic() + PATIENCE_S, False
        while True:
            try:
                with self._client() as client:
                    client[database].command(command)
            except PyMongoError as error:
                if tried and isinstance(error, OperationFailure) and error.code in settled:
                    return
                require_foreseen(error)
                if time.monotonic() > deadline:
                    raise
                tried = True
                time.sleep(0.1)
            else:
                return

    def _client(self) -> pymongo.MongoClient[Document]:
        return pymongo.MongoClient(self._url, serverSelectionTimeoutMS=5_000, socketTimeoutMS=20_000)

    def _look_again(self, images: bool = False) -> None:
        """Take the collections from the server, and note their names."""
        found = self.there_are(images=images)
        self._catalog.hold(found)
        self._history.name(0, self._catalog.names())

    def there_are(self, *, images: bool = False) -> list[CollectionModel]:
        """The workload's collections as the server has them; ``images``: new ones keep them."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._listed(images=images)
            except PyMongoError as error:
                require_foreseen(error)
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def _listed(self, *, images: bool) -> list[CollectionModel]:
        found = list[CollectionModel]()
        databases = sorted({name.partition(".")[0] for name in (*self._catalog.patterns, DATABASE)})
        with self._client() as client:
            for database in databases:
                for each in client[database].list_collections():
                    if each["name"].startswith(("t", "out")):
                        found.append(self._model(f"{database}.{each['name']}", bytes(each["info"]["uuid"]), images))
        return found

    def _model(self, name: str, mark: bytes, images: bool) -> CollectionModel:
        home = self._homes.get(mark)
        if home is None:
            home = self._homes[mark] = self._next_home
            self._next_home += 1
            return CollectionModel(home, name, images)
        return replace(self._catalog.models[home], name=name)

    # Commands

    def _any(self) -> CollectionModel | None:
        found = self._catalog.collections()
        return self._chance.choice(found) if found else None

    def _free(self, *, captured: bool) -> str | None:
        """A name that no collection has now."""
        taken = {model.name for model in self._catalog.collections()}
        names = [pattern.replace("*", str(number)) for pattern in self._catalog.patterns for number in range(8)]
        found = sorted({name for name in names if ".t" in name} - taken)
        outside = sorted({f"{DATABASE}.out{number}" for number in range(4)} - taken)
        candidates = found if captured else outside
        return self._chance.choice(candidates) if candidates else None

    def _make(self) -> bool:
        name = self._free(captured=self._chance.random() < 0.75)
        return name is not None and len(self._catalog.collections()) < MOST_COLLECTIONS and self._create(name)

    def _drop(self) -> bool:
        model = self._any()
        if model is None or len(self._catalog.collections()) < 2:
            return False
        database, collection = model.place
        self._command(database, {"drop": collection}, settled={ABSENT})
        if self._chance.random() < 0.6:  # and another one right away that is called the same
            return self._create(model.name)
        self._look_again()
        return True

    def _drop_database(self) -> bool:
        """The one that has nothing but collections which may go."""
        if not any(model.place[0] == SECOND for model in self._catalog.collections()):
            return False
        self._command(SECOND, {"dropDatabase": 1}, settled=set())
        self._look_again()
        return True

    def _rename(self) -> bool:
        """Within what is captured, out of it, or into it; a collection never gets back a name that it has had."""
        model = self._any()
        if model is None or not self.renames:
            return False
        captured = self._catalog.captures(model.name)
        target = self._free(captured=not captured or self._chance.random() < 0.7)
        return target is not None and self._move(model, target, over=False)

    def _rename_over(self) -> bool:
        """Another collection's name, which is dropped by that."""
        found = self._catalog.collections()
        if len(found) < 3 or not self.renames:
            return False
        model, target = self._chance.sample(found, 2)
        return self._move(model, target.name, over=True)

    def _move(self, model: CollectionModel, to: str, *, over: bool) -> bool:
        had = {name for _, names in self._history.namings for name, home in names.items() if home == model.home}
        was_captured = bool(had)
        out_again = was_captured and not self._catalog.captures(model.name)
        if to in had or out_again or to.partition(".")[0] != model.place[0]:
            return False
        if not was_captured:
            self._catalog.entered.add(model.home)
        self._command("admin", {"renameCollection": model.name, "to": to, "dropTarget": over}, settled={ABSENT})
        self._look_again()
        return True

    def _modify(self) -> bool:
        model = self._any()
        if model is None or not self.images or self.always_images:
            return False
        database, collection = model.place
        options = {"changeStreamPreAndPostImages": {"enabled": self._chance.random() < 0.5}}
        self._catalog.hold([replace(one, images=True) if one == model else one for one in self._catalog.collections()])
        self._command(database, {"collMod": collection, **options}, settled=set())
        return True

    def _index(self) -> bool:
        model = self._any()
        if model is None:
            return False
        database, collection = model.place
        name = self._chance.choice(["num", "bits", "m.a"])
        index = {"key": {name: 1}, "name": f"{name}_1"}
        self._command(database, {"createIndexes": collection, "indexes": [index]}, settled=set())
        return True

    _Act = Callable[["Alterations"], bool]
    _weights: tuple[tuple[float, tuple[str, _Act]], ...] = (
        (3, ("create", _make)),
        (2, ("drop", _drop)),
        (0.7, ("drop of a database", _drop_database)),
        (3, ("rename", _rename)),
        (1.5, ("rename over another", _rename_over)),
        (2, ("collMod", _modify)),
        (1, ("index", _index)),
    )
    _acts = tuple(act for _, act in _weights)
