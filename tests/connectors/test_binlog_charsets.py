"""Character sets: every code converted as the server converts it, as recorded in tests/golden/binlog/charsets.json."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.binlog.charsets import Charset, charset_of
from connectors.mysql.binlog.reading import Malformed
from tests.golden.binlog.record_charsets import GOLDEN, MORE_BYTES, ONE_BYTE, UNKNOWN, codes, digest

COLLATION = {
    "ascii": 11, "big5": 1, "cp1250": 26, "cp1251": 51, "cp1256": 57, "cp1257": 59, "cp850": 4, "cp852": 40, "cp866": 36,
    "cp932": 95, "eucjpms": 97, "euckr": 19, "gb18030": 248, "gb2312": 24, "gbk": 28, "greek": 25, "hebrew": 16, "koi8r": 7,
    "koi8u": 22, "latin1": 8, "latin2": 9, "latin5": 30, "latin7": 41, "macce": 38, "macroman": 39, "sjis": 13, "tis620": 18,
    "ujis": 12,
}  # fmt: skip
# Python reads some codes that the server does not know, and would never have stored.
MORE_THAN_THE_SERVER = {
    "big5": ["a15a", "a1c3", "a1c5", "a1fe", "a240", "a2cc", "a2ce"],
    "cp932": ["80", "a0", "fd", "fe", "ff"],
}


@cache
def golden() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="ascii"))
    return recorded


def charset(name: str) -> Charset:
    return charset_of(COLLATION[name], mariadb=False)


def decoded(name: str, code: bytes) -> str | None:
    try:
        return charset(name).decode(code)
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("name", ONE_BYTE)
def test_every_byte_is_the_server_s_character(name: str) -> None:
    for code, character in zip(codes(name), golden()[name], strict=True):
        if character != UNKNOWN:
            assert decoded(name, code) == character


@pytest.mark.parametrize("name", MORE_BYTES)
def test_every_code_of_two_and_three_bytes_is_the_server_s_character(name: str) -> None:
    known = {code: text for code in codes(name) if (text := decoded(name, code)) is not None and len(text) == 1}
    for extra in MORE_THAN_THE_SERVER.get(name, []):
        del known[bytes.fromhex(extra)]
    assert {"codes": len(known), "sha256": digest(known)} == golden()[name]


@pytest.mark.parametrize(
    ("collation", "codec"),
    [(255, "utf-8"), (45, "utf-8"), (33, "utf-8"), (35, "utf-16-be"), (54, "utf-16-be"), (56, "utf-16-le"), (60, "utf-32-be")],
)  # fmt: skip
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_unicode_s_own_forms_come_back(collation: int, codec: str, text: str) -> None:
    assert charset_of(collation, mariadb=False).decode(text.encode(codec)) == text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("sjis", "日本\\ｱ".encode("shift_jis")),
        ("big5", b"a\xf9\xd6b\xf9\xdcc"),
        ("eucjpms", b"a\xad\xa1\x8f\xf3\xf3\xf5\xa1\x8f\xf5\xa1\x8f\xa2\xb7~b"),
        ("ujis", b"a\xf5\xa1\x8f\xf5\xa1b"),
    ],
)
def test_codes_that_python_lacks_are_found_within_a_text(name: str, data: bytes) -> None:
    text = charset(name).decode(data)
    assert text[0] in "a日"
    assert UNKNOWN not in text
    for cut in range(len(data)):  # a text that is cut within a character stops, and nothing else happens
        assert decoded(name, data[:cut]) is None or text.startswith(charset(name).decode(data[:cut]))


def test_mariadb_s_own_collations_are_known_on_mariadb_alone() -> None:
    names = {1033: "latin2", 1270: "utf8mb4", 576: "utf8mb3", 2048: "utf8mb3", 2304: "utf8mb4", 2560: "ucs2", 2816: "utf16", 3271: "utf32"}  # fmt: skip
    for collation, name in names.items():
        assert charset_of(collation, mariadb=True).name == name
        with pytest.raises(Malformed, match="is not known"):
            charset_of(collation, mariadb=False)


@pytest.mark.parametrize("collation", [3, 6, 10, 32, 92, 37])
def test_a_character_set_without_a_codec_stops_and_names_the_way_out(collation: int) -> None:
    with pytest.raises(Malformed, match="is not supported") as stop:
        charset_of(collation, mariadb=False)
    assert "utf8mb4" in stop.value.hint
