"""How far the snapshots have come: the part of a source's position that is about them."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Literal

from connectors.mysql.snapshots.bounds import Bound, Sorting
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
    after: Bound | None = None
    """Rows up to here are published; None: none of them."""
    rows: int = 0
    """Published of it."""
    again: bool = False
    """It is read anew, in another order or under another name: any row may be published already, so that all changes pass."""

    @property
    def name(self) -> str:
        """``database.table``."""
        return f"{self.database}.{self.table}"

    def to_json(self) -> str | dict[str, Any]:
        """The name alone where that says all."""
        plain = self.where is None and self.by is None and self.after is None and not (self.rows or self.again)
        if plain and "." not in self.database:
            return self.name
        return {
            "database": self.database,
            "table": self.table,
            "where": self.where,
            "by": self.by,
            "after": None if self.after is None else list(self.after.texts),
            "order": [] if self.after is None else [list(astuple(each)) for each in self.after.order],
            "rows": self.rows,
            "again": self.again,
        }

    @classmethod
    def from_json(cls, document: Any) -> TableTask:
        """Raises TypeError or ValueError on anything else."""
        if isinstance(document, str):
            database, table = document.split(".", 1)
            return cls(database, table)
        fields = dict(document)
        order = fields.pop("order", ())
        return cls(**{**fields, "after": _bound(fields.get("after"), order)})


def _bound(texts: Any, order: Any = ()) -> Bound | None:
    return None if texts is None else Bound(tuple(texts), tuple(Sorting(*each) for each in order))


@dataclass(frozen=True, slots=True)
class Job:
    """Tables to be read, several of them at once. Those that are done are no longer among them."""

    kind: Kind
    tables: tuple[TableTask, ...]
    id: str = ""
    """The signal's; empty for what was begun without one."""
    rows_before: int = 0
    """Published of tables that are no longer among ``tables``."""
    started_us: int = 0
    paused: bool = False

    @property
    def rows(self) -> int:
        """Published of all its tables."""
        return self.rows_before + sum(task.rows for task in self.tables)

    @property
    def begun(self) -> list[TableTask]:
        """Tables of which a part is published, so that it matters how far each of them has come."""
        return [task for task in self.tables if task.after is not None]

    def task(self, name: str) -> TableTask:
        """Its table of this name. Raises KeyError if it has none."""
        for task in self.tables:
            if task.name == name:
                return task
        raise KeyError(name)

    def passes_all(self, task: TableTask) -> bool:
        """Whether all changes of one of its tables are told, whether or not their rows are published."""
        return self.kind == "incremental" or task.again

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the position."""
        return {
            "kind": self.kind,
            "id": self.id,
            "tables": [table.to_json() for table in self.tables],
            "rows_before": self.rows_before,
            "started_us": self.started_us,
            "paused": self.paused,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Job:
        """Raises TypeError, KeyError or ValueError on anything else."""
        fields = dict(document)
        tables = [TableTask.from_json(table) for table in fields.pop("tables")]
        if "after" in fields:  # one table was read at a time, and how far it had come was told of the job
            after, rows = _bound(fields.pop("after")), fields.pop("rows")
            tables[:1] = [replace(table, after=after, rows=rows) for table in tables[:1]]
        return cls(**fields, tables=tuple(tables))

    def with_tables(self, tables: Sequence[TableTask]) -> Job:
        """The same with other tables; what was published of those that are left out stays published."""
        return replace(self, tables=tuple(tables), rows_before=self.rows - sum(task.rows for task in tables))

    def without(self, gone: Container[str]) -> Job:
        """The same without tables of these names; the same object if it has none of them."""
        kept = [task for task in self.tables if task.name not in gone]
        return self if len(kept) == len(self.tables) else self.with_tables(kept)

    def with_pause(self, *, paused: bool) -> Job:
        """The same, paused or not; the same object if it is so already."""
        return self if self.paused == paused else replace(self, paused=paused)

    def read_again(self, name: str) -> Job:
        """The same with a table to be read from its start, of which a part is published."""
        return self.with_tables(
            [replace(task, after=None, rows=0, again=True) if task.name == name else task for task in self.tables]
        )

    def advanced(self, name: str, after: Bound | None, count: int) -> Job:
        """The same once ``count`` more rows of a table are published, up to ``after``."""
        return replace(
            self,
            tables=tuple(
                replace(task, after=after, rows=task.rows + count) if task.name == name else task
                for task in self.tables
            ),
        )


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

    def replaced(self, job: Job, by: Job) -> SnapshotState:
        """The same with one job in another state; it is gone if no table of it is left."""
        return SnapshotState(tuple(each for old in self.jobs if (each := by if old is job else old).tables))

    def unread(self) -> frozenset[str]:
        """Tables of which not all has been published, and whose changes do not pass until then."""
        return frozenset(task.name for job in self.jobs for task in job.tables if not job.passes_all(task))

    def without(self, gone: Container[str]) -> SnapshotState:
        """The same without tables of these names."""
        return SnapshotState(tuple(kept for job in self.jobs if (kept := job.without(gone)).tables))
