"""What a server must have set, and tables must be, so that no change is lost and every one can be decoded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from connectors.mysql.connection import Connection, quote_table
from connectors.mysql.select import TableReader
from connectors.mysql.server import Flavor, Server
from connectors.mysql.structure import TableSchema
from connectors.mysql.value_modes import DEFAULT_MODES
from streamtrain.errors import SourceMisconfigured, SourceUnavailable

WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A global variable, the value it must have, and why. ``flavor`` None means both kinds of servers."""

    variable: str
    value: str
    why: str
    flavor: Flavor | None = None
    restart: bool = False
    """It can only be set when the server starts."""

    @property
    def remedy(self) -> str:
        """The statement or the setting that mends it."""
        if self.restart:
            return f"start the server with --{self.variable.replace('_', '-')}"
        return f"SET GLOBAL {self.variable} = '{self.value}', then open the sessions anew that write"


REQUIREMENTS = (
    Requirement("log_bin", "ON", "changes are read from the binary log", restart=True),
    Requirement("binlog_format", "ROW", "a statement does not tell which rows it changed"),
    Requirement("binlog_row_image", "FULL", "a smaller image leaves columns out"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement, and the value that the server has; None if it does not know the variable."""

    requirement: Requirement
    found: str | None

    @property
    def met(self) -> bool:
        """A variable that the server does not know is one it does not have the feature of."""
        return self.found is None or self.found.upper() == self.requirement.value


def names_columns(connection: Connection) -> bool:
    """Whether the log names the columns of the rows that are logged from now on."""
    found = global_variables(connection, ("binlog_row_metadata",))
    return found.get("binlog_row_metadata", "").upper() == "FULL"


def global_variables(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """The variables of these names that the server knows."""
    wanted = ", ".join(["%s"] * len(names))
    rows = connection.query(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({wanted})", names)
    return dict(rows)


def findings(connection: Connection, server: Server) -> list[Finding]:
    """Every requirement on this kind of server, met or not."""
    requirements = [each for each in REQUIREMENTS if each.flavor in {None, server.flavor}]
    found = global_variables(connection, [each.variable for each in requirements])
    return [Finding(each, found.get(each.variable)) for each in requirements]


def require_settings(connection: Connection, server: Server) -> None:
    """Raise SourceMisconfigured, naming each variable that has to be set, if there is one."""
    unmet = [finding for finding in findings(connection, server) if not finding.met]
    if unmet:
        raise SourceMisconfigured(
            "; ".join(f"{each.requirement.variable} is {each.found!r}: {each.requirement.why}" for each in unmet),
            hint="; ".join(each.requirement.remedy for each in unmet),
        )


def require_tables(schemas: Sequence[TableSchema]) -> None:
    """Raise SourceMisconfigured on a table that cannot be captured."""
    for schema in schemas:
        TableReader(schema, DEFAULT_MODES)
        name = schema.table.full_name
        if schema.versioned:
            raise SourceMisconfigured(
                f"{name} is system-versioned: its old rows would come as new ones",
                hint="leave it out of source.include",
            )


def require_readable(connection: Connection, schemas: Sequence[TableSchema], include: Sequence[str]) -> None:
    """Raise AccessDenied, with the GRANT, on a table that may not be read, or not all of its columns.

    The server hides what may not be read, so that a table that ``include`` names in full is tried even if it is not seen.
    """
    seen = {schema.table.full_name for schema in schemas}
    for schema in schemas:
        look_into(connection, schema.table.database, schema.table.name)
    for name in include:
        if name not in seen and not WILDCARDS & set(name):
            with suppress(SourceUnavailable):  # it may be created later
                database, _, table = name.partition(".")
                look_into(connection, database, table)


def look_into(connection: Connection, database: str, name: str) -> None:
    """Raise AccessDenied if a table may not be read, SourceUnavailable if it is not there."""
    table = quote_table(database, name)
    connection.query(f"SELECT * FROM {table} LIMIT 0", needs=f"SELECT ON {table}")  # noqa: S608 - the name is quoted
