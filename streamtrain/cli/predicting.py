"""Rows of features in, predictions of the newest checkpoint out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from streamtrain.cli import build, learning
from streamtrain.cli.existing import require_state_database
from streamtrain.config.fingerprint import difference
from streamtrain.config.models import Config
from streamtrain.documents import document
from streamtrain.errors import ConfigChanged, ConfigError, NoUsableCheckpoint, RejectedRecord
from streamtrain.learner import Learner
from streamtrain.trainer.pipeline import serving_learner

_ROWS_AT_ONCE = 1024


def predictions(config: Config, file: Path) -> Iterator[dict[str, Any]]:
    """An answer for each JSON line of ``file``, in order; one with ``error`` where the row cannot be read."""
    learning.pin_threads(config)
    resolved, learner = _load_learner(config)
    for lines in _chunks(_lines(file)):
        yield from _answers(resolved, learner, lines)


def _load_learner(config: Config) -> tuple[Config, Learner]:
    require_state_database(config)
    with build.state(config) as state:
        resolved = build.resolved(config, state.checkpoints.run_config(config.name))
        found = state.checkpoints.newest(config.name)
    if found is None:
        raise NoUsableCheckpoint(
            f"run {config.name!r} has no checkpoint yet", hint="train first: streamtrain train CONFIG"
        )
    spec, settings = learning.learner_spec(resolved)
    changes = [line for line in difference(found[0].settings, settings) if line.startswith(("examples.", "model."))]
    if changes:
        raise ConfigChanged(
            f"checkpoint {found[0].id} was trained with other settings: {'; '.join(changes)}",
            hint="set them back: the model would be asked something else than it has learned",
        )
    return resolved, serving_learner(spec, found[1])


def _lines(file: Path) -> Iterator[bytes]:
    if str(file) == "-":
        yield from sys.stdin.buffer
        return
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    remaining = (line for line in lines if line.strip())
    while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
        yield chunk


def _answers(config: Config, learner: Learner, lines: list[bytes]) -> list[dict[str, Any]]:
    read = _document if _of_documents(config) else _row
    rows = [read(line) for line in lines]
    readable = [index for index, row in enumerate(rows) if isinstance(row, Mapping)]
    outputs, rejected = learner.predict([rows[index] for index in readable])
    answers: list[dict[str, Any]] = [{"error": "malformed", "message": "the line is not a JSON object"} for _ in rows]
    values = iter(outputs)
    for position, index in enumerate(readable):
        error = rejected.get(position)
        if error is None:
            answers[index] = _answer(config, next(values))
        else:
            answers[index] = {"error": error.reason, "message": error.message}
    return answers


def _row(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _of_documents(config: Config) -> bool:
    """Whether features are paths in documents, as they were when they were learned."""
    features = config.examples.features
    return config.source.kind == "mongo" or (features != "auto" and any("." in name for name in features))


def _document(line: bytes) -> Any:
    try:
        return document(line)
    except RejectedRecord:
        return None


def _answer(config: Config, outputs: Any) -> dict[str, Any]:
    part = config.examples
    if part.task != "multiclass":
        return {"prediction": float(outputs[0])}
    classes = part.classes or []
    by_class = {str(name): float(value) for name, value in zip(classes, outputs, strict=True)}
    return {"prediction": classes[int(outputs.argmax())], "probabilities": by_class}
