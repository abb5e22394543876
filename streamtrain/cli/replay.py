"""``streamtrain replay``: train again from a checkpoint, as a run of its own or as a proof."""

from __future__ import annotations

from typing import Annotated

import typer

from streamtrain.cli import build
from streamtrain.cli.existing import require_state_database
from streamtrain.cli.options import AsJson, ConfigFile, print_json
from streamtrain.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(  # noqa: PLR0917 - the command line's options, which are named there
    config: ConfigFile,
    begin: Annotated[str, typer.Option("--from", metavar="ID|beginning|TIME", help="Where to start from.")],
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="ID|TIME", help="Which checkpoint's offsets to end at; the newest if not given."),
    ] = None,
    set_values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Train with another setting; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="RUN", help="Name of the new run.")] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Prove that the recorded state is reached, bit for bit; stores no run of its own."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train again over the same records, from a checkpoint or the beginning, up to another checkpoint.

    With --verify the state must come out as recorded, else the exit code is 1. Otherwise the result is a run of its own,
    to be compared with `streamtrain checkpoints`.
    """
    # Imported here: torch takes seconds to load, which `--help` should not wait for.
    from streamtrain.cli import replaying  # noqa: PLC0415

    if verify and (set_values or name):
        raise ConfigError("--verify proves what was recorded: it takes neither --set nor --name")
    loaded = build.load(config)
    require_state_database(loaded)
    if verify:
        result = replaying.prove(loaded, begin, end)
    else:
        result = replaying.train_again(loaded, begin, end, set_values or (), name)
    if as_json:
        print_json(result)
    else:
        typer.echo("  ".join(f"{key} {value}" for key, value in result.items()))
