"""Looks at a server before changes are captured from it, and says how to mend what is amiss. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from connectors.checks import Check
from connectors.mysql.connection import Connection
from connectors.mysql.doctor_tables import table_checks
from connectors.mysql.grants import grants
from connectors.mysql.preflight import findings, global_variables
from connectors.mysql.replication import REPLICATION_RIGHT, register
from connectors.mysql.schema import tables
from connectors.mysql.server import Flavor, Server, binlog_files, inspect
from connectors.mysql.settings import MysqlSettings
from connectors.mysql.snapshots.plan import read_as_of_a_moment
from streamtrain.errors import AccessDenied, SourceMisconfigured, StreamtrainError

_OLDEST = {Flavor.MYSQL: (8, 0, 1), Flavor.MARIADB: (10, 5, 0)}
_EXPIRY_S = 3 * 86_400
_CLOCK_S = 1.0
_DAY_S = 86_400
_REPLICAS = {Flavor.MYSQL: "SHOW REPLICAS", Flavor.MARIADB: "SHOW SLAVE HOSTS"}


def examine(settings: MysqlSettings, clock: Callable[[], float] = time.time) -> list[Check]:
    """Every check that can be made; where the server cannot be reached, that alone. ``clock``: seconds since 1970."""
    try:
        connection = Connection(settings.address)
    except StreamtrainError as error:
        return [Check("mysql connection", "fail", error.message, "a server that lets this account in", error.hint)]
    try:
        server = inspect(connection)
        visit = _Visit(connection, server, settings)
        return [
            Check("mysql connection", "ok", f"{server.flavor.value} {server.version_text}"),
            *visit.checks(),
            *table_checks(connection, settings),
            _clock_difference(connection, clock),
        ]
    finally:
        connection.close()


class _Visit:
    """One look at one server: its settings, and the account's rights on it as a whole."""

    def __init__(self, connection: Connection, server: Server, settings: MysqlSettings) -> None:
        self._connection = connection
        self._server = server
        self._settings = settings

    def checks(self) -> Iterator[Check]:
        yield self._version()
        yield from self._variables()
        yield self._metadata()
        yield self._expiry()
        if self._server.flavor is Flavor.MYSQL:
            yield self._gtid_mode()
        yield self._right("follow the log", REPLICATION_RIGHT, self._register)
        yield self._right("monitor the log", self._server.monitor_right, self._list_files)
        if self._server.flavor is Flavor.MYSQL and self._settings.snapshot != "no_data":
            yield self._snapshot_lock()
        yield self._server_id()

    def _version(self) -> Check:
        oldest = _OLDEST[self._server.flavor]
        needed = f"{self._server.flavor.value} {'.'.join(map(str, oldest))} or newer: older ones were not tried"
        recent = self._server.version >= oldest
        return Check(
            "mysql version", "ok" if recent else "fail", self._server.version_text, needed, "update the server"
        )

    def _variables(self) -> Iterator[Check]:
        for finding in findings(self._connection, self._server):
            requirement = finding.requirement
            found = "not there" if finding.found is None else finding.found or "empty"
            needed = f"{requirement.value or 'empty'}: {requirement.why}"
            yield Check(
                f"mysql {requirement.variable}", "ok" if finding.met else "fail", found, needed, requirement.remedy
            )

    def _metadata(self) -> Check:
        name = "binlog_row_metadata"
        found = global_variables(self._connection, (name,)).get(name, "not there")
        return Check(
            f"mysql {name}",
            "ok" if found.upper() == "FULL" else "warn",
            found,
            "FULL: names of columns come with the rows; else they are followed through every ALTER TABLE, and one that the "
            "log does not show, as under sql_log_bin = 0, stops capture",
            "SET GLOBAL binlog_row_metadata = 'FULL'",
        )

    def _expiry(self) -> Check:
        """0 is never. MariaDB before 10.6 counts in days alone."""
        found = global_variables(self._connection, ("binlog_expire_logs_seconds", "expire_logs_days"))
        seconds = (
            float(found.get("binlog_expire_logs_seconds") or 0) or float(found.get("expire_logs_days") or 0) * _DAY_S
        )
        enough = seconds == 0 or seconds >= _EXPIRY_S
        return Check(
            "mysql binlog_expire_logs_seconds",
            "ok" if enough else "warn",
            "never" if seconds == 0 else f"{seconds:.0f}",
            f"at least {_EXPIRY_S}: longer than capture may ever stand still",
            "SET GLOBAL binlog_expire_logs_seconds = 604800",
        )

    def _gtid_mode(self) -> Check:
        return Check(
            "mysql gtid_mode",
            "ok" if self._server.by_gtid else "warn",
            "ON" if self._server.by_gtid else "not ON",
            "ON: else capture cannot go on at another server after a failover",
            "SET GLOBAL enforce_gtid_consistency = ON; then step by step to SET GLOBAL gtid_mode = ON",
        )

    def _right(self, name: str, needed: str, use: Callable[[], None]) -> Check:
        """Whether the account has a right, found by using it."""
        try:
            use()
        except AccessDenied as error:
            return Check(f"mysql right to {name}", "fail", "missing", needed, error.hint)
        return Check(f"mysql right to {name}", "ok", "granted", needed)

    def _register(self) -> None:
        connection = Connection(self._settings.address)
        try:
            register(connection, self._settings.replica_id ^ 1)  # a running connector keeps its place in the list
        finally:
            connection.close()

    def _list_files(self) -> None:
        with suppress(SourceMisconfigured):  # no log is kept at all, which has a line of its own
            binlog_files(self._connection, self._server)

    def _snapshot_lock(self) -> Check:
        """MySQL needs a lock for a moment to read a table without a key: on everything, or on the captured tables."""
        held = grants(self._connection)
        captured = tables(self._connection, self._settings.captures)
        databases = {each.table.database for each in captured}
        by = self._settings.snapshot_keys
        if not any(read_as_of_a_moment(each, by.get(each.table.full_name), self._settings.modes) for each in captured):
            found = "not needed: every table has a key to be read by"
        elif held.everywhere("RELOAD", "FLUSH_TABLES"):
            found = "a global read lock"
        elif databases and all(held.on_database(database, "LOCK TABLES") for database in databases):
            found = "read locks on the captured tables"
        else:
            found = ""
        return Check(
            "mysql right to lock for the snapshot",
            "ok" if found else "fail",
            found or "missing",
            "RELOAD ON *.*, or LOCK TABLES on each captured database, for tables without a key",
            f"GRANT RELOAD ON *.* TO {self._connection.account}",
        )

    def _server_id(self) -> Check:
        mine, name = self._settings.replica_id, "mysql source.server_id"
        needed = "a number that no other server or replica has"
        remedy = "set source.server_id to another number"
        if mine == self._server.server_id:
            return Check(name, "fail", f"{mine} is the server's own", needed, remedy)
        try:
            others = {row[0] for row in self._connection.query(_REPLICAS[self._server.flavor])}
        except AccessDenied:
            # MariaDB shows its replicas to administrators only. A second one stops the first at once, and loudly.
            return Check(name, "ok", f"{mine}; other replicas are not shown to this account", needed)
        if str(mine) in others:
            return Check(name, "warn", f"{mine} is connected: this connector, or another one", needed, remedy)
        return Check(name, "ok", str(mine), needed)


def _clock_difference(connection: Connection, clock: Callable[[], float]) -> Check:
    before = clock()
    theirs = float(connection.query("SELECT UNIX_TIMESTAMP(SYSDATE(6))")[0][0])
    difference = theirs - (before + clock()) / 2
    return Check(
        "mysql clock",
        "ok" if abs(difference) <= _CLOCK_S else "warn",
        f"{difference:+.3f} s from ours",
        f"at most {_CLOCK_S:g} s: else lag and freshness are shown wrong",
        "synchronise both clocks by NTP",
    )
