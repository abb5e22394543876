"""Options of features and models: what each may be, and an error with the nearest valid name where it is not."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from streamtrain.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its default, the rule its value keeps, and that rule in words."""

    default: Any
    holds: Callable[[Any], bool]
    wanted: str


def switch(default: bool) -> Option:
    """True or false."""
    return Option(default, lambda value: isinstance(value, bool), "true or false")


def choice(default: str, *others: str) -> Option:
    """One of a few words."""
    words = (default, *others)
    return Option(default, lambda value: isinstance(value, str) and value in words, f"one of {', '.join(words)}")


def above_zero(default: float) -> Option:
    """A finite number above 0."""
    return Option(default, lambda value: _finite(value) and value > 0, "a number above 0")


def at_least_zero(default: float) -> Option:
    """A finite number, 0 or above."""
    return Option(default, lambda value: _finite(value) and value >= 0, "a number, 0 or above")


def count(default: int) -> Option:
    """A whole number, 1 or above."""
    return Option(
        default,
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
        "a whole number, 1 or above",
    )


def read(path: str, known: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """All of ``known``, from ``given`` or by default. Raises ConfigError on an unknown name or a value against its rule."""
    for name, value in given.items():
        if name not in known:
            raise unknown(path, "option", name, known)
        if not known[name].holds(value):
            raise ConfigError(f"{path}.{name}: must be {known[name].wanted}, not {value!r}")
    return {name: given.get(name, option.default) for name, option in known.items()}


def unknown(path: str, what: str, name: object, valid: Collection[str]) -> ConfigError:
    """The error for a name that is not among ``valid``, with the nearest of them as the way out."""
    if not valid:
        return ConfigError(f"{path}: unknown {what} {name!r}", hint=f"there is no {what} to give here")
    nearest = difflib.get_close_matches(str(name), valid, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    return ConfigError(f"{path}: unknown {what} {name!r}", hint=f"{guess}valid: {', '.join(sorted(valid))}")


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
