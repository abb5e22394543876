"""What the server says of itself: the parts that a connector's check reads, of the types a real one has."""

from __future__ import annotations

from bson import Int64, ObjectId

from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError

OF_REPLICATION = (
    "topologyVersion",
    "hosts",
    "setName",
    "setVersion",
    "ismaster",
    "secondary",
    "primary",
    "me",
    "lastWrite",
)


def _replica_set(context: Context) -> str:
    if context.member.settings.sharded:
        raise CommandError(59, f"{context.name} is not supported through mongos")
    name = context.member.settings.replica_set
    if name is None:
        raise CommandError(76, "not running with --replSet")
    return name


def _status(context: Context) -> Document:
    name, member = _replica_set(context), context.member
    last, wall = context.engine.clock.last, context.engine.clock.wall()
    optime = {"ts": last, "t": member.term}
    state = 1 if member.primary else 2
    self_status = {
        "_id": 0,
        "name": member.address,
        "health": 1.0,
        "state": state,
        "stateStr": "PRIMARY" if member.primary else "SECONDARY",
        "uptime": 1,
        "optime": optime,
        "optimeDate": wall,
        "syncSourceHost": "",
        "syncSourceId": -1,
        "infoMessage": "",
        "configVersion": 1,
        "configTerm": 1,
        "self": True,
        "lastHeartbeatMessage": "",
    }
    return {
        "set": name,
        "date": wall,
        "myState": state,
        "term": member.term,
        "syncSourceHost": "",
        "syncSourceId": -1,
        "heartbeatIntervalMillis": Int64(2000),
        "majorityVoteCount": 1,
        "writeMajorityCount": 1,
        "votingMembersCount": 1,
        "writableVotingMembersCount": 1,
        "optimes": {"lastCommittedOpTime": optime, "lastCommittedWallTime": wall, "appliedOpTime": optime},
        "members": [self_status],
    }


def _config(context: Context) -> Document:
    name, member = _replica_set(context), context.member
    self_config = {
        "_id": 0,
        "host": member.address,
        "arbiterOnly": False,
        "buildIndexes": True,
        "hidden": False,
        "priority": 1.0,
        "tags": {},
        "votes": 1,
    }
    settings = {"chainingAllowed": True, "heartbeatIntervalMillis": 2000, "replicaSetId": ObjectId("0" * 24)}
    config = {"_id": name, "version": 1, "term": 1, "protocolVersion": Int64(1), "members": [self_config]}
    return {"config": {**config, "settings": settings}}


def _server(context: Context) -> Document:
    member, wall = context.member, context.engine.clock.wall()
    told = member.hello(context.client.number, legacy=True)
    replication = {"repl": {name: told[name] for name in OF_REPLICATION if name in told}}
    return {
        "host": member.address,
        "version": ".".join(map(str, context.version)),
        "process": "mongod",
        "pid": Int64(1),
        "uptime": 1.0,
        "uptimeMillis": Int64(1000),
        "uptimeEstimate": Int64(1),
        "localTime": wall,
        "connections": {"current": context.client.number, "available": 1000, "totalCreated": context.client.number},
        **(replication if member.settings.replica_set else {}),
        "storageEngine": {
            "name": "wiredTiger",
            "supportsCommittedReads": True,
            "supportsSnapshotReadConcern": True,
            "readOnly": False,
            "persistent": True,
        },
    }


def _parameter(context: Context) -> Document:
    if "featureCompatibilityVersion" in context.command:
        return {"featureCompatibilityVersion": {"version": ".".join(map(str, context.version[:2]))}}
    if "enableTestCommands" in context.command:
        return {"enableTestCommands": True}
    raise CommandError(72, "no option found to get")


COMMANDS = {
    "replSetGetStatus": _status,
    "replSetGetConfig": _config,
    "serverStatus": _server,
    "getParameter": _parameter,
    "getCmdLineOpts": lambda context: {"argv": ["mongod"], "parsed": {}},
}
