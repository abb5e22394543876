"""Tables of which nothing is read for now, but whose changes have to be routed."""

from __future__ import annotations

from connectors.mysql.position import LogPosition
from connectors.mysql.snapshots.bounds import compared_alike
from connectors.mysql.snapshots.plan import Plan
from connectors.mysql.snapshots.window import Window
from connectors.mysql.structure import Column, TableSchema
from connectors.source import Change


class UnreadTable:
    """Its changes pass as far as a snapshot has come with it."""

    def __init__(self, plan: Plan, window: Window) -> None:
        self.plan = plan
        self._window = window

    @property
    def altered(self) -> bool:
        """Whether the table is no longer as it was when it was looked at."""
        return self._window.altered

    def route(self, change: Change) -> list[Change]:
        """What passes of a change of this table, in order."""
        return self._window.route(change)

    def close(self) -> None:
        """Nothing is held."""


class ParkedTable(UnreadTable):
    """It was begun with others, and there are fewer sessions now: it is read on once there is one for it."""


class AwaitedTable(UnreadTable):
    """A table that is not yet, where the log has been read to, what the server has under its name by now.

    It has been swapped for another table, or its key was altered: its rows are to be read once the log tells of that.
    Until then its changes are those of the table that the log knows, whose ``plan`` it has. Nothing is read by it.
    """

    def __init__(self, plan: Plan, window: Window, there: TableSchema, end: LogPosition) -> None:
        super().__init__(plan, window)
        self.there = there
        """The table that the server has."""
        self.end = end
        """When the log has been read up to here, it has told of it."""


class MissingTable:
    """A table that the server has not, or the log does not know yet: read up to ``end``, it will have told of it."""

    plan = None
    altered = False

    def __init__(self, there: TableSchema | None, end: LogPosition, window: Window | None, *, passes_all: bool) -> None:
        """``window``: of the table as the log knows it, if it does and a part of it is published."""
        self.there = there
        """The table that the server has."""
        self.end = end
        self._window = window
        self._passes_all = passes_all

    def route(self, change: Change) -> list[Change]:
        """What passes of a change of this table, in order: of rows that are published, unless all do."""
        if self._window is not None:
            return self._window.route(change)
        return [change] if self._passes_all else []

    def close(self) -> None:
        """Nothing is held."""


def read_alike(one: TableSchema, other: TableSchema, by: str | None) -> bool:
    """Whether both tables are read by the same columns, which are compared by the same rules."""
    ours, theirs = ([*_key(schema), *_named(schema, by)] for schema in (one, other))
    return len(ours) == len(theirs) and all(map(compared_alike, ours, theirs))


def _key(schema: TableSchema) -> list[Column]:
    return [schema.columns[index] for index in schema.table.key]


def _named(schema: TableSchema, name: str | None) -> list[Column]:
    return [column for column in schema.columns if name is not None and column.name.lower() == name.lower()]
