"""The structure of every table that is known, moved on by each DDL statement of the log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from connectors.mysql.ddl.alter import altered
from connectors.mysql.ddl.charsets import DEFAULT
from connectors.mysql.ddl.columns import Session
from connectors.mysql.ddl.keys import added, dropped, read_parts
from connectors.mysql.ddl.sequences import sequence_schema
from connectors.mysql.ddl.tables import TableOptions, made, read_option, read_table
from connectors.mysql.ddl.tokens import Cursor, NotUnderstood, tokenize
from connectors.mysql.structure import Gap, Index, TableSchema, is_sequence

NO_BACKSLASH_ESCAPES = 1 << 20
"""The bit of ``sql_mode``: a backslash in a string is one."""

Name = tuple[str, str]
"""A table, as (database, name)."""


class ChangeKind(Enum):
    """What happened to a table. The values are Debezium's."""

    CREATE = "CREATE"
    ALTER = "ALTER"
    DROP = "DROP"
    TRUNCATE = "TRUNCATE"


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a statement did to one table."""

    kind: ChangeKind
    name: Name
    """After the statement; of a table that is dropped, the one it had."""
    schema: TableSchema | None
    """After the statement; None if it is not known, or if the table is dropped."""
    previous: Name | None = None
    """The name before a renaming."""


class Catalog:
    """Tables and databases as they stand at one point of the log.

    ``tables`` and ``databases`` (their default character sets) are replaced value by value, so that what changed is seen.
    ``matters(database, name)``: whether it must be known that a table's structure is not known.
    """

    def __init__(self, matters: Callable[[str, str], bool], *, lower_case_names: bool) -> None:
        self.tables: dict[Name, TableSchema | Gap] = {}
        self.databases: dict[str, str] = {}
        self.matters = matters
        self._lower_case_names = lower_case_names

    def apply(self, sql: str, database: str, session: Session) -> list[TableChange]:
        """Carry out a statement that was run with ``database`` as the default, and succeeded; what it did, in order.

        A table whose part of it is not understood becomes a Gap. What it did to sequences is not told. Raises NotUnderstood
        if not even the table can be told.
        """
        escapes = not session.sql_mode & NO_BACKSLASH_ESCAPES
        cursor = Cursor(tokenize(sql, session.dialect, backslash_escapes=escapes))
        sequences = {name for name, entry in self.tables.items() if is_sequence(entry)}
        changes = _Statement(self, cursor, database, session).run()
        return [change for change in changes if not _about_sequence(change, sequences)]

    def stored(self, name: Name) -> Name:
        """A table's name as the server stores it."""
        return (name[0].lower(), name[1].lower()) if self._lower_case_names else name

    def known(self, name: Name) -> TableSchema | None:
        found = self.tables.get(name)
        return found if isinstance(found, TableSchema) else None

    def put(self, name: Name, schema: TableSchema | None, reason: str) -> None:
        """Take note of a table's structure, or that it is not known, and why."""
        if schema is not None:
            self.tables[name] = schema
        elif self.matters(*name):
            self.tables[name] = Gap(reason)
        else:
            self.tables.pop(name, None)


