"""Adam without momentum, and the step that takes an example back out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter

from streamtrain.features.arrays import State, check, integer

_DECAY = 0.999
_EPSILON = 1e-8
_LARGEST = 3.0


class Adam:
    """Kingma and Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015), with beta1 = 0, over named parameters.

    v = 0.999 v + 0.001 g**2, and w -= lr * r, r = g / sqrt(v / (1 - 0.999**steps)). Without momentum an example acts on
    the weights in its own slice and in none after it, so that the same step the other way takes it back out. ``r`` is
    held within three, which typical gradients keep of themselves: without momentum, one wrong label in a slice of its own
    could otherwise move a well-fitted model by up to lr / sqrt(0.001).
    """

    def __init__(self, parameters: Mapping[str, Parameter], learning_rate: float) -> None:
        self._parameters = dict(parameters)
        self._learning_rate = learning_rate
        self._mean_squares = {name: torch.zeros_like(parameter) for name, parameter in self._parameters.items()}
        self._steps = dict.fromkeys(self._parameters, 0)

    @property
    def steps(self) -> int:
        """How many slices have been learned."""
        return max(self._steps.values())

    @torch.no_grad()
    def learn(self) -> None:
        """One step down the parameters' gradients, which are then cleared. A parameter without gradient stays."""
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                self._steps[name] += 1
                self._mean_squares[name].mul_(_DECAY).addcmul_(parameter.grad, parameter.grad, value=1.0 - _DECAY)
                parameter.sub_(self._relative(name, parameter.grad), alpha=self._learning_rate)
            parameter.grad = None

    @torch.no_grad()
    def retract(self) -> None:
        """The step of ``learn`` the other way; v and the step number stay as they are. What was never learned stays."""
        for name, parameter in self._parameters.items():
            if parameter.grad is not None and self._steps[name]:
                parameter.add_(self._relative(name, parameter.grad), alpha=self._learning_rate)
            parameter.grad = None

    def _relative(self, name: str, gradient: Tensor) -> Tensor:
        scale = (self._mean_squares[name] / (1.0 - _DECAY ** self._steps[name])).sqrt_().add_(_EPSILON)
        return (gradient / scale).clamp_(-_LARGEST, _LARGEST)

    def state(self) -> dict[str, NDArray[Any]]:
        squares = {f"{name}/mean_square": square.numpy().copy() for name, square in self._mean_squares.items()}
        return squares | {f"{name}/steps": integer(steps) for name, steps in self._steps.items()}

    def load(self, state: State) -> None:
        check("the Adam optimizer", self.state(), state)
        for name in self._parameters:
            self._mean_squares[name] = torch.from_numpy(np.array(state[f"{name}/mean_square"]))
            self._steps[name] = int(state[f"{name}/steps"])
