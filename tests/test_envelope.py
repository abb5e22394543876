"""Messages are Debezium's, field by field; and what is written is what the trainer reads."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.envelope import messages
from connectors.serializing import JsonSerializer
from connectors.source import Change, SchemaChange, SourceEvent, Table, TransactionEvent, TransactionPart
from streamtrain.envelope import Op, canonical_key, decode, decode_key
from streamtrain.errors import RejectedRecord
from streamtrain.topic.base import Message

TABLE = Table("shop", "events", ("id", "price", "clicked"), key=(0,))
ORIGIN = {
    "version": "0.1.0",
    "connector": "mysql",
    "name": "prefix",
    "ts_ms": 1_700_000_000_000,
    "snapshot": "false",
    "db": "shop",
    "sequence": None,
    "ts_us": 1_700_000_000_000_000,
    "ts_ns": 1_700_000_000_000_000_000,
    "table": "events",
    "server_id": 1,
    "gtid": None,
    "file": "binlog.000001",
    "pos": 4,
    "row": 0,
    "thread": 7,
    "query": None,
}
NOW_NS = 1_700_000_000_123_456_789


def change(op: Op, before: Any, after: Any, table: Table = TABLE, markers: tuple[str, ...] = ()) -> Change:
    return Change(table, op, before, after, ORIGIN, markers)


def written(one: Change) -> list[Message]:
    return list(messages(one, NOW_NS))


def value(message: Message) -> dict[str, Any]:
    assert message.value is not None
    document: dict[str, Any] = orjson.loads(message.value)
    return document


def test_an_insert_is_debeziums_envelope_field_by_field_and_in_its_order() -> None:
    (message,) = written(change(Op.CREATE, None, [(1, 2.5, None)]))
    assert message.key == b'{"id":1}'
    assert message.headers == ()
    document = value(message)
    assert list(document) == ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"]
    assert list(document["source"]) == list(ORIGIN)
    assert document == {
        "before": None,
        "after": {"id": 1, "price": 2.5, "clicked": None},
        "source": ORIGIN,
        "op": "c",
        "ts_ms": 1_700_000_000_123,
        "ts_us": 1_700_000_000_123_456,
        "ts_ns": NOW_NS,
        "transaction": None,
    }


def test_the_rows_of_one_event_are_numbered() -> None:
    found = written(change(Op.CREATE, None, [(1, 1.0, 0), (2, 2.0, 1)]))
    assert [(value(one)["after"]["id"], value(one)["source"]["row"]) for one in found] == [(1, 0), (2, 1)]


def test_an_update_carries_both_images() -> None:
    (message,) = written(change(Op.UPDATE, [(1, 1.0, None)], [(1, 1.0, 1)]))
    document = value(message)
    assert (document["op"], document["before"]["clicked"], document["after"]["clicked"]) == ("u", None, 1)


def test_a_delete_is_followed_by_its_tombstone() -> None:
    record, tombstone = written(change(Op.DELETE, [(1, 1.0, 0)], None))
    assert (value(record)["op"], value(record)["after"]) == ("d", None)
    assert tombstone == Message(b'{"id":1}', None)


def test_an_update_that_moves_the_key_is_a_delete_and_an_insert_that_name_each_other() -> None:
    gone, tombstone, new = written(change(Op.UPDATE, [(1, 1.0, 0)], [(9, 1.0, 0)]))
    assert (value(gone)["op"], gone.key, gone.headers) == ("d", b'{"id":1}', (("__debezium.newkey", b'{"id":9}'),))
    assert tombstone == Message(b'{"id":1}', None, gone.headers)
    assert (value(new)["op"], new.key, new.headers) == ("c", b'{"id":9}', (("__debezium.oldkey", b'{"id":1}'),))


def test_a_table_without_a_key_has_no_key_and_no_tombstone() -> None:
    keyless = Table("shop", "events", TABLE.columns)
    (message,) = written(change(Op.DELETE, [(1, 1.0, 0)], None, keyless))
    assert message.key is None
    assert value(message)["op"] == "d"


def test_snapshot_rows_carry_their_markers() -> None:
    rows = [(1, 1.0, 0), (2, 1.0, 0), (3, 1.0, 0)]
    found = written(change(Op.READ, None, rows, markers=("first", "true", "last")))
    assert [value(one)["source"]["snapshot"] for one in found] == ["first", "true", "last"]
    assert {value(one)["op"] for one in found} == {"r"}


def test_a_truncate_is_a_record_without_key_and_rows() -> None:
    (message,) = written(change(Op.TRUNCATE, None, None))
    assert message.key is None
    assert (value(message)["op"], value(message)["before"], value(message)["after"]) == ("t", None, None)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.text(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.lists(st.tuples(st.integers(), VALUES, VALUES), min_size=1, max_size=5))
def test_what_is_written_is_what_the_trainer_reads(rows: list[tuple[Any, ...]]) -> None:
    rows = [(index, *row[1:]) for index, row in enumerate(rows)]
    found = written(change(Op.CREATE, None, rows))
    for message, row in zip(found, rows, strict=True):
        assert message.value is not None
        envelope = decode(message.value)
        assert envelope.op is Op.CREATE
        assert envelope.after == dict(zip(TABLE.columns, row, strict=True))
        assert envelope.committed_ms == ORIGIN["ts_ms"]
        assert decode_key(message.key) == {"id": row[0]}


@pytest.mark.parametrize("key", [b'{"schema":{},"payload":{"id":1}}', b'{"id":1}', b' { "id" : 1 } '])
def test_a_key_is_the_same_with_and_without_schema_and_spaces(key: bytes) -> None:
    assert canonical_key(key) == '{"id":1}'


@pytest.mark.parametrize("key", [b"nonsense", b"[1]", b"7"])
def test_a_key_that_is_none_is_rejected(key: bytes) -> None:
    with pytest.raises(RejectedRecord):
        decode_key(key)


def test_a_change_in_a_transaction_with_metadata_says_where_in_it_each_row_is() -> None:
    part = TransactionPart("uuid:7", total_order=5, data_collection_order=2)
    found = written(Change(TABLE, Op.CREATE, None, [(1, 1.0, 0), (2, 2.0, 1)], ORIGIN, transaction=part))
    assert [value(one)["transaction"] for one in found] == [
        {"id": "uuid:7", "total_order": 5, "data_collection_order": 2},
        {"id": "uuid:7", "total_order": 6, "data_collection_order": 3},
    ]


def serialized(event: SourceEvent) -> list[tuple[str, Any, Any, int | None]]:
    return [
        (topic, orjson.loads(message.key or b""), orjson.loads(message.value or b""), partitions)
        for topic, sent, partitions in JsonSerializer("shop").serialize(event, NOW_NS)
        for message in sent
    ]


def test_the_end_of_a_transaction_says_how_many_rows_of_which_tables_it_had() -> None:
    begin = TransactionEvent("BEGIN", "uuid:7", 1_700)
    end = TransactionEvent("END", "uuid:7", 1_701, {"shop.events": 3, "shop.users": 1})
    begun = {"status": "BEGIN", "id": "uuid:7", "event_count": None, "data_collections": None, "ts_ms": 1_700}
    counts = [
        {"data_collection": "shop.events", "event_count": 3},
        {"data_collection": "shop.users", "event_count": 1},
    ]
    ended = {"status": "END", "id": "uuid:7", "event_count": 4, "data_collections": counts, "ts_ms": 1_701}
    assert serialized(begin) == [("shop.transaction", {"id": "uuid:7"}, begun, 1)]
    assert serialized(end) == [("shop.transaction", {"id": "uuid:7"}, ended, 1)]


def test_a_change_of_structure_goes_to_the_topic_of_the_prefix_alone() -> None:
    change = SchemaChange("db", "ALTER TABLE t ADD c INT", ORIGIN, [{"type": "ALTER", "id": '"db"."t"'}])
    document = {
        "source": ORIGIN,
        "ts_ms": NOW_NS // 1_000_000,
        "databaseName": "db",
        "schemaName": None,
        "ddl": "ALTER TABLE t ADD c INT",
        "tableChanges": [{"type": "ALTER", "id": '"db"."t"'}],
    }
    assert serialized(change) == [("shop", {"databaseName": "db"}, document, 1)]
