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
from connectors.mongo.raw_bson import id_of
from connectors.mongo.settings import name_of
from streamtrain.errors import FatalError, SourceMisconfigured

_DOING = "reading a collection"
_HINT = "a condition is a filter in extended JSON, as `find` takes it"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Documents of one collection as of one moment."""

    collection: str
    """``database.collection``."""
    ids: Sequence[bytes]
    documents: Sequence[bytes]
    read_at: Time
    ended: bool
    """Whether nothing is behind it."""
    next: bytes | None = None
    """The first ``_id`` behind it, if the reply had that too."""


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
        command: dict[str, Any] = {
            "find": collection,
            "filter": {} if condition is None else filter_of(condition),
            "sort": {"_id": 1},
            "hint": {"_id": 1},
            # One more than is given out tells whether there is one; the bound itself comes again.
            "limit": most + (2 if after is not None else 1),
            "batchSize": most + 2,
        }
        if after is not None:
            command["min"] = embedded(after)
        reply = self._client.read_at(database, command, moment, self._deployment, _DOING)
        documents = list(reply.documents)
        ids = [id_of(document) for document in documents]
        if ids and ids[0] == after:
            del ids[0], documents[0]
        following = ids[most] if len(ids) > most else None
        ended = reply.cursor == 0 and following is None
        return Chunk(name, ids[:most], documents[:most], moment, ended, following)
