"""BSON documents become the JSON that Debezium writes, byte for byte, the same from C and from Python."""

from __future__ import annotations

import math
import re
import struct
import unicodedata
from collections.abc import Callable
from random import Random
from typing import Any

import bson
import orjson
import pytest
from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mongo import extended_json
from connectors.mongo.escaped_characters import escaped_bits
from connectors.mongo.extended_json import Write
from connectors.mongo.json_values import double_text
from connectors.mongo.raw_bson import MAX_DEPTH
from streamtrain.errors import UnsupportedChange
from tests.connectors.bson_documents import (
    ALL,
    KEPT,
    SEEDS,
    binary,
    code_with_scope,
    damaged,
    document,
    element,
    nested,
    random_document,
    string,
)
from tests.golden.mongo.record import cases, recorded
from tests.native import native

MODULE = "connectors.mongo._extended_json"
PYTHON: dict[str, Write] = {
    "value": extended_json.python_value_json,
    "update": extended_json.python_update_json,
    "id": extended_json.python_id_json,
}


@pytest.fixture(scope="module", autouse=True)
def in_c() -> dict[str, Write]:
    """The functions in C, built before the clock of any example runs."""
    module = native(MODULE)
    module.set_escaped(escaped_bits())
    return {name: getattr(module, f"{name}_json") for name in PYTHON}


@pytest.fixture(params=["in C", "in Python"])
def write(request: pytest.FixtureRequest, in_c: dict[str, Write]) -> dict[str, Write]:
    return in_c if request.param == "in C" else PYTHON


def outcome(function: Callable[..., bytes], *arguments: Any) -> bytes | str:
    try:
        return function(*arguments)
    except UnsupportedChange as error:
        return str(error)


@pytest.mark.parametrize("name", [name for name in cases() if not name.startswith("U+")])
def test_each_type_is_written_as_debezium_does(name: str, write: dict[str, Write]) -> None:
    for place, text in recorded()[name].items():
        if text:
            assert write[place](cases()[name], 0, True).decode() == text


@pytest.mark.parametrize("name", [name for name in cases() if name.startswith("U+")])
def test_each_character_is_escaped_as_debezium_does(name: str, write: dict[str, Write]) -> None:
    """But for those that Unicode did not know when Java 17 was made: they are written as they are."""
    ours, theirs = write["id"](cases()[name]).decode(), recorded()[name]["id"]
    assert orjson.loads(ours) == orjson.loads(theirs)
    assert escapes(ours) <= escapes(theirs)
    unlike = escapes(theirs) - escapes(ours)
    assert {unicodedata.ucd_3_2_0.category(chr(point)) for point in unlike} <= {"Cn"}


def escapes(text: str) -> set[int]:
    """The code points that are written by their number."""
    return {int(digits, 16) for digits in re.findall(r"(?<!\\)(?:\\\\)*\\u([0-9a-f]{4})", text)}


def test_what_is_no_number_is_valid_json_where_debezium_writes_none(write: dict[str, Write]) -> None:
    values = (math.nan, math.inf, -math.inf)
    data = document(*(element(1, str(n), struct.pack("<d", value)) for n, value in enumerate(values)))
    for place in ("value", "update"):
        names = [one["$numberDouble"] for one in orjson.loads(write[place](data)).values()]
        assert names == ["NaN", "Infinity", "-Infinity"]


def test_bytes_that_are_not_utf_8_stop_unless_they_are_to_be_replaced(write: dict[str, Write]) -> None:
    for data in (document(element(2, "_id", string(b"a\xffb"))), document(b"\x0aa\xff\0" + b"\x0a_id\0")):
        for place in ("value", "update"):
            with pytest.raises(UnsupportedChange, match=r"byte \d+ of a BSON document from MongoDB: text is not UTF-8"):
                write[place](data)
            assert "�" in orjson.dumps(orjson.loads(write[place](data, 0, True))).decode()


def test_a_document_is_found_where_it_begins(write: dict[str, Write]) -> None:
    inner = document(element(16, "_id", struct.pack("<i", 7)))
    outer = document(element(3, "fullDocument", inner))
    start = outer.index(inner)
    assert write["value"](outer, start) == b'{"_id": 7}'
    assert write["id"](outer, start) == b"7"


