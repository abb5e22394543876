"""Models by name: the built-in ones, or ``package.module:function`` of the user's own.

Modules are imported when their model is asked for, so that linear models run without torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamtrain.errors import ConfigError
from streamtrain.features.labels import Task
from streamtrain.features.options import read, unknown
from streamtrain.models.base import Model, ModelShape


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    """Where a model's factory and options are, and which tasks it can do."""

    module: str
    factory: str
    tasks: tuple[Task, ...]


_BUILT_IN: Mapping[str, _BuiltIn] = {
    "logistic": _BuiltIn("streamtrain.models.logistic", "Logistic", ("binary", "multiclass")),
    "ftrl": _BuiltIn("streamtrain.models.ftrl", "Ftrl", ("binary", "regression")),
    "mlp": _BuiltIn("streamtrain.models.mlp", "mlp", ("binary", "multiclass", "regression")),
}

NAMES = tuple(_BUILT_IN)
"""The registered models."""


def build(kind: str, options: Mapping[str, Any], shape: ModelShape) -> Model:
    """The model ``kind`` for ``shape``, untrained.

    ``package.module:function`` is called as ``function(shape, **options)``. It returns a Model, or a torch module that
    takes (dense, indices) and gives [rows, outputs], which NeuralModel then trains; NeuralModel's own options are given
    beside the function's. Raises ConfigError on an unknown name, option or value, and on a task that the model cannot do.
    """
    if ":" in kind:
        own: Model = importlib.import_module("streamtrain.models.own").build_own(kind, options, shape)
        return own
    if kind not in _BUILT_IN:
        raise unknown("model.kind", "model", kind, NAMES)
    built_in = _BUILT_IN[kind]
    if shape.task not in built_in.tasks:
        able = ", ".join(name for name, other in _BUILT_IN.items() if shape.task in other.tasks)
        raise ConfigError(f"model.kind: {kind!r} cannot do {shape.task}", hint=f"models that can: {able}")
    module = importlib.import_module(built_in.module)
    model: Model = getattr(module, built_in.factory)(shape, **read("model", module.OPTIONS, options))
    return model
