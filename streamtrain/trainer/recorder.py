"""What the worker writes down, and where: a run in the state database, or, for a proof, nothing but the last draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from streamtrain import log
from streamtrain.errors import StateUnavailable
from streamtrain.state.checkpoints import CheckpointStore, Writer
from streamtrain.state.ledger import Ledger
from streamtrain.state.records import CheckpointDraft, ScheduledSlice, state_sha256
from streamtrain.topic.base import TopicPartition

_log = log.get("trainer")

Place = tuple[TopicPartition, int]
"""A record by partition and offset."""


class Recorder(Protocol):
    """Where a worker's decisions and checkpoints go."""

    def schedule(self, slices: Sequence[ScheduledSlice]) -> None:
        """Record the order of the coming slices, before they are trained."""

    def requested(self, learned: Mapping[TopicPartition, int]) -> list[Place]:
        """Where the dead letters lie that are to be learned again, below the offsets that have been learned."""

    def schedule_retries(self, after: int, places: Sequence[Place]) -> list[ScheduledSlice]:
        """Record these dead letters as the slices from ``after + 1`` on."""

    def mark_gone(self, places: Sequence[Place]) -> None:
        """Record that these dead letters' records are no longer in the topic."""

    def save(self, draft: CheckpointDraft) -> None:
        """Store a checkpoint; durable when this returns."""

    def report(self, state: str, detail: Mapping[str, Any]) -> None:
        """Say how the worker stands."""


@dataclass(frozen=True, slots=True)
class RunRecorder:
    """Records a run in the state database, as the writer that holds its epoch."""

    store: CheckpointStore
    ledger: Ledger
    writer: Writer
    keep: int

    def schedule(self, slices: Sequence[ScheduledSlice]) -> None:
        self.ledger.schedule(self.writer, slices)

    def requested(self, learned: Mapping[TopicPartition, int]) -> list[Place]:
        return self.ledger.requested(self.writer.run, learned)

    def schedule_retries(self, after: int, places: Sequence[Place]) -> list[ScheduledSlice]:
        return self.ledger.schedule_retries(self.writer, after, places)

    def mark_gone(self, places: Sequence[Place]) -> None:
        self.ledger.mark_gone(self.writer, places)

    def save(self, draft: CheckpointDraft) -> None:
        saved = self.store.save(self.writer, draft, self.keep)
        _log.info("checkpoint", id=saved.id, slice=saved.slice, events=saved.events, state=saved.state_sha256[:12])

    def report(self, state: str, detail: Mapping[str, Any]) -> None:
        try:
            self.ledger.report(self.writer.run, "trainer", state, detail)
        except StateUnavailable as error:
            # Only the report is lost; if the database stays away the next checkpoint says so, and that is retried.
            _log.warning("status not reported", why=error.message)


class ProofRecorder:
    """Keeps the hash of the last draft and nothing else: a replay that is only to be compared."""

    def __init__(self) -> None:
        self.state_sha256 = ""
        self.weights_sha256 = ""

    def schedule(self, slices: Sequence[ScheduledSlice]) -> None:
        """Nothing is kept."""

    def requested(self, learned: Mapping[TopicPartition, int]) -> list[Place]:
        """A proof follows the recorded retries only."""
        del learned
        return []

    def schedule_retries(self, after: int, places: Sequence[Place]) -> list[ScheduledSlice]:
        """None are ever requested."""
        del after, places
        return []

    def mark_gone(self, places: Sequence[Place]) -> None:
        """None are ever requested."""

    def save(self, draft: CheckpointDraft) -> None:
        self.state_sha256 = state_sha256(draft.blobs)
        self.weights_sha256 = draft.weights_sha256

    def report(self, state: str, detail: Mapping[str, Any]) -> None:
        """Nobody is told."""
