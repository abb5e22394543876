"""Looks at a SQLite source before capture does, and says how to mend what is amiss. Changes nothing in the file."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.checks import Check
from connectors.sqlite.connection import Database
from connectors.sqlite.schema import TableSchema, tables
from connectors.sqlite.settings import DATABASE, SqliteSettings
from connectors.topic_owners import own_topics_check
from streamtrain.errors import RetryableError, StreamtrainError


def examine(settings: SqliteSettings) -> list[Check]:
    """Every check that can be made; those that need the file are left out where it cannot be opened."""
    try:
        database = Database(settings.path)
    except StreamtrainError as error:
        return [Check("sqlite file", "fail", error.message, "a SQLite database that can be opened", error.hint)]
    try:
        return [Check("sqlite file", "ok", str(settings.path)), *_checks(database, settings)]
    finally:
        database.close()


def _checks(database: Database, settings: SqliteSettings) -> Iterator[Check]:
    yield _writable(database)
    yield _journal(database)
    try:
        included = tables(database, settings.includes)
    except StreamtrainError as error:
        yield Check("sqlite tables", "fail", error.message, "tables that can be captured", error.hint)
        return
    yield _matched(included, settings)
    yield from own_topics_check(settings.prefix, [(DATABASE, schema.name) for schema in included])
    for schema in included:
        yield _key(schema)
        if schema.has_computed_index:
            yield _computed_index(schema)


def _writable(database: Database) -> Check:
    needed = "capture writes its triggers and its change table into the file"
    try:
        with database.writing():
            return Check("sqlite writable", "ok", "the write lock can be taken", needed)
    except RetryableError as error:
        return Check("sqlite writable", "warn", error.message, needed, "end the long transaction that holds the lock")
    except StreamtrainError as error:
        return Check(
            "sqlite writable", "fail", error.message, needed, "let this user write to the file and its directory"
        )


def _journal(database: Database) -> Check:
    mode = str(database.value("PRAGMA journal_mode"))
    needed = "wal: else the first reading of all rows and the program's own writes wait for one another"
    return Check("sqlite journal_mode", "ok" if mode == "wal" else "warn", mode, needed, "PRAGMA journal_mode = WAL;")


def _matched(included: list[TableSchema], settings: SqliteSettings) -> Check:
    found = ", ".join(f"{DATABASE}.{schema.name}" for schema in included)
    if found:
        return Check("sqlite tables", "ok", found)
    patterns = ", ".join(settings.include)
    remedy = f"correct source.include: tables are written as {DATABASE}.TABLE, with shell wildcards"
    return Check("sqlite tables", "fail", f"none matches {patterns}", "at least one table", remedy)


def _key(schema: TableSchema) -> Check:
    name = f"{DATABASE}.{schema.name} primary key"
    needed = "a primary key: without one, records have no key, and a row's changes cannot be told to be one row's"
    if not schema.key:
        return Check(name, "warn", "none", needed, "make the table again with a PRIMARY KEY")
    return Check(name, "ok", ", ".join(schema.columns[index].name for index in schema.key), needed)


def _computed_index(schema: TableSchema) -> Check:
    return Check(
        f"{DATABASE}.{schema.name} unique indexes",
        "warn",
        "one is over an expression or a generated column",
        "a row that OR REPLACE removes because of it is not seen as deleted",
        "use ON CONFLICT DO UPDATE in its place, or PRAGMA recursive_triggers = ON in the programs that write",
    )
