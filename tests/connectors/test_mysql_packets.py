from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mysql.packets import LargePayload, PacketReader
from streamtrain.errors import SourceUnavailable


def framed(payloads: list[bytes], first: int = 1) -> bytes:
    """Packets as a server sends them, long ones continued."""
    sequence, parts = first, list[bytes]()
    for payload in payloads:
        rest, last = payload, False
        while not last:
            piece, rest = rest[:0xFFFFFF], rest[0xFFFFFF:]
            last = len(piece) < 0xFFFFFF
            parts.append(struct.pack("<I", len(piece) | (sequence & 0xFF) << 24) + piece)
            sequence += 1
    return b"".join(parts)


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, PacketReader]]:
    server, client = socket.socketpair()
    with server, client:
        yield server, PacketReader(client, "reading")


@given(payloads=st.lists(st.binary(max_size=300), max_size=30), data=st.data())
def test_packets_come_whole_however_they_are_cut_on_the_way(payloads: list[bytes], data: st.DataObject) -> None:
    stream = framed(payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    server, client = socket.socketpair()
    with server, client:
        reader, received = PacketReader(client, "reading"), list[bytes]()
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            server.sendall(stream[start:stop])
            while (packet := reader.read(0)) is not None:
                received.append(packet)
    assert received == payloads


@pytest.mark.parametrize("length", [0xFFFFFE, 0xFFFFFF, 0x1000000, 2 * 0xFFFFFF])
def test_a_packet_of_sixteen_megabytes_or_more_is_put_together(length: int) -> None:
    payloads = [b"before", bytes(range(256)) * (length // 256) + b"x" * (length % 256), b"after"]
    stream = memoryview(framed(payloads))
    server, client = socket.socketpair()
    with server, client:
        server.setblocking(False)
        reader, received, sent = PacketReader(client, "reading"), list[bytes](), 0
        while len(received) < len(payloads):
            if sent < len(stream):
                with suppress(BlockingIOError):
                    sent += server.send(stream[sent : sent + (1 << 20)])
            packet = reader.read(0)
            if packet is not None:
                received.append(packet)
    assert received == payloads


def test_silence_is_no_error(wire: tuple[socket.socket, PacketReader]) -> None:
    server, reader = wire
    assert reader.read(0.01) is None
    server.sendall(framed([b"late"]))
    assert reader.read(1.0) == b"late"


def test_a_closed_connection_is_told(wire: tuple[socket.socket, PacketReader]) -> None:
    server, reader = wire
    server.sendall(framed([b"whole"]) + b"\x09\x00")
    server.close()
    assert reader.read(1.0) == b"whole"
    with pytest.raises(SourceUnavailable, match="reading: the server closed the connection"):
        reader.read(1.0)


def test_a_missing_packet_is_told(wire: tuple[socket.socket, PacketReader]) -> None:
    server, reader = wire
    server.sendall(framed([b"a"], first=1) + framed([b"c"], first=3))
    assert reader.read(1.0) == b"a"
    with pytest.raises(SourceUnavailable, match="a packet is missing"):
        reader.read(1.0)


def test_a_large_payload_goes_through_a_file_and_the_others_do_not() -> None:
    large = b"\0" + random.Random(3).randbytes(3 * 0xFFFFFF)
    payloads = [b"before", large, b"x" * 0x1000000, b"after"]
    for keep in (True, False):
        server, client = socket.socketpair()
        with server, client:
            sender = threading.Thread(target=server.sendall, args=(framed(payloads),))
            sender.start()
            reader = PacketReader(client, "reading", in_memory=2 * 0xFFFFFF)
            received = [reader.read_any(10.0) if keep else reader.read(10.0) for _ in payloads]
            sender.join()
        if keep:
            mapped = received[1]
            assert isinstance(mapped, LargePayload)
            assert (mapped.first, mapped.rest[:] == large[1:]) == (0, True)
            received[1] = large
        assert received == payloads
