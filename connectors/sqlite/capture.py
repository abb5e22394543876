"""Sets capture up on tables, and keeps it in step when their columns change."""
# ruff: noqa: S608 -- every name goes through quoted(); a column's default is SQL of the schema's own

from __future__ import annotations

from connectors.sqlite.changelog import ChangeLog, Layout
from connectors.sqlite.connection import Database, quoted
from connectors.sqlite.schema import OWN_PREFIX, TableSchema, exists, tables
from connectors.sqlite.settings import DATABASE, SqliteSettings
from connectors.sqlite.triggers import CHANGES, NOW_MS, change_columns, needed_trigger_names, trigger_names, triggers
from connectors.topic_owners import require_own_topics
from streamtrain import log
from streamtrain.errors import PositionLost, SourceMisconfigured

_log = log.get("sqlite")


class Capture:
    """The triggers on the included tables. Both methods run inside of the caller's ``Database.writing()``."""

    def __init__(self, database: Database, changes: ChangeLog, settings: SqliteSettings) -> None:
        self._db = database
        self._changes = changes
        self._settings = settings

    def begin(self) -> None:
        """Capture every included table from now on, whatever was there before. Raises SourceMisconfigured if none is."""
        included = self._included()
        if not included:
            raise SourceMisconfigured(
                f"source.include matches no table of {self._db.path}",
                hint=f"tables are written as {DATABASE}.TABLE, with shell wildcards",
            )
        self._remove_strays()
        active = self._changes.active()
        for schema in included:
            layout = active.get(schema.name)
            if layout is None or not self._is_current(schema, layout):
                self._install(schema)

    def keep_in_step(self) -> None:
        """Take in what changed in the schema since capture was last set up.

        A new table is captured with the rows it has, each as an insert. A table with another list of columns gets new
        triggers; rows which by then hold something in a column that the old ones did not know are recorded as updated.
        Raises PositionLost if a table was made again without its triggers: what was written to it went by unseen.
        """
        self._remove_strays()
        active = self._changes.active()
        included = {schema.name: schema for schema in self._included()}
        for name in sorted(set(active) - set(included)):
            if not exists(self._db, name):
                self._changes.retire(name)
                _log.info("table dropped", table=f"{DATABASE}.{name}")
        for name, schema in included.items():
            self._follow(schema, active.get(name))

    def _included(self) -> list[TableSchema]:
        """The tables that are to be captured. Raises ConfigError if two of them have one topic."""
        found = tables(self._db, self._settings.includes)
        require_own_topics(self._settings.prefix, [(DATABASE, schema.name) for schema in found])
        return found

    def _follow(self, schema: TableSchema, layout: Layout | None) -> None:
        if layout is None:
            self._record_all(self._install(schema))
        elif not set(needed_trigger_names(schema.name)) <= set(self._triggers_on(schema.name)):
            raise PositionLost(
                f"the triggers on {layout.table.full_name} are gone: the table was dropped and made again, or somebody "
                "dropped them, and changes since then were not captured",
                hint="set snapshot: when_needed to read all rows again, or capture under a new name",
            )
        elif not self._is_current(schema, layout):
            self._record_gap(schema, layout, self._install(schema))
            _log.info("table altered", table=layout.table.full_name)

    def _install(self, schema: TableSchema) -> Layout:
        layout = self._changes.add_layout(schema)
        for name in trigger_names(schema.name):
            self._db.rows(f"DROP TRIGGER IF EXISTS {quoted(name)}")
        for statement in triggers(schema, layout.number).values():
            self._db.rows(statement)
        return layout

    def _is_current(self, schema: TableSchema, layout: Layout) -> bool:
        return layout.fits(schema) and self._triggers_on(schema.name) == triggers(schema, layout.number)

    def _triggers_on(self, table: str) -> dict[str, str]:
        listed = self._db.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,))
        return {name: sql for name, sql in listed if name.startswith(OWN_PREFIX)}

    def _remove_strays(self) -> None:
        """Drop triggers that went along when their table was renamed: they would record under its old name."""
        for name, table in self._db.rows("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger'"):
            if name.startswith(OWN_PREFIX) and name not in trigger_names(table):
                self._db.rows(f"DROP TRIGGER {quoted(name)}")

    def _record_all(self, layout: Layout) -> None:
        after = change_columns("after", len(layout.table.columns))
        self._db.rows(
            f"INSERT INTO {CHANGES}({', '.join(['committed_ms', 'layout', 'op', *after])}) "
            f"SELECT {NOW_MS}, {layout.number}, 'c', {', '.join(map(quoted, layout.table.columns))} "
            f"FROM {quoted(layout.table.name)}"
        )

    def _record_gap(self, schema: TableSchema, old: Layout, new: Layout) -> None:
        """Record the rows whose new columns hold anything else than what adding the column gave to every row."""
        known = set(old.table.columns)
        added = [column for column in schema.columns if column.name not in known]
        if not added:
            return
        names = [quoted(column.name) for column in schema.columns]
        before = [quoted(column.name) if column.name in known else "NULL" for column in schema.columns]
        columns = change_columns("before", len(names)) + change_columns("after", len(names))
        touched = " OR ".join(f"{quoted(column.name)} IS NOT ({column.default or 'NULL'})" for column in added)
        self._db.rows(
            f"INSERT INTO {CHANGES}({', '.join(['committed_ms', 'layout', 'op', *columns])}) "
            f"SELECT {NOW_MS}, {new.number}, 'u', {', '.join(before + names)} FROM {quoted(schema.name)} WHERE {touched}"
        )
