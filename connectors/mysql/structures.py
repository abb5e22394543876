"""The structure of the captured tables as of a position of the log, asked for while others go on altering tables."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from connectors.mysql.connection import Connection, quote_table
from connectors.mysql.origin import LogPlace, OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.preflight import look_into, names_columns
from connectors.mysql.schema import database_charsets, tables_and_sequences
from connectors.mysql.schema_changes import snapshot_change
from connectors.mysql.schema_log import SchemaLog
from connectors.mysql.server import Server, log_end
from connectors.mysql.structure import Gap, TableSchema
from connectors.source import SchemaChange
from streamtrain.errors import AccessDenied, SourceUnavailable

_ATTEMPTS = 5
Captures = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Structures:
    """What ``information_schema`` shows at a position."""

    position: LogPosition
    entries: list[TableSchema]
    """Tables and sequences, as the schema log has both."""
    databases: dict[str, str]

    @property
    def schemas(self) -> list[TableSchema]:
        """The tables."""
        return [each for each in self.entries if not each.sequence]


def structures_at(connection: Connection, captures: Captures, take_position: Callable[[], LogPosition]) -> Structures:
    """The structure of the captured tables at the position that ``take_position`` gives, on its last call.

    ``information_schema`` shows what is now, and a statement may be in the log a moment before its effect is seen there.
    So it is asked before and after, and after each table has been opened once, for which a running ALTER is waited.
    Raises SourceUnavailable if tables are altered all the time.
    """
    before = _look(connection, captures)
    for _ in range(_ATTEMPTS):
        position = take_position()
        for schema in (each for each in before[0] if not each.sequence):
            with suppress(AccessDenied, SourceUnavailable):  # it may be gone again, which the second look shows
                look_into(connection, schema.table.database, schema.table.name)
        after = _look(connection, captures)
        if after == before:
            return Structures(position, *after)
        before = after
    raise SourceUnavailable("captured tables are created or altered all the time", hint="try again")


def _look(connection: Connection, captures: Captures) -> tuple[list[TableSchema], dict[str, str]]:
    return tables_and_sequences(connection, captures), database_charsets(connection)


def adopt_missing(
    log: SchemaLog, connection: Connection, server: Server, start: LogPosition, captures: Captures
) -> None:
    """Take up captured tables that the schema log does not know at ``start``: captured since, or before there was a log.

    Where the log names columns, each TABLE_MAP is compared with what is taken up. Else it is only safe if nothing has been
    logged since ``start``; if something has, the table's structure is not known.
    """
    missing = [
        each
        for each in tables_and_sequences(connection, captures)
        if (each.table.database, each.table.name) not in log.entries
    ]
    if not missing:
        return
    found = structures_at(connection, captures, lambda: log_end(connection, server))
    known = names_columns(connection) or not start.is_before(found.position)
    for schema in found.entries:
        name = (schema.table.database, schema.table.name)
        if name not in log.entries:
            # If a sequence was none at ``start``, the statements of the log are there to tell.
            log.put(name, schema if known or schema.sequence else Gap(f"it was not captured yet at {start}"))
    log.add_databases(found.databases)


def announced(connection: Connection, found: Structures, origin: OriginWriter, began_us: int) -> list[SchemaChange]:
    """An event for each table that a beginning has found, with the statement that would make it anew."""
    events = []
    place = LogPlace(found.position.file, found.position.offset)
    for schema in found.schemas:
        table = quote_table(schema.table.database, schema.table.name)
        rows = connection.query(f"SHOW CREATE TABLE {table}", needs=f"SELECT ON {table}")
        block = origin.block(schema.table, began_us, place, snapshot="true")
        events.append(snapshot_change(rows[0][1], schema, block))
    return events
