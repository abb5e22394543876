"""Stores and loads checkpoints: one fenced transaction in, an integrity check on the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, insert, select, update

from streamtrain import faults, log
from streamtrain.errors import FencedOut, NoUsableCheckpoint
from streamtrain.state.database import Database
from streamtrain.state.records import (
    FORMAT,
    Checkpoint,
    CheckpointDraft,
    DeadLetter,
    Deletion,
    LearnedRange,
    offsets_as_json,
    offsets_from_json,
    state_sha256,
    stored_key,
)
from streamtrain.state.tables import checkpoint_parts, checkpoints, dead_letters, deletions, metric_points, runs
from streamtrain.topic.base import TopicPartition

_log = log.get("checkpoints")


@dataclass(frozen=True, slots=True)
class Writer:
    """The right to write a run: whoever took the highest epoch has it."""

    run: str
    epoch: int


class CheckpointStore:
    """The checkpoints of one state database. Not thread-safe."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._part_bytes = 0

    def open_run(
        self, run: str, config: Mapping[str, Any], *, parent: str | None = None, held: Writer | None = None
    ) -> Writer:
        """Take over the run, creating it (with this configuration) if it is new: every writer before is fenced out.

        A process that had the run before an outage gives the writer that it ``held``, and is refused with FencedOut if
        another has taken over since: the newer one was put in its place.
        """
        with self._database.transaction() as connection:
            mine = runs.c.name == run if held is None else and_(runs.c.name == run, runs.c.epoch == held.epoch)
            taken = connection.execute(update(runs).where(mine).values(epoch=runs.c.epoch + 1))
            if taken.rowcount == 0:
                if held is not None:
                    raise _fenced(held)
                values = {"name": run, "epoch": 1, "created_ms": self._clock_ms(), "parent": parent}
                connection.execute(insert(runs).values(config=_json(config), **values))
            epoch = connection.execute(select(runs.c.epoch).where(runs.c.name == run)).scalar_one()
        return Writer(run, epoch)

    def record_config(self, writer: Writer, config: Mapping[str, Any]) -> None:
        """Keep the configuration that the run goes on with. Raises FencedOut."""
        with self._database.transaction() as connection:
            fence(connection, writer)
            connection.execute(update(runs).where(runs.c.name == writer.run).values(config=_json(config)))

    def run_config(self, run: str) -> dict[str, Any] | None:
        """The configuration that the run was last opened with, without secrets; None if there is no such run."""
        with self._database.transaction() as connection:
            stored = connection.execute(select(runs.c.config).where(runs.c.name == run)).scalar_one_or_none()
        return None if stored is None else orjson.loads(stored)

    def save(self, writer: Writer, draft: CheckpointDraft, keep: int) -> Checkpoint:
        """Store ``draft`` as the run's newest checkpoint, in one transaction, and prune all but the newest ``keep``.

        1. fence: the run's row is locked, and must still carry the writer's epoch
        2. the parts of the blobs, each under the server's packet limit
        3. dead letters, deletions (which take the row's dead letters with them), metrics
        4. commit

        Raises FencedOut if another writer has taken over, StateUnavailable if the commit is in doubt: the caller then
        restores from the newest checkpoint, which is this one or the one before it.
        """
        if not self._part_bytes:
            self._part_bytes = self._database.part_bytes()
        faults.passed("checkpoint.begun")
        with self._database.transaction() as connection:
            fence(connection, writer)
            faults.passed("checkpoint.fenced")
            stored = self._insert(connection, writer, draft)
            for name, part, data in _parts(draft.blobs, self._part_bytes):
                connection.execute(
                    insert(checkpoint_parts).values(checkpoint_id=stored.id, blob_name=name, part=part, data=data)
                )
            faults.passed("checkpoint.parts_written")
            _write_letters(connection, writer.run, draft, stored.created_ms)
            _write_metrics(connection, stored)
            _prune(connection, writer.run, keep)
            faults.passed("checkpoint.written")
        faults.passed("checkpoint.committed")
        return stored

    def _insert(self, connection: Connection, writer: Writer, draft: CheckpointDraft) -> Checkpoint:
        values = {
            "run": writer.run,
            "slice": draft.slice,
            "events": draft.events,
            "created_ms": self._clock_ms(),
            "weights_sha256": draft.weights_sha256,
            "state_sha256": state_sha256(draft.blobs),
        }
        documents = {
            "offsets": offsets_as_json(draft.offsets),
            "resume_offsets": offsets_as_json(draft.resume_offsets),
            "metrics": draft.metrics,
            "settings": draft.settings,
            "versions": draft.versions,
        }
        encoded = {name: _json(document) for name, document in documents.items()}
        result = connection.execute(insert(checkpoints).values(**values, **encoded, epoch=writer.epoch, format=FORMAT))
        identity = result.lastrowid
        row = connection.execute(select(checkpoints).where(checkpoints.c.id == identity)).one()
        return _checkpoint(row)

    def list(self, run: str) -> list[Checkpoint]:
        """The run's checkpoints, oldest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(checkpoints).where(checkpoints.c.run == run).order_by(checkpoints.c.id)
            ).all()
        return [_checkpoint(row) for row in rows]

    def get(self, run: str, identity: int) -> Checkpoint:
        """One checkpoint by its id. Raises NoUsableCheckpoint."""
        query = select(checkpoints).where(checkpoints.c.run == run, checkpoints.c.id == identity)
        with self._database.transaction() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NoUsableCheckpoint(
                f"run {run!r} has no checkpoint {identity}", hint="list them: streamtrain checkpoints"
            )
        return _checkpoint(row)

    def blobs(self, checkpoint: Checkpoint) -> dict[str, bytes]:
        """The checkpoint's blobs, checked against its ``state_sha256``. Raises NoUsableCheckpoint if they are not whole."""
        query = (
            select(checkpoint_parts.c.blob_name, checkpoint_parts.c.part, checkpoint_parts.c.data)
            .where(checkpoint_parts.c.checkpoint_id == checkpoint.id)
            .order_by(checkpoint_parts.c.blob_name, checkpoint_parts.c.part)
        )
        pieces: dict[str, list[bytes]] = {}
        with self._database.transaction() as connection:
            for name, _part, data in connection.execute(query):
                pieces.setdefault(name, []).append(data)
        blobs = {name: b"".join(parts) for name, parts in pieces.items()}
        found = state_sha256(blobs)
        if found != checkpoint.state_sha256:
            raise NoUsableCheckpoint(
                f"checkpoint {checkpoint.id} of run {checkpoint.run!r} is torn: its content has SHA-256 {found}, "
                f"recorded was {checkpoint.state_sha256}",
                hint="an older checkpoint is used instead where there is one",
            )
        return blobs

    def newest(self, run: str) -> tuple[Checkpoint, dict[str, bytes]] | None:
        """The newest whole checkpoint with its blobs; None if the run has none at all.

        A torn checkpoint is refused, said so in the log, and the one before it taken. Raises NoUsableCheckpoint if there
        are some and none is whole: beginning again from nothing must be somebody's decision.
        """
        stored = self.list(run)
        for checkpoint in reversed(stored):
            try:
                return checkpoint, self.blobs(checkpoint)
            except NoUsableCheckpoint as error:
                _log.error("checkpoint refused", checkpoint=checkpoint.id, why=error.message)
        if not stored:
            return None
        raise NoUsableCheckpoint(
            f"none of the {len(stored)} checkpoints of run {run!r} is whole",
            hint="restore the state database from a backup, or train again under another `name`",
        )


