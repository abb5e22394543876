"""Commands of a handshake, and those that only ask whether the server is there."""

from __future__ import annotations

import time

from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document


def _hello(context: Context, *, legacy: bool) -> Document:
    member = context.member
    if "client" in context.command:
        context.client.application = context.option("client").get("application", {}).get("name", "")
    known = context.option("topologyVersion")
    if known is not None and "maxAwaitTimeMS" in context.command:
        deadline = time.monotonic() + context.option("maxAwaitTimeMS") / 1000
        while member.topology_counter == known["counter"] and not member.stopping:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            context.engine.changed.wait(left)
    body = member.hello(context.client.number, legacy=legacy)
    if context.command.get("helloOk") and context.version >= (4, 4, 2):
        body = {"helloOk": True, **body}
    if "saslSupportedMechs" in context.command:
        body["saslSupportedMechs"] = ["SCRAM-SHA-256"]
    return body


def _build_info(context: Context) -> Document:
    version = (*context.version, 0, 0)[:3]
    return {
        "version": ".".join(map(str, version)),
        "gitVersion": "0" * 40,
        "modules": [],
        "versionArray": [*version, 0],
        "bits": 64,
        "debug": False,
        "maxBsonObjectSize": 16 * 1024 * 1024,
        "storageEngines": ["wiredTiger"],
    }


COMMANDS = {
    "hello": lambda context: _hello(context, legacy=False),
    "isMaster": lambda context: _hello(context, legacy=True),
    "ismaster": lambda context: _hello(context, legacy=True),
    "ping": lambda context: {},
    "buildInfo": _build_info,
    "buildinfo": _build_info,
}
