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
from connectors.mongo.change_event import Event, document_at
from connectors.mongo.client import Time
from streamtrain.errors import UnsupportedChange
from tests.connectors.bson_documents import SEEDS, array, attributes, document, element, string
from tests.connectors.mongo_recordings import update_events, workload
from tests.native import native

Cut = Callable[..., Event]
MODULE = "connectors.mongo._change_event"


@pytest.fixture(scope="module", autouse=True)
def in_c() -> Any:
    """The module in C, built before the clock of any example runs."""
    module = native(MODULE)
    module.set_types(Time, RawBSONDocument)
    return module


@pytest.fixture(params=["in C", "in Python"])
def cut(request: pytest.FixtureRequest, in_c: Any) -> Cut:
    function: Cut = in_c.cut if request.param == "in C" else change_event.python_cut
    return function


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        found = function(*arguments)
    except UnsupportedChange as error:
        return str(error)
    return [attributes(event) for event in found] if isinstance(found, list) else attributes(found)


def test_every_recorded_event_is_cut_as_the_driver_decodes_it(cut: Cut) -> None:
    for raw in (*workload().events, *update_events()):
        event, decoded = cut(raw), RawBSONDocument(raw)
        assert event.kind == decoded["operationType"]
        assert event.name == (decoded["ns"]["db"], decoded["ns"]["coll"])
        assert event.token.raw == decoded["_id"].raw
        for document_, name in ((event.full_document, "fullDocument"), (event.lsid, "lsid")):
            there = decoded.get(name)
            assert document_ == (None if there is None else there.raw)
        assert event.id == (decoded["documentKey"].raw if "documentKey" in decoded else b"")
        there = decoded.get("updateDescription")
        assert (event.update_description is None) == (there is None)
        assert there is None or document_at(raw, event.update_description or 0) == there.raw
        time = decoded["clusterTime"]
        assert (event.cluster_time, event.time) == (time.time << 32 | time.inc, Time.of(time))
        assert (event.committed_us, event.ordinal) == (time.time * 1_000_000, time.inc)
        assert event.txn_number == decoded.get("txnNumber")
        new = decoded.get("to")
        assert event.to == ((new["db"], new["coll"]) if new else ("", ""))


def test_every_part_is_found(cut: Cut) -> None:
    empty, list_, paths = document(), array([(10, b"")]), document(element(10, "a.b", b""))
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
                element(3, "disambiguatedPaths", paths),
            ),
        ),
    )
    event = cut(b"before" + raw, 6)
    assert (event.place, event.fragment, event.fragments) == (6, 1, 2)
    assert (event.wall_time_ms, event.committed_us, event.txn_number) == (-1, -1_000, 1 << 40)
    assert (event.kind, event.name, event.id, event.full_document) == ("", ("", ""), b"", None)
    assert event.token.raw == event.full_document_before_change == event.operation_description == empty
    for place, content in (
        (event.updated_fields, empty),
        (event.removed_fields, list_[1]),
        (event.truncated_arrays, list_[1]),
        (event.disambiguated_paths, paths),
    ):
        assert place is not None
        assert document_at(b"before" + raw, place) == content


def test_what_an_update_did_not_do_is_not_there(cut: Cut) -> None:
    empty = document()
    parts = (
        element(4, "removedFields", empty),
        element(4, "truncatedArrays", empty),
        element(3, "disambiguatedPaths", empty),
    )
    event = cut(document(element(3, "updateDescription", document(*parts))))
    assert event.update_description is not None
    assert (event.removed_fields, event.truncated_arrays, event.disambiguated_paths) == (None, None, None)


def test_an_id_is_taken_out_of_the_key_of_a_sharded_collection(cut: Cut) -> None:
    identity = element(2, "_id", string("one"))
    event = cut(document(element(3, "documentKey", document(element(16, "shard", b"\1\0\0\0"), identity))))
    assert event.id == document(identity)
    with pytest.raises(UnsupportedChange, match="a document without _id"):
        cut(document(element(3, "documentKey", document(element(16, "shard", b"\1\0\0\0")))))


def test_a_time_that_does_not_fit_in_microseconds_is_told_all_the_same(cut: Cut) -> None:
    event = cut(document(element(9, "wallTime", struct.pack("<q", -(2**63)))))
    assert event.committed_us == -(2**63) * 1_000


def test_a_batch_is_cut_event_by_event(in_c: Any) -> None:
    raws = workload().events[:50]
    reply = document(element(4, "nextBatch", array([(3, raw) for raw in raws])[1]))
    start = reply.index(b"nextBatch\0") + 10
    events = in_c.cut_all(reply, start)
    assert outcome(in_c.cut_all, reply, start) == outcome(change_event.python_cut_all, reply, start)
    assert [one.token.raw for one in events] == [in_c.cut(raw).token.raw for raw in raws]
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
