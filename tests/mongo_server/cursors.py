"""Open cursors, each of the session that opened it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bson.raw_bson import RawBSONDocument

from tests.mongo_server.change_stream import ChangeStream
from tests.mongo_server.documents import MOST_BYTES, encode, raw
from tests.mongo_server.errors import CommandError

FIRST_BATCH = 101


class Results:
    """Documents of a query that are yet to be sent."""

    def __init__(self, documents: Iterable[Any]) -> None:
        self._documents: Iterator[Any] = iter(documents)
        self._next = next(self._documents, None)

    @property
    def ended(self) -> bool:
        return self._next is None

    def read(self, most: int | None) -> list[RawBSONDocument]:
        """Up to ``most`` documents, or 16 MB."""
        found: list[RawBSONDocument] = []
        size = 0
        while self._next is not None and (most is None or len(found) < most):
            content = self._next if isinstance(self._next, RawBSONDocument) else raw(encode(self._next))
            size += len(content.raw)
            if found and size > MOST_BYTES:
                break
            found.append(content)
            self._next = next(self._documents, None)
        return found


@dataclass(slots=True)
class Cursor:
    """A cursor that a client may ask for more."""

    number: int
    namespace: str
    source: Results | ChangeStream | Any
    session: bytes | None
    batch_size: int | None = None


@dataclass(slots=True)
class Cursors:
    """Those that are open, by number."""

    open: dict[int, Cursor] = field(default_factory=dict)
    made: int = 0

    def add(self, namespace: str, source: Any, session: bytes | None) -> Cursor:
        self.made += 1
        digest = hashlib.sha256(f"cursor {self.made}".encode()).digest()
        cursor = Cursor(int.from_bytes(digest[:8], "big") >> 1 | 1, namespace, source, session)
        self.open[cursor.number] = cursor
        return cursor

    def get(self, number: int, session: bytes | None) -> Cursor:
        cursor = self.open.get(number)
        if cursor is None:
            raise CommandError(43, f"cursor id {number} not found")
        if cursor.session is not None and session != cursor.session:
            raise CommandError(
                50738,
                f"Cannot run getMore on cursor {number}, which was created in session {cursor.session.hex()}, in "
                "another session or in none",
            )
        return cursor

    def close(self, number: int) -> bool:
        return self.open.pop(number, None) is not None
