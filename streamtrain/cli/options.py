"""Arguments and output that commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration file (see `streamtrain init`).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value, for machines.")]


def print_json(document: Any) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
