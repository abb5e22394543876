"""All snapshots of one source: which collection is read next, what is published of it, and how far everything has come.

A chunk is read as of one moment of the log. It is published when the stream has given all up to that moment and nothing
behind it: then its documents are exactly as the stream has left them, and those that the store has not were not published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.mongo.client import Time
from connectors.mongo.server_errors import SnapshotGone
from connectors.mongo.snapshots.lookahead import Lookahead, behind
from connectors.mongo.snapshots.reader import Chunk, ChunkReader
from connectors.mongo.snapshots.state import Job, SnapshotState
from connectors.mongo.store import Changed, DocumentStore
from connectors.snapshot_markers import markers
from connectors.source import SnapshotProgress
from streamtrain import log
from streamtrain.errors import AccessDenied, PositionLost, SourceMisconfigured

_log = log.get("mongo")
_MEND = "mend the condition or the collection, then send the signal again"
_UNREADABLE = (SourceMisconfigured, AccessDenied, PositionLost)
"""What reading a collection raises if trying again does not mend it. A filter and a token that cannot be parsed have one code."""


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
        self._marks: dict[str, bytes | None] = {}
        """Which collections have the names of the job, as far as the stream has told."""
        self._ahead: tuple[Job | None, Chunk] | None = None
        """What is left behind the chunk that waits, and the last chunk of what was looked at of it."""

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
            self._chunk = self._ahead = None
        if self._chunk is None and job is not None:
            name = job.collections[0]
            if job.kind == "initial" and not self._marks.keys() >= set(job.collections):
                self._marks = self._reader.marks(job.collections)
            self._job = job
            try:
                self._chunk = self._next(job, given)
            except SnapshotGone:
                if job.as_of is None:
                    raise
                _log.warning("documents changed from now on may come without what they were before", collection=name)
                self.state = self.state.put_off(job)
            except _UNREADABLE as error:
                if job.kind != "incremental":
                    raise
                text = "a collection cannot be read, its incremental snapshot is given up"
                hint = error.hint if isinstance(error, AccessDenied) else _MEND
                _log.error(text, collection=name, id=job.id, why=error.message, hint=hint)
                self.state = self.state.replaced(job, job.next_collection())

    def _next(self, job: Job, given: Time) -> Chunk | None:
        """The next chunk of ``job``; None if it is to be tried again. Raises SnapshotGone if ``as_of`` cannot be read any more."""
        name = job.collections[0]
        mark = self._reader.marks([name])[name]
        if mark is None and job.as_of is not None:
            raise SnapshotGone(f"{name} is not there any more: what was in it cannot be read")
        moment = self._reader.now() if job.as_of is None else Time(*job.as_of)
        if moment < given:
            return None
        condition = None if job.conditions is None else job.conditions.get(name)
        chunk = self._reader.read(name, job.after, moment, condition=condition)
        # A name is looked up when it is read, whatever the moment: another collection may have it since, or none.
        return chunk if self._reader.marks([name])[name] == mark else None

    def publish(self) -> Piece | None:
        """What is published of the chunk that waits: the stream is exactly at its moment.

        None if there is nothing, or it is not known yet whether more follows: call it again.
        """
        chunk, job = self._chunk, self._job
        if chunk is None or job is None or job not in self.state.jobs:
            self._chunk = self._ahead = None
            return None
        number = self._store.number(chunk.collection)
        held = self._store.get(number, chunk.ids)
        new = [at for at, each in enumerate(chunk.ids) if each not in held]
        again = job.kind in {"incremental", "unsent"}
        chosen = new if job.kind == "initial" else range(len(chunk.ids)) if again else ()
        if self._ahead is None:
            self._ahead = behind(job, chunk, len(chosen)), chunk
        if job.kind == "initial" and new and self._looks_on():
            return None
        following, _ = self._ahead
        self._chunk = self._ahead = None
        self._store.write({number: Changed({}, {chunk.ids[at]: self._keeps(chunk.documents[at]) for at in new})})
        marked = _marked(job, len(chosen), following)
        self.state = self.state.replaced(job, following)
        self._read += len(chosen)
        for name in _ended(job, following):
            rows = job.rows + len(chosen) if name == chunk.collection else 0
            _log.info("collection read", collection=name, kind=job.kind, documents=rows)
        ids, documents = [chunk.ids[at] for at in chosen], [chunk.documents[at] for at in chosen]
        return Piece(chunk.collection, job.kind, ids, documents, marked)

    def _looks_on(self) -> bool:
        """Whether a step further was found to be published: so far nothing follows, and the next is to be looked at.

        One chunk at a time: what the stream gave meanwhile may be as much as the snapshot.
        """
        left, last = self._ahead or (None, None)
        if left is None or last is None:
            return False
        chunk = Lookahead(self._reader, self._store, self._marks).look(left, last)
        if chunk is None:
            return False
        self._ahead = behind(left, chunk, 0), chunk
        return self._ahead[0] is not None

    def change(self, state: SnapshotState) -> None:
        """Go on with what a signal or a change of names has made of ``state``."""
        if state != self.state:
            self.state = state
            self._chunk = self._ahead = None
            self._marks = {}

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


def _ended(job: Job, following: Job | None) -> Sequence[str]:
    """The collections of ``job`` that are read when ``following`` is left."""
    return job.collections[: len(job.collections) - (0 if following is None else len(following.collections))]


def _marked(job: Job, count: int, following: Job | None) -> tuple[str, ...]:
    """The ``snapshot`` field of each of ``count`` documents that follow what ``job`` has published; empty if none stands out."""
    if job.kind != "initial":
        return ()
    return markers(
        count,
        begins=not job.rows,
        ends=bool(_ended(job, following)),
        first_of_all=not (job.rows or job.rows_before),
        last_of_all=following is None,
    )