def fence(connection: Connection, writer: Writer) -> None:
    """Lock the run's row and make sure that the writer is still the newest. Raises FencedOut."""
    held = connection.execute(
        update(runs).where(runs.c.name == writer.run, runs.c.epoch == writer.epoch).values(epoch=writer.epoch)
    )
    if held.rowcount != 1:
        raise _fenced(writer)


def _fenced(writer: Writer) -> FencedOut:
    return FencedOut(
        f"run {writer.run!r} has been taken over by another trainer (this one held epoch {writer.epoch})",
        hint="only one trainer may run per name; stop this one",
    )


def _parts(blobs: Mapping[str, bytes], size: int) -> Iterator[tuple[str, int, bytes]]:
    for name in sorted(blobs):
        data = blobs[name]
        for part, start in enumerate(range(0, max(len(data), 1), size)):
            yield name, part, data[start : start + size]


def _write_letters(connection: Connection, run: str, draft: CheckpointDraft, now_ms: int) -> None:
    for learned in draft.learned:
        _forget_learned(connection, run, learned, draft.dead_letters)
    for retried in draft.retried:
        connection.execute(delete(dead_letters).where(_at(dead_letters, run, retried.source, retried.start)))
    for letter in draft.dead_letters:
        _write_letter(connection, run, letter, now_ms)
    for gone in draft.deletions:
        _write_deletion(connection, run, gone)


