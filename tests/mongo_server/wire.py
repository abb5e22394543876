"""Messages of MongoDB's wire protocol: OP_MSG, and OP_QUERY with OP_REPLY, which only a handshake uses.

Source: MongoDB manual, "MongoDB Wire Protocol".
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from bson.raw_bson import RawBSONDocument

from tests.mongo_server.documents import RAW_OPTIONS, Document, encode

HEADER = struct.Struct("<iiii")  # bytes in all, request id, the request answered, operation code
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
CHECKSUM_PRESENT, MORE_TO_COME = 1, 2
EXHAUST_ALLOWED = 1 << 16


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it came: its fields in order, documents inside it still raw."""

    number: int
    operation: int
    flags: int
    command: Document


class Reader:
    """Cuts messages from a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self) -> Request | None:
        """The next request, or None where the client has hung up."""
        header = self._exactly(HEADER.size)
        if header is None:
            return None
        size, number, _, operation = HEADER.unpack(header)
        body = self._exactly(size - HEADER.size)
        if body is None:
            return None
        if operation == OP_QUERY:
            return _query(number, body)
        if operation != OP_MSG:
            raise ValueError(f"a message of operation {operation} is not understood")
        return _message(number, body)

    def _exactly(self, size: int) -> bytes | None:
        content = bytearray()
        while len(content) < size:
            part = self._connection.recv(min(size - len(content), 1 << 20))
            if not part:
                return None
            content += part
        return bytes(content)


def _query(number: int, body: bytes) -> Request:
    end = body.index(0, 4)
    command = dict(RawBSONDocument(_document_at(body, end + 9), RAW_OPTIONS))
    command["$db"] = body[4:end].decode().partition(".")[0]
    return Request(number, OP_QUERY, 0, command)


def _message(number: int, body: bytes) -> Request:
    (flags,) = struct.unpack_from("<I", body)
    end = len(body) - (4 if flags & CHECKSUM_PRESENT else 0)
    at, command, sequences = 4, Document(), Document()
    while at < end:
        if body[at] == 0:
            document = _document_at(body, at + 1)
            command = dict(RawBSONDocument(document, RAW_OPTIONS))
            at += 1 + len(document)
        else:
            (size,) = struct.unpack_from("<i", body, at + 1)
            name_ends = body.index(0, at + 5)
            name = body[at + 5 : name_ends].decode()
            sequences[name] = _documents(body[name_ends + 1 : at + 1 + size])
            at += 1 + size
    return Request(number, OP_MSG, flags, command | sequences)


def _document_at(content: bytes, at: int) -> bytes:
    (size,) = struct.unpack_from("<i", content, at)
    return content[at : at + size]


def _documents(content: bytes) -> list[RawBSONDocument]:
    documents, at = [], 0
    while at < len(content):
        document = _document_at(content, at)
        documents.append(RawBSONDocument(document, RAW_OPTIONS))
        at += len(document)
    return documents


def answer(request: Request, reply: Document, number: int, *, more_to_come: bool = False) -> Sequence[bytes]:
    """The parts of a reply, to be sent one after another."""
    content = encode(reply)
    if request.operation == OP_QUERY:
        head = struct.pack("<iqii", 8, 0, 0, 1)  # "await capable"; no cursor; from the start; one document
        return (HEADER.pack(16 + len(head) + len(content), number, request.number, OP_REPLY) + head, content)
    head = struct.pack("<IB", MORE_TO_COME if more_to_come else 0, 0)
    return (HEADER.pack(16 + len(head) + len(content), number, request.number, OP_MSG) + head, content)
