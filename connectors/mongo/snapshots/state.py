"""How far the snapshots have come: the part of a source's position that is about them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from streamtrain.errors import PositionLost

Kind = Literal["initial", "incremental", "unpublished", "unsent"]
"""``unpublished`` documents are only taken into the store: where changes alone are captured. ``unsent`` is one of which the
server could not send a change."""


@dataclass(frozen=True, slots=True)
class Job:
    """Collections to be read one after another; the first of them is the one at work."""

    kind: Kind
    collections: tuple[str, ...]
    """Each ``database.collection``."""
    id: str = ""
    """The signal's; empty for what was begun without one."""
    after: bytes | None = None
    """Documents of the first collection up to this ``_id`` are done; None: none of them."""
    rows: int = 0
    """Published of the first collection."""
    rows_before: int = 0
    """Published of the collections before it."""
    conditions: Mapping[str, str] | None = None
    """By collection: a filter in extended JSON."""
    paused: bool = False
    as_of: tuple[int, int] | None = None
    """The time as of which everything is read, while the stream stands still there; None: as of one time after another."""
    names_at: tuple[int, int] | None = None
    """When the collections had these names, which the stream may not have reached yet; None: they have them in the stream."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the position."""
        return {
            "kind": self.kind,
            "collections": list(self.collections),
            "id": self.id,
            "after": None if self.after is None else b64encode(self.after).decode(),
            "rows": self.rows,
            "rows_before": self.rows_before,
            "conditions": self.conditions,
            "paused": self.paused,
            "as_of": None if self.as_of is None else list(self.as_of),
            "names_at": None if self.names_at is None else list(self.names_at),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Job:
        """Raises TypeError, KeyError or ValueError on anything else."""
        after = document["after"]
        return cls(
            **{
                **document,
                "as_of": _time(document["as_of"]),
                "names_at": _time(document.get("names_at")),
                "collections": tuple(document["collections"]),
                "after": None if after is None else b64decode(after),
            }
        )

    def renamed(self, name: str, to: str) -> Job:
        """The same with a collection under its new name."""
        conditions = self.conditions
        if conditions is not None:
            conditions = {to if each == name else each: where for each, where in conditions.items()}
        collections = tuple(to if each == name else each for each in self.collections)
        return replace(self, collections=collections, conditions=conditions)

    def knows(self, at: tuple[int, int] | None) -> bool:
        """Whether its names were taken when what happened ``at`` a time was over."""
        return at is not None and self.names_at is not None and at <= self.names_at

    def next_collection(self) -> Job:
        """The same without its first collection, which is done."""
        done = self.rows_before + self.rows
        return replace(self, collections=self.collections[1:], after=None, rows=0, rows_before=done)


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """All jobs that are not done, in the order in which they are worked on."""

    jobs: tuple[Job, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """As it is kept in the position."""
        return [job.to_json() for job in self.jobs]

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
        """The job to work on: the first that is not paused, initial ones before others."""
        waiting = [job for job in self.jobs if not job.paused]
        return min(waiting, key=lambda job: job.kind == "incremental", default=None)

    def replaced(self, job: Job, by: Job | None) -> SnapshotState:
        """The same with one job in another state, or gone."""
        new = [by if old is job else old for old in self.jobs]
        return SnapshotState(tuple(each for each in new if each is not None and each.collections))

    def put_off(self, job: Job) -> SnapshotState:
        """The same with the first collection of ``job`` to be read while the stream goes on, and the others as of where it is."""
        name, left = job.collections[0], self.replaced(job, job.next_collection())
        for each in left.jobs:
            if (each.kind, each.as_of, each.names_at) == (job.kind, None, job.names_at):
                return left.replaced(each, replace(each, collections=(*each.collections, name)))
        return SnapshotState((*left.jobs, replace(job, collections=(name,), as_of=None)))

    def unread(self, *kinds: Kind) -> frozenset[str]:
        """Collections of which jobs of these kinds have not read everything."""
        return frozenset(name for job in self.jobs if job.kind in kinds for name in job.collections)

    def without(self, gone: Container[str], at: tuple[int, int] | None = None) -> SnapshotState:
        """The same without these collections. ``at``: jobs whose names are from then or later had that in them."""
        jobs = list[Job]()
        for job in self.jobs:
            if job.knows(at):
                jobs.append(job)
                continue
            kept = tuple(name for name in job.collections if name not in gone)
            if kept:
                started = job if job.collections[0] == kept[0] else job.next_collection()
                jobs.append(replace(started, collections=kept))
        return SnapshotState(tuple(jobs))

    def renamed(self, name: str, to: str, at: tuple[int, int]) -> SnapshotState:
        """The same with a collection under its new name, which it has got at this time."""
        jobs = self.without({to}, at).jobs
        return SnapshotState(tuple(job if job.knows(at) else job.renamed(name, to) for job in jobs))


def _time(value: Sequence[int] | None) -> tuple[int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]))
