"""One connection on which a server sends its log, event by event."""

from __future__ import annotations

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Event
from connectors.mysql.connection import Connection
from connectors.mysql.log_events import LogEvents
from connectors.mysql.position import LogPosition
from connectors.mysql.replication import Dump, dump, prepare, register
from connectors.mysql.server import Server
from streamtrain.errors import SourceUnavailable

_EOF = 0xFE


class LogReader:
    """Owns ``connection``. Not thread-safe.

    Raises PositionLost if the log does not hold ``position`` any more, AccessDenied without REPLICATION SLAVE.
    """

    def __init__(
        self,
        connection: Connection,
        decoder: EventDecoder,
        server: Server,
        position: LogPosition,
        request: Dump,
    ) -> None:
        self._connection = connection
        self._doing = f"reading the binary log from {position}"
        self._decoder = decoder
        self._stops, self._ended = request.stops, False
        prepare(connection, server, position, request.heartbeat_s)
        if request.replica_id:
            register(connection, request.replica_id)
        self._events = LogEvents(dump(connection, server, position, request), decoder, self._end)

    @property
    def skim(self) -> bool:
        """Whether rows are left undecoded."""
        return self._decoder.skim

    @skim.setter
    def skim(self, skim: bool) -> None:
        self._decoder.skim = skim

    @property
    def ended(self) -> bool:
        """Whether all up to the log's end has been read, where that was asked for."""
        return self._ended

    @property
    def received(self) -> int:
        """As that of ``LogEvents``."""
        return self._events.received

    def read(self, timeout_s: float, largest: int = 0) -> Event | None:
        """As ``LogEvents.read``."""
        return self._events.read(timeout_s, largest)

    def _end(self, packet: bytes) -> None:
        self._connection.check(packet, self._doing)
        if packet[0] != _EOF or not self._stops:
            raise SourceUnavailable(f"{self._doing}: the server has ended the stream")
        self._ended = True

    def close(self) -> None:
        """Let go of the connection. Safe to call twice."""
        self._connection.close()
