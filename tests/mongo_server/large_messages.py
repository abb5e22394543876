"""Commands that the recordings name but leave out for their size, made again: of the size that was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from tests.mongo_server.documents import Document
from tests.mongo_server.recordings import Exchange

TRANSACTION = {"txnNumber": 1, "autocommit": False, "$db": "tx"}


def bytes_left_out(message: Document) -> int:
    """The size that was recorded in the place of a message."""
    return int(message["left_out"].split()[0])


def restored(scenario: str, conversation: Iterable[Exchange]) -> Iterator[Exchange]:
    """The conversation with commands in the place of those left out."""
    session: Any = None
    made = 0
    for exchange in conversation:
        session = exchange.command.get("lsid", session)
        if "left_out" in exchange.command:
            command = _large(scenario, made) | {"lsid": session}
            made += 1
            yield replace(exchange, command=command)
        else:
            yield exchange


def _large(scenario: str, number: int) -> Document:
    if scenario == "transaction_over_16_mb":
        start = {} if number else {"startTransaction": True}
        document = {"_id": number, "pad": "x" * 5_000_000}
        return {"insert": "big", "ordered": True, **TRANSACTION, **start, "documents": [document]}
    if number == 0:
        return {"insert": "huge", "ordered": True, "$db": "shop", "documents": [{"_id": 1, "a": "x" * 9_000_000}]}
    change = {"$set": {"b": "y" * 7_700_000}}
    update = {"q": {"_id": 1}, "u": change, "multi": False, "upsert": False}
    return {"update": "huge", "ordered": True, "$db": "shop", "updates": [update]}
