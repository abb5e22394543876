"""Both encoders write what orjson makes of the whole envelope, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.envelope import messages
from connectors.messages import NEW_KEY_HEADER, OLD_KEY_HEADER
from connectors.row_json import PythonRowEncoder, RowEncoder
from connectors.source import Change, Table, TransactionPart
from streamtrain.envelope import Op
from streamtrain.topic.base import Message
from tests.native import native

ORIGIN = {"version": "1", "db": 'a "row":0 b', "gtid": None, "pos": 4, "row": 0, "thread": 7}
NOW_NS = 1_700_000_000_123_456_789
Make = Callable[[Table], RowEncoder]


def in_c(table: Table) -> RowEncoder:
    encoder: RowEncoder = native("connectors._row_json").RowEncoder(table.columns, table.key, orjson.dumps)
    return encoder


@pytest.fixture(params=[PythonRowEncoder, in_c], ids=["Python", "C"], scope="module")
def make(request: pytest.FixtureRequest) -> Make:
    chosen: Make = request.param
    chosen(Table("shop", "orders", ("id",), key=(0,)))  # builds it before the clock of any example runs
    return chosen


def expected(change: Change) -> list[Message]:
    """The messages as orjson writes them from whole documents, row by row."""

    found: list[Message] = []

    def image(row: Any) -> Any:
        return None if row is None else dict(zip(change.table.columns, row, strict=True))

    def document(op: str, before: Any, after: Any, n: int) -> bytes:
        part = change.transaction
        marked = {"snapshot": change.markers[n]} if change.markers else {}
        before_it = sum(message.value is not None for message in found)
        orders = None if part is None else (part.total_order + before_it, part.data_collection_order + before_it)
        return orjson.dumps({
            "before": image(before), "after": image(after),
            "source": {**change.origin, "row": 0 if change.markers else change.first_row + n, **marked},
            "transaction": part and orders
            and {"id": part.id, "total_order": orders[0], "data_collection_order": orders[1]},
            "op": op, "ts_ms": NOW_NS // 1_000_000, "ts_us": NOW_NS // 1_000, "ts_ns": NOW_NS,
        })  # fmt: skip

    def key(row: Any) -> bytes | None:
        table = change.table
        return orjson.dumps({table.columns[index]: row[index] for index in table.key}) if table.key else None

    rows = change.after if change.after is not None else change.before or ()
    for n in range(len(rows)):
        before = None if change.before is None else change.before[n]
        after = None if change.after is None else change.after[n]
        old, new = before and key(before), after and key(after)
        if before is None:
            found.append(Message(new or None, document(change.op.value, None, after, n)))
        elif after is not None and old == new:
            found.append(Message(new or None, document("u", before, after, n)))
        else:
            named = ((NEW_KEY_HEADER, new),) if after is not None and new else ()
            found.append(Message(old or None, document("d", before, None, n), named))
            found.extend([Message(old, None, named)] if old else [])
            if after is not None:
                found.append(Message(new or None, document("c", None, after, n), ((OLD_KEY_HEADER, old or b""),)))
    return found


TEXTS = st.one_of(st.text(), st.text('"\\\x00\x1f\x7f\b\t\n\f\r/é\u2028\U0001f600', max_size=6))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), TEXTS,
    st.recursive(TEXTS | st.integers(0, 9), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=4),
)  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> Change:
    columns = tuple(draw(st.lists(TEXTS, min_size=1, max_size=5, unique=True)))
    key = tuple(draw(st.lists(st.integers(0, len(columns) - 1), max_size=2, unique=True)))
    table = Table("shop", "orders", columns, key)
    rows = st.lists(st.tuples(*[VALUES for _ in columns]), max_size=4)
    op, after, first = draw(st.sampled_from(list(Op))), draw(rows), draw(st.integers(0, 2**40))
    part = draw(st.none() | st.builds(TransactionPart, TEXTS, st.integers(1, 2**40), st.integers(1, 2**40)))
    if op is Op.UPDATE:
        before = [
            (*row[:-1], draw(VALUES)) if draw(st.booleans()) else draw(st.tuples(*map(st.just, row))) for row in after
        ]
        return Change(table, op, before, after, ORIGIN, transaction=part, first_row=first)
    if op is Op.DELETE:
        return Change(table, op, after, None, ORIGIN, transaction=part, first_row=first)
    markers = st.lists(st.sampled_from(["first", "true", "last"]), min_size=len(after), max_size=len(after))
    if op is Op.READ and draw(st.booleans()):
        return Change(table, op, None, after, ORIGIN, tuple(draw(markers)))
    return Change(table, Op.CREATE if op is Op.TRUNCATE else op, None, after, ORIGIN, transaction=part, first_row=first)


@settings(max_examples=300)
@given(change=changes())
def test_messages_are_those_that_orjson_makes_of_whole_envelopes(make: Make, change: Change) -> None:
    assert list(messages(change, NOW_NS, make(change.table))) == expected(change)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, "\ud800", {1, 2}, object()])
def test_what_is_no_json_is_refused_as_by_orjson(make: Make, value: Any) -> None:
    encoder = make(Table("shop", "orders", ("id",), key=(0,)))
    for write in (lambda: encoder.keys([(value,)]), lambda: encoder.documents(None, [(value,)], (b"", b"", b""), ())):
        with pytest.raises(TypeError):
            write()


def test_a_row_of_another_width_is_refused(make: Make) -> None:
    encoder = make(Table("shop", "orders", ("id", "price"), key=(0,)))
    for row in ((1,), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"argument|a row is not a tuple of 2 values"):
            encoder.documents(None, [row], (b"", b"", b""), ())


def test_rows_before_and_after_are_equally_many(make: Make) -> None:
    encoder = make(Table("shop", "orders", ("id",), key=(0,)))
    with pytest.raises(ValueError, match=r"argument 2|as many rows before as after"):
        encoder.documents([(1,)], [(1,), (2,)], (b"", b"", b""), ())


def test_every_counter_has_a_part_behind_it(make: Make) -> None:
    encoder = make(Table("shop", "orders", ("id",)))
    with pytest.raises(ValueError, match=r"argument|parts"):
        encoder.documents(None, [(1,)], (b"", b"", b""), (1,))


def test_runs_of_a_marker_keep_their_order(make: Make) -> None:
    markers = ("first", *["true"] * 3, "last")
    change = Change(Table("shop", "orders", ("id",)), Op.READ, None, [(n,) for n in range(5)], ORIGIN, markers)
    found = [orjson.loads(one.value or b"") for one in messages(change, NOW_NS, make(change.table))]
    assert [one["after"]["id"] for one in found] == list(range(5))
    assert [marker for marker, _ in groupby(one["source"]["snapshot"] for one in found)] == ["first", "true", "last"]
