"""Random tables, as the workload that writes to them knows them.

Every table has four columns for the checker: ``home`` is a constant that names the table itself, whatever it is renamed
to; ``tx`` is the tag of the transaction that wrote the row last; ``born`` counts the statements that insert; ``ver`` is
1 after an insert and one more after every update.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos import kinds
from tests.chaos.kinds import Kind

DATABASE = "chaos"
JOURNAL = "journal"
NOISE = "noise"
MARKS = ("home", "tx", "born", "ver")

CREATE_JOURNAL = (
    f"CREATE TABLE {DATABASE}.{JOURNAL} (tag BIGINT PRIMARY KEY, began BIGINT NOT NULL, low INT NOT NULL,"
    " high INT NOT NULL) CHARACTER SET utf8mb4"
)
CREATE_NOISE = f"CREATE TABLE {DATABASE}.{NOISE} (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(200))"


@dataclass(frozen=True)
class Column:
    """A column with a random type."""

    name: str
    kind: Kind
    nullable: bool = True

    @property
    def declared(self) -> str:
        return f"`{self.name}` {self.kind.declared} {'NULL' if self.nullable else 'NOT NULL'}"

    def draw(self, chance: random.Random) -> Any:
        """A value to bind."""
        return None if self.nullable and chance.random() < 0.15 else self.kind.draw(chance)

    def from_database(self, value: Any) -> Any:
        """What PyMySQL reads, made comparable."""
        if value is None:
            return None
        shown = self.kind.from_database(value)
        return self.kind.zero if shown is None and not self.nullable else shown

    def from_topic(self, value: Any) -> Any:
        """What a topic holds, made comparable."""
        return None if value is None else self.kind.from_topic(value)


@dataclass(frozen=True)
class TableModel:
    """A table: its present name, its key, its other random columns."""

    name: str
    home: int
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    auto: bool = False
    """The key is an AUTO_INCREMENT column."""
    unique: bool = False
    """The key is a unique index over NOT NULL columns, and there is no primary one."""

    @property
    def quoted(self) -> str:
        return f"`{DATABASE}`.`{self.name}`"

    @property
    def created(self) -> str:
        """The CREATE TABLE statement."""
        parts = [column.declared for column in self.key] if not self.auto else ["`id` BIGINT NOT NULL AUTO_INCREMENT"]
        parts += [f"`home` INT NOT NULL DEFAULT {self.home}", "`tx` BIGINT NOT NULL", "`born` BIGINT NOT NULL"]
        parts += ["`ver` BIGINT NOT NULL", *(column.declared for column in self.columns), "KEY (`born`)"]
        if self.key:
            names = ", ".join(f"`{column.name}`" for column in self.key)
            parts.append(f"UNIQUE KEY ({names})" if self.unique else f"PRIMARY KEY ({names})")
        return (
            f"CREATE TABLE {self.quoted} ({', '.join(parts)})"
            f" CHARACTER SET utf8mb4 COMMENT 'home={self.home}' ENGINE=InnoDB"
        )

    @property
    def every_column(self) -> tuple[Column, ...]:
        """Key, marks and the others; not in the table's order."""
        marks = (Column(name, kinds.WHOLE_KEY, nullable=False) for name in MARKS)
        return (*self.key, *marks, *self.columns)


_KEYS = {
    "auto": (kinds.Kind("BIGINT", lambda chance: chance.randrange(1, 3000)),),
    "whole": (kinds.WHOLE_KEY,),
    "unsigned": (kinds.UNSIGNED_KEY,),
    "text": (kinds.TEXT_KEY,),
    "composite": (kinds.WHOLE_KEY, kinds.CODE_KEY),
    "swapped": (kinds.CODE_KEY, kinds.UNSIGNED_KEY),
    "decimal": (kinds.DECIMAL_KEY,),
    "binary": (kinds.BINARY_KEY,),
    "day": (kinds.DAY_KEY, kinds.WHOLE_KEY),
    "unique": (kinds.WHOLE_KEY,),
    "none": (),
}
FIRST_KEYS = ("auto", "text", "composite", "none")


class Catalog:
    """The tables there are, by home. Shared by all connections that write; the one that alters holds ``altering``."""

    def __init__(self, chance: random.Random, flavor: str, favoured: tuple[Kind, ...] = ()) -> None:
        """Kinds that are ``favoured`` come in most tables."""
        self._chance = chance
        self._kinds = (*kinds.KINDS[flavor], *favoured * 10)
        self._lock = threading.Lock()
        self._tables: dict[int, TableModel] = {}
        self._made = 0
        self.models: dict[int, TableModel] = {}
        """Every table there has been: keys never change."""
        self.altering = threading.Lock()
        self.captured = threading.Event()
        """Set once the initial snapshot is in the topics: until then there are fewer faults, or it would never be."""

    def random_table(self, key: str | None = None) -> TableModel:
        """A new table that is not created yet."""
        self._made += 1
        shape = key or self._chance.choice(sorted(_KEYS))
        columns = tuple(
            Column(f"c{index}", self._chance.choice(self._kinds), self._chance.random() < 0.8)
            for index in range(self._chance.randint(2, 9))
        )
        keys = tuple(
            Column("id" if index == 0 else f"k{index}", kind, nullable=False) for index, kind in enumerate(_KEYS[shape])
        )
        made = TableModel(f"t{self._made}", self._made, keys, columns, shape == "auto", shape == "unique")
        self.models[made.home] = made
        return made

    def random_column(self) -> Column:
        """A column to add, whose name there has never been; it has no default, so that old rows hold NULL."""
        self._made += 1
        return Column(f"x{self._made}", self._chance.choice(self._kinds))

    def put(self, table: TableModel) -> None:
        """It is there now, in this form."""
        with self._lock:
            self._tables[table.home] = table

    def drop(self, home: int) -> None:
        with self._lock:
            del self._tables[home]

    def replace_all(self, tables: Mapping[int, TableModel]) -> None:
        """What the server says there is, after a statement with an unknown end."""
        with self._lock:
            self._tables = dict(tables)

    def tables(self) -> list[TableModel]:
        with self._lock:
            return list(self._tables.values())

    def names(self) -> dict[str, int]:
        """Which table has which name."""
        return {table.name: table.home for table in self.tables()}


def renamed(table: TableModel, name: str) -> TableModel:
    return replace(table, name=name)
