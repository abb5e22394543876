"""Documents of MongoDB's topics are rows: a path is a column, and extended JSON's values are those that features take."""

from __future__ import annotations

import io
import math
from random import Random
from typing import Any

import fastavro
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain import examples
from streamtrain.deserializing import DeserializingReader
from streamtrain.documents import Document, document, iso_text, plain
from streamtrain.envelope import Op, decode
from streamtrain.errors import RejectedRecord
from streamtrain.features.encoder import Encoder
from streamtrain.features.labels import LabelSpec
from streamtrain.features.spec import parse_features
from streamtrain.learner import Learner, LearnerSpec
from streamtrain.testing import ScriptedReader
from streamtrain.topic.base import Records, TopicPartition

LOG = TopicPartition("shop.shop.orders", 0)
SOURCE = {
    "version": "3.5.0.Final", "connector": "mongodb", "name": "shop", "ts_ms": 1_700_000_000_000, "snapshot": "false",
    "db": "shop", "sequence": None, "ts_us": 1_700_000_000_000_000, "ts_ns": 1_700_000_000_000_000_000,
    "collection": "orders", "ord": 1, "lsid": None, "txnNumber": None, "wallTime": 1_700_000_000_000,
}  # fmt: skip
PLACED = '{"_id": {"$oid": "64f0c0ffee64f0c0ffee0001"},"user": {"age": 31,"plan": "pro"},"items": [{"price": 12.95},{"price": 3.5}],"total": {"$numberDecimal": "16.45"},"visits": {"$numberLong": "7"},"at": {"$date": 1700000000123},"bought": null}'
BOUGHT = PLACED.replace('"bought": null', '"bought": true')


def record(op: str, before: str | None, after: str | None) -> bytes:
    """A record's value as Debezium's connector for MongoDB writes it, without schemas."""
    update = (
        {"removedFields": None, "updatedFields": '{"bought": true}', "truncatedArrays": None} if op == "u" else None
    )
    envelope = {"before": before, "after": after, "updateDescription": update, "source": SOURCE, "op": op}
    return orjson.dumps({**envelope, "ts_ms": 1_700_000_000_200, "transaction": None})


def with_schemas(value: bytes) -> bytes:
    fields = [{"type": "string", "optional": True, "name": "io.debezium.data.Json", "field": "after"}]
    return orjson.dumps({"schema": {"type": "struct", "fields": fields}, "payload": orjson.loads(value)})


def records(*values: bytes) -> Records:
    keys = [b'{"id":"{\\"$oid\\": \\"64f0c0ffee64f0c0ffee0001\\"}"}'] * len(values)
    return Records(
        TopicPartition("shop.shop.orders", 0), range(len(values)), keys, values, [0] * len(values), len(values)
    )


def test_a_path_leads_through_documents_and_arrays() -> None:
    found = document(PLACED)
    assert found["user.age"] == 31
    assert found["items.1.price"] == 3.5
    assert found["_id"] == "64f0c0ffee64f0c0ffee0001"
    assert found["total"] == "16.45"
    assert found["visits"] == 7
    assert found["at"] == "2023-11-14T22:13:20.123Z"


@pytest.mark.parametrize(
    "path", ["none", "user.none", "user.age.none", "items.2.price", "items.x", "items.-1", "none.x", "", "."]
)
def test_what_is_not_there_is_null(path: str) -> None:
    assert document(PLACED)[path] is None
    assert path in document(PLACED)


def test_a_field_with_dots_in_its_name_is_found_where_its_parts_lead_nowhere() -> None:
    assert Document({"a.b": 1})["a.b"] == 1
    assert Document({"x": {"a.b": {"c": 2}}})["x.a.b.c"] == 2
    assert Document({"a.b": 1, "a": {"b": 2}})["a.b"] == 2
    assert Document({"a.b": 1, "a": {"c": 2}})["a.b"] == 1


