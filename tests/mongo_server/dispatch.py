"""From a request to its reply: failpoints, rights, session, the command itself, and what every reply has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.commands import collections, diagnostics, handshake, reading, sessions, testing, users, writing
from tests.mongo_server.context import Client, Context
from tests.mongo_server.documents import Document
from tests.mongo_server.errors import STATE_CHANGES, CommandError
from tests.mongo_server.failpoints import RETRYABLE, Failpoints
from tests.mongo_server.member import Member
from tests.mongo_server.rendering import rendered

COMMANDS: dict[str, Callable[[Context], Document | RawBSONDocument]] = {
    **handshake.COMMANDS,
    **reading.COMMANDS,
    **writing.COMMANDS,
    **collections.COMMANDS,
    **sessions.COMMANDS,
    **diagnostics.COMMANDS,
    **testing.COMMANDS,
    **users.COMMANDS,
}
SIGNATURE = {"hash": b"\0" * 20, "keyId": Int64(0)}


def answer(member: Member, client: Client, command: Mapping[str, Any], *, exhaust: bool) -> Document | RawBSONDocument:
    """The reply to one command. Raises ConnectionClosed where a failpoint asks for that."""
    context = Context(member, client, next(iter(command)), command, exhaust)
    try:
        reply = _run(context)
    except CommandError as error:
        fields = {"topologyVersion": member.topology_version} if error.code in STATE_CHANGES else {}
        error.fields = {**fields, **error.fields}
        reply = error.reply(member.version)
    if isinstance(reply, RawBSONDocument):
        return reply
    return {**reply, **({} if "ok" in reply else {"ok": 1.0}), **_times(member)}


def _run(context: Context) -> Document | RawBSONDocument:
    data = context.member.failpoints.meet(context.name, context.client.application)
    if data is not None:
        with context.engine.changed:
            context.engine.changed.notify_all()
        if data.get("blockConnection"):
            time.sleep(data.get("blockTimeMS", 0) / 1000)
        Failpoints.fail(data, context.member.topology_version)
    handler = COMMANDS.get(context.name)
    if handler is None or (context.name == "hello" and context.version < (4, 4, 2)):
        raise CommandError(59, f"no such command: '{context.name}'")
    with context.engine.changed:
        _check_rights(context)
        sessions.enter(context)
        reply = sessions.once(context, handler)
    if data is not None and "writeConcernError" in data and not isinstance(reply, RawBSONDocument):
        error = data["writeConcernError"]
        labels = {"errorLabels": ["RetryableWriteError"]} if error["code"] in RETRYABLE else {}
        reply = {**reply, "writeConcernError": error, "ok": 1.0, **labels}
    return reply


def _check_rights(context: Context) -> None:
    if not context.member.access.users:
        return
    stages = context.option("pipeline", [])
    stream = stages[0].get("$changeStream", {}) if stages else {}
    whole = bool(stream.get("allChangesForCluster"))
    if not context.member.access.allows(context.client.user, context.name, context.database, whole_deployment=whole):
        shown = rendered(context.command)
        raise CommandError(13, f"not authorized on {context.database} to execute command {shown}")


def _times(member: Member) -> Document:
    if member.settings.replica_set is None:
        return {}
    last = member.engine.clock.last
    return {
        "$clusterTime": {"clusterTime": last, "signature": SIGNATURE},
        "operationTime": member.engine.oplog.held or last,
    }
