"""Commands that a server has with ``enableTestCommands``, and ``standIn`` that no server has.

``standIn`` is what another process does to it: ``{standIn: "rollOplog", keep: 0}``, ``{standIn: "holdMajority"}`` at the
present time, ``{standIn: "releaseMajority"}``, ``{standIn: "killConnections"}``.
"""

from __future__ import annotations

from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError


def _configure(context: Context) -> Document:
    met = context.member.failpoints.configure(context.option("mode"), context.option("data", {}))
    return {"count": met}


def _wait_for_failpoint(context: Context) -> Document:
    """Once it was met that often since the server started; 50 where that takes longer than ``maxTimeMS``."""
    failpoints, wanted = context.member.failpoints, int(context.option("timesEntered"))
    if not context.engine.changed.wait_for(lambda: failpoints.met >= wanted, int(context.option("maxTimeMS")) / 1_000):
        raise CommandError(50, "operation exceeded time limit")
    return {}


def _step_down(context: Context) -> Document:
    context.member.step_down()
    return {}


def _step_up(context: Context) -> Document:
    context.member.step_up()
    return {}


def _kill_sessions(context: Context) -> Document:
    """All of them, whatever is asked for: their cursors and transactions."""
    for transaction in list(context.engine.sessions.open_transactions()):
        context.engine.abort(transaction)
    context.member.kill_cursors()
    return {}


def _stand_in(context: Context) -> Document:
    member, oplog = context.member, context.engine.oplog
    match context.target:
        case "rollOplog":
            oplog.roll(int(context.option("keep", 0)))
        case "holdMajority":
            oplog.held = context.engine.clock.last
        case "releaseMajority":
            oplog.held = None
        case "killConnections":
            member.hang_up()
        case other:
            raise CommandError(2, f"a stand-in cannot be made to {other!r}")
    context.engine.changed.notify_all()
    return {}


COMMANDS = {
    "configureFailPoint": _configure,
    "waitForFailPoint": _wait_for_failpoint,
    "replSetStepDown": _step_down,
    "replSetStepUp": _step_up,
    "killAllSessions": _kill_sessions,
    "standIn": _stand_in,
}
