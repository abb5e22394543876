"""The connections that a snapshot reads by: one for the rows, and one for what has to be asked meanwhile."""

from __future__ import annotations

from connectors.mysql.address import Address
from connectors.mysql.connection import Connection
from connectors.mysql.server import Server, inspect
from connectors.mysql.snapshots.watermarks import watermarks
from streamtrain.errors import SourceUnavailable

READ_TIMEOUT_S = 3600.0
"""The longest wait for a row: finding the first that meets a condition may take long."""


class Sessions:
    """Both connections, to one and the same server. Raises SourceUnavailable if they are not to the one that is followed."""

    def __init__(self, address: Address, server: Server, lock_wait_s: int) -> None:
        self._open: list[Connection] = []
        try:
            self.reader = self._connected(address, server, READ_TIMEOUT_S)
            self.control = self._connected(address, server, None)
            self.reader.query("SET SESSION net_write_timeout = %s", (int(READ_TIMEOUT_S),))
            self.watermarks = watermarks(self.reader, self.control, server, lock_wait_s)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End both. Safe to call twice."""
        for connection in self._open:
            connection.close()

    def _connected(self, address: Address, server: Server, timeout_s: float | None) -> Connection:
        connection = Connection(address) if timeout_s is None else Connection(address, query_timeout_s=timeout_s)
        self._open.append(connection)
        identity = inspect(connection).identity
        if identity != server.identity:
            raise SourceUnavailable(
                f"{address} is server {identity} now; the log is followed on {server.identity}",
                hint="source.url leads to more than one server: the connector goes on with one of them",
            )
        return connection
