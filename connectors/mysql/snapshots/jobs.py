"""What is to be read when a source is opened: all tables at first, and later those that were not captured before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.mysql.position import LogPosition
from connectors.mysql.settings import MysqlSettings
from connectors.mysql.snapshots.state import Job, SnapshotState, TableTask
from connectors.mysql.structure import TableSchema
from streamtrain.errors import SourceMisconfigured


def initial_jobs(found: Sequence[TableSchema], settings: MysqlSettings, now_us: int) -> tuple[Job, ...]:
    """One job that reads these tables, or none. Raises SourceMisconfigured on a table without transactions."""
    for schema in found:
        require_transactional(schema)
    tasks = tuple(
        TableTask(schema.table.database, schema.table.name, by=settings.snapshot_keys.get(schema.table.full_name))
        for schema in found
    )
    return (Job("initial", tasks, started_us=now_us),) if tasks else ()


def adapted(
    state: SnapshotState, start: LogPosition, found: Sequence[TableSchema], settings: MysqlSettings, now_us: int
) -> SnapshotState:
    """``state`` without tables that are not captured any more, and with those that were not captured up to ``start``.

    ``found`` are all that are captured and there now. One that is not there may have another name, as the log will say.
    """
    tasks = [task for job in state.jobs for task in job.tables]
    dropped = {task.name for task in tasks if not settings.captures(task.database, task.table)}
    kept = state.without(dropped) if dropped else state
    if not start.include or start.captures_by(settings.include, settings.exclude):
        return kept
    before = replace(
        settings, include=start.include, exclude=settings.exclude if start.exclude is None else start.exclude
    )
    added = [schema for schema in found if not before.captures(schema.table.database, schema.table.name)]
    return SnapshotState((*kept.jobs, *initial_jobs(added, settings, now_us))).sorted()


def require_transactional(schema: TableSchema) -> None:
    """Raise SourceMisconfigured if a read of the table is not of one moment."""
    if not schema.transactional:
        raise SourceMisconfigured(
            f"{schema.table.full_name} has engine {schema.engine}, which cannot be read as of one moment",
            hint="ALTER TABLE … ENGINE = InnoDB, or set `snapshot: no_data`",
        )
