"""The stand-in for MongoDB: listens on a loopback port and answers an unmodified driver."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from typing import Self

from bson import Timestamp

from tests.mongo_server import dispatch
from tests.mongo_server.access import User
from tests.mongo_server.context import Client
from tests.mongo_server.documents import Document
from tests.mongo_server.errors import ConnectionClosed
from tests.mongo_server.member import Member, Settings
from tests.mongo_server.replay import Replay
from tests.mongo_server.wire import EXHAUST_ALLOWED, MORE_TO_COME, Reader, Request, answer

SHORT_NAMES = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}


class MongoServer:
    """A one-node replica set in memory, for as long as the context lasts.

    with MongoServer() as server, pymongo.MongoClient(server.url) as client:
        client.shop.orders.insert_one({"_id": 1})
    """

    def __init__(self, settings: Settings | None = None, *, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.member = Member(settings or Settings(), f"127.0.0.1:{self.port}")
        self.member.hang_up = self.kill_connections
        self._connections: dict[int, socket.socket] = {}
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        settings = self.member.settings
        replica_set = None if settings.sharded else settings.replica_set
        return f"mongodb://{self.member.address}/" + (f"?replicaSet={replica_set}" if replica_set else "")

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with self.member.engine.changed:
            self.member.stopping = self.member.engine.stopping = True
            self.member.engine.changed.notify_all()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.kill_connections()
        for thread in self._threads:
            thread.join()

    def kill_cursors(self) -> None:
        """End every cursor, as an administrator or a timeout does."""
        self.member.kill_cursors()

    def kill_connections(self) -> None:
        """Hang up on every client."""
        for connection in list(self._connections.values()):
            _hang_up(connection)

    def step_down(self) -> None:
        """Become a secondary, as in an election that another member won."""
        self.member.step_down()

    def step_up(self) -> None:
        """Win the next election."""
        self.member.step_up()

    def roll_oplog(self, keep: int = 0) -> None:
        """Let the oplog forget all but its newest ``keep`` entries."""
        with self.member.engine.changed:
            self.member.engine.oplog.roll(keep)
            self.member.engine.changed.notify_all()

    def hold_majority(self, time: Timestamp | None) -> None:
        """Let streams see nothing after ``time``, as when a majority of members has no more; None lets them see all."""
        with self.member.engine.changed:
            self.member.engine.oplog.held = time
            self.member.engine.changed.notify_all()

    def replay(self, namespace: str, replay: Replay) -> None:
        """Answer streams of ``database.collection`` (``database.$cmd.aggregate`` for all of it) with encoded batches."""
        self.member.replays[namespace] = replay

    def add_user(self, user: User) -> None:
        """From the first user on, connections have to log in."""
        self.member.access.add(user)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.member.stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed, which is how it ends
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = next(self._numbers)
            self._connections[number] = connection
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        client, replies = Client(number), itertools.count(1)
        try:
            if (tls := self.member.settings.tls) is not None:
                connection.recv(1, socket.MSG_PEEK)  # of one that is gone already ssl would leave its socket open
                connection = self._connections[number] = tls.wrap_socket(connection, server_side=True)
                client.subject = _subject(connection)
            reader = Reader(connection)
            while (request := reader.read()) is not None:
                self._answer(connection, client, request, replies)
        except (ConnectionClosed, OSError):
            pass
        finally:
            self._connections.pop(number, None)
            connection.close()

    def _answer(
        self, connection: socket.socket, client: Client, request: Request, replies: itertools.count[int]
    ) -> None:
        exhaust = bool(request.flags & EXHAUST_ALLOWED)
        while True:
            reply = dispatch.answer(self.member, client, request.command, exhaust=exhaust)
            goes_on = exhaust and "maxAwaitTimeMS" in request.command and not self.member.stopping
            if not request.flags & MORE_TO_COME:
                number = next(replies)
                connection.sendall(b"".join(answer(request, reply, number, more_to_come=goes_on)))
                request = Request(number, request.operation, request.flags, _awaiting(request.command, reply))
            if not goes_on:
                return


def _awaiting(command: Document, reply: object) -> Document:
    """The command a stream of ``hello`` goes on with: it waits for another topology than the one it told."""
    if "topologyVersion" in command and isinstance(reply, dict):
        return {**command, "topologyVersion": reply.get("topologyVersion", command["topologyVersion"])}
    return command


def _subject(connection: ssl.SSLSocket) -> str | None:
    """The subject of the client's certificate, its most specific part first; None where it showed none."""
    certificate = connection.getpeercert()
    if not certificate:
        return None
    parts = [pair for part in certificate["subject"] for pair in part]  # type: ignore[union-attr]
    return ",".join(f"{SHORT_NAMES.get(name, name)}={value}" for name, value in reversed(parts))


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the client was faster
        return
