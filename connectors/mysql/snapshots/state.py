"""How far the snapshots have come: the part of a source's position that is about them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from connectors.mysql.snapshots.bounds import Bound
from streamtrain.errors import PositionLost

Kind = Literal["initial", "incremental"]


@dataclass(frozen=True, slots=True)
class TableTask:
    """One table that is still to be read, or is being read."""

    database: str
    table: str
    where: str | None = None
    """An SQL condition on the rows that are read; None: all."""
    by: str | None = None
    """The column to read it by; None: its key."""

    @property
    def name(self) -> str:
        """``database.table``."""
        return f"{self.database}.{self.table}"

    def to_json(self) -> str | dict[str, str | None]:
        """The name alone where that says all."""
        if self.where is None and self.by is None and "." not in self.database:
            return self.name
        return {"database": self.database, "table": self.table, "where": self.where, "by": self.by}

    @classmethod
    def from_json(cls, document: Any) -> TableTask:
        """Raises TypeError or ValueError on anything else."""
        if isinstance(document, str):
            database, table = document.split(".", 1)
            return cls(database, table)
        return cls(**document)


@dataclass(frozen=True, slots=True)
class Job:
    """Tables to be read one after another; the first of them is the one at work."""

    kind: Kind
    tables: tuple[TableTask, ...]
    id: str = ""
    """The signal's; empty for what was begun without one."""
    after: Bound | None = None
    """Rows of the first table up to here are published; None: none of them."""
    rows: int = 0
    """Published of the first table."""
    rows_before: int = 0
    """Published of the tables before it."""
    started_us: int = 0
    paused: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the position."""
        return {
            "kind": self.kind,
            "id": self.id,
            "tables": [table.to_json() for table in self.tables],
            "after": None if self.after is None else list(self.after.texts),
            "rows": self.rows,
            "rows_before": self.rows_before,
            "started_us": self.started_us,
            "paused": self.paused,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Job:
        """Raises TypeError, KeyError or ValueError on anything else."""
        after = document["after"]
        return cls(
            **{
                **document,
                "tables": tuple(TableTask.from_json(table) for table in document["tables"]),
                "after": None if after is None else Bound(tuple(after)),
            }
        )

    def next_table(self) -> Job:
        """The same without its first table, which is done."""
        return replace(self, tables=self.tables[1:], after=None, rows=0, rows_before=self.rows_before + self.rows)


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """All jobs that are not done, in the order in which they are worked on."""

    jobs: tuple[Job, ...] = ()
    document: list[dict[str, Any]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "document", [job.to_json() for job in self.jobs])

    @classmethod
    def from_json(cls, document: Any) -> SnapshotState:
        """Raises PositionLost if it is none of ours."""
        try:
            return cls(tuple(Job.from_json(job) for job in document or ()))
        except (TypeError, KeyError, ValueError):
            raise PositionLost(
                "the stored position tells of a snapshot in a way that is not known",
                hint="another version has written it: go on with that one, or begin again under a new topic.prefix",
            ) from None

    @property
    def current(self) -> Job | None:
        """The job to work on: the first that is not paused."""
        return next((job for job in self.jobs if not job.paused), None)

    def sorted(self) -> SnapshotState:
        """The same with initial snapshots first: until they are done, changes of their tables do not pass."""
        return SnapshotState(tuple(sorted(self.jobs, key=lambda job: job.kind != "initial")))

    def replaced(self, job: Job, by: Job | None) -> SnapshotState:
        """The same with one job in another state, or gone."""
        return SnapshotState(
            tuple(each for old in self.jobs if (each := by if old is job else old) is not None and each.tables)
        )

    def unread(self) -> frozenset[str]:
        """Tables of initial snapshots of which not all has been published."""
        return frozenset(table.name for job in self.jobs if job.kind == "initial" for table in job.tables)

    def without(self, gone: Container[str]) -> SnapshotState:
        """The same without tables of these names."""
        jobs = list[Job]()
        for job in self.jobs:
            kept = tuple(table for table in job.tables if table.name not in gone)
            if kept:
                started = job if job.tables[0] == kept[0] else job.next_table()
                jobs.append(replace(started, tables=kept))
        return SnapshotState(tuple(jobs))
