"""The commands by which a replica asks for the log, on both kinds of servers.

MySQL: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication.html
MariaDB: https://mariadb.com/kb/en/5-slave-registration/
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from connectors.mysql.connection import Connection
from connectors.mysql.gtid import GtidSet
from connectors.mysql.packets import PacketReader
from connectors.mysql.position import LogPosition
from connectors.mysql.server import Flavor, Server
from streamtrain.errors import SourceMisconfigured, SourceUnavailable

REPLICATION_RIGHT = "REPLICATION SLAVE ON *.*"

_REGISTER_REPLICA, _DUMP, _DUMP_GTID = 0x15, 0x12, 0x1E
_STOPS, _ANNOTATED, _THROUGH_GTID = 0x01, 0x02, 0x04
_FILE_START = 4
_REPORTED_HOST = b"streamtrain"
# The server waits this long for a reader that is busy elsewhere (its default is 60 s) before it ends the connection.
_WRITE_TIMEOUT_S = 3600
# 4 is "knows GTIDs": with less, MariaDB writes BEGIN in their place.
_MARIADB_GTID_CAPABILITY = 4


@dataclass(frozen=True, slots=True)
class Dump:
    """How a log is asked for."""

    replica_id: int
    """0 is what mysqlbinlog gives: no replica, and in nobody's way."""
    heartbeat_s: float
    stops: bool = False
    """The server is to end at the end of its log, and not to wait for more."""
    annotated: bool = False
    """MariaDB is to send the statements behind the rows, which MySQL sends if it has logged them."""


def prepare(connection: Connection, server: Server, position: LogPosition, heartbeat_s: float) -> None:
    """Say what this replica understands: checksums as they are in the file, heartbeats, and where MariaDB is to begin."""
    period_ns = int(heartbeat_s * 1_000_000_000)
    for name in ("master", "source"):
        connection.query(f"SET @{name}_binlog_checksum = 'CRC32', @{name}_heartbeat_period = %s", (period_ns,))
    connection.query("SET SESSION net_write_timeout = %s", (_WRITE_TIMEOUT_S,))
    if server.flavor is Flavor.MARIADB:
        connection.query("SET @mariadb_slave_capability = %s", (_MARIADB_GTID_CAPABILITY,))
        if position.gtids is not None:
            connection.query("SET @slave_connect_state = %s, @slave_gtid_strict_mode = 1", (position.gtids,))


def register(connection: Connection, replica_id: int) -> None:
    """Make this replica known, so that SHOW REPLICAS lists it, and a second one with the same id shows."""
    doing = f"registering as replica {replica_id}"
    host = bytes([len(_REPORTED_HOST)]) + _REPORTED_HOST
    payload = struct.pack("<I", replica_id) + host + b"\0\0" + struct.pack("<HII", 0, 0, 0)
    answer = connection.command(_REGISTER_REPLICA, payload, doing, needs=REPLICATION_RIGHT).read(30.0)
    if answer is None:
        raise SourceUnavailable(f"{doing}: the server does not answer")
    connection.check(answer, doing, needs=REPLICATION_RIGHT)


def dump(connection: Connection, server: Server, position: LogPosition, request: Dump) -> PacketReader:
    """Ask for the log from ``position`` on. Each packet is then a zero byte and one event."""
    doing = f"reading the binary log from {position}"
    flags = _STOPS if request.stops else 0
    mariadb = server.flavor is Flavor.MARIADB
    if mariadb and request.annotated:
        flags |= _ANNOTATED
    if position.gtids is None or mariadb:
        file, offset = ("", _FILE_START) if position.gtids is not None else (position.file, position.offset)
        payload = _by_file(file, offset, flags, request.replica_id)
        return connection.command(_DUMP, payload, doing, needs=REPLICATION_RIGHT)
    gtids = GtidSet.parse(position.gtids).encode()
    header = struct.pack("<HIIQI", flags | _THROUGH_GTID, request.replica_id, 0, _FILE_START, len(gtids))
    return connection.command(_DUMP_GTID, header + gtids, doing, needs=REPLICATION_RIGHT)


def _by_file(file: str, offset: int, flags: int, replica_id: int) -> bytes:
    if offset >= 1 << 32:
        raise SourceMisconfigured(
            f"{file}:{offset} is beyond 4 GiB, from where the server sends a log by GTID only",
            hint="set gtid_mode = ON and begin again under a new topic.prefix, or make smaller transactions",
        )
    return struct.pack("<IHI", offset, flags, replica_id) + file.encode()
