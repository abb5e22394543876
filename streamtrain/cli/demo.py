"""``streamtrain demo``: the whole line on embedded parts, ending in a proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamtrain.demo.run import run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    directory: Annotated[
        Path, typer.Option("--directory", help="Where the demo's files go; it is emptied first.")
    ] = Path("streamtrain-demo"),
    rows: Annotated[
        int, typer.Option("--rows", min=6000, help="How many rows the demo's application inserts.")
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="Of the demo's data.")] = 1,
) -> None:
    """Show the whole line at work: SQLite table -> topic -> model -> checkpoints, on this machine alone.

    An application writes to a table; a connector captures each change; a trainer learns it. The trainer is killed in the
    middle of a slice, resumes, and ends in the same state, bit for bit, as a run that nothing disturbed. Leaves a report.
    """
    raise typer.Exit(run(directory, rows, seed))
