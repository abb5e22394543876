"""What an answer of MongoDB means for the state database: retry, mend the configuration, or stop. Plain values: no driver here.

Codes: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Classed(NamedTuple):
    """What an error code comes to, why, and the way out."""

    kind: type[StreamtrainError]
    why: str
    hint: str = ""


_RETRY = StateUnavailable
CLASSED: Mapping[int, Classed] = {
    6: Classed(_RETRY, "HostUnreachable: a member of the deployment is away"),
    7: Classed(_RETRY, "HostNotFound: a name is not resolved for now"),
    24: Classed(_RETRY, "LockTimeout: something holds the collection for a while"),
    43: Classed(_RETRY, "CursorNotFound: the server closed the cursor; the read is begun anew"),
    46: Classed(_RETRY, "LockBusy: another operation has it for a while"),
    50: Classed(_RETRY, "MaxTimeMSExpired: the server was too busy for the time that it was given"),
    64: Classed(_RETRY, "WriteConcernTimeout: no majority has it yet"),
    89: Classed(_RETRY, "NetworkTimeout: between members"),
    91: Classed(_RETRY, "ShutdownInProgress: another member takes over"),
    WRITE_CONFLICT: Classed(_RETRY, "WriteConflict: another transaction was first; all of this one is done again"),
    117: Classed(_RETRY, "ConflictingOperationInProgress: it ends"),
    134: Classed(_RETRY, "ReadConcernMajorityNotAvailableYet: just started, or no majority for now"),
    189: Classed(_RETRY, "PrimarySteppedDown: there was an election"),
    202: Classed(_RETRY, "NetworkInterfaceExceededTimeLimit: between members"),
    237: Classed(_RETRY, "CursorKilled: somebody ended it"),
    239: Classed(_RETRY, "SnapshotTooOld: the transaction read for too long; another sees a later moment"),
    246: Classed(_RETRY, "SnapshotUnavailable: the catalogue changed; a later moment can be read"),
    251: Classed(_RETRY, "NoSuchTransaction: the server ended it, or another primary does not know it", _ABORTED_HINT),
    262: Classed(_RETRY, "ExceededTimeLimit: a limit of the server's own passed"),
    290: Classed(_RETRY, "TransactionExceededLifetimeLimitSeconds: the server ended it", _ABORTED_HINT),
    9001: Classed(_RETRY, "SocketException: a connection broke"),
    10107: Classed(_RETRY, "NotWritablePrimary: there was an election"),
    11600: Classed(_RETRY, "InterruptedAtShutdown: another member takes over"),
    11601: Classed(_RETRY, "Interrupted: somebody ended the operation"),
    11602: Classed(_RETRY, "InterruptedDueToReplStateChange: there was an election"),
    13388: Classed(_RETRY, "StaleConfig: a chunk of the sharded cluster moved"),
    13435: Classed(_RETRY, "NotPrimaryNoSecondaryOk: there was an election"),
    13436: Classed(_RETRY, "NotPrimaryOrSecondary: a member is recovering"),
    13: Classed(AccessDenied, "Unauthorized: a role is missing", _RIGHTS_HINT),
    18: Classed(AccessDenied, "AuthenticationFailed: the password is another", _RIGHTS_HINT),
    8000: Classed(AccessDenied, "AtlasError: Atlas refuses what the account or the tier may not do", _RIGHTS_HINT),
    257: Classed(FatalError, "TransactionTooLarge: each try is as large", _TOO_LARGE_HINT),
    388: Classed(FatalError, "TransactionTooLargeForCache: each try is as large", _TOO_LARGE_HINT),
    DOCUMENT_TOO_LARGE: Classed(
        FatalError,
        "BSONObjectTooLarge: a name or a configuration of more than 16 MB; checkpoints are cut into parts",
        "what is stored in one document has to stay under 16 MB: shorten it",
    ),
    11000: Classed(
        FatalError,
        "DuplicateKey: locks keep two writers of a row apart, so that somebody else writes these collections",
    ),
}
"""What each code comes to. Any other stops, unless the server calls it transient."""


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
    otherwise = Classed(StateUnavailable if TRANSIENT in failure.labels else FatalError, "not known")
    classed = CLASSED.get(failure.code or 0, otherwise)
    return classed.kind(said, hint=classed.hint)


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