@pytest.mark.parametrize(
    ("extended", "value"),
    [
        ({"$numberInt": "5"}, 5),
        ({"$numberLong": "-9223372036854775808"}, -(2**63)),
        ({"$numberDouble": "Infinity"}, math.inf),
        ({"$numberDecimal": "1.50"}, "1.50"),
        ({"$date": 0}, "1970-01-01T00:00:00Z"),
        ({"$date": "1970-01-01T00:00:01.5Z"}, "1970-01-01T00:00:01.5Z"),
        ({"$date": {"$numberLong": "-1"}}, "1969-12-31T23:59:59.999Z"),
        ({"$binary": "YWJj", "$type": "00"}, "YWJj"),
        ({"$binary": "ABEiM0RVZneImaq7zN3u/w==", "$type": "04"}, "00112233-4455-6677-8899-aabbccddeeff"),
        ({"$binary": {"base64": "ABEiM0RVZneImaq7zN3u/w==", "subType": "04"}}, "00112233-4455-6677-8899-aabbccddeeff"),
        ({"$binary": {"base64": "YWJj", "subType": "80"}}, "YWJj"),
        ({"$uuid": "00112233-4455-6677-8899-aabbccddeeff"}, "00112233-4455-6677-8899-aabbccddeeff"),
        ({"$symbol": "s"}, "s"),
        ({"$code": "f()", "$scope": {}}, "f()"),
        ({"$regex": "a", "$options": "i"}, "a"),
        ({"$regularExpression": {"pattern": "a", "options": "i"}}, "a"),
        ({"$timestamp": {"t": 1_700_000_000, "i": 3}}, "2023-11-14T22:13:20Z"),
        ({"$undefined": True}, None),
    ],
)
def test_extended_json_becomes_what_features_take(extended: dict[str, Any], value: Any) -> None:
    assert plain(extended) == value
    assert type(plain(extended)) is type(value)


@pytest.mark.parametrize(
    "own",
    [
        {"a": 1}, {}, [], [{"$date": 0}], {"$minKey": 1}, {"$ref": "c", "$id": {"$oid": "00"}}, {"$date": "x", "$a": 1, "$b": 2},
        {"$date": [1]}, {"$date": 1.5}, {"$numberLong": "x"}, {"$binary": "!", "$type": "04"}, {"$binary": 1, "$type": "00"},
        {"$binary": {"base64": "YWJj"}}, {"$timestamp": 5}, {"$oid": 1}, {"$regularExpression": "a"}, {"$numberDouble": {}},
        {"$binary": "YWJj", "$type": "04"}, {"$binary": "YWJj"},
    ],
)  # fmt: skip
def test_what_is_none_of_mongodbs_types_stays_as_it_is(own: Any) -> None:
    assert plain(own) == own


def test_dates_of_every_year_are_told_apart() -> None:
    assert iso_text(253_402_300_800_000) == "+010000-01-01T00:00:00Z"
    assert iso_text(-62_135_596_800_001) == "+000000-12-31T23:59:59.999Z"
    assert iso_text(2**63 - 1) == "+292278994-08-17T07:12:55.807Z"
    assert iso_text(-(2**63)) == "-292275055-05-16T16:47:04.192Z"


def test_a_bare_nan_of_debezium_is_read() -> None:
    assert math.isnan(document('{"a": NaN,"b": -Infinity}')["a"])


@pytest.mark.parametrize("text", ["", "x", "[1]", '"a"', '{"a": }', "[" * 100_000])
def test_text_that_is_no_document_is_rejected(text: str) -> None:
    with pytest.raises(RejectedRecord, match="a document is not") as rejected:
        decode(record("c", None, text))
    assert rejected.value.reason == "malformed"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_record_of_mongodb_is_an_envelope_of_documents(wrapped: bool) -> None:
    value = record("u", PLACED, BOUGHT)
    envelope = decode(with_schemas(value) if wrapped else value)
    assert (envelope.op, envelope.committed_ms) == (Op.UPDATE, 1_700_000_000_000)
    assert envelope.before is not None
    assert envelope.after is not None
    assert (envelope.before["bought"], envelope.after["bought"]) == (None, True)


