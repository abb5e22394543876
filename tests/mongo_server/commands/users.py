"""Users: who they are, who is logged in, and logging in."""

from __future__ import annotations

from tests.mongo_server.access import User
from tests.mongo_server.context import Context
from tests.mongo_server.documents import Document
from tests.mongo_server.errors import CommandError
from tests.mongo_server.logins import Login

# https://www.mongodb.com/docs/manual/reference/built-in-roles/#database-user-roles
READING = ("changeStream", "collStats", "dbHash", "dbStats", "find", "killCursors", "listCollections", "listIndexes")
WRITING = (
    "convertToCapped", "createCollection", "createIndex", "dropCollection", "dropIndex", "insert", "remove",
    "renameCollectionSameDB", "update",
)  # fmt: skip


def _start(context: Context) -> Document:
    if context.option("mechanism") != "SCRAM-SHA-256":
        raise CommandError(
            334, f"Received authentication for mechanism {context.option('mechanism')} which is not enabled"
        )
    login = Login(context.member.access, context.database, bytes(context.option("payload")))
    context.client.login = login
    return {"conversationId": 1, "done": False, "payload": login.challenge()}


def _continue(context: Context) -> Document:
    login = context.client.login
    if not isinstance(login, Login):
        raise CommandError(17, "No SASL session state found")
    payload = bytes(context.option("payload"))
    if not payload:
        return {"conversationId": 1, "done": True, "payload": b""}
    answer = login.verdict(payload)
    context.client.user = login.user.name
    return {"conversationId": 1, "done": True, "payload": answer}


def _authenticate(context: Context) -> Document:
    """By the certificate of the connection: MONGODB-X509."""
    subject = context.client.subject
    if subject is None or subject not in context.member.access.users:
        raise CommandError(18, "Authentication failed.")
    context.client.user = subject
    return {"dbname": "$external", "user": subject}


def _logout(context: Context) -> Document:
    context.client.user = None
    return {}


def _create(context: Context) -> Document:
    roles = [_role(role, context.database) for role in context.option("roles", [])]
    context.member.access.add(User(str(context.target), context.database, context.option("pwd", ""), roles))
    return {}


def _role(role: str | Document, database: str) -> Document:
    return {"role": role, "db": database} if isinstance(role, str) else role


def _drop(context: Context) -> Document:
    if context.member.access.users.pop(str(context.target), None) is None:
        raise CommandError(11, f"User '{context.target}@{context.database}' not found")
    return {}


def _info(context: Context) -> Document:
    wanted = context.target
    name = wanted.get("user") if isinstance(wanted, dict) else wanted
    users = [user for user in context.member.access.users.values() if name in {1, user.name}]
    return {"users": [_described(user) for user in users]}


def _described(user: User) -> Document:
    return {"_id": f"{user.database}.{user.name}", "user": user.name, "db": user.database, "roles": user.roles}


def _status(context: Context) -> Document:
    user = context.member.access.users.get(context.client.user or "")
    if user is None:
        info: Document = {"authenticatedUsers": [], "authenticatedUserRoles": []}
    else:
        info = {
            "authenticatedUsers": [{"user": user.name, "db": user.database}],
            "authenticatedUserRoles": user.roles,
        }
    if context.option("showPrivileges"):
        roles = [] if user is None else user.roles
        info["authenticatedUserPrivileges"] = [_privilege(role) for role in roles]
    return {"authInfo": info}


def _privilege(role: Document) -> Document:
    everywhere = role["role"].endswith("AnyDatabase") or role["role"] == "root"
    actions = [*READING, *(WRITING if "Write" in role["role"] else ())]
    return {"resource": {"db": "" if everywhere else role["db"], "collection": ""}, "actions": actions}


COMMANDS = {
    "saslStart": _start,
    "saslContinue": _continue,
    "authenticate": _authenticate,
    "logout": _logout,
    "createUser": _create,
    "dropUser": _drop,
    "usersInfo": _info,
    "connectionStatus": _status,
}
