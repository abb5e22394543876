"""What is wrong in a configuration, by key path, and the one error that says it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamtrain.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Where a value stands: ``("source", "include", 0)`` is the first pattern of ``source.include``."""

HINT = "`python -m streamtrain.config.reference` describes every key"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``text`` says what and the way out, and never holds a value of the file."""

    path: KeyPath
    text: str


def dotted(path: KeyPath) -> str:
    """``source.include[0]``."""
    written = ""
    for step in path:
        written += f"[{step}]" if isinstance(step, int) else f".{step}" if written else step
    return written


def refusal(where: str, problems: Sequence[Problem], lines: Mapping[KeyPath, int] | None = None) -> ConfigError:
    """The error for ``problems``, one a line: ``file:line: key path: what is wrong``."""
    return ConfigError("\n".join(_told(where, problem, lines or {}) for problem in problems), hint=HINT)


def _told(where: str, problem: Problem, lines: Mapping[KeyPath, int]) -> str:
    known = [lines[problem.path[:end]] for end in range(len(problem.path), -1, -1) if problem.path[:end] in lines]
    place = f"{where}:{known[0]}" if known else where
    return ": ".join(part for part in (place, dotted(problem.path), problem.text) if part)
