"""The store of documents holds what was written last, and goes back to any batch that was not confirmed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import DataObject, binary, data, dictionaries, none, sampled_from

from connectors.mongo.store import Changed, DocumentStore

Documents = dict[tuple[int, bytes], bytes]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DocumentStore]:
    with closing(DocumentStore(tmp_path / "documents.db")) as opened:
        yield opened


def ids(count: int) -> list[bytes]:
    return [b"id %d" % number for number in range(count)]


def all_of(store: DocumentStore, collections: int) -> Documents:
    held = {number: store.get(number, ids(2_000)) for number in range(1, collections + 1)}
    return {(number, identity): document for number, found in held.items() for identity, document in found.items()}


def random_batch(store: DocumentStore, rng: Random) -> None:
    """Writes and deletes, of many documents and of few, in two collections."""
    changed = {}
    for number in rng.sample((1, 2), rng.randrange(1, 3)):
        chosen = rng.sample(ids(2_000), rng.choice((1, 3, 249, 250, 251, 1_100)))
        now = {identity: None if rng.random() < 0.3 else rng.randbytes(rng.randrange(300)) for identity in chosen}
        changed[number] = Changed(store.get(number, chosen), now)
    store.write(changed)


def test_it_goes_back_to_every_batch(store: DocumentStore) -> None:
    rng = Random(7)
    assert [store.number("shop.a"), store.number("shop.b")] == [1, 2]
    states = {0: all_of(store, 2)}
    for _ in range(12):
        random_batch(store, rng)
        states[store.batch] = all_of(store, 2)
    assert len({len(state) for state in states.values()}) > 6
    for batch in (12, 9, 8, 3, 0):
        assert store.go_back(store.identity, batch)
        assert all_of(store, 2) == states[batch]
        assert not store.go_back(store.identity, batch + 1)
    assert not store.go_back("another", 0)


def test_an_empty_document_is_held_and_not_gone(store: DocumentStore) -> None:
    number = store.number("shop.a")
    store.write({number: Changed({}, {b"one": b"", b"two": b"2"})})
    assert store.get(number, [b"one", b"two", b"three"]) == {b"one": b"", b"two": b"2"}
    store.write({number: Changed(store.get(number, [b"one", b"two"]), {b"one": None, b"two": None})})
    assert store.get(number, [b"one", b"two"]) == {}
    assert store.go_back(store.identity, 1)
    assert store.get(number, [b"one", b"two"]) == {b"one": b"", b"two": b"2"}


def test_what_was_confirmed_is_forgotten_but_for_the_newest(store: DocumentStore, tmp_path: Path) -> None:
    number = store.number("shop.a")
    for batch in range(30):
        store.write({number: Changed({}, dict.fromkeys(ids(1000), b"%d" % batch))})
        store.confirm(store.batch)
    assert not store.go_back(store.identity, 5)
    assert store.go_back(store.identity, 25)
    store.close()
    with closing(DocumentStore(tmp_path / "documents.db")) as again:
        assert again.batch == 25
        assert not again.go_back(again.identity, 5)


def test_a_collection_that_took_the_name_of_another_is_none_any_more_once_that_has_its_name_back(
    store: DocumentStore,
) -> None:
    for gone_to in ("shop.events_old", None):
        store.empty()
        number = store.number("shop.events")
        store.write({number: Changed({}, {b"one": b"1"})})
        store.rename("shop.events", gone_to)
        again = store.number("shop.events")
        store.write({again: Changed({}, {b"two": b"2"})})
        assert store.go_back(store.identity, 1)
        assert store.get(store.number("shop.events"), [b"one", b"two"]) == {b"one": b"1"}
        store.rename("shop.events", "shop.events_old")
        assert store.get(store.number("shop.events_old"), [b"one", b"two"]) == {b"one": b"1"}


def test_what_it_takes_to_go_back_from_a_change_of_large_documents_is_in_rows_of_a_few_mb(
    store: DocumentStore, tmp_path: Path
) -> None:
    numbers, size = [store.number("shop.a"), store.number("shop.b")], 900_000
    large = {b"%d" % n: b"%d" % n * size for n in range(10)}
    none_of = dict[bytes, bytes | None].fromkeys(large)
    store.write({number: Changed({}, dict(large)) for number in numbers})
    before = store.batch
    store.write({number: Changed(store.get(number, list(large)), dict(none_of)) for number in numbers})
    after, identity = store.batch, store.identity
    assert [store.get(number, list(large)) for number in numbers] == [{}, {}]
    store.close()
    with closing(sqlite3.connect(tmp_path / "documents.db")) as file:
        rows = file.execute("SELECT batch, LENGTH(replaced), count FROM undo WHERE batch > ?", (before,)).fetchall()
    assert (max(batch for batch, _, _ in rows), sum(count for _, _, count in rows)) == (after, 20)
    assert max(length for _, length, _ in rows) < 5 * size
    with closing(DocumentStore(tmp_path / "documents.db")) as again:
        assert again.go_back(identity, after)
        assert again.go_back(identity, before)
        assert [again.get(number, list(large)) == large for number in numbers] == [True, True]


def test_no_more_documents_are_read_once_these_have_more_bytes_than_asked_for(store: DocumentStore) -> None:
    number = store.number("shop.a")
    store.write({number: Changed({}, dict.fromkeys(ids(600), b"1234"))})
    assert len(store.get(number, ids(600), most=1_200)) == 301
    assert len(store.get(number, ids(300), most=1_200)) == 300
    assert len(store.get(number, ids(1), most=0)) == 1


NAMES, IDS = ("a.a", "a.b"), (b"1", b"2")
Contents = dict[str, dict[bytes, bytes]]


class GoingBack(RuleBasedStateMachine):
    """A store beside a plain dictionary of each batch's documents by collection."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.file = Path(self.directory.name) / "documents.db"
        self.store = DocumentStore(self.file, kept=4)
        self.now: Contents = {}
        self.states: dict[int, Contents] = {0: {}}
        self.confirmed = 0

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    def _written(self) -> None:
        self.states[self.store.batch] = {name: dict(documents) for name, documents in self.now.items()}

    @rule(
        changes=dictionaries(
            sampled_from(NAMES), dictionaries(sampled_from(IDS), none() | binary(max_size=2), min_size=1), min_size=1
        )
    )
    def write(self, changes: dict[str, dict[bytes, bytes | None]]) -> None:
        numbers = {name: self.store.number(name) for name in changes}
        self.store.write({
            numbers[name]: Changed(self.store.get(numbers[name], list(now)), dict(now)) for name, now in changes.items()
        })  # fmt: skip
        for name, documents in changes.items():
            held: dict[bytes, bytes | None] = {**self.now.get(name, {}), **documents}
            self.now[name] = {identity: document for identity, document in held.items() if document is not None}
        self._written()

    @rule(name=sampled_from(NAMES))
    def name(self, name: str) -> None:
        number = self.store.number(name)
        assert self.store.get(number, IDS) == self.now.setdefault(name, {})

    @rule(name=sampled_from(NAMES), to=none() | sampled_from(NAMES))
    def rename(self, name: str, to: str | None) -> None:
        if name == to:
            return
        self.store.rename(name, to)
        documents = self.now.pop(name, None)
        if to is not None:
            self.now.pop(to, None)
            if documents is not None:
                self.now[to] = documents
        self._written()

    @rule(chosen=data())
    def confirm(self, chosen: DataObject) -> None:
        batch = chosen.draw(sampled_from(sorted(self.states)))
        self.store.confirm(batch)
        self.confirmed = max(self.confirmed, batch)

    @rule(chosen=data())
    def go_back(self, chosen: DataObject) -> None:
        batch = chosen.draw(sampled_from(sorted(self.states)))
        gone = self.store.go_back(self.store.identity, batch)
        assert gone or batch < self.confirmed
        if gone:
            self.now = {name: dict(documents) for name, documents in self.states[batch].items()}
            self.states = {each: state for each, state in self.states.items() if each <= batch}
            self.confirmed = min(self.confirmed, batch)

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = DocumentStore(self.file, kept=4)

    @invariant()
    def holds_what_was_written(self) -> None:
        for name, documents in self.now.items():
            assert self.store.get(self.store.number(name), IDS) == documents, name


TestGoingBack = GoingBack.TestCase
TestGoingBack.settings = settings(max_examples=80, stateful_step_count=30)
