"""What an answer of MongoDB means for the state database: retry, mend the configuration, or stop. Plain values: no driver here.

Codes: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamtrain.errors import AccessDenied, ConfigError, FatalError, StateUnavailable, StreamtrainError
from streamtrain.tls import refusal

WRITE_CONFLICT = 112
DOCUMENT_TOO_LARGE = 10334
TRANSIENT, UNKNOWN_COMMIT = "TransientTransactionError", "UnknownTransactionCommitResult"

_NO_TRANSACTIONS = "Transaction numbers are only allowed on a replica set member or mongos"
_STANDALONE_HINT = (
    "transactions need a replica set, and a single server can be one: start mongod with --replSet rs0, then run "
    "rs.initiate() once in mongosh"
)
_ABORTED_HINT = "if it comes with every checkpoint, storing one takes longer than the server's transactionLifetimeLimitSeconds: raise it"
_TOO_LARGE_HINT = (
    "a checkpoint is one transaction: give the server more cache (storage.wiredTiger.engineConfig.cacheSizeGB)"
)
_UNREACHED_HINT = (
    "check host and port of state.url; a replica set's members are reached by the names in its configuration (rs.conf()), "
    "or, with directConnection=true in the URL, one member alone"
)

_RIGHTS_HINT = (
    "check user, password and authSource of state.url; the user needs the role readWrite on its database: "
    "db.grantRolesToUser(USER, [{role: 'readWrite', db: DATABASE}])"
)

_PASSING = {
    6: "HostUnreachable", 7: "HostNotFound", 24: "LockTimeout", 43: "CursorNotFound", 46: "LockBusy", 50: "MaxTimeMSExpired",
    64: "WriteConcernFailed", 89: "NetworkTimeout", 91: "ShutdownInProgress", WRITE_CONFLICT: "WriteConflict",
    117: "ConflictingOperationInProgress", 134: "ReadConcernMajorityNotAvailableYet", 189: "PrimarySteppedDown",
    202: "NetworkInterfaceExceededTimeLimit", 237: "CursorKilled", 239: "SnapshotTooOld", 246: "SnapshotUnavailable",
    262: "ExceededTimeLimit", 9001: "SocketException", 10107: "NotWritablePrimary", 11600: "InterruptedAtShutdown",
    11601: "Interrupted", 11602: "InterruptedDueToReplStateChange", 13388: "StaleConfig",
    13435: "NotPrimaryNoSecondaryOk", 13436: "NotPrimaryOrSecondary",
}  # fmt: skip
"""What only waiting or another try mends: elections, hosts away, shutdown, limits of time, locks."""

CLASSED: Mapping[int, tuple[type[StreamtrainError], str]] = {
    **dict.fromkeys(_PASSING, (StateUnavailable, "")),
    13: (AccessDenied, _RIGHTS_HINT),  # Unauthorized
    18: (AccessDenied, _RIGHTS_HINT),  # AuthenticationFailed
    8000: (AccessDenied, _RIGHTS_HINT),  # AtlasError
    251: (StateUnavailable, _ABORTED_HINT),  # NoSuchTransaction
    290: (StateUnavailable, _ABORTED_HINT),  # TransactionExceededLifetimeLimitSeconds
    257: (FatalError, _TOO_LARGE_HINT),  # TransactionTooLarge
    388: (FatalError, _TOO_LARGE_HINT),  # TransactionTooLargeForCache
    DOCUMENT_TOO_LARGE: (FatalError, "what is stored in one document has to stay under 16 MB: shorten it"),
}
"""What each code comes to, and the way out. Any other stops, unless the server calls it transient."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a driver's error says: the server's text, code and labels, or that no server was found (``unreached``)."""

    text: str
    code: int | None = None
    labels: Collection[str] = ()
    unreached: bool = False
    causes: Sequence[BaseException] = ()
    """Why connections to the servers failed."""
    misfit: bool = False
    """The driver refuses to work with this kind of server."""


def classified(failure: Failure, where: str) -> StreamtrainError:
    """The error of the tree. Documents are cut out of the text: they may hold rows, and keys of the cluster's clock."""
    said = f"state database {where}: {failure.text.partition('{')[0].rstrip(' :,')}"
    for cause in failure.causes:
        if (refused := refusal(cause, "state.tls")) is not None:
            return (AccessDenied if refused.final else StateUnavailable)(said, hint=refused.hint)
    if UNKNOWN_COMMIT in failure.labels:
        return StateUnavailable(f"{said}: it is not known whether the transaction was committed")
    if _NO_TRANSACTIONS in failure.text:
        return ConfigError(said, hint=_STANDALONE_HINT)
    if failure.unreached:
        return StateUnavailable(said, hint=_UNREACHED_HINT)
    if failure.misfit:
        return ConfigError(said, hint="state needs MongoDB 4.4 or newer, as a replica set or a sharded cluster")
    otherwise = StateUnavailable if TRANSIENT in failure.labels else FatalError
    kind, hint = CLASSED.get(failure.code or 0, (otherwise, ""))
    return kind(said, hint=hint)


def unfit(version: Sequence[int], kinds: Collection[str], where: str) -> Iterator[StreamtrainError]:
    """What keeps this kind of server from holding state: its version, or that it stands alone."""
    if tuple(version[:2]) < (4, 4):
        shown = ".".join(map(str, version[:3]))
        yield ConfigError(f"state database {where}: MongoDB {shown} is too old", hint="update it to 4.4 or newer")
    if "Standalone" in kinds:
        yield ConfigError(f"state database {where}: the server stands alone", hint=_STANDALONE_HINT)


_NEEDED = ("find", "insert", "update", "remove", "createCollection", "createIndex")


def missing_rights(granted: Mapping[str, Any], database: str, where: str) -> Iterator[StreamtrainError]:
    """What the user may not do, from ``authInfo`` of ``connectionStatus``; nothing where nobody has logged in.

    https://www.mongodb.com/docs/manual/reference/command/connectionStatus/
    """
    users = granted["authenticatedUsers"]
    if not users:
        return
    held = {
        action
        for privilege in granted["authenticatedUserPrivileges"]
        if _covers(privilege["resource"], database)
        for action in privilege["actions"]
    }
    missing = [action for action in _NEEDED if action not in held and "anyAction" not in held]
    if missing:
        lacks = f"{users[0]['user']} lacks {', '.join(missing)} on {database}"
        yield AccessDenied(f"state database {where}: {lacks}", hint=_RIGHTS_HINT)


def _covers(resource: Mapping[str, Any], database: str) -> bool:
    whole = resource.get("collection") == "" and resource.get("db") in {"", database}
    return whole or bool(resource.get("anyResource"))
