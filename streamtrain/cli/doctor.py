"""``streamtrain doctor``: what would lose data, and the statement that mends it."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.markup import escape

from connectors.checks import Check
from streamtrain.cli import build
from streamtrain.cli.options import AsJson, ConfigFile, print_json

_MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(config: ConfigFile, as_json: AsJson = False) -> None:
    """Check source, grants, broker, topics, state database and clock, and print what mends each finding.

    Changes nothing. Exit code 1 if anything would lose data or keep the line from running.
    """
    # Imported here: it loads every driver, which `--help` should not wait for.
    from streamtrain.cli.checkups import examine  # noqa: PLC0415

    checks = examine(build.load(config))
    if as_json:
        print_json([_as_json(check) for check in checks])
    else:
        _print(checks)
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(1)


def _as_json(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "status": check.status,
        "found": check.found,
        "needed": check.needed,
        "remedy": "" if check.status == "ok" else check.remedy,
    }


def _print(checks: Sequence[Check]) -> None:
    console = Console(soft_wrap=True)
    for check in checks:
        console.print(f"{_MARKS[check.status]}  {escape(check.name)}: {escape(check.found)}")
        if check.status != "ok":
            if check.needed:
                console.print(f"      needed: {escape(check.needed)}")
            if check.remedy:
                console.print(f"      do:     {escape(check.remedy)}")
    failed = sum(check.status == "fail" for check in checks)
    warned = sum(check.status == "warn" for check in checks)
    console.print(f"{len(checks)} checks, {failed} failed, {warned} warnings")
