"""Plays a recorded conversation against the stand-in, and says where the two differ."""

from __future__ import annotations

from typing import Any, Self

from bson import Timestamp

from tests.mongo_server import MongoServer, Settings, User
from tests.mongo_server.connection import Connection
from tests.mongo_server.documents import Document
from tests.mongo_server.mapping import Mapping
from tests.mongo_server.recordings import Exchange

VERSION = (4, 4, 1)
STREAM_WAIT_MS = 1
"""Instead of the recorded ``maxTimeMS``: everything a stream waited for is there already when it is played."""


DIAGNOSTICS = {
    "buildInfo", "collStats", "connectionStatus", "getParameter", "replSetGetConfig", "replSetGetStatus",
    "serverStatus",
}  # fmt: skip
"""Commands about the server itself: what the stand-in answers has to be fields of the recorded answer, of its types."""


class Player:
    """One conversation: a stand-in whose clock stands at the recorded seconds, and connections to it."""

    def __init__(self, start: Timestamp, *, replica_set: str | None = "rs0") -> None:
        self.second = start.time
        settings = Settings(version=VERSION, replica_set=replica_set, now=lambda: float(self.second))
        self.server = MongoServer(settings)
        self.mapping = Mapping()
        self._connections: dict[int, Connection] = {}

    @property
    def member(self) -> Any:
        return self.server.member

    def log_in(self, role: Document | None) -> None:
        """From now on connections need a login, and those of this conversation have one: with that role, or none."""
        self.member.access.add(User("somebody", "admin", "", [] if role is None else [role]))
        self.member.access.everybody = "somebody"

    def play(self, exchange: Exchange) -> list[str]:
        """Send the command; return how the reply differs from the recorded one."""
        recorded = exchange.reply
        if recorded is not None and "operationTime" in recorded:
            self.second = max(self.second, recorded["operationTime"].time)
        command = self.command(exchange.command)
        self._hold(exchange.command, recorded)
        played = self.send(exchange.connection, command)
        self.member.engine.oplog.held = None
        return self.compare(exchange, played)

    def compare(self, exchange: Exchange, played: Document | None) -> list[str]:
        recorded = exchange.reply
        if recorded is None or played is None:
            return [] if recorded is None and played is None else ["one of the two closed the connection"]
        if "operationTime" in recorded:
            self._learn(recorded)
        if next(iter(exchange.command)) in DIAGNOSTICS and recorded["ok"]:
            return [f"{path} is not of a recorded type" for path in sorted(_shape(played) - _shape(recorded))]
        return self.mapping.differences(_without_times(recorded), _without_times(played))

    def command(self, recorded: Document) -> Document:
        """A recorded command with the ids, tokens and times of this conversation."""
        command: Document = self.mapping.command(recorded)
        if "getMore" in command:
            command["getMore"] = type(command["getMore"])(self.mapping.cursors[int(command["getMore"])])
            command["maxTimeMS"] = min(STREAM_WAIT_MS, command.get("maxTimeMS", STREAM_WAIT_MS))
        if "killCursors" in command:
            command["cursors"] = [type(one)(self.mapping.cursors[int(one)]) for one in command["cursors"]]
        return command

    def _hold(self, command: Document, recorded: Document | None) -> None:
        """Let streams see what a majority had when the reply was recorded."""
        if recorded is None or "operationTime" not in recorded:
            return
        if "getMore" in command or "$changeStream" in str(command.get("pipeline", "")):
            self.member.engine.oplog.held = self.mapping.times.played(recorded["operationTime"])

    def _learn(self, recorded: Document) -> None:
        time = recorded.get("opTime", {}).get("ts", recorded["operationTime"])
        self.mapping.times.learn(time, self.member.engine.clock.last)

    def send(self, connection: int, command: Document) -> Document | None:
        """A command over the wire; None where the server hangs up."""
        if connection not in self._connections:
            self._connections[connection] = Connection(self.server.port)
        return self._connections[connection].ask(command)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.__exit__()
        self.server.__exit__()


def _without_times(reply: Document) -> Document:
    return {name: value for name, value in reply.items() if name not in {"$clusterTime", "operationTime"}}


def _shape(value: Any, path: str = "") -> set[str]:
    """Paths of fields with the type of each."""
    if isinstance(value, dict):
        return {one for name, inner in value.items() for one in _shape(inner, f"{path}.{name}")}
    if isinstance(value, list):
        return {one for inner in value for one in _shape(inner, f"{path}[]")} or {f"{path}[]"}
    return {f"{path}: {type(value).__name__}"}
