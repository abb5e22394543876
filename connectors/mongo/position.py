"""Where a change stream goes on: a resume token, and what has to be known beside it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.mongo.client import Time
from connectors.mongo.settings import Selection
from streamtrain.errors import PositionLost

_TIMESTAMP = 0x82
"""The byte before a timestamp in a KeyString; a token begins with its event's time."""

_KIND, _NO_EVENT = slice(22, 24), "29"
"""Where the token's kind stands behind time and version, and what it is for a token of no event: a KeyString's 0."""


@dataclass(frozen=True, slots=True)
class Reselection:
    """Other collections are captured than when what the stream is about to tell was committed."""

    before: Selection
    until: Time
    """What is told of up to here was committed before collections were looked at anew."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the position."""
        return {"include": list(self.before.include), "exclude": list(self.before.exclude), "until": list(self.until)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Reselection:
        """Raises TypeError or KeyError on anything else."""
        return cls(Selection(tuple(document["include"]), tuple(document["exclude"])), Time(*document["until"]))


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A place in one deployment's change stream."""

    scope: str
    """What the stream watches: its tokens are of no use for another."""
    data: str
    """The token's ``_data``: hexadecimal, and in the order of events."""
    selection: Selection
    """What is captured."""
    type_bits: str | None = None
    """The token's ``_typeBits`` in base64, where it has them."""
    after_invalidate: bool = False
    """The token is of an ``invalidate``: the stream has to be started after it and cannot be resumed."""
    batch: int = 0
    """How often documents were held or changed up to here: by it the store of documents finds its state."""
    store: str | None = None
    """The identity of that store."""
    reselection: Reselection | None = None
    transaction: Mapping[str, Any] | None = None
    """The transaction that lies across the place, with its counters."""
    snapshots: Any = None
    signals: int | None = None
    time: Time = field(init=False, compare=False)
    """The token's."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", _time(self.data))

    @classmethod
    def begun(cls, scope: str, token: Mapping[str, Any], selection: Selection) -> StreamPosition:
        """The place of a stream that was just opened."""
        return cls(scope, str(token["_data"]), selection=selection).at(token)

    def capturing(self, scope: str, selection: Selection, at: Time) -> StreamPosition:
        """The same of a stream that watches, and of which are captured, others of the collections that were there ``at`` a time."""
        before = self.selection if self.reselection is None else self.reselection.before
        return replace(
            self,
            scope=scope,
            selection=selection,
            reselection=self.reselection if selection == self.selection else Reselection(before, at),
            after_invalidate=self.after_invalidate and scope == self.scope,
        )

    def at(self, token: Mapping[str, Any], *, after_invalidate: bool = False) -> StreamPosition:
        """The same at another token. A stream that was started after an ``invalidate`` may say that very token again."""
        data = str(token["_data"])
        bits = token.get("_typeBits")
        return replace(
            self,
            data=data,
            type_bits=None if bits is None else b64encode(bytes(bits)).decode(),
            after_invalidate=after_invalidate or (self.after_invalidate and data == self.data),
        )

    @property
    def of_event(self) -> bool:
        """Whether the token is an event's. Others say how far the log was read, and may lie a moment ahead of it."""
        return self.data[_KIND] != _NO_EVENT

    @property
    def token(self) -> dict[str, Any]:
        """The token as a server takes it."""
        token: dict[str, Any] = {"_data": self.data}
        if self.type_bits is not None:
            token["_typeBits"] = b64decode(self.type_bits)
        return token

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        document = {
            "stream": self.scope,
            "token": self.data,
            "type_bits": self.type_bits,
            "after_invalidate": self.after_invalidate or None,
            "batch": self.batch,
            "store": self.store,
            "include": list(self.selection.include),
            "exclude": list(self.selection.exclude) or None,
            "reselection": None if self.reselection is None else self.reselection.to_json(),
            "transaction": self.transaction,
            "snapshots": self.snapshots or None,
            "signals": self.signals,
        }
        return {name: value for name, value in document.items() if value is not None}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> StreamPosition:
        """Raises PositionLost if it is none of ours."""
        reselection = document.get("reselection")
        try:
            return cls(
                scope=document["stream"],
                data=document["token"],
                type_bits=document.get("type_bits"),
                after_invalidate=bool(document.get("after_invalidate")),
                batch=int(document["batch"]),
                store=document.get("store"),
                selection=Selection(tuple(document["include"]), tuple(document.get("exclude", ()))),
                reselection=None if reselection is None else Reselection.from_json(reselection),
                transaction=document.get("transaction"),
                snapshots=document.get("snapshots"),
                signals=document.get("signals"),
            )
        except (KeyError, TypeError, ValueError):
            raise PositionLost(
                "the stored position is none of a MongoDB source of this version",
                hint="choose a new topic.prefix, or go on with what has written it",
            ) from None


def _time(data: str) -> Time:
    content = bytes.fromhex(data[:18])
    if len(content) != 9 or content[0] != _TIMESTAMP:
        raise ValueError("no resume token")
    return Time(int.from_bytes(content[1:5], "big"), int.from_bytes(content[5:9], "big"))
