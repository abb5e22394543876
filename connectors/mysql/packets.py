"""Reads the server's packets from a connection's socket.

A packet is a length (3 bytes), a sequence number (1 byte) and a payload; one of 16 MiB - 1 bytes is continued in the next.
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
PyMySQL's reader makes two reads, two copies and an object a packet, which is most of the time of reading small rows.
"""

from __future__ import annotations

import mmap
import socket
import ssl
import struct
import tempfile
from typing import BinaryIO, NamedTuple

from connectors.mysql.binlog.plain import Found, plain_transactions
from connectors.mysql.text_cells import row_packets
from streamtrain.errors import SourceUnavailable

_HEADER = struct.Struct("<I")
_LONGEST = 0xFFFFFF
_CHUNK = 1 << 18
_IN_MEMORY = 4 * _LONGEST
"""A payload of more bytes goes through a file: a compressed transaction may come as one of 1 GiB."""


class LargePayload(NamedTuple):
    """A payload that is in a file without a name, mapped into memory."""

    first: int
    """Its first byte, which tells what it is."""
    rest: mmap.mmap


class PacketReader:
    """The payloads of one answer of the server, in order.

    A timeout may come in the middle of a packet: what has arrived is kept, and the next call goes on.
    """

    def __init__(self, sock: socket.socket, doing: str, in_memory: int = _IN_MEMORY) -> None:
        """``in_memory``: a payload of more bytes is large."""
        self._socket = sock
        self._timeout_before = sock.gettimeout()
        self._doing = doing
        self.received = 0
        """Bytes that have arrived since."""
        self._data = b""
        self._at = 0
        self._sequence = 1
        self._in_memory = in_memory
        self._continued = _Continued(in_memory)

    def read(self, timeout_s: float) -> bytes | None:
        """The next payload, in memory; None if it has not arrived whole within ``timeout_s`` seconds of silence.

        Raises SourceUnavailable if the connection broke or packets are missing.
        """
        payload = self.read_any(timeout_s)
        return bytes([payload.first]) + payload.rest[:] if isinstance(payload, LargePayload) else payload

    def read_any(self, timeout_s: float) -> bytes | LargePayload | None:
        """As ``read``, but a large payload is left in a file.

        Raises SourceUnavailable if the connection broke or packets are missing.
        """
        while True:
            start = self._at + 4
            if start > len(self._data):
                if not self._receive(4, timeout_s):
                    return None
                start = self._at + 4
            (header,) = _HEADER.unpack_from(self._data, self._at)
            length = header & _LONGEST
            stop = start + length
            if stop > len(self._data):
                if not self._receive(4 + length, timeout_s):
                    return None
                start = self._at + 4
                stop = start + length
            if header >> 24 != self._sequence:
                raise self._broken("a packet is missing")
            self._sequence = (self._sequence + 1) & 0xFF
            self._at = stop
            payload = self._data[start:stop]
            if length < _LONGEST and not self._continued.size:
                return payload
            self._continued.add(payload)
            if length < _LONGEST:
                whole, self._continued = self._continued.whole(), _Continued(self._in_memory)
                return whole

    def rows(self) -> list[bytes]:
        """The next payloads, of those that have arrived whole, as long as they are surely rows of a SELECT; maybe none.

        What comes then is for ``read`` to say.
        """
        if self._continued.size:
            return []
        found, self._at, self._sequence = row_packets(self._data, self._at, self._sequence)
        return found

    def plain_transactions(self, largest: int) -> tuple[bytes, list[Found]]:
        """Of a log: the next transactions that ``binlog.plain`` finds in what has arrived, and the bytes in which it did."""
        if self._continued.size:
            return b"", []
        found, self._at, self._sequence = plain_transactions(self._data, self._at, self._sequence, largest)
        return self._data, found

    def fileno(self) -> int:
        """The socket's descriptor, to wait for more: when there is nothing to be read here, nothing has arrived unread."""
        return self._socket.fileno()

    def release(self) -> None:
        """Leave the socket as it was found, to one who believes to know how long it waits."""
        self._socket.settimeout(self._timeout_before)

    def _receive(self, needed: int, timeout_s: float) -> bool:
        """Have at least ``needed`` unread bytes; False if the server fell silent before."""
        chunks = [self._data[self._at :]]
        held = len(chunks[0])
        try:
            self._socket.settimeout(timeout_s)
            while held < needed:
                chunk = self._socket.recv(_CHUNK)
                if not chunk:
                    raise self._broken("the server closed the connection")
                chunks.append(chunk)
                held += len(chunk)
                self.received += len(chunk)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            raise self._broken(str(error)) from None
        finally:
            self._data = b"".join(chunks)
            self._at = 0
        return True

    def _broken(self, reason: str) -> SourceUnavailable:
        return SourceUnavailable(f"{self._doing}: {reason}")


class _Continued:
    """The parts of a payload of several packets, in memory or, once they are many, in a file."""

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self.size = 0
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None
        self._first = 0

    def add(self, part: bytes) -> None:
        self.size += len(part)
        self._parts.append(part)
        if self.size > self._in_memory:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
                self._first, self._parts[0] = self._parts[0][0], self._parts[0][1:]
            self._file.writelines(self._parts)
            self._parts.clear()

    def whole(self) -> bytes | LargePayload:
        if self._file is None:
            return b"".join(self._parts)
        self._file.flush()
        return LargePayload(self._first, mmap.mmap(self._file.fileno(), self.size - 1, access=mmap.ACCESS_READ))

    def __del__(self) -> None:
        # The mapping has the file for itself; without one, the connection broke in the middle.
        if self._file is not None:
            self._file.close()
