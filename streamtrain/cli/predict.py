"""``streamtrain predict``: predictions of the newest checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from streamtrain.cli import build
from streamtrain.cli.options import ConfigFile


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
    # Imported here: torch takes seconds to load, which `--help` should not wait for.
    from streamtrain.cli.predicting import predictions  # noqa: PLC0415

    failed = False
    for line in predictions(build.load(config), file):
        failed = failed or "error" in line
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
    if failed:
        raise typer.Exit(1)
