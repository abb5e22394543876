"""Any torch module as an online model: Adam on the summed loss of each slice, and retraction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamtrain.errors import ConfigError
from streamtrain.features.arrays import State, check, prefixed
from streamtrain.features.encoder import Features
from streamtrain.features.options import Option, above_zero, switch
from streamtrain.models.adam import Adam
from streamtrain.models.base import LabelArray, ModelShape
from streamtrain.models.embedding import HashedEmbedding
from streamtrain.models.label_scaling import LabelScaler
from streamtrain.models.losses import predictions, summed_loss
from streamtrain.models.randomness import global_seed

OPTIONS: Mapping[str, Option] = {"learning_rate": above_zero(0.001), "standardize_label": switch(True)}

_DTYPES = {torch.float32, torch.float64}


class NeuralModel:
    """Trains ``module``, which takes (dense float32[rows, D], indices int64[rows, C]) and gives float32[rows, outputs].

    The outputs are logits; for regression, values in the unit of the standardised label. With ``embedding`` the module is
    given float32[rows, C, width] in place of the indices. What the module draws at random while it trains (dropout) is
    decided by the seed and the number of steps, so that it goes on alike after a restart.
    Bit-deterministic on CPU for one number of torch threads.
    """

    def __init__(
        self,
        shape: ModelShape,
        module: nn.Module,
        *,
        learning_rate: float,
        standardize_label: bool,
        embedding: HashedEmbedding | None = None,
    ) -> None:
        """Raises ConfigError if ``module`` has no parameter to learn, or one that is not float32 or float64 on cpu."""
        self._shape = shape
        self._module = module.eval()
        self._embedding = embedding
        self._adam = Adam(_parameters(module), learning_rate)
        self._label_scaler = LabelScaler(active=shape.task == "regression" and standardize_label)

    @torch.no_grad()
    def predict(self, features: Features) -> NDArray[np.float32]:
        outputs = predictions(self._shape.task, self._module(*self._inputs(features))).numpy()
        if self._shape.task != "regression":
            return outputs.astype(np.float32, copy=False)
        return self._label_scaler.unscale(outputs.astype(np.float64)).astype(np.float32)

    def learn(self, features: Features, labels: LabelArray, weights: NDArray[np.float32]) -> None:
        """Retractions first, then the others: two steps where a slice has both."""
        learned = weights > 0.0
        targets = labels
        if self._shape.task == "regression":
            self._label_scaler.learn(labels[learned].astype(np.float64))
            targets = self._label_scaler.scale(labels.astype(np.float64)).astype(np.float32)
        if learned.all() and len(learned):
            self._pass(features, targets, weights)
            return
        retracted = weights < 0.0
        if retracted.any():
            self._pass(features.select(retracted), targets[retracted], -weights[retracted], retract=True)
        if learned.any():
            self._pass(features.select(learned), targets[learned], weights[learned])

    def _pass(
        self, features: Features, targets: LabelArray, weights: NDArray[np.float32], *, retract: bool = False
    ) -> None:
        dense, indexed = self._inputs(features)
        if self._embedding is not None:
            indexed.requires_grad_()
        with self._training():
            outputs = self._module(dense, indexed)
            loss = summed_loss(self._shape.task, outputs, torch.from_numpy(targets), torch.from_numpy(weights))
            torch.autograd.backward(loss)
        if self._embedding is not None and indexed.grad is not None:
            step = self._embedding.retract if retract else self._embedding.learn
            step(features.indices, indexed.grad.numpy())
        if retract:
            self._adam.retract()
        else:
            self._adam.learn()

    def _inputs(self, features: Features) -> tuple[Tensor, Tensor]:
        indexed = (
            torch.from_numpy(features.indices) if self._embedding is None else self._embedding.gather(features.indices)
        )
        return torch.from_numpy(features.dense), indexed

    @contextmanager
    def _training(self) -> Iterator[None]:
        # torch's CPU generator takes 32 bits of a seed; the odd factor sets the runs of different seeds far apart.
        with global_seed((self._shape.seed * 0x9E3779B1 + self._adam.steps) % 2**32):
            self._module.train()
            yield
            self._module.eval()

    def state(self) -> dict[str, NDArray[Any]]:
        module = {name: value.detach().numpy().copy() for name, value in self._module.state_dict().items()}
        states: dict[str, State] = {
            "weights/module": module,
            "weights/label": self._label_scaler.state(),
            "optimizer/adam": self._adam.state(),
        }
        if self._embedding is not None:
            states |= {
                "weights/embedding": self._embedding.weights(),
                "optimizer/embedding": self._embedding.optimizer(),
            }
        return prefixed(states)

    def load(self, state: State) -> None:
        check("the model", self.state(), state)
        self._module.load_state_dict(
            {n: torch.from_numpy(np.array(a)) for n, a in _under("weights/module", state).items()}
        )
        self._label_scaler.load(_under("weights/label", state))
        self._adam.load(_under("optimizer/adam", state))
        if self._embedding is not None:
            self._embedding.load(_under("weights/embedding", state), _under("optimizer/embedding", state))


def _parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters to learn, by name."""
    parameters = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    for name, parameter in parameters.items():
        if parameter.dtype not in _DTYPES or parameter.device.type != "cpu":
            raise ConfigError(
                f"model.kind: parameter {name!r} is {parameter.dtype} on {parameter.device}",
                hint="make all parameters float32 or float64 on cpu",
            )
    if not parameters:
        raise ConfigError("model.kind: the module has no parameters to learn", hint="register them as nn.Parameter")
    return parameters


def _under(prefix: str, state: State) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(f"{prefix}/"): array for name, array in state.items() if name.startswith(f"{prefix}/")}
