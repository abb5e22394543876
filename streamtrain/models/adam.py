"""Adam for dense parameters, and the step that takes an example back out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import Parameter

from streamtrain.features.arrays import State, check

_EPSILON = 1e-8


class Adam:
    """torch's Adam (Kingma and Ba, ICLR 2015) over named parameters, with retraction.

    Of an example's gradient g, Adam lets lr * g / sqrt(v) flow into a parameter over the steps that follow, v being the
    running mean of squared gradients. ``retract`` puts that back with the example's gradient at the current weights. Its
    step is never larger than lr, the moments and the step number stay as they are, and a parameter that was never learned
    is left alone.
    """

    def __init__(self, parameters: Mapping[str, Parameter], learning_rate: float) -> None:
        self._parameters = dict(parameters)
        self._learning_rate = learning_rate
        self._optimizer = torch.optim.Adam(self._parameters.values(), lr=learning_rate, eps=_EPSILON, fused=True)
        for parameter in self._parameters.values():
            # torch makes these at the first step; made here, the state has one form from the beginning.
            self._optimizer.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    @property
    def steps(self) -> int:
        """How many slices have been learned."""
        return max(int(self._optimizer.state[parameter]["step"]) for parameter in self._parameters.values())

    def learn(self) -> None:
        """One step down the parameters' gradients, which are then cleared."""
        self._optimizer.step()
        self._optimizer.zero_grad()

    @torch.no_grad()
    def retract(self) -> None:
        """Put back what the parameters' gradients took, and clear them."""
        _, beta2 = self._optimizer.defaults["betas"]
        for parameter in self._parameters.values():
            kept = self._optimizer.state[parameter]
            step = int(kept["step"])
            if parameter.grad is None or step == 0:
                continue
            mean_square = kept["exp_avg_sq"] / (1.0 - beta2**step)
            scale = torch.maximum(mean_square, parameter.grad.square()).sqrt() + _EPSILON
            parameter.add_(parameter.grad / scale, alpha=self._learning_rate)
        self._optimizer.zero_grad()

    def state(self) -> dict[str, NDArray[Any]]:
        return {
            f"{name}/{key}": value.numpy().copy()
            for name, parameter in self._parameters.items()
            for key, value in self._optimizer.state[parameter].items()
        }

    def load(self, state: State) -> None:
        check("the Adam optimizer", self.state(), state)
        for name, parameter in self._parameters.items():
            kept = self._optimizer.state[parameter]
            for key, value in kept.items():
                value.copy_(torch.from_numpy(np.array(state[f"{name}/{key}"])))
