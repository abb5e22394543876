"""A bounded reader for the parts of an event that are read once: headers, names, metadata. Rows have their own way."""

from __future__ import annotations

from mmap import MADV_DONTNEED, PAGESIZE, mmap
from zlib import crc32

Data = bytes | mmap
"""An event: a large one is a mapped file, of which only what is looked at is in memory."""

_PIECE = 1 << 24


class Malformed(ValueError):
    """The bytes are not what the format says. The decoder adds the position and turns it into UnsupportedChange."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Reader:
    """Reads ``data[start:end]`` from left to right, and never past the end. All integers are little endian."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: Data, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = start
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        return self.end - self.position

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes. Raises Malformed if there are fewer."""
        if length > self.end - self.position:
            raise Malformed(f"needs {length} bytes at offset {self.position}, where {self.left} are left")
        start = self.position
        self.position = start + length
        return self.data[start : self.position]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def uint(self, length: int) -> int:
        """An unsigned integer of ``length`` bytes."""
        return int.from_bytes(self.take(length), "little")

    def packed(self) -> int:
        """A length-encoded integer.

        https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html
        """
        first = self.uint(1)
        if first < 251:
            return first
        if first in _PACKED_LENGTHS:
            return self.uint(_PACKED_LENGTHS[first])
        raise Malformed(f"{first:#x} does not begin a length at offset {self.position - 1}")

    def text(self, length: int) -> str:
        """A name of ``length`` bytes, always UTF-8."""
        return self.take(length).decode()

    def terminated_text(self) -> str:
        """A name with its length before it and a zero byte after it."""
        name = self.text(self.packed())
        if self.uint(1) != 0:
            raise Malformed(f"a name does not end in a zero byte at offset {self.position - 1}")
        return name

    def finish(self) -> None:
        """Raises Malformed if anything is left."""
        if self.left:
            raise Malformed(f"{self.left} bytes are left over at offset {self.position}")


_PACKED_LENGTHS = {252: 2, 253: 3, 254: 8}


def crc32_of(data: Data) -> int:
    """CRC32 of all of ``data``, of which no more stays in memory than was there."""
    if isinstance(data, bytes):
        return crc32(data)
    total = 0
    for start in range(0, len(data), _PIECE):
        total = crc32(data[start : start + _PIECE], total)
        forget(data, start, start + _PIECE)
    return total


def forget(data: Data, start: int, end: int) -> None:
    """Let go of the pages of a mapped file that lie within ``data[start:end]``; they are read again where needed."""
    if isinstance(data, mmap):
        first = -(-start // PAGESIZE) * PAGESIZE
        last = min(end, len(data)) // PAGESIZE * PAGESIZE
        if last > first:
            data.madvise(MADV_DONTNEED, first, last - first)
