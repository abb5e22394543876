"""Formats with schemas are byte for byte what Debezium and its converters write."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest

from connectors.formats.avro import AvroSerializer
from connectors.formats.json_schemas import SchemaJsonSerializer
from connectors.serializing import Serializer
from connectors.source import Change, SourceEvent, Table
from streamtrain.avro import AvroReader, schema_id_of
from streamtrain.envelope import Op, decode, decode_key
from tests.formats import golden
from tests.formats.golden import PREFIX, Written

WITH_SCHEMAS = golden.with_schemas()
AVRO, SCHEMAS = golden.avro()
READERS = {number: AvroReader(text) for number, text in SCHEMAS.items()}


def named(record: Written, number: int) -> str:
    return f"{number}-{record.topic}"


def messages(serializer: Serializer, event: SourceEvent, now_ns: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """All messages of an event. A change has one row, with the number that it has in the record."""
    if isinstance(event, Change):
        event = replace(event, first_row=event.origin["row"])
    return [(topic, one.key, one.value) for topic, sent, _ in serializer.serialize(event, now_ns) for one in list(sent)]


def is_about_a_row(document: Any) -> bool:
    return "op" in document


def _envelopes_with_schemas() -> list[Any]:
    """A TRUNCATE's row number is the event's in Debezium, where it is no row's."""
    return [
        pytest.param(one, id=named(one, number))
        for number, one in enumerate(WITH_SCHEMAS)
        if one.value is not None and orjson.loads(one.value)["payload"].get("op") != "t"
    ]


@pytest.mark.parametrize("record", _envelopes_with_schemas())
def test_json_with_schemas_is_byte_for_byte_debeziums(record: Written) -> None:
    key = None if record.key is None else orjson.loads(record.key)
    value = json.loads(record.value or b"")
    document = value["payload"]
    table = None
    if is_about_a_row(document):
        table = golden.table_of(key and key["schema"], value["schema"], avro_names=False)
    event = golden.event_of(key and key["payload"], document, table)
    now_ns = document.get("ts_ns", document["ts_ms"] * 1_000_000)
    found = messages(SchemaJsonSerializer(PREFIX), event, now_ns)
    assert (record.topic, record.key) in {(topic, key) for topic, key, _ in found}
    assert record.value in {value for _, _, value in found}


def tables_of_topics() -> dict[tuple[str, int], Table]:
    """By topic and number of columns."""
    tables = {}
    for record in WITH_SCHEMAS:
        document = orjson.loads(record.value or b"null")
        if document is not None and is_about_a_row(document["payload"]):
            key = None if record.key is None else orjson.loads(record.key)["schema"]
            table = golden.table_of(key, document["schema"], avro_names=True)
            tables[record.topic, len(table.columns)] = table
    return tables


TABLES = tables_of_topics()


def registered(_: str, schema: str) -> int:
    return {text: number for number, text in SCHEMAS.items()}[schema]


def _avro_envelopes() -> list[Any]:
    return [
        pytest.param(one, id=named(one, number))
        for number, one in enumerate(AVRO)
        if one.value is not None and decoded(one.value).get("op") != "t"
    ]


def decoded(message: bytes) -> Any:
    return READERS[schema_id_of(message)].decode(message)


@pytest.mark.parametrize("record", _avro_envelopes())
def test_avro_is_byte_for_byte_debeziums_and_its_schemas_are_the_registrys(record: Written) -> None:
    document = decoded(record.value or b"")
    key = None if record.key is None else decoded(record.key)
    table = None
    if is_about_a_row(document):
        row = document["after"] or document["before"]
        table = TABLES[record.topic, len(row)]
    event = golden.event_of(key, document, table)
    now_ns = document.get("ts_ns", document["ts_ms"] * 1_000_000)
    found = messages(AvroSerializer(PREFIX, registered), event, now_ns)
    assert (record.topic, record.key) in {(topic, key) for topic, key, _ in found}
    assert record.value in {value for _, _, value in found}


def test_a_moved_key_is_told_in_the_same_headers_in_every_format() -> None:
    for records in (WITH_SCHEMAS, AVRO):
        told = [one.headers for one in records if one.headers]
        assert told == [
            (("__debezium.newkey", b'{"id":9,"k2":"k"}'),),
            (("__debezium.oldkey", b'{"id":3,"k2":"k"}'),),
        ]
    moved = next(one for one in WITH_SCHEMAS if one.headers)
    key, value = orjson.loads(moved.key or b""), orjson.loads(moved.value or b"")
    gone = golden.event_of(None, value["payload"], golden.table_of(key["schema"], value["schema"], avro_names=False))
    assert isinstance(gone, Change)
    before = (gone.before or [])[0]
    change = Change(gone.table, Op.UPDATE, [before], [(9, *before[1:])], gone.origin)
    (sent,) = SchemaJsonSerializer(PREFIX).serialize(change, 0)
    assert [one.headers for one in sent.messages] == [told[0], told[0], told[1]]
    renamed = Change(TABLES["g-x.gold.allt", len(before)], Op.UPDATE, change.before, change.after, gone.origin)
    (sent,) = AvroSerializer(PREFIX, registered).serialize(renamed, 0)
    assert [one.headers for one in sent.messages] == [told[0], told[0], told[1]]


def test_what_the_trainer_reads_of_debeziums_records_is_the_same_in_avro_and_in_json_with_schemas() -> None:
    found = []
    for records in (WITH_SCHEMAS, AVRO):
        rows = []
        for record in records:
            if record.value is None or record.topic.count(".") != 2:
                continue
            value, key = record.value, record.key
            if records is AVRO:
                value = orjson.dumps(decoded(value))
                key = None if key is None else orjson.dumps(decoded(key))
            envelope = decode(value)
            rows.append((envelope.op, plain(envelope.before), plain(envelope.after), plain(decode_key(key))))
        found.append(rows)
    assert found[0] == found[1]
    row = next(after for op, _, after, _ in found[0] if op is Op.READ and after is not None and "de" in after)
    assert (row["de"], row["de0"], row["ded"], row["f"]) == ("12345678.90", "-12345", "-1.250", 0.1)
    assert row["de65"] == "-" + "9" * 35 + "." + "1" * 30


def plain(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """Without what differs between two runs, and under Avro's names."""
    if row is None:
        return None
    renamed = {"odd-name x": "odd_name_x", "1st": "_1st"}
    return {renamed.get(name, name): value for name, value in row.items()}
