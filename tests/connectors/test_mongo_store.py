"""The store of documents holds what was written last, and goes back to any batch that was not confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

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
