"""Opens a transaction whose view of the captured tables is exactly the log's at a position that is known.

A transaction is written to the log a moment before it becomes visible, so that reading the position just before or just
after the view is opened, and comparing, does not do: a transaction may lie before the position and not be in the view,
and it would be lost. MariaDB keeps both in step by itself, save at the beginning of a log file. On MySQL nothing may be committed while the view is opened
and the position read, some milliseconds long: a global read lock, or, where the account has no RELOAD right, read locks
on the captured tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connectors.mysql.address import Address
from connectors.mysql.connection import QUERY_TIMEOUT_S, Connection, quote_identifier, quote_table
from connectors.mysql.mariadb_views import LOCK_WAIT_S, begin_view, begins_file, end_view
from connectors.mysql.position import LogPosition
from connectors.mysql.schema import tables
from connectors.mysql.server import Flavor, Server, log_end, position_at
from connectors.mysql.structure import TableSchema
from streamtrain.errors import AccessDenied, SourceMisconfigured, SourceUnavailable

# The largest wait for one answer while tables are read: sorting a large one may take long before its first row comes.
_READ_TIMEOUT_S = 3600.0
_GLOBAL_LOCK_RIGHT = "RELOAD ON *.*"


@dataclass(frozen=True, slots=True)
class SnapshotPoint:
    """A connection in its transaction, the tables as the transaction sees them, and the log's position."""

    connection: Connection
    position: LogPosition
    schemas: list[TableSchema]


def open_snapshot_point(
    address: Address,
    server: Server,
    captures: Callable[[str, str], bool],
    lock_wait_s: int,
    settle: Callable[[Connection], None],
) -> SnapshotPoint:
    """Open one. Its connection is the caller's to close.

    ``settle(connection)`` waits until all rows of the tables are visible that are in the log already, by reading them locked.

    Raises AccessDenied naming the right that is missing, SourceMisconfigured on a table without transactions,
    SourceUnavailable if a lock was not had in time or tables were created meanwhile.
    """
    connection = Connection(address, query_timeout_s=_READ_TIMEOUT_S)
    try:
        connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.query("SET SESSION net_write_timeout = %s", (int(_READ_TIMEOUT_S),))
        if server.flavor is Flavor.MARIADB:
            connection.query("SET SESSION innodb_lock_wait_timeout = %s", (LOCK_WAIT_S,))
            point = _mariadb(connection, server, captures, settle)
        else:
            point = _mysql(connection, address, server, captures, lock_wait_s)
        _require_transactional(point.schemas)
    except BaseException:
        connection.close()
        raise
    return point


def _mariadb(
    connection: Connection, server: Server, captures: Callable[[str, str], bool], settle: Callable[[Connection], None]
) -> SnapshotPoint:
    connection.query("SET SESSION max_statement_time = 0")
    place, settled = begin_view(connection), None
    while place != settled and begins_file(connection, place):
        # What is visible now was in the log before a place that is the same afterwards.
        end_view(connection)
        settle(connection)
        place, settled = begin_view(connection), place
    return SnapshotPoint(connection, position_at(connection, server, *place), tables(connection, captures))


def _mysql(
    connection: Connection, address: Address, server: Server, captures: Callable[[str, str], bool], lock_wait_s: int
) -> SnapshotPoint:
    connection.query("SET SESSION max_execution_time = 0")
    lock = Connection(address, query_timeout_s=lock_wait_s + QUERY_TIMEOUT_S)
    try:
        lock.query("SET SESSION lock_wait_timeout = %s", (lock_wait_s,))
        locked = _lock(lock, captures)
        connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        position = log_end(lock, server)
        schemas = tables(lock, captures)
        lock.query("UNLOCK TABLES")
    finally:
        lock.close()
    if locked is not None and locked != _names(schemas):
        raise SourceUnavailable(
            "captured tables were created or dropped while the others were locked", hint="try again"
        )
    return SnapshotPoint(connection, position, schemas)


def _lock(lock: Connection, captures: Callable[[str, str], bool]) -> list[str] | None:
    """Stop commits: all of them (None), or those that touch the captured tables (their names).

    RELOAD is no use on hosted servers that keep the global lock for themselves, so that it is tried and not looked up.
    """
    try:
        lock.query("FLUSH TABLES WITH READ LOCK", needs=_GLOBAL_LOCK_RIGHT)
    except AccessDenied as denied:
        return _lock_captured(lock, captures, denied)
    return None


def _lock_captured(lock: Connection, captures: Callable[[str, str], bool], denied: AccessDenied) -> list[str]:
    schemas = tables(lock, captures)
    names = _names(schemas)
    if names:
        databases = sorted({schema.table.database for schema in schemas})
        needs = f"SELECT, LOCK TABLES ON {quote_identifier(databases[0])}.*"
        try:
            lock.query("LOCK TABLES " + ", ".join(f"{name} READ" for name in names), needs=needs)
        except AccessDenied as error:
            raise AccessDenied(
                error.message, hint=f"{denied.hint}, or {error.hint} (in each captured database)"
            ) from None
    return names


def _names(schemas: list[TableSchema]) -> list[str]:
    return [quote_table(schema.table.database, schema.table.name) for schema in schemas]


def _require_transactional(schemas: list[TableSchema]) -> None:
    for schema in schemas:
        if not schema.transactional:
            raise SourceMisconfigured(
                f"{schema.table.full_name} has engine {schema.engine}, which cannot be read as of one moment",
                hint="ALTER TABLE … ENGINE = InnoDB, or set `snapshot: no_data`",
            )
