"""Both writers of documents' messages, in C and in Python, give what orjson makes of the whole envelope, byte for byte."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import document_json
from connectors.document_json import python_envelopes, python_keys
from connectors.documents import document_envelopes
from connectors.source import Collection, DocumentChange, DocumentOrigins, DocumentUpdate, TransactionPart
from streamtrain.envelope import Op
from tests.native import native

NOW_NS = 1_700_000_000_123_456_789
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
DOCUMENTS = TEXTS.map(lambda text: orjson.dumps({"text": text}))
UPDATES = st.builds(
    DocumentUpdate, DOCUMENTS, st.lists(TEXTS, max_size=2), st.lists(st.tuples(TEXTS, st.integers(0, 9)), max_size=2)
)
PARTS = st.builds(TransactionPart, TEXTS, st.integers(1, 1 << 40), st.integers(1, 1 << 40))


@st.composite
def changes(draw: st.DrawFn, moments: st.SearchStrategy[int]) -> DocumentChange:
    count = draw(st.integers(0, 4))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=count, max_size=count))

    name = {"version": draw(TEXTS), "connector": "mongodb", "name": draw(TEXTS), "snapshot": "false"}
    collection = Collection(draw(TEXTS), draw(TEXTS))
    return DocumentChange(
        collection, column(st.sampled_from(Op)), column(DOCUMENTS), column(st.none() | DOCUMENTS),
        column(st.none() | DOCUMENTS), column(st.none() | UPDATES),
        {**name, "db": collection.database, "collection": collection.name},
        DocumentOrigins(
            column(moments), column(st.integers(0, 1 << 32)), column(st.none() | TEXTS),
            column(st.none() | st.integers(-(1 << 63), (1 << 63) - 1)),
            column(st.none() | st.integers(-(1 << 53), 1 << 53)), column(st.none() | st.sampled_from(("event", "delta"))),
        ),
        column(st.sampled_from(("true", "first", "last"))) if draw(st.booleans()) else (),
        column(st.none() | PARTS) if draw(st.booleans()) else (),
    )  # fmt: skip


@pytest.fixture(params=["in Python", "in C"], scope="module")
def writer(request: pytest.FixtureRequest) -> str:
    if request.param == "in C":
        native("connectors._document_json")  # before the clock of any example runs
    return str(request.param)


def use(writer: str, patch: pytest.MonkeyPatch) -> None:
    """Have documents written in this language."""
    module = native("connectors._document_json") if writer == "in C" else None
    patch.setattr(document_json, "BUILT", module is not None)
    patch.setattr(document_json, "_document_json", module, raising=False)


@settings(deadline=None)
@given(changes(st.integers(-(1 << 40), 1 << 52)))
def test_envelopes_are_written_as_orjson_writes_them(writer: str, change: DocumentChange) -> None:
    expected = []
    for envelope in document_envelopes(change, NOW_NS):
        # A transaction's number says nothing without its session.
        source = (
            envelope["source"] if envelope["source"]["lsid"] is not None else {**envelope["source"], "txnNumber": None}
        )
        expected.append(orjson.dumps({**envelope, "source": source}))
    with pytest.MonkeyPatch.context() as patch:
        use(writer, patch)
        assert document_json.envelopes(change, NOW_NS) == expected


@settings(deadline=None, max_examples=30)
@given(changes(st.sampled_from((0, 10**16, -(10**16), 1 << 62, (1 << 64) + 1))))
def test_times_that_do_not_fit_are_written_all_the_same(writer: str, change: DocumentChange) -> None:
    with pytest.MonkeyPatch.context() as patch:
        use(writer, patch)
        found = document_json.envelopes(change, NOW_NS)
    for text, micros in zip(found, change.origins.committed_us, strict=True):
        assert b'"ts_us":%d,"ts_ns":%d,' % (micros, micros * 1_000) in text


@given(st.lists(DOCUMENTS))
def test_keys_are_texts_within_json(writer: str, ids: list[bytes]) -> None:
    keys = python_keys if writer == "in Python" else native("connectors._document_json").keys
    assert keys(ids) == [orjson.dumps({"id": identity.decode()}) for identity in ids]


def test_what_is_no_column_is_refused() -> None:
    module = native("connectors._document_json")
    column, texts = [b"{}"], (b"{", b"", b"")
    for columns in ((column,), (column,) * 13, (column,) * 11 + ([],), (column,) * 11 + ((),), (column,) * 12):
        with pytest.raises(TypeError):
            module.envelopes(columns, texts, bytes, bytes)
    with pytest.raises(TypeError):
        module.envelopes(([],) * 12, ("", b"", b""), bytes, bytes)
    with pytest.raises(TypeError):
        module.keys((b"{}",))
    assert module.envelopes(([],) * 12, texts, bytes, bytes) == python_envelopes(([],) * 12, texts) == []
