"""One command as its handler sees it: its fields, its session, and the server it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson import Timestamp

from tests.mongo_server.documents import Document, plain
from tests.mongo_server.engine import Engine
from tests.mongo_server.errors import CommandError
from tests.mongo_server.transactions import Transaction

if TYPE_CHECKING:
    from tests.mongo_server.member import Member


@dataclass(slots=True)
class Client:
    """A connection: its number and who logged in on it."""

    number: int
    user: str | None = None
    application: str = ""
    """What the client calls itself."""
    subject: str | None = None
    """Of the certificate that the client showed, as RFC 2253 writes it."""
    login: Any = None
    """A conversation of SCRAM that is under way."""


@dataclass(slots=True)
class Context:
    """A command under way."""

    member: Member
    client: Client
    name: str
    command: Mapping[str, Any]
    exhaust: bool = False
    transaction: Transaction | None = None
    cluster_read_time: Timestamp | None = field(default=None)
    """Of a read of a snapshot outside of a transaction."""

    @property
    def engine(self) -> Engine:
        return self.member.engine

    @property
    def version(self) -> tuple[int, ...]:
        return self.member.version

    @property
    def database(self) -> str:
        return str(self.command.get("$db", "admin"))

    @property
    def target(self) -> Any:
        """The command's own value: usually a collection's name."""
        return self.command[next(iter(self.command))]

    @property
    def collection(self) -> str:
        if not isinstance(self.target, str):
            raise CommandError(73, f"collection name has invalid type {type(self.target).__name__}")
        return self.target

    @property
    def session(self) -> bytes | None:
        """The id of the session; None for a command outside of one."""
        lsid = self.command.get("lsid")
        return None if lsid is None else bytes(lsid["id"])

    @property
    def read_time(self) -> Timestamp | None:
        """The moment a read sees; None for now."""
        return self.transaction.read_time if self.transaction is not None else self.cluster_read_time

    def option(self, name: str, default: Any = None) -> Any:
        """A field of the command with plain documents inside."""
        return plain(self.command.get(name, default))

    def documents(self, name: str) -> list[Any]:
        """A field that is a list of documents, still raw."""
        return list(self.command[name])

    def written(self) -> Document:
        """The fields that replies to writes have on a replica set."""
        operation_time = self.engine.clock.last
        return {
            "opTime": {"ts": operation_time, "t": self.member.term},
            "electionId": self.member.election_id,
        }
