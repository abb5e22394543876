"""All snapshots of one source: which collection is read next, what is published of it, and how far everything has come.

A chunk is read as of one moment of the log. It is published when the stream has given all up to that moment and nothing
behind it: then its documents are exactly as the stream has left them, and those that the store has not were not published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from connectors.mongo.client import Time
from connectors.mongo.server_errors import SnapshotGone
from connectors.mongo.snapshots.reader import Chunk, ChunkReader
from connectors.mongo.snapshots.state import Job, SnapshotState
from connectors.mongo.store import Changed, DocumentStore
from connectors.snapshot_markers import markers
from connectors.source import SnapshotProgress
from streamtrain import log

_log = log.get("mongo")


@dataclass(frozen=True, slots=True)
class Piece:
    """Documents to be published."""

    collection: str
    kind: str
    ids: Sequence[bytes]
    documents: Sequence[bytes]
    markers: Sequence[str]


class Snapshots:
    """Works through ``state`` beside the stream."""

    def __init__(
        self,
        reader: ChunkReader,
        store: DocumentStore,
        state: SnapshotState,
        *,
        keeps: Callable[[bytes], bytes],
        monotonic: Callable[[], float],
    ) -> None:
        self.state = state
        self._reader = reader
        self._store = store
        self._keeps = keeps
        self._monotonic = monotonic
        self._began_s = monotonic()
        self._read = 0
        self._job: Job | None = None
        self._chunk: Chunk | None = None

    @property
    def waits_for(self) -> Time | None:
        """The moment of the chunk that is to be published once the stream has come there."""
        return None if self._chunk is None else self._chunk.read_at

    @property
    def still(self) -> bool:
        """Whether the stream has to stand still, where everything is read as of its place."""
        job = self.state.current
        return job is not None and job.as_of is not None

    @property
    def pending(self) -> bool:
        """Whether documents are still to be read that nobody has paused."""
        return self.state.current is not None

    def read(self, given: Time) -> None:
        """Read the next chunk, if none waits; ``given`` is the time of the last event that the stream gave."""
        job = self.state.current
        if self._chunk is not None and (job is None or job != self._job):
            self._chunk = None
        if self._chunk is None and job is not None:
            name = job.collections[0]
            mark = self._reader.mark(name)
            moment = self._reader.now() if job.as_of is None else Time(*job.as_of)
            if moment < given:
                return
            self._job = job
            condition = None if job.conditions is None else job.conditions.get(name)
            try:
                chunk = self._reader.read(name, job.after, condition, moment)
                # A name is looked up when it is read, whatever the moment: another collection may have it since, or none.
                self._chunk = chunk if self._reader.mark(name) == mark else None
            except SnapshotGone:
                if job.as_of is None:
                    raise
                _log.warning("documents changed from now on may come without what they were before", collection=name)
                self.state = self.state.replaced(job, replace(job, as_of=None))

    def publish(self) -> Piece | None:
        """What is published of the chunk that waits: the stream is exactly at its moment."""
        chunk, job = self._chunk, self._job
        self._chunk = None
        if chunk is None or job is None or job not in self.state.jobs:
            return None
        number = self._store.number(chunk.collection)
        held = self._store.get(number, chunk.ids)
        new = [at for at, each in enumerate(chunk.ids) if each not in held]
        self._store.write({number: Changed({}, {chunk.ids[at]: self._keeps(chunk.documents[at]) for at in new})})
        again = job.kind in {"incremental", "unsent"}
        chosen = new if job.kind == "initial" else range(len(chunk.ids)) if again else ()
        following = self._following(job, chunk, len(chosen))
        marked = _marked(job, len(chosen), collection_ends=chunk.ended, job_ends=following is None)
        self.state = self.state.replaced(job, following)
        self._read += len(chosen)
        if chunk.ended:
            _log.info("collection read", collection=chunk.collection, kind=job.kind, documents=job.rows + len(chosen))
        ids, documents = [chunk.ids[at] for at in chosen], [chunk.documents[at] for at in chosen]
        return Piece(chunk.collection, job.kind, ids, documents, marked)

    def change(self, state: SnapshotState) -> None:
        """Go on with what a signal or a change of names has made of ``state``."""
        if state != self.state:
            self.state = state
            self._chunk = None

    def progress(self) -> SnapshotProgress | None:
        """How far it has come; None if nothing is to be read."""
        job = self.state.current
        if job is None:
            return None
        return SnapshotProgress(
            job.kind,
            job.collections[0],
            rows=job.rows + job.rows_before,
            table_rows=job.rows,
            table_estimate=0,
            tables_left=len(job.collections),
            rows_per_s=self._read / max(self._monotonic() - self._began_s, 1e-3),
        )

    def _following(self, job: Job, chunk: Chunk, published: int) -> Job | None:
        last = chunk.ids[-1] if chunk.ids else job.after
        moved = replace(job, after=last, rows=job.rows + published)
        if not chunk.ended:
            return moved
        moved = moved.next_collection()
        return moved if moved.collections else None


def _marked(job: Job, count: int, *, collection_ends: bool, job_ends: bool) -> tuple[str, ...]:
    """The ``snapshot`` field of each of ``count`` documents that follow what ``job`` has published; empty if none stands out."""
    if job.kind != "initial":
        return ()
    first_of_all = not (job.rows or job.rows_before)
    return markers(
        count,
        begins=not job.rows,
        ends=collection_ends,
        first_of_all=first_of_all,
        last_of_all=collection_ends and job_ends,
    )
