"""A flat row has for each path what features find at that path in the document's record."""

from __future__ import annotations

import struct

import bson
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given

from connectors.flat_rows import Flattener
from connectors.mongo.extended_json import update_json, value_json
from streamtrain.documents import document as read
from tests.connectors.bson_documents import ALL, NAMES, SEEDS, document, element, random_document


def test_a_row_has_a_column_for_each_path() -> None:
    data = bson.encode({"_id": Int64(5), "a": {"b": [1, {"c": Decimal128("1.50")}]}, "d": None})
    flattener = Flattener(["_id", "a.b.0", "a.b.1.c", "d", "none", "a.b.7"])
    assert flattener.columns == ("_id", "a.b.0", "a.b.1.c", "d", "none", "a.b.7")
    assert flattener.row(value_json(data)) == (5, 1, "1.50", None, None, None)


def test_dates_are_text_of_any_year() -> None:
    data = document(
        *(element(9, str(n), struct.pack("<q", ms)) for n, ms in enumerate((1500, -1, 253_402_300_800_000)))
    )
    assert Flattener(["0", "1", "2"]).row(value_json(data)) == (
        "1970-01-01T00:00:01.5Z", "1969-12-31T23:59:59.999Z", "+010000-01-01T00:00:00Z",
    )  # fmt: skip


@given(SEEDS)
def test_both_ways_of_writing_a_document_give_the_same_row(rng: object) -> None:
    data = random_document(rng, ALL)  # type: ignore[arg-type]
    old, new = read(value_json(data)), read(update_json(data))
    for path in (*NAMES, "a.a", "a.0", "0.a.b"):
        ours, theirs = old[path], new[path]
        if not isinstance(ours, (dict, list)):
            assert repr(ours) == repr(theirs) == repr(Flattener([path]).row(value_json(data))[0])
