"""Resume tokens: the hexadecimal KeyString of a position in the oplog.

A token is (time, version, type, index in the transaction, from an invalidate, collection, document key), each value
with its type's byte before it, in an order that compares as bytes. The bytes were read from recorded tokens of 4.4.1.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from bson import Timestamp

from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError
from tests.mongo_server.key_string import END, FormatError, Reader, Writer, append

HIGH_WATER_MARK, EVENT = 0, 128
TOKEN_VERSION = 1


@dataclass(frozen=True, slots=True)
class Token:
    """What a resume token says."""

    time: Timestamp
    kind: int
    operation: int
    from_invalidate: bool
    uuid: bytes | None
    data: str
    """As it is sent. Data of tokens compare as the positions they stand for."""

    type_bits: bytes | None = None
    """What tells numbers of one value but of several types apart in the document key."""

    @property
    def document(self) -> Document:
        return {"_data": self.data} | ({} if self.type_bits is None else {"_typeBits": self.type_bits})


def of_event(time: Timestamp, operation: int, uuid: bytes | None, key: Document | None, *, invalid: bool) -> Token:
    """The token of an event: ``operation`` is its number in its transaction."""
    out = _start(time, EVENT, operation, invalid=invalid)
    if uuid is not None:
        out.content += b"\x5a\x10\x04" + uuid
    if key is not None:
        append(out, key)
    return Token(time, EVENT, operation, invalid, uuid, _hexadecimal(out), out.type_bits)


def of_fragment(token: Token, number: int) -> Token:
    """The token of one fragment of an event that was split: after those before it, before the next event."""
    out = Writer(bytearray(bytes.fromhex(token.data)[:-1]))
    append(out, number)
    return dataclasses.replace(token, data=_hexadecimal(out))


def high_water_mark(time: Timestamp) -> Token:
    """A token of no event, before all events of its time."""
    return Token(time, HIGH_WATER_MARK, 0, False, None, _hexadecimal(_start(time, HIGH_WATER_MARK, 0, invalid=False)))


def _start(time: Timestamp, kind: int, operation: int, *, invalid: bool) -> Writer:
    out = Writer()
    for value in (time, TOKEN_VERSION, kind, operation, invalid):
        append(out, value)
    return out


def _hexadecimal(out: Writer) -> str:
    return (bytes(out.content) + bytes([END])).hex().upper()


def parse(token: Document) -> Token:
    """Read a client's token; raises the errors that 4.4.1 answers to those it cannot read."""
    data = token.get("_data")
    if not isinstance(data, str):
        raise CommandError(
            40647, f"Bad resume token: _data of missing or of wrong type. Expected string, got {shown(token)}"
        )
    try:
        content = bytes.fromhex(data)
    except ValueError:
        raise CommandError(9, "resume token string was not a valid hex string") from None
    try:
        return _read(Reader(content), data.upper(), token.get("_typeBits"))
    except FormatError as error:
        raise CommandError(50811, f"KeyString format error: {error}") from None


def _read(reader: Reader, data: str, type_bits: bytes | None) -> Token:
    time, version, kind = reader.next(), reader.next(), reader.next()
    operation, from_invalidate = reader.next(), reader.next()
    if not isinstance(time, Timestamp) or version != TOKEN_VERSION:
        raise CommandError(50795, f"Invalid resume token: {data}")
    return Token(time, kind, operation, from_invalidate, reader.next(), data, type_bits)


def shown(document: Any) -> str:
    """A document as the server's messages show it."""
    if isinstance(document, dict):
        return "{" + ", ".join(f"{name}: {shown(value)}" for name, value in document.items()) + "}"
    if isinstance(document, list):
        return "[" + ", ".join(map(shown, document)) + "]"
    if isinstance(document, str):
        return f'"{document}"'
    if isinstance(document, bool):
        return "true" if document else "false"
    if isinstance(document, Timestamp):
        return f"Timestamp({document.time}, {document.inc})"
    return str(document)
