"""One change stream as a cursor: opened at a position that is proven to be in the oplog, read in batches, opened again.

https://www.mongodb.com/docs/manual/changeStreams/
https://github.com/mongodb/specifications/blob/master/source/change-streams/change-streams.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from connectors.mongo.client import Client, Reply, Time
from connectors.mongo.deployment import Deployment
from connectors.mongo.position import StreamPosition
from connectors.mongo.server_errors import EventTooLarge
from connectors.mongo.settings import MongoSettings
from streamtrain.errors import SourceUnavailable

_BATCH = 5_000
"""Events in one reply at most; the server also ends it at 16 MB."""
_DOING = "reading the change stream"


_DOCUMENTS = ("fullDocument", "fullDocumentBeforeChange", "updateDescription")


class Width(IntEnum):
    """How much is asked for at once. What is too large for the server to send is asked for with less and less."""

    BATCHES = 0
    SINGLE = 1
    """One event: with it fail those before it in its batch, and nothing tells which it is."""
    WITHOUT_IMAGES = 2
    """One event, with what it changed but without the document before and after it."""
    OUTLINE = 3
    """One event, with nothing but its kind, its collection and its document's key."""


class Batch(NamedTuple):
    """What one read gave."""

    data: bytes
    place: int
    """Where in ``data`` the array of events begins."""
    token: Mapping[str, Any] | None
    """Where the stream has come to after them; None if the server did not say."""
    width: Width = Width.BATCHES


class ChangeStream:
    """The change stream of one scope. Not thread-safe."""

    def __init__(self, client: Client, deployment: Deployment, settings: MongoSettings) -> None:
        self._client = client
        self._deployment = deployment
        self._settings = settings
        self._database = settings.scope.database or "admin"
        self._collection = settings.scope.collection
        self._cursor = 0
        self._waiting: Batch | None = None
        self._width = Width.BATCHES
        self.behind = ""
        """Events up to this token are not to be given: they were, by another stream."""

    def begin(self, behind: Time) -> Mapping[str, Any]:
        """Open right behind the time ``behind``; the token of that place."""
        start = Time(behind.seconds, behind.ordinal + 1)
        reply = self._open({"startAtOperationTime": start.timestamp}, batch=0)
        if reply.token is None:
            raise SourceUnavailable("the server gave no token with a change stream that was just opened")
        return reply.token

    def go_on(self, position: StreamPosition) -> None:
        """Open after ``position``, and where an event is too large to be sent, with less of it.

        Raises PositionLost if the oplog does not reach back to it, EventTooLarge if there is nothing less.
        """
        while True:
            try:
                self._resume(position)
            except EventTooLarge as error:
                self._narrow(position, error)
            else:
                return

    def go_on_narrower(self, position: StreamPosition, error: EventTooLarge) -> None:
        """The same after ``error``, which a read has raised."""
        self._narrow(position, error)
        self.go_on(position)

    def widen(self, position: StreamPosition) -> None:
        """Go on with batches: the event that was too large is passed, and ``position`` is behind it."""
        self._client.kill_cursor(self._database, self._named, self._cursor)
        self._width = Width.BATCHES
        self.go_on(position)

    def _narrow(self, position: StreamPosition, error: EventTooLarge) -> None:
        if self._width is Width.OUTLINE or position.data == self.behind:
            raise error
        self._width = Width(self._width + 1)

    def _resume(self, position: StreamPosition) -> None:
        """Open after ``position``.

        A token whose event has left the oplog opens without an error, and the server even gives a later one as long as
        there is no event: whoever keeps that has lost what lies between. A stream that is started at the token's time
        answers at once. It is asked once the first batch is there, so that the log cannot roll on in between.
        """
        if position.scope != str(self._settings.scope) or position.data == self.behind:
            # Another stream's token may name an event that this one does not have.
            self._open({"startAtOperationTime": position.time.timestamp})
            self.behind = position.data
            return
        start = "startAfter" if position.after_invalidate else "resumeAfter"
        self._open({start: position.token})
        self._prove(position.time)

    def read(self, timeout_s: float) -> Batch:
        """The next events, waiting at most ``timeout_s`` for the first."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            return waiting
        reply = self._client.cursor(
            self._database,
            {
                "getMore": self._cursor,
                "collection": self._named,
                "batchSize": self._most,
                "maxTimeMS": max(1, int(timeout_s * 1_000)),
            },
            _DOING,
        )
        self._cursor = reply.cursor
        return Batch(reply.data, reply.place, reply.token, self._width)

    @property
    def ended(self) -> bool:
        """Whether the server has closed the cursor, as it does after an ``invalidate``."""
        return self._cursor == 0

    @property
    def _named(self) -> str:
        """What a cursor's commands call the collection."""
        return self._collection or "$cmd.aggregate"

    @property
    def _most(self) -> int:
        return _BATCH if self._width is Width.BATCHES else 1

    def _open(self, start: dict[str, Any], batch: int | None = None) -> Reply:
        pipeline: list[dict[str, Any]] = [{"$changeStream": self._options() | start}]
        if self._width is Width.OUTLINE:
            pipeline.append({"$project": dict.fromkeys(_DOCUMENTS, 0)})
        if self._deployment.splits_events:
            pipeline.append({"$changeStreamSplitLargeEvent": {}})
        reply = self._aggregate(pipeline, self._most if batch is None else batch)
        self._cursor = reply.cursor
        self._waiting = None if reply.empty else Batch(reply.data, reply.place, reply.token, self._width)
        return reply

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self._deployment.post_images:
            options["showExpandedEvents"] = True
        if self._width < Width.WITHOUT_IMAGES:
            options |= self._images()
        if self._settings.scope.database is None:
            options["allChangesForCluster"] = True
        return options

    def _images(self) -> dict[str, Any]:
        images: dict[str, Any] = {}
        if self._settings.after == "lookup":
            images["fullDocument"] = "updateLookup"
        elif self._deployment.post_images:
            images["fullDocument"] = "whenAvailable"
        if self._deployment.post_images:
            images["fullDocumentBeforeChange"] = "whenAvailable"
        return images

    def _prove(self, time: Time) -> None:
        scope = {"allChangesForCluster": True} if self._settings.scope.database is None else {}
        stage = {"$changeStream": {"startAtOperationTime": time.timestamp} | scope}
        reply = self._aggregate([stage, {"$project": {"_id": 1}}], 1)
        self._client.kill_cursor(self._database, self._named, reply.cursor)

    def _aggregate(self, pipeline: Sequence[Mapping[str, Any]], batch: int) -> Reply:
        command = {
            "aggregate": self._collection or 1,
            "pipeline": list(pipeline),
            "cursor": {"batchSize": batch},
        }
        return self._client.cursor(self._database, command, "opening the change stream")