class _Statement:
    """One statement on its way through its tokens."""

    def __init__(self, catalog: Catalog, cursor: Cursor, database: str, session: Session) -> None:
        self._catalog = catalog
        self._cursor = cursor
        self._database = database
        self._session = session

    def run(self) -> Iterator[TableChange]:
        cursor = self._cursor
        if cursor.accept("SET", "STATEMENT"):
            while not (cursor.at_end or cursor.accept("FOR")):
                cursor.next()
        verb = cursor.accept_any("CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE")
        if verb == "CREATE":
            yield from self._create()
        elif verb == "ALTER":
            yield from self._alter()
        elif verb == "DROP":
            yield from self._drop()
        elif verb == "TRUNCATE":
            cursor.accept("TABLE")
            name = self._table()
            yield TableChange(ChangeKind.TRUNCATE, name, self._catalog.known(name))
        elif verb == "RENAME" and cursor.accept_any("TABLE", "TABLES"):
            yield from self._rename()

    def _table(self) -> Name:
        return self._catalog.stored(self._cursor.table(self._database))

    def _charset_of(self, database: str) -> str | None:
        return self._catalog.databases.get(database)

    # CREATE

    def _create(self) -> Iterator[TableChange]:
        cursor = self._cursor
        replaces = cursor.accept("OR", "REPLACE")
        if cursor.accept_any("DATABASE", "SCHEMA"):
            self._create_database()
        elif cursor.accept("TABLE"):
            yield from self._create_table(replaces=replaces)
        elif cursor.accept("SEQUENCE"):
            self._create_sequence(replaces=replaces)
        else:
            while cursor.accept_any("ONLINE", "OFFLINE", "FULLTEXT", "SPATIAL", "VECTOR"):
                pass
            unique = cursor.accept("UNIQUE")
            if cursor.accept("INDEX"):
                yield from self._create_index(unique=unique, replaces=replaces)

    def _create_table(self, *, replaces: bool) -> Iterator[TableChange]:
        cursor = self._cursor
        missing_only = cursor.accept("IF", "NOT", "EXISTS")
        name = self._table()
        existing = self._catalog.tables.get(name)
        if missing_only and not replaces and existing is not None:
            return  # the server logs it though there is one
        try:
            schema: TableSchema | None = self._new_table(name)
            reason = ""
        except NotUnderstood as error:
            schema, reason = None, f"its CREATE TABLE is not understood: {error}"
        if missing_only and existing is None and not self._catalog.matters(*name):
            schema = None  # what is not known may have been there
        if schema is None or schema != existing:  # equal to it is a CREATE … SELECT that is read a second time
            self._catalog.put(name, schema, reason)
            yield TableChange(ChangeKind.CREATE, name, schema)

    def _create_sequence(self, *, replaces: bool) -> None:
        missing_only = self._cursor.accept("IF", "NOT", "EXISTS")
        name = self._table()
        if replaces or not missing_only or name not in self._catalog.tables:
            self._catalog.tables[name] = sequence_schema(name)

    def _new_table(self, name: Name) -> TableSchema:
        cursor = self._cursor
        parenthesis = cursor.is_symbol("(") and cursor.word(1) == "LIKE"
        if parenthesis:
            cursor.next()
        if cursor.accept("LIKE"):
            model = self._catalog.known(self._table())
            if model is None:
                raise NotUnderstood("it is made like a table whose structure is not known")
            return renamed(model, name)
        return read_table(cursor, name, self._charset_of(name[0]), self._session)

    def _create_index(self, *, unique: bool, replaces: bool) -> Iterator[TableChange]:
        cursor = self._cursor
        missing_only = cursor.accept("IF", "NOT", "EXISTS")
        index = cursor.name()
        if cursor.accept_any("USING", "TYPE"):
            cursor.name()
        cursor.expect("ON")
        name = self._table()

        def change(schema: TableSchema) -> TableSchema:
            definition = replace(read_parts(cursor), unique=unique, name=index, if_missing=missing_only)
            others = dropped(schema.indexes, index, if_exists=True) if replaces else schema.indexes
            return _with_indexes(schema, added(others, [definition], schema.columns))

        yield from self._changed(name, change)

    def _create_database(self) -> None:
        missing_only = self._cursor.accept("IF", "NOT", "EXISTS")
        database, _ = self._catalog.stored((self._cursor.name(), ""))
        if not (missing_only and database in self._catalog.databases):
            self._set_charset(database, self._session.server_charset)

    def _set_charset(self, database: str, otherwise: str | None) -> None:
        options = TableOptions()
        while not self._cursor.at_end:
            if not read_option(self._cursor, options):
                self._cursor.next()  # READ ONLY and the like
        if options.charset == DEFAULT:
            options.charset = self._session.server_charset
        charset = options.default_charset(otherwise, self._session.server_charset)
        if charset is None:
            self._catalog.databases.pop(database, None)
        else:
            self._catalog.databases[database] = charset

    # ALTER

    def _alter(self) -> Iterator[TableChange]:
        cursor = self._cursor
        while cursor.accept_any("ONLINE", "OFFLINE", "IGNORE"):
            pass
        if cursor.accept_any("DATABASE", "SCHEMA"):
            database = self._database if self._at_option() else cursor.name()
            database, _ = self._catalog.stored((database, ""))
            self._set_charset(database, self._charset_of(database))
        elif cursor.accept("TABLE"):
            yield from self._alter_table()

    def _at_option(self) -> bool:
        """Whether an option of a database stands here, not its name.

        The words that begin one are reserved, but for COMMENT, and for CHARSET, which both servers take for a name here.
        """
        cursor = self._cursor
        if cursor.word() == "COMMENT":
            return cursor.is_symbol("=", 1) or cursor.at_string(1)
        return cursor.word() in {"DEFAULT", "CHARACTER", "CHAR", "COLLATE", "READ"}

    def _alter_table(self) -> Iterator[TableChange]:
        cursor = self._cursor
        cursor.accept("IF", "EXISTS")
        name = self._table()
        self._skip_wait()
        schema = self._catalog.known(name)
        if schema is None:
            yield from self._alter_unknown(name)
            return
        try:
            result = altered(cursor, schema, self._database, self._charset_of(name[0]), self._session)
        except NotUnderstood as error:
            self._catalog.put(name, None, f"an ALTER TABLE is not understood: {error}")
            yield TableChange(ChangeKind.ALTER, name, None)
            return
        new = self._catalog.stored(result.name)
        yield self._moved(name, new, renamed(result.schema, new))

    def _alter_unknown(self, name: Name) -> Iterator[TableChange]:
        """What was not known stays so; its new name, if it gets one, is all there is to see."""
        new = name
        while not self._cursor.at_end:
            if self._cursor.accept("RENAME") and self._cursor.word() not in {"COLUMN", "INDEX", "KEY"}:
                if not self._cursor.accept_any("TO", "AS"):
                    self._cursor.accept_symbol("=")
                new = self._table()
            elif not self._cursor.skip_parentheses():
                self._cursor.next()
        yield self._moved(name, new, None)

    # DROP and RENAME

    def _drop(self) -> Iterator[TableChange]:
        cursor = self._cursor
        if cursor.accept_any("DATABASE", "SCHEMA"):
            cursor.accept("IF", "EXISTS")
            database, _ = self._catalog.stored((cursor.name(), ""))
            self._catalog.databases.pop(database, None)
            for name in [name for name in self._catalog.tables if name[0] == database]:
                yield self._dropped(name)
        elif cursor.accept_any("TABLE", "TABLES", "SEQUENCE"):
            cursor.accept("IF", "EXISTS")
            names = [self._table()]
            while cursor.accept_symbol(","):
                names.append(self._table())
            for name in names:
                yield self._dropped(name)
        elif cursor.accept("INDEX"):
            if_exists = cursor.accept("IF", "EXISTS")
            index = cursor.name()
            cursor.expect("ON")
            yield from self._changed(
                self._table(),
                lambda schema: _with_indexes(schema, dropped(schema.indexes, index, if_exists=if_exists)),
            )

    def _dropped(self, name: Name) -> TableChange:
        self._catalog.tables.pop(name, None)
        return TableChange(ChangeKind.DROP, name, None)

    def _rename(self) -> Iterator[TableChange]:
        cursor = self._cursor
        if_exists = cursor.accept("IF", "EXISTS")
        while True:
            old = self._table()
            self._skip_wait()
            cursor.expect("TO")
            new = self._table()
            tables, schema = self._catalog.tables, self._catalog.known(old)
            # With another table in its way, the old one was missing.
            if not if_exists or old in tables or new not in tables:
                yield self._moved(old, new, None if schema is None else renamed(schema, new))
            if not cursor.accept_symbol(","):
                return

    def _moved(self, old: Name, new: Name, schema: TableSchema | None) -> TableChange:
        before = self._catalog.tables.get(old)
        reason = before.reason if isinstance(before, Gap) else f"{'.'.join(old)}, of which it came, was not known"
        if new != old:
            self._catalog.tables.pop(old, None)
        self._catalog.put(new, schema, reason)
        return TableChange(ChangeKind.ALTER, new, schema, old if new != old else None)

    def _changed(self, name: Name, change: Callable[[TableSchema], TableSchema]) -> Iterator[TableChange]:
        schema = self._catalog.known(name)
        if schema is not None:
            try:
                self._catalog.tables[name] = schema = change(schema)
            except NotUnderstood as error:
                self._catalog.put(name, None, f"a change of its indexes is not understood: {error}")
                schema = None
        yield TableChange(ChangeKind.ALTER, name, schema)

    def _skip_wait(self) -> None:
        if self._cursor.accept("WAIT"):
            self._cursor.next()
        else:
            self._cursor.accept("NOWAIT")


def _about_sequence(change: TableChange, before: Collection[Name]) -> bool:
    """Whether a change is of what is a sequence, or of one that is dropped, of those that there were ``before``."""
    return is_sequence(change.schema) or (change.kind is ChangeKind.DROP and change.name in before)


def renamed(schema: TableSchema, name: Name) -> TableSchema:
    """The same structure under another name."""
    return replace(schema, table=replace(schema.table, database=name[0], name=name[1]))


def _with_indexes(schema: TableSchema, indexes: list[Index]) -> TableSchema:
    name = (schema.table.database, schema.table.name)
    built = made(name, schema.columns, indexes, charset=schema.charset, engine=schema.engine)
    return replace(built, versioned=schema.versioned)
