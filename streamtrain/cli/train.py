"""``streamtrain train``: topics -> model."""

from __future__ import annotations

from typing import Annotated

import typer

from streamtrain.cli import build
from streamtrain.cli.options import ConfigFile
from streamtrain.cli.stopping import Stop


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    config: ConfigFile,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End at the end of the log as it stands when this begins.")
    ] = False,
    max_events: Annotated[
        int | None, typer.Option("--max-events", min=1, help="End after this many change records.")
    ] = None,
    accept_config: Annotated[
        bool,
        typer.Option("--accept-config", help="Go on although settings that decide the weights have changed; recorded."),
    ] = False,
) -> None:
    """Train the model from the topic, exactly once, and checkpoint it with its offsets.

    Goes on from the newest whole checkpoint. Ctrl-C and SIGTERM finish the slice, checkpoint and leave; after any other end
    the next start reaches the same state, bit for bit.
    """
    # Imported here: torch takes seconds to load, which `--help` and the connector should not wait for.
    from streamtrain.cli.session import TrainingSession, learn  # noqa: PLC0415

    loaded = build.load(config)
    session = TrainingSession(
        loaded, max_events=max_events, until_caught_up=until_caught_up, accept_config=accept_config
    )
    learn(loaded, session, Stop().install())