def test_an_update_without_before_says_what_to_switch_on() -> None:
    found = examples.read(records(record("u", None, BOUGHT)), "bought")
    assert found.rejected[0].reason == "missing_before"
    assert "pre-images" in found.rejected[0].message


def test_features_name_paths_of_documents() -> None:
    encoder = Encoder(
        parse_features({
            "user.age": "numeric", "user.plan": "categorical", "items.0.price": "numeric", "total": "numeric",
            "at": "datetime", "visits": "numeric", "user.none": "numeric",
        }),
        hash_bits=10,
    )  # fmt: skip
    columns = encoder.read([document(PLACED), {}])
    assert list(columns.rejected) == [1]
    assert [column.values[0] for column in columns.columns if column.values.dtype.kind == "f"] == [
        31.0, 12.95, 16.45, 1_700_000_000.123, 7.0, 0.0,
    ]  # fmt: skip
    assert [bool(column.null[0]) for column in columns.columns] == [False] * 6 + [True]


def test_a_learner_learns_from_debeziums_records_of_mongodb() -> None:
    features = parse_features({"user.age": "numeric", "items.0.price": "numeric"})
    learner = Learner(LearnerSpec(LabelSpec("bought", "binary"), features, hash_bits=4))
    report = learner.learn(records(record("c", None, PLACED), record("u", PLACED, BOUGHT), record("d", BOUGHT, None)))
    assert (report.learned, dict(report.rejected), list(report.deleted)) == (1, {}, [2])
    assert learner.counts["unlabelled"] == 1


def random_json(rng: Random, depth: int = 0) -> Any:
    how = rng.randrange(3) if depth < 4 else 2
    if how == 0:
        return [random_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    if how == 1:
        return {name: random_json(rng, depth + 1) for name in rng.sample(["a", "b", "0", "1", ""], rng.randrange(4))}
    return rng.choice((None, True, 0, 1.5, "text"))


@given(st.integers(0, 2**64).map(Random))
def test_every_path_without_dots_in_names_leads_to_its_value(rng: Random) -> None:
    fields = {name: random_json(rng) for name in "ab"}
    path: list[str] = []
    value: Any = fields
    while isinstance(value, (dict, list)) and value:
        key = rng.choice(list(range(len(value))) if isinstance(value, list) else list(value))
        path.append(str(key))
        value = value[key]
    assert Document(fields)[".".join(path)] == value


def test_a_record_in_avro_is_read_as_the_same_documents() -> None:
    text = {"type": "string", "connect.name": "io.debezium.data.Json", "connect.version": 1}
    source = {"type": "record", "name": "Source", "fields": [{"name": "ts_ms", "type": "long"}]}
    schema = {
        "type": "record", "name": "Envelope", "namespace": "shop.shop.orders",
        "fields": [
            {"name": "before", "type": ["null", text], "default": None},
            {"name": "after", "type": ["null", text], "default": None},
            {"name": "source", "type": source},
            {"name": "op", "type": "string"},
        ],
    }  # fmt: skip
    body = io.BytesIO()
    value = {"before": PLACED, "after": BOUGHT, "source": {"ts_ms": 5}, "op": "u"}
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), value)
    reader = DeserializingReader(
        ScriptedReader({LOG: [(None, b"\0\0\0\0\1" + body.getvalue())]}), lambda _id: orjson.dumps(schema).decode()
    )
    reader.assign({LOG: 0})
    ((taken,),) = [found.values for found in reader.poll(1, 0)]
    assert taken is not None
    envelope = decode(taken)
    assert envelope.after is not None
    assert (envelope.op, envelope.after["bought"], envelope.after["items.0.price"]) == (Op.UPDATE, True, 12.95)