def test_as_many_levels_as_the_server_has_are_written_and_no_more(write: dict[str, Write]) -> None:
    text = write["value"](nested(MAX_DEPTH))
    assert text.count(b"[") + text.count(b"{") == MAX_DEPTH
    with pytest.raises(UnsupportedChange, match="more than 200 levels of nesting"):
        write["value"](nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "byte 0 of a BSON document from MongoDB: a document is cut off"),
        (b"\x06\0\0\0\0", "byte 0 of a BSON document from MongoDB: a length of 6, and 5 bytes are left"),
        (b"\x05\0\0\0\1", "byte 4 of a BSON document from MongoDB: a document does not end with a zero byte"),
        (document(element(0x20, "a", b"")), "byte 4 of a BSON document from MongoDB: no element has type 0x20"),
        (document(b"\x10abc"), "byte 5 of a BSON document from MongoDB: a name does not end"),
        (document(element(16, "a", b"\0\0\0")), "byte 7 of a BSON document from MongoDB: a value is cut off"),
        (document(element(8, "a", b"\2")), "byte 7 of a BSON document from MongoDB: a boolean is neither 0 nor 1"),
        (document(element(2, "a", b"\xff\xff\xff\x7fa\0")), "a length of 2147483647, and 2 bytes are left"),
        (document(element(2, "a", b"\2\0\0\0ab")), "byte 12 of a BSON document from MongoDB: a string does not end"),
        (document(element(5, "a", b"\xff\xff\xff\xff\0")), "a length of -1, and 0 bytes are left"),
        (document(element(5, "a", b"\4\0\0\0\2\1\0\0\0")), "two lengths of one value differ"),
        (document(element(15, "a", code_with_scope("f", document() + b"\0"))), "two lengths of one value differ"),
        (document(element(11, "a", b"x\0y")), "a name does not end"),
    ],
)  # fmt: skip
def test_damage_is_told_with_its_place(data: bytes, told: str, write: dict[str, Write]) -> None:
    with pytest.raises(UnsupportedChange, match="BSON document") as stop:
        write["value"](data)
    assert told in stop.value.message


def test_a_key_without_an_id_stops(write: dict[str, Write]) -> None:
    with pytest.raises(UnsupportedChange, match="a document without _id"):
        write["id"](document(element(16, "id", bytes(4))))


@settings(max_examples=300)
@given(SEEDS, st.booleans())
def test_c_and_python_write_the_same(in_c: dict[str, Write], rng: Random, replace: bool) -> None:
    data = random_document(rng, ALL)
    for place, function in PYTHON.items():
        assert outcome(in_c[place], data, 0, replace) == outcome(function, data, 0, replace)


@settings(max_examples=400)
@given(SEEDS, st.integers(-2, 20), st.booleans())
def test_c_and_python_make_the_same_of_damage(in_c: dict[str, Write], rng: Random, start: int, replace: bool) -> None:
    data = damaged(rng)
    for place, function in PYTHON.items():
        for at in (0, start):
            assert outcome(in_c[place], data, at, replace) == outcome(function, data, at, replace)


@settings(max_examples=300)
@given(SEEDS)
def test_a_value_is_read_back_by_a_driver_as_what_it_was(rng: Random) -> None:
    data = random_document(rng, KEPT)
    options = json_util.JSONOptions(
        json_mode=json_util.JSONMode.LEGACY,
        uuid_representation=UuidRepresentation.UNSPECIFIED,
        datetime_conversion=DatetimeConversion.DATETIME_MS,
        tz_aware=False,
    )
    codec: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
    text = extended_json.value_json(data).decode()
    orjson.loads(text)
    # The driver's own decoder and encoder, to leave out what even they do not keep: the bits of a NaN, a decimal's zeros.
    expected = bson.decode(data, codec)
    assert repr(json_util.loads(text, json_options=options)) == repr(expected)


@settings(max_examples=1000)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0, exclude_min=True))
def test_a_double_is_read_as_the_same_number(value: float) -> None:
    for number in (value, -value):
        assert float(double_text(number)) == number
    assert len(double_text(value).partition("E")[0]) <= max(len(repr(value).partition("e")[0]) + 2, 17)


def test_a_text_becomes_a_json_string() -> None:
    text = extended_json.value_json(document(element(2, "a", string('"\\\n é 😀'))))
    assert orjson.loads(extended_json.as_string(text)) == text.decode()
    assert extended_json.as_string(text) == orjson.dumps(text.decode())


def test_a_binary_may_have_any_length_and_subtype(in_c: dict[str, Write]) -> None:
    for length in range(10):
        for subtype in range(256):
            data = document(element(5, "_id", binary(bytes(range(length)), subtype)))
            for place, function in PYTHON.items():
                assert in_c[place](data) == function(data)
