"""``streamtrain checkpoints``: what a run can be taken back to."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from streamtrain.cli import build
from streamtrain.cli.existing import require_state_database
from streamtrain.cli.options import AsJson, ConfigFile, print_json
from streamtrain.state.records import iso_time


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(checkpoints)


def checkpoints(config: ConfigFile, as_json: AsJson = False) -> None:
    """List the run's checkpoints, oldest first."""
    loaded = build.load(config)
    require_state_database(loaded)
    with build.state(loaded) as state:
        found = state.checkpoints.list(loaded.name)
    if as_json:
        print_json([checkpoint.as_json() for checkpoint in found])
        return
    table = Table("id", "created", "slice", "events", "auc", "log loss", "state sha256", box=None)
    for one in found:
        scores = [f"{one.metrics[name]:.4f}" if name in one.metrics else "" for name in ("auc", "log_loss")]
        table.add_row(
            str(one.id), iso_time(one.created_ms), str(one.slice), str(one.events), *scores, one.state_sha256[:16]
        )
    Console().print(table if found else f"run {loaded.name!r} has no checkpoint yet")
