"""``streamtrain predict``: predictions of the newest checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from streamtrain.cli import build
from streamtrain.cli.options import ConfigFile
from streamtrain.config.models import Config
from streamtrain.errors import ConfigError, NoUsableCheckpoint
from streamtrain.learner import Learner
from streamtrain.trainer.pipeline import serving_learner

_ROWS_AT_ONCE = 1024


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)


def predict(
    config: ConfigFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines of feature rows; - is standard input.")],
) -> None:
    """Predict for rows of features: JSON lines in, JSON lines out, in the same order.

    A row that cannot be read gives a line with "error", and exit code 1 at the end. Learns nothing and changes nothing.
    """
    loaded = build.load(config)
    build.pin_threads(loaded)
    loaded, learner = _load_learner(loaded)
    failed = False
    for lines in _chunks(_lines(file)):
        for line in _answers(loaded, learner, lines):
            failed = failed or "error" in line
            sys.stdout.write(orjson.dumps(line).decode() + "\n")
    if failed:
        raise typer.Exit(1)


def _load_learner(config: Config) -> tuple[Config, Learner]:
    with build.state(config) as state:
        resolved = build.resolved(config, state.checkpoints.run_config(config.name))
        found = state.checkpoints.newest(config.name)
    if found is None:
        raise NoUsableCheckpoint(
            f"run {config.name!r} has no checkpoint yet", hint="train first: streamtrain train CONFIG"
        )
    return resolved, serving_learner(build.learner_spec(resolved)[0], found[1])


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
    rows = [_row(line) for line in lines]
    readable = [index for index, row in enumerate(rows) if isinstance(row, Mapping)]
    predictions, rejected = learner.predict([rows[index] for index in readable])
    answers: list[dict[str, Any]] = [{"error": "malformed", "message": "the line is not a JSON object"} for _ in rows]
    values = iter(predictions)
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


def _answer(config: Config, outputs: Any) -> dict[str, Any]:
    part = config.examples
    if part.task != "multiclass":
        return {"prediction": float(outputs[0])}
    classes = part.classes or []
    by_class = {str(name): float(value) for name, value in zip(classes, outputs, strict=True)}
    return {"prediction": classes[int(outputs.argmax())], "probabilities": by_class}
