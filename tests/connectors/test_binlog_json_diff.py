"""Differences of JSON documents: applied in order, exactly, and refused where they do not fit."""

from __future__ import annotations

import struct

import pytest

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Rows
from connectors.mysql.binlog.json_diff import with_differences
from connectors.mysql.binlog.reading import Malformed, Reader
from streamtrain.errors import UnsupportedChange
from tests.connectors import binlog_writer as writer
from tests.connectors.binlog_writer import Col
from tests.connectors.test_binlog_json import encode

REPLACE, INSERT, REMOVE = 0, 1, 2
DOCUMENT = '{"a":1.50,"b":[1,"x,y",{"c":null}],"cc":"{\\"not\\": []}"}'


def difference(operation: int, path: str, *value: object) -> bytes:
    text = path.encode()
    data = bytes([operation]) + writer.packed(len(text)) + text
    for each in value:
        kind, body = encode(each)
        data += writer.packed(1 + len(body)) + bytes([kind]) + body
    return data


@pytest.mark.parametrize(
    ("differences", "after"),
    [
        ([], DOCUMENT),
        ([(REPLACE, "$.a", 2)], '{"a":2,"b":[1,"x,y",{"c":null}],"cc":"{\\"not\\": []}"}'),
        ([(REMOVE, "$.b")], '{"a":1.50,"cc":"{\\"not\\": []}"}'),
        ([(REMOVE, "$.a"), (REMOVE, "$.b"), (REMOVE, "$.cc")], "{}"),
        ([(REPLACE, "$.b[2].c", [True]), (REMOVE, "$.cc")], '{"a":1.50,"b":[1,"x,y",{"c":[true]}]}'),
        ([(REMOVE, "$.cc"), (REMOVE, "$.b[0]"), (REMOVE, "$.b[0]"), (REMOVE, "$.b[0]")], '{"a":1.50,"b":[]}'),
        ([(REMOVE, "$.cc"), (INSERT, "$.b[0]", 0), (INSERT, "$.b[99]", 9)], '{"a":1.50,"b":[0,1,"x,y",{"c":null},9]}'),
        ([(REMOVE, "$.cc"), (INSERT, "$.b[last]", 5)], '{"a":1.50,"b":[1,"x,y",5,{"c":null}]}'),
        ([(REMOVE, "$.cc"), (INSERT, "$.b[last-7]", 5)], '{"a":1.50,"b":[5,1,"x,y",{"c":null}]}'),
        ([(REMOVE, "$.cc"), (REPLACE, "$.b[last-1]", 5)], '{"a":1.50,"b":[1,5,{"c":null}]}'),
        ([(REMOVE, "$.cc"), (REMOVE, "$.b"), (INSERT, '$."é d"', "z"), (INSERT, "$.B", {})], '{"B":{},"a":1.50,"é d":"z"}'),
        ([(REPLACE, "$", "whole")], '"whole"'),
    ],
)  # fmt: skip
def test_they_change_what_they_name_and_nothing_else(differences: list[tuple[object, ...]], after: str) -> None:
    data = b"".join(difference(*each) for each in differences)  # type: ignore[arg-type]
    assert with_differences(DOCUMENT, Reader(data)) == after


def test_members_come_in_the_server_s_order_shorter_names_first() -> None:
    data = b"".join(difference(INSERT, f'$."{name}"', 0) for name in ("zz", "b", "aaa", "é", "a"))
    assert with_differences("{}", Reader(data)) == '{"a":0,"b":0,"zz":0,"é":0,"aaa":0}'


@pytest.mark.parametrize(
    "data",
    [
        difference(REPLACE, "$.d", 1), difference(REMOVE, "$.b[3]"), difference(REMOVE, "$.b[last-3]"), difference(INSERT, "$.a", 1),
        difference(INSERT, "$.a.b", 1), difference(REPLACE, "$.b.c", 1), difference(REMOVE, "$.a[0]"), difference(INSERT, "$.d.e", 1),
        difference(REPLACE, "a", 1), difference(REPLACE, "$a", 1), difference(REPLACE, "$.", 1), difference(REPLACE, "$.b[x]", 1),
        difference(REPLACE, "$.b[*]", 1), difference(3, "$.a", 1), difference(REPLACE, "$.a", 1)[:-2], b"\0",
    ],
)  # fmt: skip
def test_what_does_not_fit_the_document_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        with_differences(DOCUMENT, Reader(data))


COLUMNS = [Col(3, nullable=False), Col(245, b"\x04"), Col(15, b"\x40\x00"), Col(245, b"\x04")]


def sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def document(value: object) -> bytes:
    kind, body = encode(value)
    return sized(bytes([kind]) + body)


def updated(after: bytes, before: bytes | None = None) -> list[tuple[object, ...]]:
    decoder = EventDecoder(lambda *_: True)
    decoder.decode(writer.format_description())
    decoder.decode(writer.table_map(COLUMNS))
    number = struct.pack("<i", 7)
    image = before or writer.row_image([number, document({"a": 1}), b"\x01x", document([1])])
    body = (7).to_bytes(6, "little") + b"\0\0\x02\0" + writer.packed(4) + b"\x0f\x0f" + image + after
    event = decoder.decode(writer.event(39, body))
    assert isinstance(event, Rows)
    assert event.before == [(7, None, None, None) if before else (7, '{"a":1}', "x", "[1]")]
    assert event.after is not None
    return list(event.after)


NUMBER = struct.pack("<i", 8)


def test_columns_told_in_full_and_by_differences_stand_side_by_side() -> None:
    different = [NUMBER, sized(difference(REPLACE, "$.a", 2)), b"\x01y", document({"n": 3})]
    assert updated(b"\x01\x01" + writer.row_image(different)) == [(8, '{"a":2}', "y", '{"n":3}')]
    both = [NUMBER, sized(difference(INSERT, "$.b", 2)), None, sized(difference(REMOVE, "$[0]"))]
    assert updated(b"\x01\x03" + writer.row_image(both)) == [(8, '{"a":1,"b":2}', None, "[]")]


def test_an_update_without_differences_is_like_any_other() -> None:
    full = writer.row_image([NUMBER, document([2]), b"\x01y", None])
    assert updated(b"\x00" + full) == updated(b"\x01\x00" + full) == [(8, "[2]", "y", None)]


def test_options_that_are_not_known_and_differences_from_nothing_stop() -> None:
    full = writer.row_image([NUMBER, document([2]), b"\x01y", None])
    with pytest.raises(UnsupportedChange, match="row value options 0x2 are not known"):
        updated(b"\x02" + full)
    with pytest.raises(UnsupportedChange, match="differs from one that was not there"):
        updated(
            b"\x01\x01" + writer.row_image([NUMBER, sized(difference(REMOVE, "$.a")), None, None]),
            writer.row_image([struct.pack("<i", 7), None, None, None]),
        )
