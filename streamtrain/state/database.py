"""The state database as its users see it: rows of a few tables, read and written in transactions.

What a run is, a checkpoint or a dead letter, is said once, on top of this; SQL and MongoDB implement it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from streamtrain.errors import StreamtrainError
from streamtrain.state.layout import Table

Row = Mapping[str, Any]
"""A row's values by column: text, whole numbers, floats, booleans, bytes or None."""

Where = Mapping[str, Any]
"""What rows must hold, by column: a value, or one of the conditions below. All of them apply."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The column holds one of these values."""

    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Not:
    """The column holds another value than this one."""

    value: Any


@dataclass(frozen=True, slots=True)
class Range:
    """The column holds a whole number from ``at_least`` to before ``below``; None is no bound."""

    at_least: int | None = None
    below: int | None = None


class Transaction(Protocol):
    """One transaction, which sees what it has written. Every method raises what ``Database.transaction`` raises."""

    def lock(self, table: Table, key: Row, *, replacing: bool = False) -> Row | None:
        """Wait until no other transaction holds the row, keep all others from it, and read it; None if there is none.

        With ``replacing`` the transaction that holds it may be ended, if it stands still or takes long: it is that of a
        process which this one replaces.
        Two transactions that lock the same row come one after the other. It is the first thing that a transaction does:
        later, a row that another holds may end the transaction with StateUnavailable.
        """

    def select(
        self,
        table: Table,
        where: Where,
        *,
        columns: Sequence[str] = (),
        order: Sequence[str] = (),
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        """The rows that match, with all columns unless some are named, in the order of the columns ``order``."""

    def count(self, table: Table, where: Where, by: str) -> dict[Any, int]:
        """How many rows match, by the value of a column, in its order."""

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, each with every column of the table that may not be null."""

    def insert_numbered(self, table: Table, row: Row) -> int:
        """Add a row without its ``id``, and give the id that it got: above those of all rows before."""

    def update(self, table: Table, where: Where, values: Row) -> int:
        """Put these values into the rows that match; how many they were, changed by it or not."""

    def delete(self, table: Table, where: Where) -> None:
        """Remove the rows that match."""


class Database(Protocol):
    """A state database. Not shared between processes.

    Every method raises StateUnavailable while the database is away, AccessDenied, ConfigError or FatalError where waiting
    would not help; none of their texts holds a password or a row.
    """

    @property
    def where(self) -> str:
        """The URL without its password and its options (one may be a password), for messages."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises.

        StateUnavailable from the end of the block leaves it in doubt whether it was committed.
        """

    def migrate(self) -> None:
        """Bring the tables to this version's form; does nothing if they are. Safe to call from several processes at once.

        One that was killed is gone on with. Raises FatalError if the tables are of a newer version.
        """

    def pending_migration(self) -> tuple[str | None, str] | None:
        """(revision found, revision needed) if the tables are not of this version; None if they are.

        Raises FatalError if they are of a newer version.
        """

    def problems(self) -> Iterator[StreamtrainError]:
        """What stands in the way of keeping state here, each with its way out, as far as it shows without writing."""

    def part_bytes(self) -> int:
        """How many bytes of a blob one row may hold."""

    def close(self) -> None:
        """Close the connections."""
