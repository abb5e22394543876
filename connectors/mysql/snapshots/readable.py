"""Whether a table can be read as it is asked for, and what it comes to if it cannot.

Who reads no table but its log goes on without the rest of an incremental snapshot: all changes are told. An initial one is
what the changes build on, so that none of its tables is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from connectors.mysql.connection import Connection, quote_table
from connectors.mysql.preflight import look_into
from connectors.mysql.select import TableReader
from connectors.mysql.server_errors import LockNotHad, TableChanged
from connectors.mysql.snapshots.jobs import require_transactional
from connectors.mysql.snapshots.plan import column_to_read_by
from connectors.mysql.snapshots.state import TableTask
from connectors.mysql.structure import TableSchema
from connectors.mysql.value_modes import ValueModes
from streamtrain.errors import AccessDenied, FatalError, SourceMisconfigured, UnsupportedChange

_CONDITION_HINT = "a condition is SQL over the columns of the table, as it stands behind WHERE"


class Unreadable(Exception):
    """A table cannot be read, now or later, for a ``reason`` that is its own."""

    def __init__(self, table: str, reason: FatalError) -> None:
        super().__init__(str(reason))
        self.table = table
        """``database.table``."""
        self.reason = reason


@contextmanager
def reading(table: str) -> Iterator[None]:
    """Raise Unreadable where the reading of ``table`` meets what trying again does not mend."""
    try:
        yield
    except (SourceMisconfigured, AccessDenied, UnsupportedChange) as error:
        raise Unreadable(table, error) from error


def require_as_asked(connection: Connection, schema: TableSchema, task: TableTask, modes: ValueModes) -> None:
    """Raise Unreadable if the table cannot be read as ``task`` asks. No row of it is read, and no lock waited for long.

    Raises SourceUnavailable if the table is gone, or the connection broke. What a lock keeps from being seen is taken for good.
    """
    with reading(task.name):
        require_transactional(schema)
        TableReader(schema, modes)
        if task.by is not None:
            column_to_read_by(schema, task.by, modes)
        connection.query("SET SESSION lock_wait_timeout = 0")  # MySQL takes it for 1
        with suppress(LockNotHad):
            look_into(connection, task.database, task.table)
            if task.where is not None:
                require_condition(connection, task, task.where)


def require_condition(connection: Connection, task: TableTask, where: str) -> None:
    """Raise SourceMisconfigured if the server does not take a condition on the table's rows. No row is read.

    Raises SourceUnavailable if the table is gone, or the connection broke.
    """
    table = quote_table(task.database, task.table)
    # It has to be one expression: where it is read by, others stand beside it, and an order behind.
    statement = f"SELECT 1 FROM {table} WHERE (({where}\n) IS NOT NULL) LIMIT 0"  # noqa: S608 - ``where`` is the operator's own
    try:
        connection.query(statement)
    except TableChanged as error:
        look_into(connection, task.database, task.table)
        raise SourceMisconfigured(error.message, hint=_CONDITION_HINT) from None
    except FatalError as error:
        raise SourceMisconfigured(error.message, hint=_CONDITION_HINT) from None
