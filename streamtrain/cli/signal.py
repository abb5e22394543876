"""``streamtrain signal``: tells a running connector to read tables again, or to stop that."""

from __future__ import annotations

import uuid
from enum import Enum
from typing import Annotated, Any

import orjson
import typer

from streamtrain.cli import build
from streamtrain.cli.options import ConfigFile
from streamtrain.cli.signalling import send
from streamtrain.config.endpoints import MongoSource, MysqlSource
from streamtrain.errors import ConfigError


class Subject(Enum):
    """What a signal is about."""

    SNAPSHOT = "snapshot"


class Action(Enum):
    """What is to be done; the values of the signals' types."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


_TYPES = {
    Action.START: "execute-snapshot",
    Action.PAUSE: "pause-snapshot",
    Action.RESUME: "resume-snapshot",
    Action.STOP: "stop-snapshot",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(signal)


def signal(
    config: ConfigFile,
    subject: Annotated[Subject, typer.Argument(help="What it is about.")],
    action: Annotated[Action, typer.Argument(help="What is to be done.")],
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            "-t",
            help="DATABASE.TABLE or DATABASE.COLLECTION, a regular expression; may be given several times.",
        ),
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Read only rows that meet this condition: SQL, of MongoDB a filter.")
    ] = None,
) -> None:
    """Tell the connector of CONFIG to read rows again while it goes on streaming.

    start: the rows of each --table are published as `r` records marked `incremental`, in chunks between the changes. A row that
    changes meanwhile is left out: its change says more. pause and resume: of all that is being read, which goes on where
    it was, after a restart too. stop: for good; of all tables, or of each --table.

    The signal is Debezium's, sent to the topic PREFIX-signal; the connector obeys it once, and has to run with
    `source.signals: true`. Example: streamtrain signal shop.yaml snapshot start --table shop.orders --where "day >= '2026-01-01'"
    """
    del subject
    loaded = build.load(config)
    if not (isinstance(loaded.source, MysqlSource | MongoSource) and loaded.source.signals):
        raise ConfigError("the connector listens to no signals", hint="set source.signals: true and start it again")
    if action is Action.START and not table:
        raise ConfigError("which tables are to be read?", hint="name each with --table DATABASE.TABLE")
    if where is not None and action is not Action.START:
        raise ConfigError("--where goes with start only")
    send(build.signal_writer(loaded), loaded.topic.prefix, orjson.dumps(_document(action, table or [], where)))


def _document(action: Action, tables: list[str], where: str | None) -> dict[str, Any]:
    data: dict[str, Any] = {"type": "incremental", "data-collections": tables}
    if where is not None:
        data["additional-conditions"] = [{"data-collection": table, "filter": where} for table in tables]
    return {"id": uuid.uuid4().hex, "type": _TYPES[action], "data": data}
