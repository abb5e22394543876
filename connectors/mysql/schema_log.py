"""The schema log: the structure of each table as of the position, kept beside it and moved on by the DDL of the log.

Restarts happen at committed positions only, so that the last structure of each table is all that has to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from connectors.mysql.binlog.charsets import charset_of
from connectors.mysql.binlog.events import Query
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.binlog.session import read_session
from connectors.mysql.ddl.catalog import Catalog, ChangeKind, TableChange
from connectors.mysql.ddl.columns import Session
from connectors.mysql.ddl.tokens import Dialect
from connectors.mysql.schema_notes import (
    database_key,
    database_note,
    parse_key,
    read_database,
    read_table,
    table_key,
    table_note,
)
from connectors.mysql.server import Flavor, Server
from connectors.mysql.structure import Gap, TableSchema, is_sequence
from connectors.topic_owners import TopicOwners

_EXPLICIT_TIMESTAMPS = {Flavor.MYSQL: (8, 0, 2), Flavor.MARIADB: (10, 10, 0)}
"""Since when it is the default."""


class SchemaLog:
    """What is known of the tables of one server.

    ``captured(database, name)`` says of which it has to be known. Each of these has a topic among ``topics``, of its own:
    ConfigError is raised where that is not so.
    """

    def __init__(self, server: Server, captured: Callable[[str, str], bool], topics: TopicOwners) -> None:
        self._server = server
        self._topics = topics
        self._mariadb = server.flavor is Flavor.MARIADB
        self._dialect = Dialect(self._mariadb, server.version)
        self._explicit_timestamps = server.version >= _EXPLICIT_TIMESTAMPS[server.flavor]
        self._captured = captured
        self._catalog = Catalog(captured, lower_case_names=server.lower_case_names)
        self._kept_tables: dict[tuple[str, str], TableSchema | Gap] = {}
        self._kept_databases: dict[str, str] = {}
        self._moved = False
        """Something may have changed since the last ``take_notes``."""

    def copy(self) -> SchemaLog:
        """Another one with the same tables, which goes its own way."""
        other = SchemaLog(self._server, self._captured, self._topics.copy())
        other._catalog.tables = dict(self._catalog.tables)
        other._catalog.databases = dict(self._catalog.databases)
        return other

    def load(self, notes: Mapping[str, bytes]) -> None:
        """Take up what was kept. Raises PositionLost if it is of another version."""
        for key, note in notes.items():
            name = parse_key(key)
            if name is None:
                continue
            if name[1]:
                self._kept_tables[name] = read_table(key, note, *name)
            else:
                self._kept_databases[name[0]] = read_database(key, note)
        self._catalog.tables = dict(self._kept_tables)
        self._catalog.databases = dict(self._kept_databases)
        self._topics.begin(name for name in self._kept_tables if self.publishes(*name))

    def fill(self, schemas: Iterable[TableSchema], databases: Mapping[str, str]) -> None:
        """Begin with these tables and character sets of databases, and nothing else."""
        self._catalog.tables = {(schema.table.database, schema.table.name): schema for schema in schemas}
        self._catalog.databases = dict(databases)
        self._moved = True
        self._topics.begin(())
        for name in self._catalog.tables:
            self.captures(*name)

    def put(self, name: tuple[str, str], entry: TableSchema | Gap) -> None:
        """Take note of one table's structure at this point of the log."""
        self._catalog.tables[name] = entry
        self._moved = True

    def add_databases(self, databases: Mapping[str, str]) -> None:
        """Take the character sets of databases that are not known yet."""
        self._catalog.databases = {**databases, **self._catalog.databases}
        self._moved = True

    @property
    def entries(self) -> Mapping[tuple[str, str], TableSchema | Gap]:
        """All that is known of tables, by (database, name)."""
        return self._catalog.tables

    def schema_of(self, database: str, name: str) -> TableSchema | Gap:
        """A table's structure at this point of the log; the same object for as long as it is the same."""
        return self._catalog.tables.get((database, name), _NEVER_SEEN)

    def captures(self, database: str, name: str) -> bool:
        """Whether a table is captured, of which there are rows. It is the one of its topic from now on."""
        published = self.publishes(database, name)
        if published:
            self._topics.claim((database, name))
        return published

    def publishes(self, database: str, name: str) -> bool:
        """As ``captures``, without a claim to the topic. A sequence is none of the tables."""
        return self._captured(database, name) and not is_sequence(self._catalog.tables.get((database, name)))

    def apply(self, event: Query) -> list[TableChange]:
        """Carry out a statement of the log; what it did to which tables, in order.

        Raises NotUnderstood if it cannot even be told which tables it is about. If anything is raised, nothing has changed.
        """
        with self.whole():
            return self._apply(event)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Where what is done within fails, nothing has changed: what is kept must not be ahead of the position."""
        before = dict(self._catalog.tables), dict(self._catalog.databases), self._topics.copy(), self._moved
        try:
            yield
        except BaseException:
            self._catalog.tables, self._catalog.databases, self._topics, self._moved = before
            raise

    def _apply(self, event: Query) -> list[TableChange]:
        variables = read_session(event.status, mariadb=self._mariadb)
        explicit = variables.explicit_timestamps
        session = Session(
            self._dialect,
            variables.sql_mode,
            self._explicit_timestamps if explicit is None else explicit,
            self._charset(variables.server_collation),
        )
        self._moved = True
        changes = self._catalog.apply(event.sql, event.database, session)
        if not event.exact:
            for change in changes:
                if change.schema is not None:
                    self._catalog.put(change.name, None, "a statement about it is in an unknown character set")
        self._name(changes)
        return changes

    def take_notes(self) -> dict[str, bytes | None]:
        """What is to be kept of what has changed since the last call, or since ``load``."""
        notes: dict[str, bytes | None] = {}
        if not self._moved:
            return notes
        self._moved = False
        tables, databases = self._catalog.tables, self._catalog.databases
        for name, entry in tables.items():
            if self._kept_tables.get(name) is not entry:
                notes[table_key(*name)] = table_note(entry)
        notes |= {table_key(*name): None for name in self._kept_tables.keys() - tables.keys()}
        for database, charset in databases.items():
            if self._kept_databases.get(database) != charset:
                notes[database_key(database)] = database_note(charset)
        notes |= {database_key(name): None for name in self._kept_databases.keys() - databases.keys()}
        self._kept_tables, self._kept_databases = dict(tables), dict(databases)
        return notes

    def _name(self, changes: Sequence[TableChange]) -> None:
        """Follow tables to the names that a statement has given them, to all of them at once."""
        for change in changes:
            gone = change.name if change.kind is ChangeKind.DROP else change.previous
            if gone is not None:
                self._topics.release(gone)
        for change in changes:
            if change.name in self._catalog.tables:
                self.captures(*change.name)

    def _charset(self, collation: int | None) -> str | None:
        try:
            return None if collation is None else charset_of(collation, mariadb=self._mariadb).name
        except Malformed:
            return None


_NEVER_SEEN = Gap("it was not there, or not to be seen, when its structure should have been read")
