"""Reads a range of a collection in the order of its ``_id`` index, whatever the types, as of one moment.

A comparison by ``$gt`` sees values of one type only; bounds of the index do not:
https://www.mongodb.com/docs/manual/reference/method/cursor.min/
https://www.mongodb.com/docs/manual/reference/read-concern-snapshot/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.mongo.client import Client, Time, embedded, filter_of
from connectors.mongo.deployment import Deployment
from connectors.mongo.raw_bson import id_of, value_as
from connectors.mongo.settings import name_of
from streamtrain.errors import FatalError, SourceMisconfigured, SourceUnavailable

_DOING = "reading a collection"
_HINT = "a condition is a filter in extended JSON, as `find` takes it"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Documents of one collection as of one moment. Raises SourceUnavailable if there are none though more follow.

    Whoever read on behind it would read the same again, for ever.
    """

    collection: str
    """``database.collection``."""
    ids: Sequence[bytes]
    documents: Sequence[bytes]
    read_at: Time
    ended: bool
    """Whether nothing is behind it."""
    next: bytes | None = None
    """The first ``_id`` behind it, if the reply had that too."""

    def __post_init__(self) -> None:
        if not self.ids and not self.ended:
            raise SourceUnavailable(f"{_DOING}: the server gave no document of {self.collection}, and says more follow")


class ChunkReader:
    """Reads chunks of at most ``rows`` documents, and of what one reply holds (16 MB)."""

    def __init__(self, client: Client, deployment: Deployment, rows: int) -> None:
        self._client = client
        self._deployment = deployment
        self._rows = rows

    def now(self) -> Time:
        """The time as of which a chunk that is read next may be."""
        return self._client.now()

    def marks(self, names: Sequence[str]) -> dict[str, bytes | None]:
        """Which collection has each name now; None if there is none."""
        return self._client.collection_marks(names)

    def require(self, name: str, condition: str) -> None:
        """Raise SourceMisconfigured if a collection cannot be read by this condition. No document of it is read.

        https://www.mongodb.com/docs/manual/reference/command/explain/
        """
        database, collection = name_of(name)
        try:
            query = {"find": collection, "filter": filter_of(condition), "sort": {"_id": 1}, "hint": {"_id": 1}}
            self._client.command(database, {"explain": query, "verbosity": "queryPlanner"}, _DOING)
        except FatalError as error:
            raise SourceMisconfigured(error.message, hint=_HINT) from None

    def read(
        self, name: str, after: bytes | None, moment: Time, *, condition: str | None = None, rows: int | None = None
    ) -> Chunk:
        """The documents behind ``after`` as of ``moment``, at most ``rows`` if that is less than usual.

        Raises SnapshotGone if the server cannot go back there.
        """
        database, collection = name_of(name)
        most = rows or self._rows
        conditions = [] if condition is None else [filter_of(condition)]
        bound = {}
        if after is not None:
            # The bound itself is within: it may be as large as a reply can be, and nothing else would come.
            conditions.append({"_id": embedded(value_as(b"$ne", after))})
            bound["min"] = embedded(after)
        command: dict[str, Any] = {
            "find": collection,
            "filter": {"$and": conditions} if conditions else {},
            "sort": {"_id": 1},
            "hint": {"_id": 1},
            "limit": most + 1,  # one more than is given out tells whether there is one
            "batchSize": most + 2,
            **bound,
        }
        reply = self._client.read_at(database, command, moment, self._deployment, _DOING)
        documents = list(reply.documents)
        ids = [id_of(document) for document in documents]
        following = ids[most] if len(ids) > most else None
        ended = reply.cursor == 0 and following is None
        return Chunk(name, ids[:most], documents[:most], moment, ended, following)
