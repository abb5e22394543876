"""What the state database is made of, whoever keeps it: the tables, and what tells their rows apart.

The columns, with their types in SQL, are in ``tables``; a test holds the two to each other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table by name: the columns of its key, an index beside it, and whether the database numbers its rows."""

    name: str
    key: tuple[str, ...]
    index: tuple[str, ...] = ()
    numbered: bool = False


RUNS = Table("streamtrain_runs", ("name",))
CHECKPOINTS = Table("streamtrain_checkpoints", ("id",), index=("run", "id"), numbered=True)
CHECKPOINT_PARTS = Table("streamtrain_checkpoint_parts", ("checkpoint_id", "blob_name", "part"))
DEAD_LETTERS = Table("streamtrain_dead_letters", ("run", "topic", "partition", "offset"), index=("run", "row_key"))
DELETIONS = Table("streamtrain_deletions", ("run", "topic", "partition", "offset"))
SCHEDULE = Table("streamtrain_schedule", ("run", "number"))
METRICS = Table("streamtrain_metrics", ("run", "events", "name"))
CONFIG_CHANGES = Table("streamtrain_config_changes", ("id",), numbered=True)
COMPONENTS = Table("streamtrain_components", ("run", "component"))

TABLES = (
    RUNS,
    CHECKPOINTS,
    CHECKPOINT_PARTS,
    DEAD_LETTERS,
    DELETIONS,
    SCHEDULE,
    METRICS,
    CONFIG_CHANGES,
    COMPONENTS,
)
