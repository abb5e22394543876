"""Avro's encoding in Confluent's wire format, and what does not fit it."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any

import orjson
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from connectors.formats.avro import AvroSerializer
from connectors.formats.connect_avro import avro_full_name, avro_name
from connectors.formats.json_schemas import SchemaJsonSerializer
from connectors.formats.subjects import Strategy, subject
from connectors.mysql.values import float32
from connectors.source import Change, FieldType, Table
from streamtrain.avro import AvroReader, AvroWriter, header, long_bytes, string_bytes
from streamtrain.deserializing import DeserializingReader
from streamtrain.envelope import Op, decimal_text, decode
from streamtrain.errors import ConfigError, FatalError, RejectedRecord, UnsupportedChange
from streamtrain.testing import ScriptedReader
from streamtrain.topic.base import TopicPartition
from tests.formats.test_training import EXACT, ORIGIN, changes

LOG = TopicPartition("shop.shop.events", 0)


class Schemas:
    """A registry in memory, for what no HTTP is needed for."""

    def __init__(self) -> None:
        self.subjects: dict[tuple[str, str], int] = {}

    def register(self, name: str, schema: str) -> int:
        return self.subjects.setdefault((name, schema), len(self.subjects) + 1)

    def schema(self, number: int) -> str:
        return {found: text for (_, text), found in self.subjects.items()}[number]


def record(*fields: tuple[str, Any]) -> str:
    return orjson.dumps(
        {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}
    ).decode()


@given(st.integers(-(2**63), 2**63 - 1), st.text())
def test_longs_and_strings_are_encoded_as_avros_library_does(number: int, text: str) -> None:
    assert long_bytes(number) == AvroWriter("long").encode(number)
    if "\ud800" <= max(text, default="") <= "\udfff":
        return
    assert string_bytes(text) == AvroWriter("string").encode(text)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_read_as_the_number_that_the_source_published(value: float) -> None:
    message = header(1) + AvroWriter(
        {"type": "record", "name": "R", "fields": [{"name": "f", "type": "float"}]}
    ).encode({"f": value})
    assert AvroReader(record(("f", "float"))).decode(message) == {"f": float32(value)}


@given(st.integers(-(10**70), 10**70), st.integers(-3, 40))
def test_a_decimal_is_its_digits(unscaled: int, scale: int) -> None:
    text = decimal_text(unscaled, scale)
    assert "." not in text or len(text.partition(".")[2]) == scale
    assert int(text.replace(".", "")) == (unscaled if scale >= 0 else unscaled * 10**-scale)


@given(st.binary(max_size=60))
def test_random_bytes_are_rejected_or_read_and_never_anything_else(data: bytes) -> None:
    reader = AvroReader(record(("a", ["null", "string"]), ("b", {"type": "array", "items": "long"}), ("c", "bytes")))
    try:
        read = reader.decode(header(1) + data)
    except RejectedRecord:
        return
    assert set(read) == {"a", "b", "c"}


def test_what_other_writers_may_use_is_read_too() -> None:
    schema = record(
        ("m", {"type": "map", "values": ["null", "float"]}),
        ("x", {"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "scale": 1, "precision": 3}),
        ("again", ["null", "F"]),
        ("e", {"type": "enum", "name": "E", "symbols": ["A"]}),
        ("t", {"type": "long", "logicalType": "timestamp-millis"}),
    )
    plain = orjson.loads(
        schema.replace('"logicalType":"decimal",', "").replace('"logicalType":"timestamp-millis"', '"x":1')
    )
    buffer = BytesIO()
    datum = {"m": {"a": 0.1, "b": None}, "x": b"\xff\xfe", "again": b"\x00\x07", "e": "A", "t": 5}
    schemaless_writer(buffer, parse_schema(plain), datum)
    assert AvroReader(schema).decode(header(1) + buffer.getvalue()) == {
        "m": {"a": 0.1, "b": None}, "x": "-0.2", "again": "0.7", "e": "A", "t": 5,
    }  # fmt: skip


def test_a_union_that_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(FatalError, match="union"):
        AvroReader(record(("a", ["null", "bytes", "string"])))


def rows_of(change: Change) -> tuple[AvroSerializer, Schemas, list[Any]]:
    schemas = Schemas()
    serializer = AvroSerializer("shop", schemas.register)
    (sent,) = serializer.serialize(change, 1)
    reader = DeserializingReader(ScriptedReader({LOG: [(one.key, one.value) for one in sent.messages]}), schemas.schema)
    reader.assign({LOG: 0})
    (records,) = reader.poll(100, 0)
    return serializer, schemas, [None if value is None else decode(value) for value in records.values]


def test_a_column_whose_name_avro_does_not_take_keeps_its_name_for_the_trainer() -> None:
    change = next(changes(exact=True))
    _, schemas, envelopes = rows_of(change)
    assert {name for name, _ in schemas.subjects} == {"shop.shop.events-key", "shop.shop.events-value"}
    assert list(envelopes[0].after) == list(EXACT.columns)
    assert '"name":"seen_at"' in schemas.schema(1)


def test_two_columns_of_one_avro_name_are_refused() -> None:
    table = Table("shop", "t", ("a-b", "a b"), (), (FieldType("string", True), FieldType("string", True)))
    with pytest.raises(ConfigError, match="'a-b' and 'a b'"):
        rows_of(Change(table, Op.CREATE, None, [("x", "y")], ORIGIN))


def test_a_value_that_does_not_fit_its_column_stops_and_is_not_shown() -> None:
    for column, value, told in (
        (0, "secret", "int64"),
        (1, "secret", "float32"),
        (0, 2**64 - 1, "int64"),
        (7, 2**40, "int16"),
        (6, "no b64 ä", "bytes"),
    ):
        row = [1, 1.5, None, "a", None, 1, None, 1]
        row[column] = value
        with pytest.raises(
            UnsupportedChange, match=f"column '{EXACT.columns[column]}' of shop.events .* {told}"
        ) as stopped:
            rows_of(Change(EXACT, Op.CREATE, None, [tuple(row)], ORIGIN))
        assert str(value) not in str(stopped.value)
    with pytest.raises(UnsupportedChange, match=r"'id'.*NOT NULL"):
        rows_of(Change(EXACT, Op.CREATE, None, [(None, 1.5, None, "a", None, 1, None, 1)], ORIGIN))


def test_types_that_are_not_known_are_refused_with_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"types of the columns of shop\.t"):
        rows_of(Change(Table("shop", "t", ("a",)), Op.CREATE, None, [(1,)], ORIGIN))
    with pytest.raises(ConfigError, match="kind sqlite"):
        rows_of(Change(EXACT, Op.CREATE, None, [], ORIGIN | {"connector": "sqlite"}))


def test_a_truncate_registers_the_schema_of_the_table_and_never_one_without_columns() -> None:
    schemas = Schemas()
    AvroSerializer("shop", schemas.register).serialize(Change(EXACT, Op.TRUNCATE, None, None, ORIGIN), 1)
    assert schemas.subjects == rows_of(next(changes(exact=True)))[1].subjects
    bare, schemas = Table("shop", "events", ()), Schemas()
    with pytest.raises(UnsupportedChange, match=r"columns of shop\.events"):
        AvroSerializer("shop", schemas.register).serialize(Change(bare, Op.TRUNCATE, None, None, ORIGIN), 1)
    assert schemas.subjects == {}


def test_a_table_that_changes_gets_a_schema_of_its_own() -> None:
    serializer, schemas, _ = rows_of(next(changes(exact=True)))
    wider = Table("shop", "events", (*EXACT.columns, "more"), (0,), (*EXACT.types, FieldType("string", True)))
    row = (1, math.pi, None, "a", None, 1, None, 1, "x")
    (sent,) = serializer.serialize(Change(wider, Op.CREATE, None, [row], ORIGIN), 1)
    assert len(schemas.subjects) == 3
    assert sent.messages.values[0] is not None
    assert sent.messages.values[0][:5] == header(3)


def test_a_record_that_does_not_fit_its_schema_is_rejected_as_such_and_the_others_are_read() -> None:
    schemas = Schemas()
    (sent,) = AvroSerializer("shop", schemas.register).serialize(next(changes(exact=True)), 1)
    good, bad = sent.messages.values[0], (sent.messages.values[1] or b"")[:-3]
    reader = DeserializingReader(ScriptedReader({LOG: [(None, good), (None, bad), (b"\0\0", None)]}), schemas.schema)
    reader.assign({LOG: 0})
    (records,) = reader.poll(10, 0)
    assert decode(records.values[0] or b"").op is Op.CREATE
    with pytest.raises(RejectedRecord, match="is Avro that does not fit the schema"):
        decode(records.values[1] or b"")
    with pytest.raises(ConfigError, match="no schema registry is configured"):
        unconfigured = DeserializingReader(ScriptedReader({LOG: [(None, good)]}), None)
        unconfigured.assign({LOG: 0})
        unconfigured.poll(10, 0)


@pytest.mark.parametrize("strategy", ["topic", "record", "topic_record"])
def test_subjects_and_schemas_are_named_by_the_topic_of_a_table_of_an_odd_name(strategy: Strategy) -> None:
    schemas = Schemas()
    table = Table("büro", "order lines", ("id",), (0,), (FieldType("int32", optional=False),))
    change = Change(table, Op.CREATE, None, [(1,)], ORIGIN)
    ((topic, (message,), _),) = AvroSerializer("shop", schemas.register, strategy).serialize(change, 0)
    assert topic == "shop.b_ro.order_lines"
    key, value = "shop.b_ro.order_lines.Key", "shop.b_ro.order_lines.Envelope"
    expected = {
        "topic": [f"{topic}-key", f"{topic}-value"], "record": [key, value],
        "topic_record": [f"{topic}-{key}", f"{topic}-{value}"],
    }  # fmt: skip
    assert sorted(name for name, _ in schemas.subjects) == sorted(expected[strategy])
    ((json, (plain,), _),) = SchemaJsonSerializer("shop").serialize(change, 0)
    assert (json, orjson.loads(plain.key or b"")["schema"]["name"]) == (topic, key)
    assert orjson.loads(plain.value or b"")["schema"]["name"] == value
    assert message.value is not None


@pytest.mark.parametrize(
    ("name", "field", "full"),
    [
        ("plain", "plain", "plain"), ("odd-name x", "odd_name_x", "odd_name_x"), ("1st", "_1st", "_1st"),
        ("a.b", "a_b", "a.b"), ("_x9", "_x9", "_x9"), ("é", "_", "_"),
    ],
)  # fmt: skip
def test_names_are_adjusted_as_debezium_does(name: str, field: str, full: str) -> None:
    assert (avro_name(name), avro_full_name(name)) == (field, full)


def test_subjects_follow_the_three_strategies() -> None:
    names = [subject(one, "t", "ns.Value", key=False) for one in ("topic", "record", "topic_record")]
    assert names == ["t-value", "ns.Value", "t-ns.Value"]
    assert subject("topic", "t", "ns.Key", key=True) == "t-key"
