"""Named numpy arrays: the form in which every stateful part gives out its state and takes it back.

A part's ``state()`` holds all that decides its future, under names like ``price/mean``; scalars are 0-d arrays of
float64 or int64. ``load`` takes nothing but a state of the same names, shapes and dtypes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamtrain.errors import ConfigChanged

State = Mapping[str, NDArray[Any]]

_HINT = "load the state with the configuration it was saved under, or train from the beginning"


class Stateful(Protocol):
    """A part whose whole state is a set of named arrays."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all arrays that decide the future."""
        ...

    def load(self, state: State) -> None:
        """Continue from ``state``. Raises ConfigChanged, and changes nothing, if it is not this part's."""
        ...


def integer(value: int) -> NDArray[np.int64]:
    """``value`` as a 0-d array."""
    return np.array(value, dtype=np.int64)


def number(value: float) -> NDArray[np.float64]:
    """``value`` as a 0-d array."""
    return np.array(value, dtype=np.float64)


def check(owner: str, expected: State, given: State) -> None:
    """Raise ConfigChanged unless ``given`` has the names, shapes and dtypes of ``expected``, and no others."""
    missing, extra = sorted(expected.keys() - given.keys()), sorted(given.keys() - expected.keys())
    if missing or extra:
        parts = [
            f"{word} {', '.join(map(repr, names))}" for word, names in (("lacks", missing), ("has", extra)) if names
        ]
        raise ConfigChanged(f"the state is not that of {owner}: it {' and '.join(parts)}", hint=_HINT)
    for name, array in expected.items():
        if given[name].shape != array.shape or given[name].dtype != array.dtype:
            raise ConfigChanged(
                f"the state is not that of {owner}: {name!r} is {_form(given[name])}, not {_form(array)}", hint=_HINT
            )


def joined(parts: Mapping[str, Stateful]) -> dict[str, NDArray[Any]]:
    """The states of ``parts`` as one, each array's name prefixed with ``PART/``."""
    return prefixed({name: part.state() for name, part in parts.items()})


def prefixed(states: Mapping[str, State]) -> dict[str, NDArray[Any]]:
    """Several states as one, each array's name prefixed with its state's name and ``/``."""
    return {f"{prefix}/{name}": array for prefix, state in states.items() for name, array in state.items()}


def load_parts(owner: str, parts: Mapping[str, Stateful], state: State) -> None:
    """Load what ``joined`` gave. Raises ConfigChanged, before any part is changed, if it is not that of ``parts``."""
    check(owner, joined(parts), state)
    for prefix, part in parts.items():
        part.load({name: state[f"{prefix}/{name}"] for name in part.state()})


def _form(array: NDArray[Any]) -> str:
    return f"{array.dtype}{list(array.shape)}"
