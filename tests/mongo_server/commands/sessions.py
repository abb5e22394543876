"""Sessions: transactions and writes that a driver repeats."""

from __future__ import annotations

from collections.abc import Callable

from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError

ENDS = {"commitTransaction", "abortTransaction"}
WRITES = {
    "insert", "update", "delete", "findAndModify", "create", "drop", "createIndexes", "dropIndexes", "collMod",
    "renameCollection", "dropDatabase",
}  # fmt: skip


def enter(context: Context) -> None:
    """Find or start the transaction that a command belongs to, and the moment it reads."""
    command = context.command
    if context.name in WRITES and not context.member.primary:
        raise CommandError(10107, "not primary" if context.version >= (5, 0) else "not master")
    settings = context.member.settings
    if "txnNumber" in command and settings.replica_set is None and not settings.sharded:
        raise CommandError(20, "Transaction numbers are only allowed on a replica set member or mongos")
    if "autocommit" in command and command.get("lsid") is not None:
        lsid, number = context.option("lsid"), int(command["txnNumber"])
        if command.get("startTransaction"):
            context.transaction = context.engine.sessions.start(lsid, number, _start_time(context))
        elif context.name not in ENDS:
            context.transaction = _open(context, lsid, number)
    elif (level := context.option("readConcern", {})).get("level") == "snapshot":
        context.cluster_read_time = _snapshot_time(context, level.get("atClusterTime"))


def _open(context: Context, lsid: Document, number: int) -> object:
    transaction = context.engine.sessions.continued(lsid, number)
    if transaction.state == "committed":
        raise CommandError(256, f"Transaction {number} has been committed.")
    return transaction


def _start_time(context: Context) -> Timestamp:
    wanted = context.option("readConcern", {}).get("atClusterTime")
    return _snapshot_time(context, wanted)


def _snapshot_time(context: Context, wanted: Timestamp | None) -> Timestamp:
    engine = context.engine
    if wanted is None:
        return engine.clock.last
    if engine.oplog.lost(wanted):
        raise CommandError(
            239,
            f"Read timestamp {wanted} is older than the oldest available timestamp.",
        )
    if wanted > engine.clock.last:
        raise CommandError(246, f"Unable to read from a snapshot due to pending writes: {wanted} is in the future")
    return wanted


def once(context: Context, handler: Callable[[Context], Document | RawBSONDocument]) -> Document | RawBSONDocument:
    """Run a command; a retryable write that was done answers again what it answered."""
    repeats = context.name in WRITES and "txnNumber" in context.command and "autocommit" not in context.command
    if not repeats:
        return handler(context)
    lsid, number = context.option("lsid"), int(context.command["txnNumber"])
    done = context.engine.sessions.repeated(lsid, number)
    if done is not None:
        return done
    reply = handler(context)
    if not isinstance(reply, RawBSONDocument):
        context.engine.sessions.done(lsid, number, reply)
    return reply


def _commit(context: Context) -> Document:
    transaction = context.engine.sessions.continued(context.option("lsid"), int(context.command["txnNumber"]))
    if not context.member.primary:
        raise CommandError(10107, "not primary" if context.version >= (5, 0) else "not master")
    context.engine.commit(transaction)
    return {}


def _abort(context: Context) -> Document:
    transaction = context.engine.sessions.continued(context.option("lsid"), int(context.command["txnNumber"]))
    if transaction.state == "committed":
        raise CommandError(256, f"Transaction {transaction.number} has been committed.")
    context.engine.abort(transaction)
    return {}


def _end(context: Context) -> Document:
    for session in context.target:
        context.engine.sessions.end(bytes(session["id"]))
    return {}


COMMANDS = {
    "commitTransaction": _commit,
    "abortTransaction": _abort,
    "endSessions": _end,
    "killSessions": _end,
    "startSession": lambda context: {},
}
