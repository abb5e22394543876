"""A server that says again what a real replica set said: each recorded change stream, reply by reply, to an unmodified driver."""

from __future__ import annotations

import itertools
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

from bson import Int64, Timestamp

from tests.mongo_server.documents import Document, decode
from tests.mongo_server.recordings import exchanges, scenarios
from tests.mongo_server.wire import Reader, Request, answer


@dataclass(frozen=True)
class Stream:
    """One change stream of a recording: how it was opened, and every reply to it. None: the server hung up."""

    scenario: str
    number: int
    """Of the message that opened it."""
    database: str
    collection: str | None
    options: Document
    opened: Document
    batches: list[Document | None] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.scenario}-{self.number}"

    @property
    def include(self) -> str:
        """What a source has to capture to open the same stream."""
        if "allChangesForCluster" in self.options:
            return "*.*"
        return f"{self.database}.{self.collection or '*'}"

    @property
    def token(self) -> Document | None:
        """What it goes on after; None where it begins."""
        found: Document | None = self.options.get("resumeAfter", self.options.get("startAfter"))
        return found

    @property
    def replies(self) -> list[Document | None]:
        return [self.opened, *self.batches]

    @property
    def events(self) -> list[Document]:
        return [event for reply in self.replies for event in events_of(reply)]

    @property
    def code(self) -> int | None:
        """Of the error that ended it, if one did."""
        codes = [reply["code"] for reply in self.replies if reply is not None and "code" in reply]
        return codes[0] if codes else None

    @property
    def whole(self) -> bool:
        """Whether no reply was left out of the recording for its size."""
        return not any(reply is not None and "left_out" in reply for reply in self.replies)


def events_of(reply: Document | None) -> list[Document]:
    cursor = (reply or {}).get("cursor", {})
    return list(cursor.get("nextBatch", cursor.get("firstBatch", ())))


def streams() -> list[Stream]:
    """All change streams of all recordings."""
    found = list[Stream]()
    for scenario in scenarios():
        cursors: dict[int, Stream] = {}
        for exchange in exchanges(scenario):
            command, reply = exchange.command, exchange.reply
            pipeline = command.get("pipeline") or [{}]
            if "$changeStream" in pipeline[0] and reply is not None:
                collection = None if command["aggregate"] == 1 else str(command["aggregate"])
                options = dict(pipeline[0]["$changeStream"])
                found.append(Stream(scenario, exchange.number, command["$db"], collection, options, reply))
                cursors[int(reply.get("cursor", {}).get("id", 0))] = found[-1]
            elif "getMore" in command and int(command["getMore"]) in cursors:
                cursors[int(command["getMore"])].batches.append(reply)
    return found


class Playback:
    """A server on a loopback port that answers with recorded replies, for as long as the context lasts.

    ``opens`` are answers to commands that open a stream, in turn; the last one stands for whatever comes after it.
    """

    def __init__(self, opens: list[Document], batches: list[Document | None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self._opens, self._batches = list(opens), list(batches)
        said = next(one.reply or {} for one in exchanges("handshake") if "isMaster" in one.command)
        # Without a version of the topology the driver asks again, and does not wait for a change of it.
        self._hello = {name: value for name, value in said.items() if name != "topologyVersion"}
        self._connections = list[socket.socket]()
        self._threads = list[threading.Thread]()
        self.asked = list[Document]()
        """The options of each stream that was opened."""
        self.ended = False
        """Whether more was asked for than was recorded."""

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed, which is how it ends
                return
            self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        reader, numbers = Reader(connection), itertools.count(1)
        try:
            for request in iter(reader.read, None):
                reply = self._reply(request)
                if reply is None:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                connection.sendall(b"".join(answer(request, reply, next(numbers))))
        except OSError:  # the client was faster
            return

    def _reply(self, request: Request) -> Document | None:
        command = request.command
        name = next(iter(command))
        if name.lower() in {"hello", "ismaster"}:
            return self._hello
        if name == "aggregate":
            self.asked.append(decode(command["pipeline"][0].raw)["$changeStream"])
            return self._opens.pop(0) if len(self._opens) > 1 else self._opens[0]
        if name == "getMore" and self._batches:
            return self._batches.pop(0)
        more = name == "getMore"
        self.ended = self.ended or more
        # Nothing comes, nothing is there, and a stream stays open.
        cursor = {"id": Int64(more), "ns": "played.out", "nextBatch" if more else "firstBatch": []}
        version = [4, 4, 1, 0]
        return {"cursor": cursor, "databases": [], "versionArray": version, "operationTime": Timestamp(1, 1), "ok": 1.0}
