"""Stores and loads checkpoints: one fenced transaction in, an integrity check on the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from streamtrain import faults, log
from streamtrain.errors import FencedOut, NoUsableCheckpoint
from streamtrain.state.database import Database, OneOf, Range, Row, Transaction
from streamtrain.state.layout import CHECKPOINT_PARTS, CHECKPOINTS, DEAD_LETTERS, DELETIONS, METRICS, RUNS
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
        if held is not None:
            self._require(held)
        with self._database.transaction() as transaction:
            found = transaction.lock(RUNS, {"name": run}, replacing=True)
            if held is not None and (found is None or found["epoch"] != held.epoch):
                raise _fenced(held)
            if found is None:
                values = {"name": run, "epoch": 1, "created_ms": self._clock_ms(), "parent": parent}
                transaction.insert(RUNS, [{**values, "config": _json(config)}])
                return Writer(run, 1)
            epoch = found["epoch"] + 1
            transaction.update(RUNS, {"name": run}, {"epoch": epoch})
        return Writer(run, epoch)

    def _require(self, held: Writer) -> None:
        # Looked at before the lock is waited for: one that was replaced must not end the transaction of the newer one.
        with self._database.transaction() as transaction:
            if not transaction.select(RUNS, {"name": held.run, "epoch": held.epoch}, columns=["name"]):
                raise _fenced(held)

    def record_config(self, writer: Writer, config: Mapping[str, Any]) -> None:
        """Keep the configuration that the run goes on with. Raises FencedOut."""
        with self._database.transaction() as transaction:
            fence(transaction, writer)
            transaction.update(RUNS, {"name": writer.run}, {"config": _json(config)})

    def run_config(self, run: str) -> dict[str, Any] | None:
        """The configuration that the run was last opened with, without secrets; None if there is no such run."""
        with self._database.transaction() as transaction:
            found = transaction.select(RUNS, {"name": run}, columns=["config"])
        return orjson.loads(found[0]["config"]) if found else None

    def save(self, writer: Writer, draft: CheckpointDraft, keep: int) -> Checkpoint:
        """Store ``draft`` as the run's newest checkpoint, in one transaction, and prune all but the newest ``keep``.

        1. fence: the run's row is locked, and must still carry the writer's epoch
        2. the parts of the blobs, each under the server's limit of a row
        3. dead letters, deletions (which take the row's dead letters with them), metrics
        4. commit

        Raises FencedOut if another writer has taken over, StateUnavailable if the commit is in doubt: the caller then
        restores from the newest checkpoint, which is this one or the one before it.
        """
        if not self._part_bytes:
            self._part_bytes = self._database.part_bytes()
        faults.passed("checkpoint.begun")
        with self._database.transaction() as transaction:
            fence(transaction, writer)
            faults.passed("checkpoint.fenced")
            stored = self._insert(transaction, writer, draft)
            for name, part, data in _parts(draft.blobs, self._part_bytes):
                row = {"checkpoint_id": stored.id, "blob_name": name, "part": part, "data": data}
                transaction.insert(CHECKPOINT_PARTS, [row])
            faults.passed("checkpoint.parts_written")
            _write_letters(transaction, writer.run, draft, stored.created_ms)
            _write_metrics(transaction, stored)
            _prune(transaction, writer.run, keep)
            faults.passed("checkpoint.written")
        faults.passed("checkpoint.committed")
        return stored

    def _insert(self, transaction: Transaction, writer: Writer, draft: CheckpointDraft) -> Checkpoint:
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
        row = {**values, **encoded, "epoch": writer.epoch, "format": FORMAT}
        return _checkpoint({**row, "id": transaction.insert_numbered(CHECKPOINTS, row)})

    def list(self, run: str) -> list[Checkpoint]:
        """The run's checkpoints, oldest first."""
        with self._database.transaction() as transaction:
            rows = transaction.select(CHECKPOINTS, {"run": run}, order=["id"])
        return [_checkpoint(row) for row in rows]

    def get(self, run: str, identity: int) -> Checkpoint:
        """One checkpoint by its id. Raises NoUsableCheckpoint."""
        with self._database.transaction() as transaction:
            found = transaction.select(CHECKPOINTS, {"run": run, "id": identity})
        if not found:
            raise NoUsableCheckpoint(
                f"run {run!r} has no checkpoint {identity}", hint="list them: streamtrain checkpoints"
            )
        return _checkpoint(found[0])

    def blobs(self, checkpoint: Checkpoint) -> dict[str, bytes]:
        """The checkpoint's blobs, checked against its ``state_sha256``. Raises NoUsableCheckpoint if they are not whole."""
        of_checkpoint = {"checkpoint_id": checkpoint.id}
        pieces: dict[str, list[bytes]] = {}
        with self._database.transaction() as transaction:
            for row in transaction.select(CHECKPOINT_PARTS, of_checkpoint, order=["blob_name", "part"]):
                pieces.setdefault(row["blob_name"], []).append(row["data"])
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


def fence(transaction: Transaction, writer: Writer) -> None:
    """Lock the run's row and make sure that the writer is still the newest. Raises FencedOut."""
    found = transaction.lock(RUNS, {"name": writer.run})
    if found is None or found["epoch"] != writer.epoch:
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


def _write_letters(transaction: Transaction, run: str, draft: CheckpointDraft, now_ms: int) -> None:
    for learned in draft.learned:
        _forget_learned(transaction, run, learned, draft.dead_letters)
    for retried in draft.retried:
        transaction.delete(DEAD_LETTERS, place_of(run, retried.source, retried.start))
    for letter in draft.dead_letters:
        _write_letter(transaction, run, letter, now_ms)
    for gone in draft.deletions:
        _write_deletion(transaction, run, gone)


def _forget_learned(transaction: Transaction, run: str, learned: LearnedRange, rejected: Sequence[DeadLetter]) -> None:
    """Remove the letters of records that have been learned after all, as after a change of settings.

    Left alone they could be retried, and the record would be learned a second time.
    """
    there = {
        "run": run,
        "topic": learned.source.topic,
        "partition": learned.source.partition,
        "offset": Range(learned.start, learned.end),
        "state": OneOf(("open", "requested")),
    }
    again = {letter.offset for letter in rejected if letter.source == learned.source}
    for row in transaction.select(DEAD_LETTERS, there, columns=["offset"]):
        if row["offset"] not in again:
            transaction.delete(DEAD_LETTERS, place_of(run, learned.source, row["offset"]))


def _write_letter(transaction: Transaction, run: str, letter: DeadLetter, now_ms: int) -> None:
    """Insert a letter unless it is known: the same record is read again after a restart, and its state is the user's."""
    place = place_of(run, letter.source, letter.offset)
    if not transaction.select(DEAD_LETTERS, place, columns=["state"]):
        values = {
            "reason": letter.reason,
            "message": letter.message,
            "row_key": stored_key(letter.row_key),
            "slice": letter.slice,
            "created_ms": now_ms,
            "state": letter.state,
        }
        transaction.insert(DEAD_LETTERS, [{**place, **values}])


def _write_deletion(transaction: Transaction, run: str, gone: Deletion) -> None:
    """Record the delete, once, and take the dead letters of the row that is gone."""
    key = stored_key(gone.row_key)
    place = place_of(run, gone.source, gone.offset)
    transaction.delete(DELETIONS, place)
    transaction.insert(DELETIONS, [{**place, "row_key": key, "slice": gone.slice}])
    if key is not None:
        transaction.delete(DEAD_LETTERS, {**place, "row_key": key, "offset": Range(below=gone.offset)})


def place_of(run: str, source: TopicPartition, offset: int) -> dict[str, Any]:
    """The key of what is kept of one record."""
    return {"run": run, "topic": source.topic, "partition": source.partition, "offset": offset}


def _write_metrics(transaction: Transaction, stored: Checkpoint) -> None:
    transaction.delete(METRICS, {"run": stored.run, "events": Range(at_least=stored.events)})
    rows = [
        {"run": stored.run, "events": stored.events, "name": name, "value": value, "created_ms": stored.created_ms}
        for name, value in sorted(stored.metrics.items())
    ]
    if rows:
        transaction.insert(METRICS, rows)


def _prune(transaction: Transaction, run: str, keep: int) -> None:
    stored = transaction.select(CHECKPOINTS, {"run": run}, columns=["id"], order=["id"], descending=True)
    gone = OneOf([row["id"] for row in stored[keep:]])
    if gone.values:
        transaction.delete(CHECKPOINT_PARTS, {"checkpoint_id": gone})
        transaction.delete(CHECKPOINTS, {"id": gone})


def _json(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()


def _checkpoint(row: Row) -> Checkpoint:
    return Checkpoint(
        id=row["id"],
        run=row["run"],
        slice=row["slice"],
        events=row["events"],
        created_ms=row["created_ms"],
        weights_sha256=row["weights_sha256"],
        state_sha256=row["state_sha256"],
        offsets=offsets_from_json(orjson.loads(row["offsets"])),
        resume_offsets=offsets_from_json(orjson.loads(row["resume_offsets"])),
        metrics=orjson.loads(row["metrics"]),
        settings=orjson.loads(row["settings"]),
        versions=orjson.loads(row["versions"]),
    )
