"""What has to be known of a server before its log is read: which it is, what it writes, and where its log ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from connectors.mysql.connection import Connection
from connectors.mysql.position import LogPosition, binlog_number
from streamtrain.errors import SourceMisconfigured

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MONITOR = {"mysql": "REPLICATION CLIENT ON *.*", "mariadb": "BINLOG MONITOR ON *.*"}


class Flavor(Enum):
    """Whose server it is. The values are Debezium's connector names."""

    MYSQL = "mysql"
    MARIADB = "mariadb"


@dataclass(frozen=True, slots=True)
class Server:
    """The facts of one server that decide how its log is read."""

    flavor: Flavor
    version: tuple[int, int, int]
    version_text: str
    identity: str
    """What tells this server's log files from those of another: MySQL's ``server_uuid``, MariaDB's ``server_id``."""
    server_id: int
    by_gtid: bool
    """Whether every transaction has a GTID, and the log is to be followed by them."""
    lower_case_names: bool
    """Whether the server stores the names of databases and tables in lower case, however they were written."""

    @property
    def monitor_right(self) -> str:
        """The right that SHOW BINARY LOGS and SHOW MASTER STATUS need."""
        return _MONITOR[self.flavor.value]


def inspect(connection: Connection, *, by_gtid: bool = True) -> Server:
    """Ask the server what it is. Without ``by_gtid`` its GTIDs, if it has them, are left alone."""
    text, server_id, lower_case = connection.query("SELECT VERSION(), @@server_id, @@lower_case_table_names")[0]
    match = _VERSION.match(text)
    if match is None:
        raise SourceMisconfigured(f"the server calls its version {text!r}", hint="MySQL 8+ or MariaDB 10.5+ is needed")
    major, minor, patch = map(int, match.groups())
    flavor = flavor_of(text)
    if flavor is Flavor.MARIADB:
        identity, gtids = server_id, True
    else:
        identity, mode = connection.query("SELECT @@server_uuid, @@gtid_mode")[0]
        gtids = mode == "ON"
    return Server(
        flavor=flavor,
        version=(major, minor, patch),
        version_text=text,
        identity=identity,
        server_id=int(server_id),
        by_gtid=gtids and by_gtid,
        lower_case_names=lower_case == "1",
    )


def flavor_of(version_text: str) -> Flavor:
    """Of a server that calls its version so."""
    return Flavor.MARIADB if "mariadb" in version_text.lower() else Flavor.MYSQL


def log_end(connection: Connection, server: Server) -> LogPosition:
    """The end of the log: all that was committed before is before it. Needs the right to monitor the log."""
    renamed = server.flavor is Flavor.MYSQL and server.version >= (8, 2, 0)
    statement = "SHOW BINARY LOG STATUS" if renamed else "SHOW MASTER STATUS"
    rows = connection.query(statement, needs=server.monitor_right)
    if not rows:
        raise SourceMisconfigured("the server keeps no binary log", hint="start it with --log-bin")
    file, offset = rows[0][0], int(rows[0][1])
    if server.flavor is Flavor.MARIADB:
        return position_at(connection, server, file, offset)
    return LogPosition(server.flavor.value, server.identity, file, offset, rows[0][4] if server.by_gtid else None)


def position_at(connection: Connection, server: Server, file: str, offset: int) -> LogPosition:
    """MariaDB: the position with the GTIDs of all that is before ``offset`` of ``file``."""
    if not server.by_gtid:
        return LogPosition(server.flavor.value, server.identity, file, offset, None)
    gtids = connection.query("SELECT BINLOG_GTID_POS(%s, %s)", (file, offset))[0][0]
    return LogPosition(server.flavor.value, server.identity, file, offset, gtids)


def binlog_files(connection: Connection, server: Server) -> dict[str, int]:
    """The log files that are still there, oldest first, with their sizes in bytes."""
    rows = connection.query("SHOW BINARY LOGS", needs=server.monitor_right)
    return {row[0]: int(row[1]) for row in sorted(rows, key=lambda row: binlog_number(row[0]))}
