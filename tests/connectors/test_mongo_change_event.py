"""Change events are cut into their parts, the same by C and by Python, and what is none stops with its place."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from hypothesis import given, settings

from connectors.mongo import change_event
from connectors.mongo.change_event import ChangeEvent, document_at
from streamtrain.errors import UnsupportedChange
from tests.connectors.bson_documents import SEEDS, array, document, element, string
from tests.connectors.mongo_recordings import update_events, workload
from tests.native import native

Cut = Callable[..., ChangeEvent]
MODULE = "connectors.mongo._change_event"


@pytest.fixture(scope="module", autouse=True)
def in_c() -> Any:
    """The module in C, built before the clock of any example runs."""
    module = native(MODULE)
    module.set_event(ChangeEvent)
    return module


@pytest.fixture(params=["in C", "in Python"])
def cut(request: pytest.FixtureRequest, in_c: Any) -> Cut:
    function: Cut = in_c.cut if request.param == "in C" else change_event.python_cut
    return function


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except UnsupportedChange as error:
        return str(error)


def test_every_recorded_event_is_cut_as_the_driver_decodes_it(cut: Cut) -> None:
    for raw in (*workload().events, *update_events()):
        event, decoded = cut(raw), RawBSONDocument(raw)
        assert event.operation_type == decoded["operationType"]
        assert (event.database, event.collection) == (decoded["ns"]["db"], decoded["ns"]["coll"])
        for place, name in (
            (event.token, "_id"),
            (event.document_key, "documentKey"),
            (event.full_document, "fullDocument"),
            (event.update_description, "updateDescription"),
            (event.lsid, "lsid"),
        ):
            there = decoded.get(name)
            assert (place is None) == (there is None)
            assert place is None or document_at(raw, place) == there.raw
        time = decoded["clusterTime"]
        assert event.cluster_time == time.time << 32 | time.inc
        assert event.txn_number == decoded.get("txnNumber")
        new = decoded.get("to")
        assert (event.to_database, event.to_collection) == ((new["db"], new["coll"]) if new else (None, None))


def test_every_part_is_found(cut: Cut) -> None:
    empty, list_ = document(), array([])
    raw = document(
        element(3, "_id", empty),
        element(3, "splitEvent", document(element(16, "fragment", b"\1\0\0\0"), element(16, "of", b"\2\0\0\0"))),
        element(3, "fullDocumentBeforeChange", empty),
        element(3, "operationDescription", empty),
        element(9, "wallTime", struct.pack("<q", -1)),
        element(18, "txnNumber", struct.pack("<q", 1 << 40)),
        element(10, "fullDocument", b""),
        element(3, "unknown", document(element(2, "ns", string("x")))),
        element(
            3,
            "updateDescription",
            document(
                element(3, "updatedFields", empty),
                element(*(list_[0], "removedFields", list_[1])),
                element(*(list_[0], "truncatedArrays", list_[1])),
                element(3, "disambiguatedPaths", empty),
            ),
        ),
    )
    event = cut(b"before" + raw, 6)
    places = event._asdict()
    assert (event.fragment, event.fragments, event.wall_time_ms, event.txn_number) == (1, 2, -1, 1 << 40)
    assert event.operation_type is event.full_document is None
    for name in ("token", "full_document_before_change", "operation_description", "updated_fields", "removed_fields"):
        assert document_at(b"before" + raw, places[name]) == empty
    assert None not in {event.truncated_arrays, event.disambiguated_paths}


def test_a_batch_is_cut_event_by_event(in_c: Any) -> None:
    raws = workload().events[:50]
    reply = document(element(4, "nextBatch", array([(3, raw) for raw in raws])[1]))
    start = reply.index(b"nextBatch\0") + 10
    events = in_c.cut_all(reply, start)
    assert events == change_event.python_cut_all(reply, start)
    assert [document_at(reply, one.token) for one in events] == [document_at(raw, in_c.cut(raw).token) for raw in raws]
    not_documents = document(element(4, "nextBatch", array([(10, b"")])[1]))
    for function in (in_c.cut_all, change_event.python_cut_all):
        with pytest.raises(UnsupportedChange, match="is not a document"):
            function(not_documents, not_documents.index(b"nextBatch\0") + 10)


@pytest.mark.parametrize(
    ("kind", "name", "value", "told"),
    [
        (16, "_id", b"\0\0\0\0", "byte 4 of a BSON document from MongoDB: a field of a change event is not a document"),
        (16, "operationType", b"\0\0\0\0", "is not a string"),
        (2, "operationType", string(b"\xff"), "text is not UTF-8"),
        (2, "clusterTime", string("x"), "is not a timestamp"),
        (2, "wallTime", string("x"), "is not a date"),
        (2, "txnNumber", string("x"), "is not an integer"),
        (3, "updateDescription", document(element(3, "removedFields", document())), "is not an array"),
        (2, "ns", string("a.b"), "is not a document"),
    ],
)
def test_a_part_of_another_type_stops_with_its_place(kind: int, name: str, value: bytes, told: str, cut: Cut) -> None:
    with pytest.raises(UnsupportedChange, match=told):
        cut(document(element(kind, name, value)))


@settings(max_examples=300)
@given(SEEDS)
def test_c_and_python_make_the_same_of_damage(in_c: Any, rng: Random) -> None:
    data = bytearray(rng.choice(workload().events))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    for arguments in ((bytes(data),), (bytes(data), rng.randrange(-3, 60))):
        assert outcome(in_c.cut, *arguments) == outcome(change_event.python_cut, *arguments)
    assert outcome(in_c.cut_all, bytes(data), 0) == outcome(change_event.python_cut_all, bytes(data), 0)
