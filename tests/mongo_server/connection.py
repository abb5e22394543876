"""A client of one connection: commands and their replies, and nothing that a driver does beside."""

from __future__ import annotations

import itertools
import socket
from typing import Self

from tests.mongo_server.documents import Document, encode, plain
from tests.mongo_server.wire import HEADER, OP_MSG, Reader


class Connection:
    """A connection to a server on a loopback port, open for as long as the context lasts."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._numbers = itertools.count(1)

    def ask(self, command: Document) -> Document | None:
        """The reply to a command; None where the server has hung up."""
        content = b"\0\0\0\0\0" + encode(command)
        try:
            self._socket.sendall(HEADER.pack(HEADER.size + len(content), next(self._numbers), 0, OP_MSG) + content)
            reply = Reader(self._socket).read()
        except ConnectionError:
            return None
        return None if reply is None else {name: plain(value) for name, value in reply.command.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
