"""What new names of tables, and DROP TABLE, do to snapshots that are not done.

A snapshot knows its tables by their names. So when a table that has not been read to its end under its old name gets another
one, all names that the statement gave are read from the start: rows may come twice, but those of no table are left out. As
rows of another table may be published under such a name, all its changes pass meanwhile. One that is dropped is not read any
more; if it is made anew, the log tells of all its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from connectors.mysql.ddl.catalog import Name
from connectors.mysql.ddl.renames import NameChanges
from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask


@dataclass(frozen=True, slots=True)
class Captured:
    """Which tables are captured, and how those of an initial snapshot are read."""

    includes: Callable[[str, str], bool]
    """Whether a table, as (database, name), is captured."""
    read_by: Mapping[str, str]
    """The column to read a table by where it is not its key."""


def after_renaming(state: SnapshotState, changes: NameChanges, captured: Captured) -> SnapshotState:
    """``state`` once tables have new names, or are gone.

    Jobs of which no table is concerned are the same objects as before.
    """
    initial = [job for job in state.jobs if job.kind == "initial"]
    jobs = list[Job]()
    for job in state.jobs:
        # A table that was not captured under its old name has not been read: an initial snapshot is of all that are.
        together = initial if job.kind == "initial" else [job]
        renaming = _Renaming(together, changes, captured)
        changed = renaming.applied(job, joins=job is together[0]) if renaming.concerns() else job
        jobs += [changed] if changed.tables else []
    return SnapshotState(tuple(jobs))


class _Renaming:
    """One statement and the jobs of which each captured table is in one, or done."""

    def __init__(self, jobs: Sequence[Job], changes: NameChanges, captured: Captured) -> None:
        self._pending = {(task.database, task.table): task for job in jobs for task in job.tables}
        self._initial = jobs[0].kind == "initial"
        self._former, self._gone = changes.former, changes.gone
        self._captured = captured
        self._targets = [name for name in changes.former if captured.includes(*name)]

    def concerns(self) -> bool:
        """Whether a table of them is not read to its end."""
        names = {*self._former.values(), *self._targets, *self._gone}
        return not names.isdisjoint(self._pending) or (self._initial and self._captures_more())

    def applied(self, job: Job, *, joins: bool) -> Job:
        """The job with the tables under their new names; if it ``joins``, also those that none of the jobs had."""
        names = [(task.database, task.table) for task in job.tables]
        kept = [self._task(name) for name in names if name not in self._gone]
        joining = [self._task(name) for name in self._targets if joins and name not in self._pending]
        return job.with_tables([*kept, *joining])

    def _captures_more(self) -> bool:
        """Whether a table was not captured under its old name, and is under its new one."""
        return any(not self._captured.includes(*self._former[name]) for name in self._targets)

    def _task(self, name: Name) -> TableTask:
        known = self._pending.get(name)
        if known is not None and name not in self._former:
            return known
        if self._initial:
            return TableTask(*name, by=self._captured.read_by.get(".".join(name)), again=True)
        # A condition was given for a name; the column to read by is one of the table's own.
        before = self._pending.get(self._former[name])
        return TableTask(*name, where=None if known is None else known.where, by=None if before is None else before.by)
