"""``streamtrain deadletters``: records that could not be learned, and what becomes of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streamtrain.cli import build
from streamtrain.cli.existing import require_state_database
from streamtrain.cli.options import AsJson, ConfigFile, print_json
from streamtrain.errors import ConfigError
from streamtrain.state.records import DeadLetter, iso_time
from streamtrain.topic.base import TopicPartition


class Action(StrEnum):
    """What to do with the dead letters."""

    LIST = "list"
    RETRY = "retry"
    DROP = "drop"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(deadletters)


def deadletters(
    config: ConfigFile,
    action: Annotated[
        Action, typer.Argument(help="list them; retry: learn them again; drop: forget them.")
    ] = Action.LIST,
    at: Annotated[
        list[str] | None, typer.Option("--at", metavar="TOPIC:PARTITION:OFFSET", help="Only this one; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the rejected records with reason and offset, have them learned again, or drop them.

    The records stay in the topic; a letter names its place. The trainer takes up a retry after its next checkpoint, as a
    recorded slice of its own, so that a replay does the same.
    """
    loaded = build.load(config)
    require_state_database(loaded)
    chosen = [_place(text) for text in at] if at else None
    with build.state(loaded) as state:
        if action is Action.LIST:
            letters = [letter for letter in state.ledger.letters(loaded.name) if _chosen(letter, chosen)]
            _list(letters, as_json=as_json)
            return
        change = state.ledger.request_retry if action is Action.RETRY else state.ledger.drop_letters
        count = change(loaded.name, chosen)
    if as_json:
        print_json({"action": action.value, "count": count})
    else:
        done = "will be learned again after the trainer's next checkpoint" if action is Action.RETRY else "dropped"
        typer.echo(f"{count} {done}")


def _list(letters: list[DeadLetter], *, as_json: bool) -> None:
    if as_json:
        print_json([_as_json(letter) for letter in letters])
        return
    if not letters:
        typer.echo("no dead letters")
        return
    table = Table("topic", "partition", "offset", "reason", "what", "key", "state", box=None)
    for letter in letters:
        table.add_row(letter.source.topic, str(letter.source.partition), str(letter.offset), letter.reason, letter.message,
                      letter.row_key or "", letter.state)  # fmt: skip
    Console().print(table)


def _as_json(letter: DeadLetter) -> dict[str, object]:
    return {
        "topic": letter.source.topic,
        "partition": letter.source.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "message": letter.message,
        "key": letter.row_key,
        "slice": letter.slice,
        "state": letter.state,
        "created_at": iso_time(letter.created_ms),
    }


def _chosen(letter: DeadLetter, chosen: list[tuple[TopicPartition, int]] | None) -> bool:
    return chosen is None or (letter.source, letter.offset) in chosen


def _place(text: str) -> tuple[TopicPartition, int]:
    topic, _, rest = text.rpartition(":")
    topic, _, partition = topic.rpartition(":")
    if not topic or not topic.isascii() or not partition.isdecimal() or not rest.isdecimal():
        raise ConfigError(
            f"--at {text}: must be TOPIC:PARTITION:OFFSET", hint="as `streamtrain deadletters` lists them"
        )
    return TopicPartition(topic, int(partition)), int(rest)
