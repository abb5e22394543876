"""Binary JSON: documents written here from the server's format come back as text, and broken ones stop."""

from __future__ import annotations

import json
import re
import struct
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.binlog.json_binary import json_text, number_text
from connectors.mysql.binlog.reading import Malformed
from tests.connectors.binlog_writer import decimal_bytes

SMALL, LARGE = 2, 4
LITERALS = {None: 0, True: 1, False: 2}


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def encode(value: Any, width: int = SMALL) -> tuple[int, bytes]:
    """(type, bytes) of a value, every container in the small or every one in the large form."""
    if value is None or isinstance(value, bool):
        return 4, bytes([LITERALS[value]])
    if isinstance(value, int):
        for kind, code in ((5, "<h"), (6, "<H"), (7, "<i"), (8, "<I"), (9, "<q"), (10, "<Q")):
            try:
                return kind, struct.pack(code, value)
            except struct.error:
                continue
        raise ValueError(value)
    if isinstance(value, float):
        return 11, struct.pack("<d", value)
    if isinstance(value, str):
        data = value.encode()
        return 12, varint(len(data)) + data
    return container(value, width)


def container(value: Any, width: int) -> tuple[int, bytes]:
    code = "<H" if width == SMALL else "<I"
    keys = [key.encode() for key in value] if isinstance(value, dict) else []
    items = list(value.values()) if isinstance(value, dict) else value
    heads = 2 * width + len(keys) * (width + 2) + len(items) * (1 + width)
    key_entries, value_entries, body = b"", b"", b""
    for key in keys:
        key_entries += struct.pack(code, heads + len(body)) + struct.pack("<H", len(key))
        body += key
    for item in items:
        kind, data = encode(item, width)
        if kind in {4, 5, 6} or (kind in {7, 8} and width == LARGE):
            value_entries += bytes([kind]) + data.ljust(width, b"\0")
        else:
            value_entries += bytes([kind]) + struct.pack(code, heads + len(body))
            body += data
    size = heads + len(body)
    data = struct.pack(code, len(items)) + struct.pack(code, size) + key_entries + value_entries + body
    return (0 if isinstance(value, dict) else 2) + (width == LARGE), data


def document(value: Any, width: int = SMALL) -> bytes:
    kind, data = encode(value, width)
    return bytes([kind]) + data


STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=25,
)


@given(DOCUMENTS, st.sampled_from([SMALL, LARGE]))
def test_a_document_comes_back_as_compact_text_with_all_its_digits(value: Any, width: int) -> None:
    text = json_text(document(value, width))
    assert repr(json.loads(text)) == repr(value)  # of the same types, and with keys in their order
    assert " " not in STRING.sub("", text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_the_same_double_and_never_looks_like_an_integer(value: float) -> None:
    text = number_text(value)
    assert repr(float(text)) == repr(value)
    assert "." in text or "e" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e14, "100000000000000.0"),
        (1e15, "1e15"),
        (-1039514241563211.8, "-1039514241563211.8"),
        (1234567890123456.0, "1.234567890123456e15"),
        (1.2345678901234568e17, "1.2345678901234568e17"),
        (1.5e-7, "0.00000015"),
        (1e-15, "0.000000000000001"),
        (1e-16, "1e-16"),
        (-1.25e-30, "-1.25e-30"),
    ],
)
def test_a_number_is_written_as_the_server_writes_it(value: float, text: str) -> None:
    assert number_text(value) == text


def opaque(kind: int, data: bytes) -> bytes:
    return bytes([15, kind]) + varint(len(data)) + data


def test_opaque_values_are_decimals_temporal_texts_or_base64() -> None:
    assert json_text(opaque(246, bytes([10, 5]) + decimal_bytes("-1.00100", 10, 5))) == "-1.00100"
    assert json_text(opaque(252, b"\xca\xfe\xba\xbe")) == '"yv66vg=="'
    day = (2015 * 13 + 1) << 5 | 15
    assert json_text(opaque(10, struct.pack("<q", day << 41))) == '"2015-01-15"'
    moment = (day << 17 | 23 << 12 | 24 << 6 | 25) << 24 | 120_000
    assert json_text(opaque(12, struct.pack("<q", moment))) == '"2015-01-15 23:24:25.120000"'
    span = (838 << 12 | 59 << 6 | 58) << 24 | 999_999
    assert json_text(opaque(11, struct.pack("<q", -span))) == '"-838:59:58.999999"'


def test_nothing_at_all_is_the_literal_null() -> None:
    assert json_text(b"") == "null"


def nested(depth: int) -> bytes:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return document(value)


def test_a_document_may_be_as_deep_as_the_server_allows_and_no_deeper() -> None:
    assert json_text(nested(100)) == "[" * 100 + "]" * 100
    with pytest.raises(Malformed, match="deeper than 100"):
        json_text(nested(101))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x03", "needs|bytes of JSON"),
        (b"\x0d\x00", "JSON type 13"),
        (b"\x04\x07", "JSON literal 7"),
        (b"\x02\x01\x00\x07\x00\x04\x09\x00", "JSON literal 9"),
        (b"\x0c\xff\xff\xff\xff\xff\x00", "longer than 5 bytes"),
        (b"\x0c\x05four", "bytes of JSON"),
        (b"\x02\x01\x00\xff\x00\x05\x00\x00", "JSON of 255 bytes"),
        (b"\x0b" + struct.pack("<d", float("inf")), "not finite"),
        (b"\x0b" + struct.pack("<d", float("nan")), "not finite"),
        (b"\x0f\x0a\x07" + bytes(7), "date or time of 7 bytes"),
        (b"\x0f\xf6\x01\x05", "without its digits"),
        (b"\x0f\xf6\x04\x05\x07\x00\x00", r"DECIMAL\(5,7\)"),
        (b"\x0f\xf6\x04\x05\x01\x00\x00", r"2 bytes of DECIMAL\(5,1\)"),
        # an array whose one element is itself
        (b"\x02\x01\x00\x07\x00\x02\x00\x00", "overlap"),
    ],
)
def test_bytes_that_are_no_document_stop(data: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        json_text(data)


def test_values_that_share_bytes_stop_instead_of_growing_without_end() -> None:
    # Each level has two entries that point to the same next level: 2^60 values in 600 bytes.
    levels = 60
    size = 10 * levels + 4
    heads = [struct.pack("<HHBHBH", 2, size - 10 * level, 2, 10, 2, 10) for level in range(levels)]
    data = b"".join(heads) + struct.pack("<HH", 0, 4)
    with pytest.raises(Malformed, match="overlap"):
        json_text(b"\x02" + data)


def test_a_large_document_takes_time_in_proportion_to_its_length() -> None:
    def seconds(count: int) -> float:
        data = document([{"name": f"value {number}", "number": number} for number in range(count)], LARGE)
        begin = time.process_time()
        json_text(data)
        return time.process_time() - begin

    small = min(seconds(500) for _ in range(5))
    assert seconds(8_000) < 64 * small  # quadratic time would be 256 times as much


@given(st.data())
def test_a_broken_document_stops_and_nothing_else_happens(data: st.DataObject) -> None:
    whole = bytearray(document(data.draw(DOCUMENTS), data.draw(st.sampled_from([SMALL, LARGE]))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(ValueError):  # Malformed, or text that is not UTF-8: the decoder makes UnsupportedChange of both
        assert isinstance(json_text(broken), str)
