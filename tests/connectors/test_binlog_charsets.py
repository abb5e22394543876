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
    "armscii8": 32, "dec8": 3, "geostd8": 92, "hp8": 6, "keybcs2": 37, "swe7": 10,
    "ascii": 11, "big5": 1, "cp1250": 26, "cp1251": 51, "cp1256": 57, "cp1257": 59, "cp850": 4, "cp852": 40, "cp866": 36,
    "cp932": 95, "eucjpms": 97, "euckr": 19, "gb18030": 248, "gb2312": 24, "gbk": 28, "greek": 25, "hebrew": 16, "koi8r": 7,
    "koi8u": 22, "latin1": 8, "latin2": 9, "latin5": 30, "latin7": 41, "macce": 38, "macroman": 39, "sjis": 13, "tis620": 18,
    "ujis": 12,
}  # fmt: skip
# Python reads some codes that the server does not know, and would never have stored.
NO_CHARACTER = {"tis620": UNKNOWN}
MORE_THAN_THE_SERVER = {
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
        assert decoded(name, code) == (NO_CHARACTER.get(name, "?") if character == UNKNOWN else character)


@pytest.mark.parametrize("name", MORE_BYTES)
def test_every_code_of_two_and_three_bytes_is_the_server_s_character(name: str) -> None:
    known = {
        code: text
        for code in codes(name)
        if (text := decoded(name, code)) is not None and len(text) == 1 and (text not in {"?", UNKNOWN} or code == b"?")
    }
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


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("gbk", b"a\xa1\x40b", "a?b"),
        ("sjis", b"\x81\xad\x81\xadz", "??z"),
        ("cp932", b"\x81\xad", "?"),
        ("gb18030", b"\x84\x31\xfe\x30x", "?x"),
        ("ujis", b"\x8f\xa1\xa1\xa2\xafx", "??x"),
        ("eucjpms", b"\xad\xbfx", "?x"),
        ("big5", b"\xa1\x5aa\xa3\xc0", "\ufffda?"),
        ("ascii", b"a\x80b", "a?b"),
        ("swe7", b"[\\]~\x80", "ÄÖÅü?"),
    ],
)
def test_a_code_that_is_no_character_is_what_select_shows_for_it(name: str, data: bytes, text: str) -> None:
    assert charset(name).decode(data) == text


def test_a_collation_that_is_not_known_stops_and_names_the_way_out() -> None:
    with pytest.raises(Malformed, match="collation 999 is not known") as stop:
        charset_of(999, mariadb=False)
    assert "utf8mb4" in stop.value.hint
