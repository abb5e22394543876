"""Whether a server's log still holds what follows a stored position, asked before the log is opened there."""

from __future__ import annotations

from connectors.mysql.connection import Connection
from connectors.mysql.gtid import GtidSet
from connectors.mysql.position import LogPosition, binlog_number
from connectors.mysql.server import Flavor, Server, binlog_files
from connectors.mysql.server_errors import POSITION_LOST_HINT
from connectors.mysql.settings import MysqlSettings
from streamtrain.errors import ConfigError, PositionLost, SourceMisconfigured

_COMMIT_WAIT_S = 5


def require_continuity(connection: Connection, server: Server, position: LogPosition, settings: MysqlSettings) -> None:
    """Raise PositionLost, naming what is missing, if changes after ``position`` are gone.

    Raises ConfigError if ``include`` or ``exclude`` changed while a transaction was published in part. What is not found here, the
    server says itself when it is asked for the log.
    """
    if position.skip_rows and not position.captures_by(settings.include, settings.exclude):
        before = f"source.include: [{', '.join(position.include)}]"
        if position.exclude is not None:
            before += f" and source.exclude: [{', '.join(position.exclude)}]"
        raise ConfigError(
            f"what is captured was changed while a transaction at {position} was published in part",
            hint=f"set it back to {before} until the connector has read on, then change it",
        )
    if position.flavor != server.flavor.value:
        raise PositionLost(
            f"the stored position is of a {position.flavor} server, this is {server.version_text}",
            hint="begin again under a new topic.prefix",
        )
    if position.gtids is None:
        _require_file(connection, server, position)
    elif not server.by_gtid:
        raise SourceMisconfigured(
            f"the stored position {position} is by GTID, but the server's gtid_mode is not ON",
            hint="set gtid_mode = ON",
        )
    elif server.flavor is Flavor.MYSQL:
        _require_gtids(connection, server, position.gtids)


def _require_file(connection: Connection, server: Server, position: LogPosition) -> None:
    if position.server != server.identity:
        raise PositionLost(
            f"the stored position {position} is of server {position.server}, this is {server.identity}: "
            "a file and an offset mean nothing on another server",
            hint=f"go back to that server, or follow by GTID; else {POSITION_LOST_HINT}",
        )
    files = binlog_files(connection, server)
    if position.file not in files:
        oldest = min(files, key=binlog_number, default="none")
        raise PositionLost(f"log file {position.file} is gone: the oldest is {oldest}", hint=POSITION_LOST_HINT)
    if position.offset > files[position.file]:
        raise PositionLost(
            f"log file {position.file} has {files[position.file]} bytes, the stored position is {position.offset}: "
            "the log was begun anew, or the server lost its end in a crash",
            hint=POSITION_LOST_HINT,
        )


def _require_gtids(connection: Connection, server: Server, gtids: str) -> None:
    purged, executed = connection.query("SELECT @@GLOBAL.gtid_purged, @@GLOBAL.gtid_executed")[0]
    published = GtidSet.parse(gtids)
    missing = GtidSet.parse(purged).minus(published)
    if missing:
        raise PositionLost(f"transactions {missing} are purged, but not published", hint=POSITION_LOST_HINT)
    unknown = published.minus(GtidSet.parse(executed))
    # What was read may still be on its way to gtid_executed: the log is sent a moment before the commit ends.
    if (
        unknown
        and connection.query("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)", (str(unknown), _COMMIT_WAIT_S))[0][0] != "0"
    ):
        raise PositionLost(
            f"transactions {unknown} are published, but server {server.identity} does not know them: "
            "it lags, lost its end in a crash, was restored, or was promoted without them",
            hint=f"wait for the replica, or go back to the server that was read before; else {POSITION_LOST_HINT}",
        )
