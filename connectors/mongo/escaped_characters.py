"""Which characters Java's driver escapes in JSON, so that keys and values are, byte for byte, those that Debezium writes.

``org.bson.json.StrictCharacterStreamJsonWriter`` escapes what is of Unicode's categories Cc, Cf, Cs, Co, Zl, Zp, Mc, Me, Mn and
Lm, and with Cs each half of a character beyond U+FFFF. It also escapes what its version of Unicode does not know; that is
written as it is here, as otherwise the text would depend on a version: a key must never change.
"""

from __future__ import annotations

from functools import cache

_RANGES = """
80-9f ad 2b0-2c1 2c6-2d1 2e0-2e4 2ec 2ee 300-36f 374 37a 483-489 559 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 600-605 610-61a
61c 640 64b-65f 670 6d6-6dd 6df-6e8 6ea-6ed 70f 711 730-74a 7a6-7b0 7eb-7f5 7fa 7fd 816-82d 859-85b 890-891 898-89f
8c9-903 93a-93c 93e-94f 951-957 962-963 971 981-983 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 9e2-9e3 9fe a01-a03 a3c a3e-a42
a47-a48 a4b-a4d a51 a70-a71 a75 a81-a83 abc abe-ac5 ac7-ac9 acb-acd ae2-ae3 afa-aff b01-b03 b3c b3e-b44 b47-b48
b4b-b4d b55-b57 b62-b63 b82 bbe-bc2 bc6-bc8 bca-bcd bd7 c00-c04 c3c c3e-c44 c46-c48 c4a-c4d c55-c56 c62-c63 c81-c83
cbc cbe-cc4 cc6-cc8 cca-ccd cd5-cd6 ce2-ce3 d00-d03 d3b-d3c d3e-d44 d46-d48 d4a-d4d d57 d62-d63 d81-d83 dca dcf-dd4
dd6 dd8-ddf df2-df3 e31 e34-e3a e46-e4e eb1 eb4-ebc ec6 ec8-ecd f18-f19 f35 f37 f39 f3e-f3f f71-f84 f86-f87 f8d-f97
f99-fbc fc6 102b-103e 1056-1059 105e-1060 1062-1064 1067-106d 1071-1074 1082-108d 108f 109a-109d 10fc 135d-135f
1712-1715 1732-1734 1752-1753 1772-1773 17b4-17d3 17d7 17dd 180b-180f 1843 1885-1886 18a9 1920-192b 1930-193b
1a17-1a1b 1a55-1a5e 1a60-1a7c 1a7f 1aa7 1ab0-1ace 1b00-1b04 1b34-1b44 1b6b-1b73 1b80-1b82 1ba1-1bad 1be6-1bf3
1c24-1c37 1c78-1c7d 1cd0-1cd2 1cd4-1ce8 1ced 1cf4 1cf7-1cf9 1d2c-1d6a 1d78 1d9b-1dff 200b-200f 2028-202e 2060-2064
2066-206f 2071 207f 2090-209c 20d0-20f0 2c7c-2c7d 2cef-2cf1 2d6f 2d7f 2de0-2dff 2e2f 3005 302a-302f 3031-3035 303b
3099-309a 309d-309e 30fc-30fe a015 a4f8-a4fd a60c a66f-a672 a674-a67d a67f a69c-a69f a6f0-a6f1 a717-a71f a770 a788
a7f2-a7f4 a7f8-a7f9 a802 a806 a80b a823-a827 a82c a880-a881 a8b4-a8c5 a8e0-a8f1 a8ff a926-a92d a947-a953 a980-a983
a9b3-a9c0 a9cf a9e5-a9e6 aa29-aa36 aa43 aa4c-aa4d aa70 aa7b-aa7d aab0 aab2-aab4 aab7-aab8 aabe-aabf aac1 aadd
aaeb-aaef aaf3-aaf6 ab5c-ab5f ab69 abe3-abea abec-abed d800-f8ff fb1e fe00-fe0f fe20-fe2f feff ff70 ff9e-ff9f
fff9-fffb
"""
"""Of Unicode 14, from U+0080 on. Kept here, as Python's own table changes with its version."""


@cache
def escaped_ranges() -> tuple[tuple[int, int], ...]:
    """First and last code point of each run that is escaped, from U+0080 to U+FFFF."""
    ends = (word.partition("-") for word in _RANGES.split())
    return tuple((int(first, 16), int(last or first, 16)) for first, _, last in ends)


@cache
def escaped_bits() -> bytes:
    """A bit for each code point up to U+FFFF, the lowest of a byte first."""
    bits = bytearray(0x10000 // 8)
    for first, last in escaped_ranges():
        for point in range(first, last + 1):
            bits[point // 8] |= 1 << point % 8
    return bytes(bits)
