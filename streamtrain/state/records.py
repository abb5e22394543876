"""What the state database holds, as frozen values: no SQL here, and no torch: a model's state is opaque bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streamtrain.topic.base import TopicPartition

FORMAT = 1
"""Version of the checkpoint's blobs. A reader for each past format is kept beside the newest."""

_KEY_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be learned: where it lies, and why. The record itself stays in the topic."""

    source: TopicPartition
    offset: int
    reason: str
    message: str
    row_key: str | None
    slice: int
    state: str = "open"
    created_ms: int = 0


@dataclass(frozen=True, slots=True)
class Deletion:
    """A delete that the trainer has seen: the row's key, and where the delete lies."""

    source: TopicPartition
    offset: int
    row_key: str | None
    slice: int


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One metric as it stood at a checkpoint."""

    events: int
    created_ms: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class ScheduledSlice:
    """Slice ``number`` of a run is this range of offsets: written before it is trained where its order is a choice."""

    number: int
    source: TopicPartition
    start: int
    end: int
    retry: bool = False
    """True for a dead letter that is learned again: it does not move the partition's offset."""


@dataclass(frozen=True, slots=True)
class LearnedRange:
    """The offsets from ``start`` to before ``end`` of a partition, learned as whole slices."""

    source: TopicPartition
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CheckpointDraft:
    """What a trainer hands over to be stored in one transaction."""

    slice: int
    events: int
    blobs: Mapping[str, bytes]
    weights_sha256: str
    offsets: Mapping[TopicPartition, int]
    resume_offsets: Mapping[TopicPartition, int]
    metrics: Mapping[str, float]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    dead_letters: Sequence[DeadLetter] = field(default=())
    deletions: Sequence[Deletion] = field(default=())
    learned: Sequence[LearnedRange] = field(default=())
    """What has been learned since the last checkpoint: letters of records in it that were not rejected are removed."""
    retried: Sequence[ScheduledSlice] = field(default=())
    """Dead letters that have been learned: removed with this checkpoint, unless rejected again."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A stored checkpoint without its blobs."""

    id: int
    run: str
    slice: int
    events: int
    created_ms: int
    weights_sha256: str
    state_sha256: str
    offsets: Mapping[TopicPartition, int]
    resume_offsets: Mapping[TopicPartition, int]
    metrics: Mapping[str, float]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """The public form, as ``checkpoints --json`` prints it."""
        return {
            "id": self.id,
            "run": self.run,
            "slice": self.slice,
            "events": self.events,
            "created_at": iso_time(self.created_ms),
            "weights_sha256": self.weights_sha256,
            "state_sha256": self.state_sha256,
            "offsets": offsets_as_json(self.offsets),
            "metrics": dict(self.metrics),
        }


def state_sha256(blobs: Mapping[str, bytes]) -> str:
    """SHA-256 over the blobs by sorted name: name, length and bytes of each. Also the checkpoint's integrity check."""
    digest = hashlib.sha256()
    for name in sorted(blobs):
        encoded = name.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded + len(blobs[name]).to_bytes(8, "little"))
        digest.update(blobs[name])
    return digest.hexdigest()


def offsets_as_json(offsets: Mapping[TopicPartition, int]) -> dict[str, dict[str, int]]:
    """``{topic: {"partition": next_offset}}``, sorted."""
    result: dict[str, dict[str, int]] = {}
    for source in sorted(offsets, key=lambda source: (source.topic, source.partition)):
        result.setdefault(source.topic, {})[str(source.partition)] = offsets[source]
    return result


def offsets_from_json(document: Mapping[str, Mapping[str, int]]) -> dict[TopicPartition, int]:
    """The inverse of ``offsets_as_json``."""
    return {
        TopicPartition(topic, int(partition)): offset
        for topic, partitions in document.items()
        for partition, offset in partitions.items()
    }


def stored_key(key: str | None) -> str | None:
    """A row key as it is stored and compared: itself, or its hash where it is too long for an index."""
    if key is None or len(key) <= _KEY_CHARACTERS:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def iso_time(milliseconds: int) -> str:
    """UTC time in ISO 8601, to the millisecond."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
