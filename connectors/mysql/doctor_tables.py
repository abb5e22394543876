"""Looks at the tables that are to be captured: are they there, may they be read, can their changes be told apart."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.checks import Check
from connectors.mysql.cascades import unlogged_cascades
from connectors.mysql.connection import Connection, quote_identifier, quote_table
from connectors.mysql.grants import grants
from connectors.mysql.preflight import WILDCARDS, look_into, require_tables
from connectors.mysql.schema import tables
from connectors.mysql.settings import MysqlSettings
from connectors.mysql.structure import TableSchema
from connectors.topic_owners import own_topics_check
from streamtrain.errors import AccessDenied, SourceMisconfigured, SourceUnavailable


def table_checks(connection: Connection, settings: MysqlSettings) -> Iterator[Check]:
    """One line for what ``source.include`` finds, then what there is to say of each table."""
    schemas = tables(connection, settings.captures)
    yield _matched(schemas, settings)
    yield from own_topics_check(settings.prefix, [(each.table.database, each.table.name) for each in schemas])
    yield from _unseen(connection, schemas, settings)
    cascades = unlogged_cascades(connection, schemas)
    for schema in schemas:
        yield _readable(connection, schema)
        yield _capturable(schema)
        yield _key(schema)
        if settings.snapshot != "no_data" and not schema.transactional:
            yield _engine(schema)
        if (constraint := cascades.get(schema.table.full_name)) is not None:
            yield _cascade(schema, constraint)


def _matched(schemas: list[TableSchema], settings: MysqlSettings) -> Check:
    return Check(
        "mysql tables",
        "ok" if schemas else "fail",
        ", ".join(schema.table.full_name for schema in schemas) or "none",
        f"tables that match source.include: {', '.join(settings.include)}",
        "correct source.include, which is case-sensitive, or grant SELECT on the tables",
    )


def _unseen(connection: Connection, schemas: list[TableSchema], settings: MysqlSettings) -> Iterator[Check]:
    """What the server may hide: it shows only what this account may read."""
    held = grants(connection)
    for pattern in settings.include:
        database, _, _ = pattern.partition(".")
        if not WILDCARDS & set(pattern):
            if all(schema.table.full_name != pattern for schema in schemas):
                yield _absent(connection, pattern)
        elif not (
            held.everywhere("SELECT") or (not WILDCARDS & set(database) and held.on_database(database, "SELECT"))
        ):
            yield Check(
                f"mysql right to read {pattern}",
                "warn",
                "held on single tables",
                "SELECT on all that it matches: tables that may not be read are not seen, and have no snapshot",
                f"GRANT SELECT ON {quote_identifier(database)}.* TO {connection.account}",
            )


def _absent(connection: Connection, pattern: str) -> Check:
    """A table that is named in full and not seen: the server tells only those who may read it that it is not there."""
    database, _, name = pattern.partition(".")
    try:
        look_into(connection, database, name)
    except AccessDenied as error:
        return Check(f"mysql right to read {pattern}", "fail", "missing", "SELECT", error.hint)
    except SourceUnavailable:
        return Check(f"mysql table {pattern}", "fail", "not there", "a table", "create it, or correct source.include")
    return Check(f"mysql table {pattern}", "fail", "a view or a sequence", "a table", "name the tables behind the view")


def _readable(connection: Connection, schema: TableSchema) -> Check:
    name = f"mysql right to read {schema.table.full_name}"
    try:
        look_into(connection, schema.table.database, schema.table.name)
    except AccessDenied as error:
        return Check(name, "fail", "missing, or not on all columns", "SELECT", error.hint)
    return Check(name, "ok", "granted", "SELECT")


_CAPTURABLE = "types that are known, and rows that are not kept as history"


def _capturable(schema: TableSchema) -> Check:
    name = f"mysql types of {schema.table.full_name}"
    try:
        require_tables([schema])
    except SourceMisconfigured as error:
        return Check(name, "fail", error.message, _CAPTURABLE, error.hint)
    return Check(name, "ok", f"{len(schema.columns)} columns", _CAPTURABLE)


def _key(schema: TableSchema) -> Check:
    names = ", ".join(schema.table.columns[index] for index in schema.table.key)
    return Check(
        f"mysql key of {schema.table.full_name}",
        "ok" if names else "warn",
        names or "none",
        "a primary key: without one, updates and deletes cannot be matched to the rows they change",
        f"ALTER TABLE {quote_table(schema.table.database, schema.table.name)} ADD PRIMARY KEY (…)",
    )


def _engine(schema: TableSchema) -> Check:
    return Check(
        f"mysql engine of {schema.table.full_name}",
        "fail",
        schema.engine,
        "InnoDB: others cannot be read as of one moment",
        f"ALTER TABLE {quote_table(schema.table.database, schema.table.name)} ENGINE = InnoDB",
    )


def _cascade(schema: TableSchema, constraint: str) -> Check:
    return Check(
        f"mysql foreign keys of {schema.table.full_name}",
        "fail",
        f"{constraint} changes rows that this server does not log",
        "RESTRICT: what a parent's change does to these rows would be lost",
        f"ALTER TABLE {quote_table(schema.table.database, schema.table.name)} DROP FOREIGN KEY {constraint}, "
        "and change the rows by statements of your own",
    )
