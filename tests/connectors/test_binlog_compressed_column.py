"""MariaDB's COMPRESSED columns: what was compressed comes back, and what is damaged stops."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.binlog.compressed import decompressed
from connectors.mysql.binlog.reading import Malformed

RAW = 0b1000


def compressed(plain: bytes, *, raw: bool = True, length: int | None = None) -> bytes:
    stream = zlib.compressobj(wbits=-15 if raw else 15)
    size = len(plain) if length is None else length
    packed = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return bytes([0x80 | (RAW if raw else 0) | len(packed)]) + packed + stream.compress(plain) + stream.flush()


@given(plain=st.binary(min_size=1, max_size=300), raw=st.booleans())
def test_what_was_compressed_comes_back(plain: bytes, *, raw: bool) -> None:
    assert decompressed(compressed(plain, raw=raw)) == plain


@given(plain=st.binary(min_size=1))
def test_what_was_too_short_to_compress_stands_behind_a_zero(plain: bytes) -> None:
    assert decompressed(b"\0" + plain) == plain


def test_nothing_is_the_empty_value() -> None:
    assert decompressed(b"") == b""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x10abc", "method 1, which is not known"),
        (b"\x81\x05abcde", "cannot be read"),
        (compressed(b"abc", length=2), "the 2 bytes"),
        (compressed(b"abc", length=4), "the 4 bytes"),
        (compressed(b"abc" * 99)[:-3], "the 297 bytes"),
        (compressed(bytes(100_000), length=9), "the 9 bytes"),
    ],
)
def test_a_damaged_value_stops(data: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        decompressed(data)
