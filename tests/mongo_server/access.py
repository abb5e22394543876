"""Users, their roles, and what each role may do."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.mongo_server.documents import Document

OPEN_TO_ALL = {
    "hello", "ismaster", "isMaster", "ping", "buildInfo", "buildinfo", "connectionStatus", "saslStart", "saslContinue",
    "endSessions", "killSessions", "logout", "getMore", "killCursors", "commitTransaction", "abortTransaction", "configureFailPoint",
    "listDatabases", "authenticate",
}  # fmt: skip
READS = {
    "find", "aggregate", "count", "distinct", "explain", "collStats", "listCollections", "listIndexes", "dbStats", "dataSize",
}  # fmt: skip
WATCHES = {"replSetGetStatus", "replSetGetConfig", "serverStatus", "getParameter", "getCmdLineOpts", "hostInfo"}
WRITES = {
    "insert", "update", "delete", "findAndModify", "create", "drop", "createIndexes", "dropIndexes", "collMod",
    "renameCollection",
}  # fmt: skip


@dataclass(slots=True)
class User:
    """Someone who may log in."""

    name: str
    database: str
    password: str
    roles: list[Document] = field(default_factory=list)


class Access:
    """Who may do what. Without users everyone may do everything."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.everybody: str | None = None
        """Who connections are that have not logged in."""

    def add(self, user: User) -> None:
        self.users[user.name] = user

    def allows(self, name: str | None, command: str, database: str, *, whole_deployment: bool) -> bool:
        """Whether the user may run a command on a database; ``whole_deployment`` for a stream of everything."""
        if not self.users or command in OPEN_TO_ALL:
            return True
        user = self.users.get(name or self.everybody or "")
        if user is None:
            return False
        return any(_grants(role, command, database, whole=whole_deployment) for role in user.roles)

    def sees(self, name: str | None, database: str) -> bool:
        """Whether a database is in the user's list of them."""
        return self.allows(name, "find", database, whole_deployment=False)


def _grants(role: Document, command: str, database: str, *, whole: bool) -> bool:
    name = role["role"]
    everywhere = name.endswith("AnyDatabase") and database not in {"local", "config"}
    here = (everywhere or role["db"] == database) and not (whole and not everywhere)
    if name == "root":
        return True
    if name == "clusterMonitor":
        return command in WATCHES or (command in READS and database == "local")
    if name.startswith("readWrite"):
        return here and command in READS | WRITES
    if name.startswith("read"):
        return here and command in READS
    return name.startswith("dbAdmin") and here and command in READS | WRITES - {"insert", "update", "delete"}
