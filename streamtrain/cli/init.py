"""``streamtrain init``: a commented configuration to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamtrain.config.starter import StarterSource, starter_config
from streamtrain.errors import ConfigError

_NAME = "streamtrain.yaml"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write it; made if it is missing.")
    ] = Path(),
    source: Annotated[StarterSource, typer.Option(help="What is captured.")] = "mysql",
) -> None:
    """Write a commented streamtrain.yaml. An existing file is left alone."""
    path = directory / _NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(starter_config(source))
    except FileExistsError:
        raise ConfigError(f"{path} is there already", hint="edit it, or give another directory") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    typer.echo(f"{path} written. Edit it, then: streamtrain doctor {path}")
