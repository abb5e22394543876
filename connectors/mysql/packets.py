"""Reads the server's packets from a connection's socket.

A packet is a length (3 bytes), a sequence number (1 byte) and a payload; one of 16 MiB - 1 bytes is continued in the next.
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
PyMySQL's reader makes two reads, two copies and an object a packet, which is most of the time of reading small rows.
"""

from __future__ import annotations

import socket
import ssl
import struct

from streamtrain.errors import SourceUnavailable

_HEADER = struct.Struct("<I")
_LONGEST = 0xFFFFFF
_CHUNK = 1 << 18


class PacketReader:
    """The payloads of one answer of the server, in order.

    A timeout may come in the middle of a packet: what has arrived is kept, and the next call goes on.
    """

    def __init__(self, sock: socket.socket, doing: str) -> None:
        self._socket = sock
        self._timeout_before = sock.gettimeout()
        self._doing = doing
        self._data = b""
        self._at = 0
        self._sequence = 1
        self._continued: list[bytes] = []

    def read(self, timeout_s: float) -> bytes | None:
        """The next payload; None if it has not arrived whole within ``timeout_s`` seconds of silence.

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
            if length < _LONGEST and not self._continued:
                return payload
            self._continued.append(payload)
            if length < _LONGEST:
                payload = b"".join(self._continued)
                self._continued.clear()
                return payload

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
