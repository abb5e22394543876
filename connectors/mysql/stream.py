"""Follows a server's binary log from a position on, and gives what has been committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Event, TransactionPayload
from connectors.mysql.connection import Connection
from connectors.mysql.origin import OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.replication import dump, prepare, register
from connectors.mysql.server import Server
from connectors.mysql.structure import TableSchema
from connectors.mysql.transactions import Transactions
from connectors.source import Change
from streamtrain.errors import SourceUnavailable, StreamtrainError

_FIRST_PACKET_S = 60.0
_CLOCK_EVERY = 256
_EVENT = 0x00


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How the log is followed."""

    replica_id: int
    prefix: str
    captured: Callable[[str, str], bool]
    """Whether a table, as (database, name), is captured."""
    max_rows: int
    """Rows in one read, about; also how many rows of an unfinished transaction are held back."""
    heartbeat_s: float
    """The server shows at least this often that it is there and how far its log has come."""
    silence_s: float
    """After this long without even a heartbeat the connection is taken for dead."""
    monotonic: Callable[[], float]
    schema_of: Callable[[str, str], TableSchema | None] = lambda _database, _table: None
    """A table's structure, for what the log does not tell of its columns."""


class BinlogStream:
    """One connection on which the server sends its log. Owns ``connection``. Not thread-safe.

    Raises PositionLost if the log does not hold ``position`` any more, AccessDenied without REPLICATION SLAVE.
    """

    def __init__(self, connection: Connection, server: Server, position: LogPosition, settings: StreamSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._doing = f"reading the binary log from {position}"
        self._decoder = EventDecoder(settings.captured, schema_of=settings.schema_of)
        origin = OriginWriter(server.flavor.value, settings.prefix)
        self._transactions = Transactions(
            position,
            settings.captured,
            origin,
            hold_rows=settings.max_rows,
            lower_case_names=server.lower_case_names,
        )
        self._packed: Iterator[Event] | None = None
        """What is left of a transaction that came as one event."""
        self._silent_s = 0.0
        self._failure: StreamtrainError | None = None
        prepare(connection, server, position, settings.heartbeat_s)
        register(connection, settings.replica_id)
        self._packets = dump(connection, server, position, settings.replica_id)
        first = self._packets.read(_FIRST_PACKET_S)
        if first is None:
            raise SourceUnavailable(f"{self._doing}: the server does not answer")
        self._accept(first)

    @property
    def position(self) -> LogPosition:
        """Where to go on after all that ``read`` has given."""
        return self._transactions.position()

    def read(self, timeout_s: float) -> Sequence[Change]:
        """What comes next, waiting at most ``timeout_s`` for the first of it.

        What was committed before something that cannot be read is given first; the error is raised by the next call.
        """
        if self._failure is not None:
            raise self._failure
        try:
            self._read(timeout_s)
        except StreamtrainError as failure:
            if not self._transactions.ready_rows:
                raise
            self._failure = failure
        return self._transactions.take()

    def _read(self, timeout_s: float) -> None:
        transactions, packets, clock = self._transactions, self._packets, self._settings.monotonic
        deadline = clock() + timeout_s
        wait_s, count = timeout_s, 0
        while transactions.ready_rows < self._settings.max_rows:
            if self._packed is not None:
                self._accept_packed(self._packed)
            else:
                packet = packets.read(wait_s)
                if packet is None:
                    self._listen(wait_s)
                    return
                self._silent_s = 0.0
                self._accept(packet)
            if transactions.ready_rows:
                wait_s = 0.0
            count += 1
            if count % _CLOCK_EVERY == 0 or wait_s:
                left_s = deadline - clock()
                if left_s <= 0:
                    return
                wait_s = min(wait_s, left_s)

    def close(self) -> None:
        """Let go of the connection. Safe to call twice."""
        self._connection.close()

    def _accept(self, packet: bytes) -> None:
        if packet[0] != _EVENT:
            self._connection.check(packet, self._doing)
            raise SourceUnavailable(f"{self._doing}: the server has ended the stream")
        event = self._decoder.decode(packet[1:])
        if isinstance(event, TransactionPayload):
            self._packed = event.events
        else:
            self._transactions.accept(event)

    def _accept_packed(self, packed: Iterator[Event]) -> None:
        event = next(packed, None)
        if event is None:
            self._packed = None
        else:
            self._transactions.accept(event)

    def _listen(self, silent_s: float) -> None:
        self._silent_s += silent_s
        if self._silent_s >= self._settings.silence_s:
            raise SourceUnavailable(f"{self._doing}: not even a heartbeat for {self._silent_s:.0f} s")
