"""MariaDB's COMPRESSED columns: a value as the log holds it -> its plain bytes.

A value of no bytes is empty. Else the first byte tells: the method in its upper four bits (0 is none, 8 is zlib), bit 3
set if the zlib stream is without its own header and checksum, and in the lower three bits the number of bytes that the
plain length takes, which follow with the highest first. https://mariadb.com/kb/en/storage-engine-independent-column-compression/
"""

from __future__ import annotations

import zlib

from connectors.mysql.binlog.reading import Malformed

_NONE, _ZLIB = 0, 8
_LENGTH_BYTES = 0b0111
_RAW = 0b1000


def decompressed(data: bytes) -> bytes:
    """The plain bytes. Raises Malformed on what is no such value, or longer than it says."""
    if not data:
        return b""
    method, head = data[0] >> 4, 1 + (data[0] & _LENGTH_BYTES)
    if method == _NONE:
        return data[1:]
    if method != _ZLIB:
        raise Malformed(f"a column is compressed by method {method}, which is not known")
    length = int.from_bytes(data[1:head], "big")
    stream = zlib.decompressobj(-zlib.MAX_WBITS if data[0] & _RAW else zlib.MAX_WBITS)
    try:
        plain = stream.decompress(data[head:], length + 1)
    except zlib.error as error:
        raise Malformed(f"a compressed column cannot be read: {error}") from None
    if len(plain) != length or not stream.eof:
        raise Malformed(f"a compressed column does not hold the {length} bytes that it says")
    return plain
