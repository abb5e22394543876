"""An update's description, applied to the held document, gives what the server has, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from hypothesis import given, settings

from connectors.mongo import raw_bson
from connectors.mongo.change_event import Event, cut
from connectors.mongo.delta import applied, python_applied
from connectors.mongo.raw_bson import elements
from streamtrain.errors import UnsupportedChange
from tests.connectors.bson_documents import ALL, SEEDS, damaged, random_document
from tests.connectors.mongo_recordings import update_events, workload
from tests.native import native

Held = dict[str, dict[bytes, bytes]]


def updated(held: dict[str, Any], **description: Any) -> dict[str, Any]:
    """What an update makes of a document; fields in the order in which they are."""
    raw = bson.encode({"operationType": "update", "updateDescription": description})
    after: dict[str, Any] = bson.decode(applied(bson.encode(held), cut(raw)))
    return after


def ident(document: bytes) -> bytes:
    return next(document[one.start : one.end] for one in elements(document) if one.name == b"_id")


def follow(held: Held, raw: bytes) -> None:
    """Do to the held documents what an event says."""
    event = cut(raw)
    collection = held.setdefault(event.name[1], {})
    if event.kind == "rename":
        held[event.to[1]] = held.pop(event.name[1])
        return
    if event.kind == "drop":
        collection.clear()
        return
    key = ident(event.id)
    if event.kind == "delete":
        del collection[key]
    elif event.kind == "update":
        collection[key] = applied(collection[key], event)
    else:
        assert event.full_document is not None
        collection[key] = event.full_document


def test_a_recorded_workload_from_its_snapshot_ends_as_the_server_did() -> None:
    recorded = workload()
    held: Held = {name: {ident(one): one for one in all_} for name, all_ in recorded.snapshot.items()}
    later = [raw for raw in recorded.events if cut(raw).cluster_time > recorded.snapshot_operation_time]
    assert sum(cut(raw).kind == "update" for raw in later) > 1_000
    for raw in later:
        follow(held, raw)
    for name, final in recorded.final.items():
        assert held[name] == {ident(one): one for one in final}


def test_a_recorded_workload_from_the_start_passes_through_the_snapshot() -> None:
    recorded = workload()
    held: Held = {}
    passed = False
    for raw in recorded.events:
        if not passed and cut(raw).cluster_time > recorded.snapshot_operation_time:
            passed = True
            for name, snapshot in recorded.snapshot.items():
                assert held[name] == {ident(one): one for one in snapshot}
        follow(held, raw)
    assert passed
    for name, final in recorded.final.items():
        assert held[name] == {ident(one): one for one in final}


def test_every_recorded_form_of_update_gives_the_document_that_was_looked_up() -> None:
    held: Held = {}
    for raw in update_events():
        follow(held, raw)
        event = cut(raw)
        if event.kind == "update" and event.full_document is not None:
            assert held[event.name[1]][ident(event.full_document)] == event.full_document


def test_a_number_is_an_index_or_a_name_by_what_is_held() -> None:
    assert updated({"a": [1, 2]}, updatedFields={"a.0": 9}) == {"a": [9, 2]}
    assert updated({"a": {"0": 1}}, updatedFields={"a.0": 9}) == {"a": {"0": 9}}


def test_an_index_behind_the_end_of_an_array_is_padded_with_nulls() -> None:
    assert updated({"a": [1]}, updatedFields={"a.3": 9}) == {"a": [1, None, None, 9]}
    assert updated({"a": []}, updatedFields={"a.1.b": 9}) == {"a": [None, {"b": 9}]}


def test_a_removed_element_of_an_array_becomes_null() -> None:
    assert updated({"a": [1, 2, 3]}, removedFields=["a.1"]) == {"a": [1, None, 3]}


def test_fields_keep_their_places_and_new_ones_come_last() -> None:
    after = updated({"_id": 1, "a": 1, "b": 2, "c": 3}, updatedFields={"z": 1, "b": {"x": 1}}, removedFields=["a"])
    assert list(after.items()) == [("_id", 1), ("b", {"x": 1}), ("c", 3), ("z", 1)]


def test_documents_on_the_way_are_made() -> None:
    assert updated({}, updatedFields={"a.b.0": 1}) == {"a": {"b": {"0": 1}}}


def test_arrays_are_cut_before_their_elements_are_set() -> None:
    truncated = [{"field": "a.b", "newSize": 2}, {"field": "c", "newSize": Int64(0)}]
    after = updated({"a": {"b": [1, 2, 3, 4]}, "c": [1]}, updatedFields={"a.b.1": 9}, truncatedArrays=truncated)
    assert after == {"a": {"b": [1, 9]}, "c": []}


def test_a_name_with_dots_and_dollars_is_found() -> None:
    assert updated({"a.b": 1, "$c": 2}, updatedFields={"a.b": 9, "$c": 8}) == {"a.b": 9, "$c": 8}
    assert updated({"x": {"a.b": {"c": 1}}}, updatedFields={"x.a.b.c": 9}) == {"x": {"a.b": {"c": 9}}}
    assert updated({"a.b": [1, 2]}, removedFields=["a.b"]) == {}


def test_two_meanings_of_a_path_are_told_apart_by_the_server_or_stop() -> None:
    held = {"a": {"b": 1}, "a.b": 2}
    with pytest.raises(UnsupportedChange, match="mean more than one place") as stop:
        updated(held, updatedFields={"a.b": 9})
    assert "post-images" in stop.value.hint
    assert updated(held, updatedFields={"a.b": 9}, disambiguatedPaths={"a.b": ["a.b"]}) == {"a": {"b": 1}, "a.b": 9}
    assert updated(held, updatedFields={"a.b": 9}, disambiguatedPaths={"a.b": ["a", "b"]}) == {"a": {"b": 9}, "a.b": 2}
    # As MongoDB's documentation has it: the first 0 is an index, the second a name.
    paths = {"r.0.0": ["r", 0, "0"]}
    assert updated({"r": [{"0": 1}]}, updatedFields={"r.0.0": 9}, disambiguatedPaths=paths) == {"r": [{"0": 9}]}
    assert updated({"r": [{"0": 1}]}, removedFields=["r.0.0"], disambiguatedPaths=paths) == {"r": [{}]}
    assert updated({}, updatedFields={"a.b": 1}, disambiguatedPaths={"a.b": ["a.b"]}) == {"a.b": 1}


@pytest.mark.parametrize(
    ("held", "description"),
    [
        ({}, {"removedFields": ["a"]}),
        ({"a": 1}, {"updatedFields": {"a.b": 1}}),
        ({"a": [1]}, {"updatedFields": {"a.b": 1}}),
        ({"a": [1]}, {"updatedFields": {"a.01": 1}}),
        ({"a": [1]}, {"updatedFields": {"a.99999999": 1}}),
        ({"a": [1]}, {"removedFields": ["a.1"]}),
        ({"a": [1]}, {"truncatedArrays": [{"field": "a", "newSize": 2}]}),
        ({"a": {}}, {"truncatedArrays": [{"field": "a", "newSize": 0}]}),
        ({"a": {}}, {"truncatedArrays": [{"field": "a"}]}),
        ({"a": {}}, {"truncatedArrays": [1]}),
        ({"a": {}}, {"removedFields": [1]}),
        ({"a": [1]}, {"updatedFields": {"a.0": 1}, "disambiguatedPaths": {"a.0": ["a", "0"]}}),
        ({"a": {}}, {"updatedFields": {"a.0": 1}, "disambiguatedPaths": {"a.0": ["a", 0]}}),
        ({"a": [1]}, {"updatedFields": {"a.0": 1}, "disambiguatedPaths": {"a.0": ["a", -1]}}),
        ({"a": [1]}, {"updatedFields": {"a.0": 1}, "disambiguatedPaths": {"a.0": []}}),
        ({"a": [1]}, {"updatedFields": {"a.0": 1}, "disambiguatedPaths": {"a.0": [1.5]}}),
    ],
)
def test_what_does_not_fit_the_held_document_stops(held: dict[str, Any], description: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedChange, match="does not fit the document that is held") as stop:
        updated(held, **description)
    assert stop.value.hint


def plain_model(rng: Random, held: Any, path: tuple[Any, ...], paths: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Change some leaves of a document in place, and note the path of each and its new value."""
    for key in list(range(len(held))) if isinstance(held, list) else list(held):
        if isinstance(held[key], (dict, list)) and rng.random() < 0.7:
            plain_model(rng, held[key], (*path, key), paths)
        elif rng.random() < 0.4:
            held[key] = random_value(rng, 1)
            paths.append(((*path, key), held[key]))
    if rng.random() < 0.5:
        new = len(held) + rng.randrange(3) if isinstance(held, list) else f"new{rng.randrange(9)}"
        value = random_value(rng, 1)
        if isinstance(held, list):
            held += [None] * (new - len(held)) + [value]
        else:
            held[new] = value
        paths.append(((*path, new), value))


