"""The rules by which change records become examples."""

from __future__ import annotations

from typing import Any

import orjson

from streamtrain import examples
from streamtrain.examples import Examples
from streamtrain.topic.base import Records, TopicPartition

PARTITION = TopicPartition("shop.shop.events", 0)


def envelope(op: str, before: Any, after: Any) -> bytes:
    return orjson.dumps({"before": before, "after": after, "source": {"ts_ms": 1_700_000_000_000}, "op": op})


def read(*values: bytes | None) -> Examples:
    keys = [b'{"id":1}'] * len(values)
    return examples.read(
        Records(PARTITION, range(len(values)), keys, values, [0] * len(values), len(values)), "clicked"
    )


def taught(found: Examples) -> list[tuple[dict[str, Any], Any, float, bool]]:
    return list(zip(found.rows, found.labels, found.weights, found.scored, strict=True))


def test_inserts_and_snapshot_reads_with_a_label_are_learned_and_scored() -> None:
    row = {"id": 1, "price": 3, "clicked": 1}
    assert taught(read(envelope("c", None, row), envelope("r", None, row))) == [
        (row, 1, 1.0, True),
        (row, 1, 1.0, True),
    ]


def test_a_row_whose_label_is_null_waits() -> None:
    found = read(envelope("c", None, {"id": 1, "clicked": None}))
    assert taught(found) == []
    assert found.counts == {"events": 1, "inserts": 1, "unlabelled": 1}


def test_a_label_that_arrives_is_learned_with_the_row_as_it_was_before() -> None:
    before = {"id": 1, "price": 3, "clicked": None, "clicked_at": None}
    found = read(envelope("u", before, {"id": 1, "price": 3, "clicked": 1, "clicked_at": 99}))
    assert taught(found) == [(before, 1, 1.0, True)]


def test_a_changed_label_is_retracted_and_learned_again_without_being_scored() -> None:
    before = {"id": 1, "price": 3, "clicked": 0}
    found = read(envelope("u", before, {"id": 1, "price": 3, "clicked": 1}))
    assert taught(found) == [(before, 0, -1.0, False), (before, 1, 1.0, False)]
    assert found.slots == [0, 0]


def test_a_label_that_is_taken_away_is_retracted() -> None:
    before = {"id": 1, "clicked": 0}
    assert taught(read(envelope("u", before, {"id": 1, "clicked": None}))) == [(before, 0, -1.0, False)]


def test_an_update_that_leaves_the_label_teaches_nothing() -> None:
    assert taught(read(envelope("u", {"clicked": 1, "price": 1}, {"clicked": 1, "price": 2}))) == []


def test_a_delete_is_recorded_and_its_tombstone_is_an_empty_slot() -> None:
    found = read(envelope("d", {"id": 1, "clicked": 1}, None), None)
    assert found.deleted == [0]
    assert taught(found) == []
    assert found.counts == {"events": 1, "deletes": 1}


def test_what_cannot_be_read_is_rejected_with_a_reason_and_the_rest_is_learned() -> None:
    good = {"id": 2, "clicked": 1}
    found = read(
        b"not json",
        envelope("x", None, good),
        envelope("c", None, {"id": 1}),
        envelope("u", None, good),
        envelope("c", None, None),
        b"[1]",
        envelope("c", None, good),
    )
    assert {slot: error.reason for slot, error in found.rejected.items()} == {
        0: "malformed",
        1: "unknown_op",
        2: "missing_column",
        3: "missing_before",
        4: "malformed",
        5: "malformed",
    }
    assert taught(found) == [(good, 1, 1.0, True)]


def test_envelopes_with_a_schema_are_read_as_those_without() -> None:
    inner = orjson.loads(envelope("c", None, {"clicked": 1}))
    assert taught(read(orjson.dumps({"schema": {}, "payload": inner}))) == [({"clicked": 1}, 1, 1.0, True)]


def test_keys_are_compared_by_their_columns_not_by_their_spelling() -> None:
    records = Records(PARTITION, [0, 1], [b'{"b": 2,"a":1}', b'{"a":1,"b":2}'], [None, None], [0, 0], 2)
    assert examples.row_key(records, 0) == examples.row_key(records, 1) == '{"a":1,"b":2}'
