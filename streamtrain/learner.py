"""Predict, score, learn: one slice at a time. Holds everything that decides the future but the offsets."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from streamtrain import examples as example_rules
from streamtrain import tensors
from streamtrain.errors import NoUsableCheckpoint, RejectedRecord
from streamtrain.examples import Examples
from streamtrain.features.encoder import Columns, Encoder
from streamtrain.features.labels import LabelSpec
from streamtrain.features.spec import FeatureSpec
from streamtrain.metrics.prequential import Prequential
from streamtrain.models import registry
from streamtrain.models.base import ModelShape
from streamtrain.topic.base import Records

_WEIGHTS = "weights/"
_BLOBS = ("weights", "optimizer", "features", "metrics", "counts")


@dataclass(frozen=True, slots=True)
class LearnerSpec:
    """All that decides a learner besides the records: two learners of one spec that see the same slices are equal."""

    label: LabelSpec
    features: tuple[FeatureSpec, ...]
    hash_bits: int = 18
    model: str = "logistic"
    model_options: Mapping[str, Any] = field(default_factory=dict)
    metrics_window: int = 10_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one slice did."""

    learned: int
    rejected: Mapping[int, RejectedRecord]
    deleted: Sequence[int]
    last_committed_ms: int


class Learner:
    """A model with its features, metrics and counts. Pure but for ``learn`` and ``load``; not thread-safe.

    Bit-identical on CPU for the same spec, slices and number of torch threads.
    """

    def __init__(self, spec: LearnerSpec) -> None:
        self._spec = spec
        self._encoder = Encoder(spec.features, spec.hash_bits)
        shape = ModelShape(
            dense=self._encoder.dense_width,
            indices=self._encoder.index_width,
            hash_bits=spec.hash_bits,
            task=spec.label.task,
            outputs=spec.label.outputs,
            seed=spec.seed,
        )
        self._model = registry.build(spec.model, spec.model_options, shape)
        self._metrics = Prequential(spec.label.task, spec.metrics_window, spec.label.outputs)
        self._counts: dict[str, int] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """Records by kind (``events``, ``inserts``, ``updates``, ``deletes``, ``reads``, ``unlabelled``, …) and ``rejected``."""
        return self._counts

    @property
    def events(self) -> int:
        """How many change records have been taken in."""
        return self._counts.get("events", 0)

    def report(self) -> dict[str, float]:
        """The prequential scores so far."""
        return self._metrics.report()

    def learn(self, records: Records) -> StepReport:
        """Take in one slice: read it, predict every example with the model as it is, score, then learn all at once.

        Raises FatalError if the model has diverged; the state is then not to be stored.
        """
        found = example_rules.read(records, self._spec.label.column)
        columns, kept, labels = self._columns(found)
        if kept.size:
            self._step(
                columns, labels, np.asarray(found.weights, np.float32)[kept], np.asarray(found.scored, bool)[kept]
            )
        for name, count in found.counts.items():
            self._counts[name] = self._counts.get(name, 0) + count
        if found.rejected:
            self._counts["rejected"] = self._counts.get("rejected", 0) + len(found.rejected)
        return StepReport(int(kept.size), found.rejected, found.deleted, found.last_committed_ms)

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> tuple[tensors.Array, dict[int, RejectedRecord]]:
        """Predictions (float32 [valid rows, outputs]) and the rejected rows by index. Changes nothing."""
        columns = self._encoder.read(rows)
        kept = np.asarray([index for index in range(len(rows)) if index not in columns.rejected], np.int64)
        if not kept.size:
            return np.zeros((0, self._spec.label.outputs), np.float32), dict(columns.rejected)
        return self._model.predict(self._encoder.transform(columns.select(kept))), dict(columns.rejected)

    def _columns(self, found: Examples) -> tuple[Columns, tensors.Array, tensors.Array]:
        """The examples that can be learned, as columns; the others' slots are moved to ``found.rejected``."""
        columns = self._encoder.read(found.rows)
        labels = self._spec.label.read(found.labels)
        for index, error in {**labels.rejected, **columns.rejected}.items():
            found.rejected.setdefault(found.slots[index], error)
        kept = np.asarray([index for index, slot in enumerate(found.slots) if slot not in found.rejected], np.int64)
        return columns.select(kept), kept, labels.values[kept]

    def _step(self, columns: Columns, labels: tensors.Array, weights: tensors.Array, scored: tensors.Array) -> None:
        # A row that is learned again was counted in the feature statistics when it was learned first.
        first_time = np.flatnonzero(scored)
        if first_time.size:
            self._encoder.learn(columns if first_time.size == len(scored) else columns.select(first_time))
        features = self._encoder.transform(columns)
        predictions = self._model.predict(features)
        self._metrics.update(predictions[first_time], labels[first_time])
        self._model.learn(features, labels, weights)

    def weights(self) -> tensors.Arrays:
        """The tensors that predict, by name."""
        return {
            name.removeprefix(_WEIGHTS): array
            for name, array in self._model.state().items()
            if name.startswith(_WEIGHTS)
        }

    def state(self) -> dict[str, bytes]:
        """Everything that decides the future, as named blobs."""
        model = self._model.state()
        return {
            "weights": tensors.encode({name: array for name, array in model.items() if name.startswith(_WEIGHTS)}),
            "optimizer": tensors.encode(
                {name: array for name, array in model.items() if not name.startswith(_WEIGHTS)}
            ),
            "features": tensors.encode(self._encoder.state()),
            "metrics": tensors.encode(self._metrics.state()),
            "counts": orjson.dumps(self._counts, option=orjson.OPT_SORT_KEYS),
        }

    def load(self, blobs: Mapping[str, bytes]) -> None:
        """Go on from a ``state()`` of a learner of the same spec. Raises NoUsableCheckpoint or FatalError if it is not."""
        if set(blobs) != set(_BLOBS):
            raise NoUsableCheckpoint(f"the checkpoint holds {sorted(blobs)}, needed are {sorted(_BLOBS)}")
        self._model.load(tensors.decode(blobs["weights"]) | tensors.decode(blobs["optimizer"]))
        self._encoder.load(tensors.decode(blobs["features"]))
        self._metrics.load(tensors.decode(blobs["metrics"]))
        self._counts = orjson.loads(blobs["counts"])

    def clone(self) -> Learner:
        """An independent copy."""
        return copy.deepcopy(self)