def random_value(rng: Random, depth: int) -> Any:
    how = rng.randrange(6) if depth < 4 else 0
    if how == 4:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if how == 5:
        return {name: random_value(rng, depth + 1) for name in rng.sample("ab01c", rng.randrange(4))}
    return rng.choice((None, True, 1, 1.5, "text", Int64(5), b"bytes"))


@pytest.fixture(scope="module")
def in_c() -> Any:
    module = native("connectors.mongo._raw_bson")
    module.set_element(raw_bson.Element)
    return module


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except UnsupportedChange as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(SEEDS)
def test_c_and_python_list_the_same_elements(in_c: Any, rng: Random) -> None:
    for data in (random_document(rng, ALL), damaged(rng)):
        for places in ((0, len(data)), (rng.randrange(-3, 9), rng.randrange(len(data) + 1))):
            assert outcome(in_c.all_elements, data, *places) == outcome(raw_bson.python_all_elements, data, *places)


@settings(max_examples=300)
@given(SEEDS)
def test_random_updates_give_what_a_plain_model_gives(rng: Random) -> None:
    held = {"_id": 1, **{name: random_value(rng, 0) for name in "abcd"}}
    before = bson.encode(held)
    paths: list[tuple[tuple[Any, ...], Any]] = []
    held.pop("_id")
    plain_model(rng, held, (), paths)
    removed = rng.choice("abcd")
    if not any(path[0] == removed for path, _ in paths):
        del held[removed]
        removals = [removed]
    else:
        removals = []
    fields = {".".join(map(str, path)): value for path, value in paths}
    raw = bson.encode({"updateDescription": {"updatedFields": fields, "removedFields": removals}})
    assert applied(before, cut(raw)) == bson.encode({"_id": 1, **held})
    assert python_applied(before, cut(raw)) == bson.encode({"_id": 1, **held})


