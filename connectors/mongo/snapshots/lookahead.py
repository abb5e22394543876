"""Whether anything behind a chunk is still to be published: if not, its last document is the snapshot's last.

What was inserted while the snapshot was read came by the stream, and collections may be empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.mongo.server_errors import SnapshotGone
from connectors.mongo.snapshots.reader import Chunk, ChunkReader
from connectors.mongo.snapshots.state import Job
from connectors.mongo.store import DocumentStore


def behind(job: Job, chunk: Chunk, published: int) -> Job | None:
    """What is left of ``job`` after ``chunk``, of which so many documents are published; None if nothing is."""
    last = chunk.ids[-1] if chunk.ids else job.after
    moved = replace(job, after=last, rows=job.rows + published)
    if not chunk.ended:
        return moved
    moved = moved.next_collection()
    return moved if moved.collections else None


class Lookahead:
    """Looks on as of the moment of a chunk, to which the stream has come: what the store then has was published."""

    def __init__(self, reader: ChunkReader, store: DocumentStore, marks: Mapping[str, bytes | None]) -> None:
        """``marks``: which collections had the names before that moment."""
        self._reader = reader
        self._store = store
        self._marks = marks

    def look(self, left: Job, last: Chunk) -> Chunk | None:
        """The next chunk of what is ``left`` behind ``last``, if all of it was published; None if not, or nobody knows."""
        name = left.collections[0]
        if last.next is not None and not self._published(name, [last.next]):
            return None
        try:
            chunk = self._reader.read(name, left.after, last.read_at, rows=1 if left.after is None else None)
        except SnapshotGone:
            return None
        # A name is looked up when it is read, whatever the moment: it may be another collection's by now.
        if self._reader.marks([name])[name] != self._marks.get(name):
            return None
        return chunk if self._published(name, chunk.ids) else None

    def _published(self, name: str, ids: Sequence[bytes]) -> bool:
        return len(self._store.get(self._store.number(name), ids)) == len(ids)
