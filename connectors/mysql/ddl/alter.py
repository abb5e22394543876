"""ALTER TABLE: what becomes of a table.

All clauses speak of the table as it was before the statement, but for FIRST and AFTER, which are carried out from left to
right on what has come of it.
https://dev.mysql.com/doc/refman/9.4/en/alter-table.html and https://mariadb.com/kb/en/alter-table/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.mysql.charset_names import bytes_per_character
from connectors.mysql.ddl.charsets import accept_charset, read_collation
from connectors.mysql.ddl.columns import ColumnDefinition, Session, read_column, read_definition, read_place
from connectors.mysql.ddl.invisible_key import begins_with_generated_key, keeps_generated_key
from connectors.mysql.ddl.keys import (
    added,
    begins_constraint,
    dropped,
    find,
    read_constraint,
    with_columns_renamed,
)
from connectors.mysql.ddl.tables import Elements, TableOptions, made, own_indexes, read_elements, read_option
from connectors.mysql.ddl.tokens import Cursor, NotUnderstood
from connectors.mysql.ddl.types import text_type
from connectors.mysql.structure import PRIMARY, Column, TableSchema

_TEXT_BYTES = {"tinytext": 1 << 8, "text": 1 << 16, "mediumtext": 1 << 24, "longtext": 1 << 32}
_VARCHAR_BYTES = 65_535
_PARTITION_VERBS = {
    "ANALYZE", "CHECK", "COALESCE", "DISCARD", "EXCHANGE", "IMPORT", "OPTIMIZE", "REBUILD", "REORGANIZE", "REPAIR",
    "TRUNCATE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alteration:
    """What came of a table."""

    name: tuple[str, str]
    """Its name from now on."""
    schema: TableSchema


@dataclass(frozen=True, slots=True)
class _Placed:
    """A column that is put somewhere, in the order of the statement."""

    definition: ColumnDefinition
    place: str | None
    """After this column; at the beginning if empty; at the end if None."""
    moved: bool = False
    """It is there already, at another place."""


def altered(
    cursor: Cursor, schema: TableSchema, database: str, database_charset: str | None, session: Session
) -> Alteration:
    """Read the clauses of an ALTER TABLE, from after the table's name on, and carry them out on ``schema``.

    ``database`` is the default one, ``database_charset`` the default character set of the table's own.
    """
    return _Alter(cursor, schema, database, database_charset, session).run()


class _Alter:
    """One statement: its clauses are gathered first, then the table is built."""

    def __init__(
        self, cursor: Cursor, schema: TableSchema, database: str, database_charset: str | None, session: Session
    ) -> None:
        self._cursor = cursor
        self._schema = schema
        self._database = database
        self._database_charset = database_charset
        self._session = session
        self._name = (schema.table.database, schema.table.name)
        self._indexes = list(schema.indexes)
        self._columns = {column.name.lower(): column for column in schema.columns}
        self._gone: set[str] = set()
        self._changed: dict[str, ColumnDefinition] = {}
        self._renamed: dict[str, str] = {}
        self._invisible: dict[str, bool] = {}
        self._placed: list[_Placed] = []
        self._new = Elements([], [])
        self._options = TableOptions()
        self._converted = False
        self._clauses: dict[str, Callable[[], None]] = {
            "ADD": self._add,
            "DROP": self._drop,
            "CHANGE": self._change,
            "MODIFY": self._modify,
            "ALTER": self._alter,
            "RENAME": self._rename,
            "CONVERT": self._convert,
            "ORDER": cursor.skip_rest,  # nothing may follow it
            "PARTITION": cursor.skip_rest,
            "REMOVE": lambda: cursor.expect("PARTITIONING"),
            "FORCE": lambda: None,
            "ENABLE": lambda: cursor.expect("KEYS"),
            "DISABLE": lambda: cursor.expect("KEYS"),
            "WITH": lambda: cursor.expect("VALIDATION"),
            "WITHOUT": lambda: cursor.expect("VALIDATION"),
            "SECONDARY_LOAD": lambda: None,
            "SECONDARY_UNLOAD": lambda: None,
        }

    def run(self) -> Alteration:
        cursor = self._cursor
        while not cursor.at_end:
            if cursor.accept_symbol(","):
                continue
            word = cursor.word()
            if (word in {"DISCARD", "IMPORT"} and cursor.word(1) == "TABLESPACE") or (
                word in _PARTITION_VERBS and cursor.word(1) == "PARTITION"
            ):
                cursor.skip_rest()
            elif not self._read_clause(word):
                raise NotUnderstood(f"{cursor.near()} in ALTER TABLE")
        return Alteration(self._name, self._built())

    def _read_clause(self, word: str) -> bool:
        clause = self._clauses.get(word)
        if clause is None or self._cursor.is_symbol("=", 1):
            return read_option(self._cursor, self._options)
        self._cursor.next()
        clause()
        return True

    # Clauses

    def _add(self) -> None:
        cursor = self._cursor
        if cursor.accept("PARTITION"):
            cursor.skip_rest()
            return
        if cursor.accept("SYSTEM", "VERSIONING"):
            raise NotUnderstood("system versioning is added")
        if begins_constraint(cursor):
            self._new.add(read_constraint(cursor))
            return
        cursor.accept("COLUMN")
        missing_only = cursor.accept("IF", "NOT", "EXISTS")
        if cursor.is_symbol("("):
            found = read_elements(cursor, self._session)
            self._new.indexes.extend(found.indexes)
            for definition in found.columns:
                self._place_new(definition, None, missing_only=missing_only)
            return
        definition = read_column(cursor, self._session)
        self._place_new(definition, read_place(cursor), missing_only=missing_only, with_indexes=True)

    def _place_new(
        self, definition: ColumnDefinition, place: str | None, *, missing_only: bool, with_indexes: bool = False
    ) -> None:
        name = definition.name.lower()
        if missing_only and name in self._columns and name not in self._gone:
            return
        self._placed.append(_Placed(definition, place))
        if with_indexes:
            self._new.indexes.extend(own_indexes(definition))

    def _drop(self) -> None:
        cursor = self._cursor
        if cursor.accept("PARTITION"):
            cursor.skip_rest()
        elif cursor.accept("PRIMARY", "KEY"):
            self._indexes = dropped(self._indexes, PRIMARY, if_exists=False)
        elif cursor.accept_any("INDEX", "KEY"):
            if_exists = cursor.accept("IF", "EXISTS")
            self._indexes = dropped(self._indexes, cursor.name(), if_exists=if_exists)
        elif cursor.accept("FOREIGN", "KEY") or cursor.accept("CHECK"):
            cursor.accept("IF", "EXISTS")
            cursor.name()
        elif cursor.accept("CONSTRAINT"):
            cursor.accept("IF", "EXISTS")
            self._indexes = dropped(
                self._indexes, cursor.name(), if_exists=True
            )  # it may be another kind of constraint
        elif cursor.word() in {"SYSTEM", "PERIOD"} and cursor.word(1) in {"VERSIONING", "FOR"}:
            raise NotUnderstood("system versioning is dropped")
        else:
            self._drop_column()

    def _drop_column(self) -> None:
        cursor = self._cursor
        cursor.accept("COLUMN")
        if_exists = cursor.accept("IF", "EXISTS")
        name = cursor.name()
        cursor.accept_any("RESTRICT", "CASCADE")
        if name.lower() in self._columns:
            self._gone.add(name.lower())
        elif not if_exists:
            raise self._unknown(name)

    def _change(self) -> None:
        self._cursor.accept("COLUMN")
        if_exists = self._cursor.accept("IF", "EXISTS")
        old = self._cursor.name()
        self._redefine(old, self._cursor.name(), if_exists=if_exists)

    def _modify(self) -> None:
        self._cursor.accept("COLUMN")
        if_exists = self._cursor.accept("IF", "EXISTS")
        name = self._cursor.name()
        self._redefine(name, name, if_exists=if_exists)

    def _redefine(self, old: str, new: str, *, if_exists: bool) -> None:
        column = self._columns.get(old.lower())
        definition = read_definition(self._cursor, new, self._session)
        place = read_place(self._cursor)
        if column is None:
            if not if_exists:
                raise self._unknown(old)
            return
        self._changed[old.lower()] = definition
        self._new.indexes.extend(own_indexes(definition))
        if place is not None:
            self._placed.append(_Placed(definition, place, moved=True))

    def _alter(self) -> None:
        cursor = self._cursor
        if not cursor.accept_any("INDEX", "KEY", "CHECK", "CONSTRAINT"):
            cursor.accept("COLUMN")
            cursor.accept("IF", "EXISTS")
            name = cursor.name()
            if cursor.accept("SET", "INVISIBLE"):
                self._invisible[name.lower()] = True
            elif cursor.accept("SET", "VISIBLE"):
                self._invisible[name.lower()] = False
            elif not (cursor.accept("SET", "DEFAULT") or cursor.accept("DROP", "DEFAULT")):
                raise NotUnderstood(f"{cursor.near()} of column {name}")
        cursor.skip_to_comma()

    def _rename(self) -> None:
        cursor = self._cursor
        if cursor.accept_any("INDEX", "KEY"):
            self._rename_index()
        elif cursor.accept("COLUMN"):
            self._rename_column()
        else:
            if not cursor.accept_any("TO", "AS"):
                cursor.accept_symbol("=")
            self._name = cursor.table(self._database)

    def _rename_column(self) -> None:
        cursor = self._cursor
        if_exists = cursor.accept("IF", "EXISTS")
        old = cursor.name()
        cursor.expect("TO")
        new = cursor.name()
        if old.lower() in self._columns:
            self._renamed[old.lower()] = new
        elif not if_exists:
            raise self._unknown(old)

    def _rename_index(self) -> None:
        if_exists = self._cursor.accept("IF", "EXISTS")
        old = self._cursor.name()
        self._cursor.expect("TO")
        new = self._cursor.name()
        index = find(self._indexes, old)
        if index is None and not if_exists:
            raise NotUnderstood(f"index {old} is renamed, which the table does not have")
        self._indexes = [replace(each, name=new) if each is index else each for each in self._indexes]

    def _convert(self) -> None:
        cursor = self._cursor
        if cursor.accept_any("PARTITION", "TABLE"):
            cursor.skip_rest()
            return
        cursor.expect("TO")
        charset = accept_charset(cursor)
        if charset is None:
            raise NotUnderstood(f"{cursor.near()} after CONVERT TO")
        if cursor.accept("COLLATE"):
            charset = read_collation(cursor) or charset
        self._options.charset = charset
        self._converted = True

    # The table that comes of them

    def _built(self) -> TableSchema:
        schema = self._schema
        charset = self._options.default_charset(schema.charset, self._database_charset)
        if self._converted and charset is None:
            raise NotUnderstood("the default character set is not known")
        columns = self._kept(charset)
        for placed in self._placed:
            column = self._defined(placed.definition, charset)
            if placed.moved:
                columns = [each for each in columns if each.name.lower() != column.name.lower()]
            columns.insert(_index_after(columns, placed.place), column)
        engine = self._options.engine or schema.engine
        self._keep_generated_key_first(columns, engine)
        names = [column.name.lower() for column in columns]
        if len(set(names)) < len(names):
            raise NotUnderstood("two columns would have one name: the table is not what the log makes of it")
        indexes = with_columns_renamed(self._indexes, self._new_names())
        indexes = added(indexes, self._new.indexes, columns)
        built = made(self._name, columns, indexes, charset=charset, engine=engine)
        sequence = schema.sequence if self._options.sequence is None else self._options.sequence
        return replace(built, versioned=schema.versioned, sequence=sequence)

    def _keep_generated_key_first(self, columns: list[Column], engine: str) -> None:
        name = self._schema.columns[0].name.lower()
        if (
            name not in self._gone
            and keeps_generated_key(engine)
            and begins_with_generated_key(self._schema, self._session.dialect)
        ):
            columns.sort(key=lambda column: column.name.lower() != name)

    def _kept(self, charset: str | None) -> list[Column]:
        kept = []
        for column in self._schema.columns:
            name = column.name.lower()
            if name in self._gone:
                continue
            definition = self._changed.get(name)
            if definition is not None:
                kept.append(self._defined(definition, charset))
                continue
            if self._converted and charset is not None:
                column = _converted(column, charset)  # noqa: PLW2901 - the same column, further on
            kept.append(
                replace(
                    column,
                    name=self._renamed.get(name, column.name),
                    invisible=self._invisible.get(name, column.invisible),
                )
            )
        return kept

    def _defined(self, definition: ColumnDefinition, charset: str | None) -> Column:
        """A newly defined column. CONVERT TO outdoes a character set of its own."""
        column = definition.column(charset, self._session)
        return replace(column, charset=charset) if self._converted and column.charset is not None else column

    def _new_names(self) -> dict[str, str | None]:
        """Of columns by their old name; None for those that are gone. One that is added under the name takes its place."""
        names: dict[str, str | None] = dict.fromkeys(self._gone)
        new = (placed.definition.name for placed in self._placed if not placed.moved)
        names |= {name.lower(): name for name in new if name.lower() in names}
        names |= {old: definition.name for old, definition in self._changed.items()}
        return names | self._renamed

    def _unknown(self, column: str) -> NotUnderstood:
        return NotUnderstood(f"column {column}, which the table does not have")


def _index_after(columns: list[Column], place: str | None) -> int:
    if place is None:
        return len(columns)
    if not place:
        return 0
    for index, column in enumerate(columns):
        if column.name.lower() == place.lower():
            return index + 1
    raise NotUnderstood(f"AFTER {place}, which the table does not have")


def _converted(column: Column, charset: str) -> Column:
    """A column in another character set; its type grows, if it must, to hold as many characters."""
    if column.charset is None or column.charset == charset:
        return column
    if charset == "binary":
        raise NotUnderstood("text becomes binary")
    name, longest = column.data_type, bytes_per_character(charset)
    declared = column.declared
    if name in _TEXT_BYTES:
        characters = (_TEXT_BYTES[name] - 1) // bytes_per_character(column.charset)
        grown = text_type(min(characters * longest, _TEXT_BYTES["longtext"] - 1), "text")
        if _TEXT_BYTES[grown] > _TEXT_BYTES[name]:
            declared = declared.replace(name, grown, 1)
    elif name == "varchar" and column.width * longest > _VARCHAR_BYTES:
        declared = text_type(column.width * longest, "text")
    return replace(column, declared=declared, charset=charset)
