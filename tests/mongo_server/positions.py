"""Positional paths of an update: ``$``, ``$[]`` and ``$[name]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError
from tests.mongo_server.matching import matches
from tests.mongo_server.modifiers import Path, Target


@dataclass(frozen=True, slots=True)
class Targets:
    """The paths that a positional one stands for, and the outermost array they go through."""

    paths: list[Path]
    array: Path | None


def concrete_paths(document: Document, path: Path, query: Document, filters: Sequence[Document]) -> Targets:
    """Paths with numbers in the place of positional names."""
    if not any(name.startswith("$") for name in path):
        return Targets([path], None)
    paths: list[Path] = [()]
    array: Path | None = None
    for name in path:
        if name.startswith("$["):
            array = paths[0] if array is None and paths else array
            paths = [(*each, str(at)) for each in paths for at in _chosen(document, each, name[2:-1], filters)]
        elif name == "$":
            paths = [(*each, str(_matched(document, each, query))) for each in paths]
        else:
            paths = [(*each, name) for each in paths]
    return Targets(paths, array)


def _chosen(document: Document, path: Path, name: str, filters: Sequence[Document]) -> list[int]:
    values = Target(document, path).get()
    if not isinstance(values, list):
        raise CommandError(
            2, f"The path '{'.'.join(path)}' must exist in the document in order to apply array updates."
        )
    wanted = [one for one in filters if next(iter(one)).partition(".")[0] == name]
    return [at for at, value in enumerate(values) if not name or all(matches({name: value}, one) for one in wanted)]


def _matched(document: Document, path: Path, query: Mapping[str, Any]) -> int:
    """The first element of the array at ``path`` for which the conditions of ``query`` on that array hold."""
    prefix = ".".join(path)
    conditions = {name: one for name, one in query.items() if name == prefix or name.startswith(f"{prefix}.")}
    values = Target(document, path).get()
    for at, value in enumerate(values if isinstance(values, list) else []):
        alone: Any = [value]
        for name in reversed(path):
            alone = {name: alone}
        if conditions and matches(alone, conditions):
            return at
    raise CommandError(2, "The positional operator did not find the match needed from the query.")
