"""The user's own models: ``package.module:function``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from streamtrain.errors import ConfigError
from streamtrain.features import options as option_rules
from streamtrain.models import neural
from streamtrain.models.base import Model, ModelShape
from streamtrain.models.randomness import global_seed


def build_own(kind: str, options: Mapping[str, Any], shape: ModelShape) -> Model:
    """What ``function(shape, **options)`` returns: a Model, or a torch module, which NeuralModel then trains.

    The function may draw from torch's global generator, which begins at the model's seed. Raises ConfigError.
    """
    function = _function(kind)
    for_function, for_training = _shared_out(function, options)
    try:
        inspect.signature(function).bind(shape, **for_function)
    except TypeError as error:
        raise ConfigError(f"model: {kind}: {error}", hint="give its options under model, beside kind") from None
    with global_seed(shape.seed):
        made = function(shape, **for_function)
    if isinstance(made, nn.Module):
        return neural.NeuralModel(shape, made, **option_rules.read("model", neural.OPTIONS, for_training))
    if not isinstance(made, Model):
        raise ConfigError(
            f"model.kind: {kind} returned a {type(made).__name__}",
            hint="return a torch.nn.Module, or an object with predict, learn, state and load",
        )
    if for_training:
        raise option_rules.unknown("model", "option", min(for_training), sorted(for_function))
    return made


def _function(kind: str) -> Callable[..., object]:
    module_name, _, name = kind.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"model.kind: cannot import {module_name!r}: {error}", hint="install it, or put its folder on PYTHONPATH"
        ) from error
    public = [own for own, value in vars(module).items() if callable(value) and not own.startswith("_")]
    if name not in public:
        raise option_rules.unknown("model.kind", "function", name, public)
    function: Callable[..., object] = getattr(module, name)
    return function


def _shared_out(function: Callable[..., object], options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that the function names (any, if it takes ``**``), and the rest, which must be those of NeuralModel."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
    own, rest = {}, {}
    for name, value in options.items():
        if name in named or (takes_any and name not in neural.OPTIONS):
            own[name] = value
        elif name in neural.OPTIONS:
            rest[name] = value
        else:
            raise option_rules.unknown("model", "option", name, sorted(named | neural.OPTIONS.keys()))
    return own, rest
