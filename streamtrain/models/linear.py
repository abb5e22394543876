"""What the linear models share: predictions, the closed-form gradient of a slice, retraction, state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrain.features.arrays import State, check, prefixed
from streamtrain.features.encoder import Features
from streamtrain.models.base import LabelArray, ModelShape
from streamtrain.models.coordinates import Coordinates, Table
from streamtrain.models.label_scaling import LabelScaler
from streamtrain.models.links import sigmoid, softmax


class LinearModel(ABC):
    """One step a slice, on the gradient summed over its rows, at the coordinates that it touches and no others.

    The loss of a row is log loss, or (prediction - label)**2 for regression. Rows are retracted within the same step:
    their gradient is subtracted, and does not enter the sums of squares.
    """

    def __init__(self, shape: ModelShape, tables: Mapping[str, float], *, standardize_label: bool = False) -> None:
        """``tables`` names the optimizer's tables and what they are filled with."""
        self._task = shape.task
        self._coordinates = Coordinates(shape)
        self._weights = self._coordinates.table()
        self._tables = {name: self._coordinates.table(value) for name, value in tables.items()}
        self._label_scaler = LabelScaler(active=shape.task == "regression" and standardize_label)

    @abstractmethod
    def _step(self, at: NDArray[np.int64], gradient: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        """Update the coordinates ``at`` by the slice's gradient; ``squares`` are its learned rows' squared gradient."""

    def predict(self, features: Features) -> NDArray[np.float32]:
        return self._predictions(self._coordinates.sums(self._weights, features)).astype(np.float32)

    def learn(self, features: Features, labels: LabelArray, weights: NDArray[np.float32]) -> None:
        if not weights.all():
            kept = weights != 0.0
            features, labels, weights = features.select(kept), labels[kept], weights[kept]
        if len(weights) == 0:
            return
        learned = weights > 0.0
        if self._task == "regression":
            self._label_scaler.learn(labels[learned].astype(np.float64))
        errors = self._errors(features, labels) * weights[:, np.newaxis]
        touched = self._coordinates.touched(features)
        gradient = touched.gradient(errors)
        growth = gradient if learned.all() else touched.gradient(np.where(learned[:, np.newaxis], errors, 0.0))
        self._step(touched.coordinates, gradient, growth * growth)

    def _predictions(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._task == "binary":
            return sigmoid(sums)
        return softmax(sums) if self._task == "multiclass" else self._label_scaler.unscale(sums)

    def _errors(self, features: Features, labels: LabelArray) -> NDArray[np.float64]:
        """Derivative of each row's loss by its sums, float64[rows, outputs]."""
        sums = self._coordinates.sums(self._weights, features)
        if self._task == "multiclass":
            errors = softmax(sums)
            errors[np.arange(len(labels)), labels.astype(np.int64)] -= 1.0
            return errors
        targets = labels.astype(np.float64)[:, np.newaxis]
        return sigmoid(sums) - targets if self._task == "binary" else 2.0 * (sums - self._label_scaler.scale(targets))

    def state(self) -> dict[str, NDArray[Any]]:
        optimizer = {f"optimizer/{name}": self._coordinates.split(table) for name, table in self._tables.items()}
        label = {"weights/label": self._label_scaler.state()}
        return prefixed({"weights": self._coordinates.split(self._weights), **label, **optimizer})

    def load(self, state: State) -> None:
        check(f"the {type(self).__name__} model", self.state(), state)
        self._weights = self._table(state, "weights")
        self._tables = {name: self._table(state, f"optimizer/{name}") for name in self._tables}
        self._label_scaler.load({name: state[f"weights/label/{name}"] for name in self._label_scaler.state()})

    def _table(self, state: State, prefix: str) -> Table:
        names = self._coordinates.split(self._weights)
        return self._coordinates.join({name: state[f"{prefix}/{name}"] for name in names})
