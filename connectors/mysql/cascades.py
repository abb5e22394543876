"""Foreign keys by which InnoDB changes rows of captured tables without telling the log.

Where a parent's row is deleted or its key is moved, ON DELETE and ON UPDATE with CASCADE or SET NULL change the rows that
refer to it. InnoDB does that below the log: https://mariadb.com/kb/en/foreign-keys/ and
https://dev.mysql.com/doc/refman/8.4/en/innodb-and-mysql-replication.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress

from connectors.mysql.connection import Connection, quote_table
from connectors.mysql.preflight import global_variables
from connectors.mysql.schema import tables
from connectors.mysql.structure import TableSchema
from streamtrain import log
from streamtrain.errors import AccessDenied, SourceUnavailable

REMEDY = "drop it, or have it RESTRICT, and change the rows by statements or triggers of your own"

# Statements that may give a captured table such a key.
_GIVES = re.compile(r"\b(?:CASCADE|SET\s+NULL|RENAME)\b", re.IGNORECASE)
# As SHOW CREATE TABLE writes one, on a line of its own. MariaDB leaves a backtick in the name as it is.
_CONSTRAINT = re.compile(
    r"^ +CONSTRAINT (?P<name>.+?) FOREIGN KEY \(.* ON (?:DELETE|UPDATE) (?:CASCADE|SET NULL)"
    r"(?: ON UPDATE [A-Z ]+)?,?$",
    re.MULTILINE,
)
_log = log.get("mysql")


def unlogged_cascades(connection: Connection, schemas: Iterable[TableSchema]) -> dict[str, str]:
    """The tables whose rows are changed so, as ``database.table``, each with one such key's name as the server quotes it.

    The tables' own statements are asked for: MariaDB shows ``information_schema.REFERENTIAL_CONSTRAINTS`` only to those
    who have more than SELECT on the table. One that may not be read is left out.
    """
    if _logs_cascades(connection):
        return {}
    found = {}
    for schema in schemas:
        if schema.engine.upper() != "INNODB":
            continue
        table = quote_table(schema.table.database, schema.table.name)
        with suppress(AccessDenied, SourceUnavailable):  # gone again; a lost connection shows at the next query
            (row,) = connection.query(f"SHOW CREATE TABLE {table}")
            if (constraint := _CONSTRAINT.search(row[1])) is not None:
                found[schema.table.full_name] = constraint["name"]
    return found


def _logs_cascades(connection: Connection) -> bool:
    """MySQL 9.6 and newer carry foreign keys out above the storage engine, and log them, unless told otherwise.

    https://dev.mysql.com/doc/refman/9.6/en/innodb-parameters.html#sysvar_innodb_native_foreign_keys
    """
    return global_variables(connection, ("innodb_native_foreign_keys",)).get("innodb_native_foreign_keys") == "OFF"


class CascadeWarnings:
    """Tells once of each captured table whose rows change without a trace, when it is opened or gets such a key later."""

    def __init__(self, captured: Callable[[str, str], bool], connect: Callable[[], Connection]) -> None:
        self._captured = captured
        self._connect = connect
        self._told: Mapping[str, str] = {}
        self._due = False
        """The server is to be asked, which could not be done yet."""

    def look(self, connection: Connection, schemas: Iterable[TableSchema]) -> None:
        """Warn of those of ``schemas`` that no warning was given of yet."""
        found = unlogged_cascades(connection, schemas)
        if added := {table: key for table, key in found.items() if self._told.get(table) != key}:
            _log.warning(
                "foreign keys change rows that the server does not log: these changes are in no topic",
                tables=", ".join(f"{table} ({key})" for table, key in sorted(added.items())),
                hint=REMEDY,
            )
        self._told = {**self._told, **found}

    def saw(self, statement: str) -> None:
        """A statement of the log has changed the structure of a captured table. It is asked what the server has now.

        A server that cannot be asked is asked after the next such statement: the log can be followed without a warning.
        """
        self._due = self._due or _GIVES.search(statement) is not None
        if not self._due:
            return
        with suppress(AccessDenied, SourceUnavailable), closing(self._connect()) as connection:
            self.look(connection, tables(connection, self._captured))
            self._due = False
