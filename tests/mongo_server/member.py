"""The member of the replica set that the stand-in is: its version, its state and everything it holds."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from bson import Int64, ObjectId

from tests.mongo_server.access import Access
from tests.mongo_server.cursors import Cursors
from tests.mongo_server.documents import MOST_BYTES, Document
from tests.mongo_server.engine import Engine
from tests.mongo_server.failpoints import Failpoints
from tests.mongo_server.replay import Replay

WIRE_VERSIONS = {(4, 4): 9, (5, 0): 13, (6, 0): 17, (7, 0): 21, (8, 0): 25}
"""``maxWireVersion`` of server versions (MongoDB drivers' specification, "Wire Version Ranges")."""
PROCESS = ObjectId("000000000000000000000001")


@dataclass(frozen=True, slots=True)
class Settings:
    """What kind of server to be."""

    version: tuple[int, ...] = (8, 0, 0)
    oplog_entries: int = 1_000_000
    replica_set: str | None = "rs0"
    """None for a standalone, which has no change streams."""
    sharded: bool = False
    """Whether to be a mongos of a sharded cluster, as far as a driver can tell from its greeting."""
    now: Callable[[], float] = time.time
    """Seconds since 1970, for cluster times and dates."""
    transaction_lifetime_s: float = 60.0
    """A transaction that is open for longer is ended when others wait for it (``transactionLifetimeLimitSeconds``)."""
    tls: ssl.SSLContext | None = None
    """Of a server: connections then have to be encrypted."""


class Member:
    """The only member, and primary unless it was told to step down."""

    def __init__(self, settings: Settings, address: str) -> None:
        self.settings = settings
        self.address = address
        self.version = settings.version
        self.engine = Engine(
            settings.now,
            oplog_entries=settings.oplog_entries,
            transaction_lifetime_s=settings.transaction_lifetime_s,
        )
        self.cursors = Cursors()
        self.failpoints = Failpoints()
        self.access = Access()
        self.replays: dict[str, Replay] = {}
        """Recorded streams by namespace, played instead of the oplog."""
        self.primary = True
        self.term = Int64(1)
        self.topology_counter = 6
        self.interrupted = 0
        """How often waiting reads were ended by a step down."""
        self.stopping = False
        self.hang_up: Callable[[], None] = lambda: None
        """Closes all connections of clients."""

    @property
    def election_id(self) -> ObjectId:
        return ObjectId(bytes.fromhex("7fffffff") + int(self.term).to_bytes(8, "big"))

    @property
    def topology_version(self) -> Document:
        return {"processId": PROCESS, "counter": Int64(self.topology_counter)}

    def step_down(self) -> None:
        """Become a secondary: open transactions end, waiting reads are interrupted, writes are refused."""
        with self.engine.changed:
            if not self.primary:
                return
            self.primary = False
            self.topology_counter += 1
            self.interrupted += 1
            for transaction in self.engine.sessions.open_transactions():
                transaction.end("aborted")
            self.engine.changed.notify_all()

    def step_up(self) -> None:
        """Become primary again, in the next term."""
        with self.engine.changed:
            self.primary = True
            self.term = Int64(self.term + 1)
            self.topology_counter += 1
            self.engine.changed.notify_all()

    def kill_cursors(self) -> None:
        """End every cursor, as an administrator or a timeout does."""
        with self.engine.changed:
            self.cursors.open.clear()
            self.engine.changed.notify_all()

    def hello(self, connection: int, *, legacy: bool) -> Document:
        """The answer to ``hello``, or to ``isMaster`` under its older names."""
        last = self.engine.clock.last
        operation = {"ts": last, "t": self.term}
        wall = self.engine.clock.wall()
        body: Document = {"topologyVersion": self.topology_version}
        if self.settings.sharded:
            body |= {"ismaster" if legacy else "isWritablePrimary": True, "msg": "isdbgrid"}
        elif self.settings.replica_set is not None:
            me = {"primary": self.address, "me": self.address} if self.primary else {"me": self.address}
            body |= {"hosts": [self.address], "setName": self.settings.replica_set, "setVersion": 1}
            body |= {"ismaster" if legacy else "isWritablePrimary": self.primary, "secondary": not self.primary, **me}
            body |= {"electionId": self.election_id} if self.primary else {}
            body["lastWrite"] = {
                "opTime": operation,
                "lastWriteDate": wall,
                "majorityOpTime": operation,
                "majorityWriteDate": wall,
            }
        else:
            body["ismaster" if legacy else "isWritablePrimary"] = True
        return body | {
            "maxBsonObjectSize": MOST_BYTES,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "localTime": wall,
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": connection,
            "minWireVersion": 0,
            "maxWireVersion": max(wire for version, wire in WIRE_VERSIONS.items() if version <= self.version),
            "readOnly": False,
        }