def _forget_learned(connection: Connection, run: str, learned: LearnedRange, rejected: Sequence[DeadLetter]) -> None:
    """Remove the letters of records that have been learned after all, as after a change of settings.

    Left alone they could be retried, and the record would be learned a second time.
    """
    there = and_(
        dead_letters.c.run == run,
        dead_letters.c.topic == learned.source.topic,
        dead_letters.c.partition == learned.source.partition,
        dead_letters.c.offset >= learned.start,
        dead_letters.c.offset < learned.end,
        dead_letters.c.state.in_(("open", "requested")),
    )
    again = {letter.offset for letter in rejected if letter.source == learned.source}
    for (offset,) in connection.execute(select(dead_letters.c.offset).where(there)).all():
        if offset not in again:
            connection.execute(delete(dead_letters).where(_at(dead_letters, run, learned.source, offset)))


def _write_letter(connection: Connection, run: str, letter: DeadLetter, now_ms: int) -> None:
    """Insert a letter unless it is known: the same record is read again after a restart, and its state is the user's."""
    known = connection.execute(
        select(dead_letters.c.state).where(_at(dead_letters, run, letter.source, letter.offset))
    ).scalar_one_or_none()
    if known is None:
        values = {
            "topic": letter.source.topic,
            "partition": letter.source.partition,
            "offset": letter.offset,
            "reason": letter.reason,
            "message": letter.message,
            "row_key": stored_key(letter.row_key),
            "slice": letter.slice,
            "created_ms": now_ms,
            "state": letter.state,
        }
        connection.execute(insert(dead_letters).values(run=run, **values))


def _write_deletion(connection: Connection, run: str, gone: Deletion) -> None:
    """Record the delete, once, and take the dead letters of the row that is gone."""
    key = stored_key(gone.row_key)
    connection.execute(delete(deletions).where(_at(deletions, run, gone.source, gone.offset)))
    where = {"topic": gone.source.topic, "partition": gone.source.partition, "offset": gone.offset}
    connection.execute(insert(deletions).values(run=run, row_key=key, slice=gone.slice, **where))
    if key is not None:
        of_row = and_(
            dead_letters.c.run == run,
            dead_letters.c.row_key == key,
            dead_letters.c.topic == gone.source.topic,
            dead_letters.c.partition == gone.source.partition,
            dead_letters.c.offset < gone.offset,
        )
        connection.execute(delete(dead_letters).where(of_row))


def _at(table: Table, run: str, source: TopicPartition, offset: int) -> ColumnElement[bool]:
    return and_(
        table.c.run == run,
        table.c.topic == source.topic,
        table.c.partition == source.partition,
        table.c.offset == offset,
    )


def _write_metrics(connection: Connection, stored: Checkpoint) -> None:
    connection.execute(
        delete(metric_points).where(metric_points.c.run == stored.run, metric_points.c.events >= stored.events)
    )
    rows = [
        {"run": stored.run, "events": stored.events, "name": name, "value": value, "created_ms": stored.created_ms}
        for name, value in sorted(stored.metrics.items())
    ]
    if rows:
        connection.execute(insert(metric_points), rows)


def _prune(connection: Connection, run: str, keep: int) -> None:
    newest = select(checkpoints.c.id).where(checkpoints.c.run == run).order_by(checkpoints.c.id.desc()).limit(keep)
    kept = [identity for (identity,) in connection.execute(newest)]
    if len(kept) == keep:
        old = select(checkpoints.c.id).where(checkpoints.c.run == run, checkpoints.c.id < min(kept))
        gone = [identity for (identity,) in connection.execute(old)]
        connection.execute(delete(checkpoint_parts).where(checkpoint_parts.c.checkpoint_id.in_(gone)))
        connection.execute(delete(checkpoints).where(checkpoints.c.id.in_(gone)))


def _json(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()


def _checkpoint(row: Row[Any]) -> Checkpoint:
    return Checkpoint(
        id=row.id,
        run=row.run,
        slice=row.slice,
        events=row.events,
        created_ms=row.created_ms,
        weights_sha256=row.weights_sha256,
        state_sha256=row.state_sha256,
        offsets=offsets_from_json(orjson.loads(row.offsets)),
        resume_offsets=offsets_from_json(orjson.loads(row.resume_offsets)),
        metrics=orjson.loads(row.metrics),
        settings=orjson.loads(row.settings),
        versions=orjson.loads(row.versions),
    )
