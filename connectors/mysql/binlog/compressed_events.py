"""MariaDB's compressed events (``log_bin_compress``): the rows of a row event, or the text of a statement, packed by zlib.

The first byte has bit 7 set, the method in bits 4 to 6 (0 is zlib), and in bits 0 to 2 the number of bytes that the plain
length takes, which follow with the highest first; then the packed bytes.
https://mariadb.com/kb/en/compressing-events-to-reduce-size-of-the-binary-log/
"""

from __future__ import annotations

import zlib

from connectors.mysql.binlog.reading import Malformed, Reader

_MARK, _METHOD, _LENGTH_BYTES = 0x80, 0x70, 0x07


def unpacked(reader: Reader) -> bytes:
    """What is left of ``reader``, unpacked. Raises Malformed on what is not so packed, or not of the length it tells."""
    head = reader.uint(1)
    if not head & _MARK or head & _METHOD:
        raise Malformed(f"compression {head:#x} is not known")
    length = int.from_bytes(reader.take(head & _LENGTH_BYTES), "big")
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(reader.rest(), length + 1)
    except zlib.error as error:
        raise Malformed(f"the compressed part cannot be read: {error}") from None
    if len(plain) != length or not stream.eof:
        raise Malformed(f"the compressed part is not of the {length} bytes that it tells of")
    return plain