@pytest.fixture(scope="module")
def delta() -> Callable[[bytes, Event], bytes | None]:
    module = native("connectors.mongo._delta")
    return lambda held, event: module.applied(held, event.data, event.removed_fields, event.updated_fields)


PATHS = ("a", "b", "a.b", "a.0", "b.1", "a.b.0", "b.0.a", "a.01", "", ".", "a.", "c.d", "a.b.c", "0")


def random_path(rng: Random) -> str:
    return (
        rng.choice(PATHS)
        if rng.random() < 0.7
        else ".".join(rng.choices(("a", "b", "0", "1", "new"), k=rng.randrange(1, 4)))
    )


@settings(max_examples=500, deadline=None)
@given(SEEDS)
def test_c_does_what_python_does_or_leaves_it_to_it(delta: Callable[[bytes, Event], bytes | None], rng: Random) -> None:
    held = bson.encode(
        {name: random_value(rng, 0) for name in rng.sample(("a", "b", "a.b", "0", "c"), rng.randrange(1, 5))}
    )
    description = {
        "updatedFields": {random_path(rng): random_value(rng, 1) for _ in range(rng.randrange(4))},
        "removedFields": [random_path(rng) for _ in range(rng.choice((0, 0, 1, 2)))],
    }
    event = cut(bson.encode({"updateDescription": description}))
    in_c, in_python = delta(held, event), outcome(python_applied, held, event)
    assert in_c is None or in_c == in_python
    for damaged_document in (damaged(rng), random_document(rng, ALL)):
        in_c = delta(damaged_document, event)
        assert in_c is None or in_c == outcome(python_applied, damaged_document, event)


@pytest.mark.parametrize(
    ("held", "description"),
    [
        ({"a": 1, "b": 2}, {"updatedFields": {"b": "x", "c": 3}, "removedFields": ["a"]}),
        ({"a": {"b": [1, {"c": 2}]}}, {"updatedFields": {"a.b.1.c": 5, "a.b.2": 6}, "removedFields": ["a.b.0"]}),
        ({"a.b": {"c": 1}}, {"updatedFields": {"a.b.c": 5, "x.y": 1}, "removedFields": []}),
        ({"a": {"b": 1}}, {"updatedFields": {"a": {"b": 2}, "a.b": 3}}),
    ],
)
def test_what_updates_usually_do_is_done_in_c(
    delta: Callable[[bytes, Event], bytes | None], held: dict[str, Any], description: dict[str, Any]
) -> None:
    event = cut(bson.encode({"updateDescription": description}))
    assert delta(bson.encode(held), event) == python_applied(bson.encode(held), event)
