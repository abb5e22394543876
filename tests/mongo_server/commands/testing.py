"""Commands that a server has with ``enableTestCommands``."""

from __future__ import annotations

from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document


def _configure(context: Context) -> Document:
    met = context.member.failpoints.configure(context.option("mode"), context.option("data", {}))
    return {"count": met}


def _step_down(context: Context) -> Document:
    context.member.step_down()
    return {}


def _step_up(context: Context) -> Document:
    context.member.step_up()
    return {}


COMMANDS = {"configureFailPoint": _configure, "replSetStepDown": _step_down, "replSetStepUp": _step_up}
