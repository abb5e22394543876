"""The ``streamtrain`` command: all commands, and how a failure is told."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.exceptions

from streamtrain import __version__, log
from streamtrain.cli import (
    checkpoints,
    connect,
    deadletters,
    demo,
    doctor,
    init,
    predict,
    replay,
    signal,
    status,
    train,
    up,
)
from streamtrain.errors import StreamtrainError

app = typer.Typer(
    help="Online learning from the change log of a database, exactly once.\n\n"
    "Begin with `streamtrain demo`; then `streamtrain init`, `streamtrain doctor streamtrain.yaml`, "
    "`streamtrain up streamtrain.yaml`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (demo, init, doctor, connect, train, up, status, predict, checkpoints, replay, deadletters, signal)
for module in _COMMANDS:
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamtrain {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Log more, and show a traceback on failure.")] = False,
    log_format: Annotated[str, typer.Option("--log-format", help="text, or json for machines.")] = "text",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command; they may stand anywhere in the line."""
    del version
    if log_format not in {"text", "json"}:
        raise typer.BadParameter("is text or json", param_hint="--log-format")
    log.configure("json" if log_format == "json" else "text", debug=debug)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 wrong usage or configuration."""
    gc.freeze()  # modules live as long as the process: nothing of them is worth looking for, least of all at its end
    given = _common_first(list(sys.argv[1:] if arguments is None else arguments))
    try:
        code = app(args=given, standalone_mode=False)
    except typer.exceptions.TyperException as error:
        typer.echo(f"streamtrain: {error.format_message()} -- see streamtrain --help", err=True)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)  # the reader of our output has seen enough
    except StreamtrainError as error:
        if "--debug" in given:
            traceback.print_exc()
        typer.echo(f"streamtrain: {error.message}" + (f" -- {error.hint}" if error.hint else ""), err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - a defect of ours: told in one line too, with the way to learn more
        if "--debug" in given:
            traceback.print_exc()
        typer.echo(f"streamtrain: internal error: {type(error).__name__}: {error} -- --debug shows where", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _common_first(arguments: list[str]) -> list[str]:
    """The options of every command moved to the front, where the parser wants them."""
    common, rest = [], []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--debug" or argument.startswith("--log-format="):
            common.append(argument)
        elif argument == "--log-format":
            common += [argument, *([following] if (following := next(remaining, None)) else [])]
        else:
            rest.append(argument)
    return common + rest
