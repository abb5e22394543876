"""Sessions and their transactions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError
from tests.mongo_server.oplog import Operation
from tests.mongo_server.storage import Key, Record

TRANSIENT = "TransientTransactionError"


@dataclass(eq=False, slots=True)
class Transaction:
    """One transaction of a session: what it reads as of, and what it has written so far."""

    number: int
    lsid: Document
    read_time: Timestamp
    state: str = "open"
    """open, committed or aborted."""
    written: dict[tuple[bytes, Key], RawBSONDocument | None] = field(default_factory=dict)
    records: dict[tuple[bytes, Key], Record] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    commit_time: Timestamp | None = None
    undo: list[Callable[[], None]] = field(default_factory=list)
    """What takes away the collections that it made."""
    began_s: float = field(default_factory=time.monotonic)

    def end(self, state: str) -> None:
        """Let go of every document."""
        self.state = state
        if state == "aborted":
            for take_away in self.undo:
                take_away()
        for record in self.records.values():
            record.writer = None
        self.records.clear()
        self.written.clear()


class Sessions:
    """The last transaction of each session."""

    def __init__(self) -> None:
        self._last: dict[bytes, Transaction] = {}
        self._begun: list[Transaction] = []
        self._retried: dict[bytes, tuple[int, Document]] = {}

    def open_transactions(self) -> list[Transaction]:
        self._begun = [transaction for transaction in self._begun if transaction.state == "open"]
        return self._begun

    def start(self, lsid: Document, number: int, read_time: Timestamp) -> Transaction:
        """Begin a transaction; one that the session left open is aborted."""
        last = self._last.get(bytes(lsid["id"]))
        if last is not None and last.number >= number:
            raise _too_old(last, number)
        if last is not None and last.state == "open":
            last.end("aborted")
        transaction = Transaction(number, lsid, read_time)
        self._last[bytes(lsid["id"])] = transaction
        self._begun.append(transaction)
        return transaction

    def continued(self, lsid: Document, number: int) -> Transaction:
        """The session's transaction of that number, open or committed."""
        last = self._last.get(bytes(lsid["id"]))
        if last is None or last.number < number:
            active = -1 if last is None else last.number
            raise CommandError(
                251,
                f"Given transaction number {number} does not match any in-progress transactions. "
                f"The active transaction number is {active}",
                TRANSIENT,
            )
        if last.number > number:
            raise _too_old(last, number)
        if last.state == "aborted":
            raise CommandError(251, f"Transaction {number} has been aborted.", TRANSIENT)
        return last

    def end(self, identity: bytes) -> None:
        """The client says that it is done with a session."""
        last = self._last.get(identity)
        if last is not None and last.state == "open":
            last.end("aborted")

    def repeated(self, lsid: Document, number: int) -> Document | None:
        """The reply to a retryable write that was done already; a session has one at a time."""
        last, reply = self._retried.get(bytes(lsid["id"]), (None, None))
        return reply if last == number else None

    def done(self, lsid: Document, number: int, reply: Document) -> None:
        """Remember the reply to a retryable write."""
        self._retried[bytes(lsid["id"])] = (number, reply)


def _too_old(last: Transaction, number: int) -> CommandError:
    return CommandError(
        225,
        f"Cannot start transaction {number} on session because a newer transaction {last.number} has already started.",
    )
