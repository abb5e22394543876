"""Which column is which kind of feature, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamtrain.errors import ConfigError
from streamtrain.features import options
from streamtrain.features.kinds import KINDS


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature: the column's name, its kind, and all of the kind's options."""

    name: str
    kind: str
    options: Mapping[str, Any]


def parse_features(mapping: Mapping[str, Any], path: str = "examples.features") -> tuple[FeatureSpec, ...]:
    """Column -> kind, or column -> ``{kind: ..., option: ...}``, in the order given.

    Raises ConfigError, naming the path and the nearest valid name, where a kind or an option is not known.
    """
    if not mapping:
        raise ConfigError(f"{path}: no features", hint="name at least one column and its kind")
    return tuple(_parse(name, given, f"{path}.{name}") for name, given in mapping.items())


def _parse(name: str, given: Any, path: str) -> FeatureSpec:
    if isinstance(given, str):
        given = {"kind": given}
    if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
        raise ConfigError(f"{path}: must be a kind, or a mapping with one", hint=f"valid kinds: {', '.join(KINDS)}")
    kind = given["kind"]
    if kind not in KINDS:
        raise options.unknown(path, "kind", kind, KINDS)
    chosen = {option: value for option, value in given.items() if option != "kind"}
    return FeatureSpec(name, kind, options.read(path, KINDS[kind].OPTIONS, chosen))
