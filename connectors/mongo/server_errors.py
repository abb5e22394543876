"""What the codes of MongoDB's errors mean for us: each is classed once, with its reason.

Codes and names: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml. What drivers resume after:
https://github.com/mongodb/specifications/blob/master/source/change-streams/change-streams.md#resumable-error
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import NamedTuple

from streamtrain.errors import (
    AccessDenied,
    PositionLost,
    SourceMisconfigured,
    SourceUnavailable,
    StreamtrainError,
    UnsupportedChange,
)


class Handling(Enum):
    """What is done about an error."""

    RESUME = "open again at the position that was committed last"
    START_AGAIN = "the position is lost: stop, or read everything again, as source.snapshot says"
    DENIED = "stop: the account may not do this"
    MISCONFIGURED = "stop: the deployment or the configuration has to be changed first"
    TOO_LARGE = (
        "ask for less of the event; what is too large even then stops, or is left out, as source.large_events says"
    )


class Classed(NamedTuple):
    """An error code's class and why it is in it."""

    handling: Handling
    why: str


_RESUME, _AGAIN = Handling.RESUME, Handling.START_AGAIN
CODES: dict[int, Classed] = {
    6: Classed(_RESUME, "HostUnreachable: a member of the deployment is away"),
    7: Classed(_RESUME, "HostNotFound: a name is not resolved for now"),
    8: Classed(_RESUME, "UnknownError: mongos and proxies give it for what passes; the deadline of retries ends it"),
    24: Classed(_RESUME, "LockTimeout: something holds the collection for a while"),
    43: Classed(_RESUME, "CursorNotFound: the server closed the cursor, or another one answers; the token is still good"),
    50: Classed(_RESUME, "MaxTimeMSExpired: the server was too busy for the time that it was given"),
    63: Classed(_RESUME, "StaleShardVersion: a chunk moved; the next try knows where"),
    84: Classed(_RESUME, "DuplicateKey... of a cursor's id on a shard: another id is taken"),
    89: Classed(_RESUME, "NetworkTimeout: between members"),
    91: Classed(_RESUME, "ShutdownInProgress: another member takes over"),
    112: Classed(_RESUME, "WriteConflict: the snapshot read met a change of the catalogue"),
    133: Classed(_RESUME, "FailedToSatisfyReadPreference: no primary for now"),
    134: Classed(_RESUME, "ReadConcernMajorityNotAvailableYet: just started, or no majority for now"),
    150: Classed(_RESUME, "StaleEpoch: the collection was sharded anew"),
    175: Classed(_RESUME, "QueryPlanKilled: an index or the collection went while it was read"),
    189: Classed(_RESUME, "PrimarySteppedDown: there was an election"),
    202: Classed(_RESUME, "NetworkInterfaceExceededTimeLimit: between members"),
    234: Classed(_RESUME, "RetryChangeStream: shards were added; a stream opened now reads them too"),
    237: Classed(_RESUME, "CursorKilled: somebody ended it"),
    246: Classed(_RESUME, "SnapshotUnavailable: the catalogue changed; a later snapshot can be read"),
    239: Classed(_RESUME, "SnapshotTooOld: a chunk took too long; it is read again as of a later time"),
    251: Classed(_RESUME, "NoSuchTransaction: the transaction that reads a chunk was ended"),
    262: Classed(_RESUME, "ExceededTimeLimit: a limit of the server's own passed"),
    9001: Classed(_RESUME, "SocketException: a connection broke"),
    10058: Classed(_RESUME, "LegacyNotPrimary: there was an election"),
    10107: Classed(_RESUME, "NotWritablePrimary: there was an election"),
    11600: Classed(_RESUME, "InterruptedAtShutdown: another member takes over"),
    11601: Classed(_RESUME, "Interrupted: somebody ended the operation"),
    11602: Classed(_RESUME, "InterruptedDueToReplStateChange: there was an election"),
    13388: Classed(_RESUME, "StaleConfig: a chunk moved"),
    13435: Classed(_RESUME, "NotPrimaryNoSecondaryOk: there was an election"),
    13436: Classed(_RESUME, "NotPrimaryOrSecondary: a member is recovering"),
    40671: Classed(_RESUME, "StaleConfig without its details: what failpoints give for 13388"),
    50738: Classed(_RESUME, "the cursor belongs to another session: ours was ended by the server; a new one opens another"),
    136: Classed(_AGAIN, "CappedPositionLost: the oplog rolled over an open stream"),
    260: Classed(_AGAIN, "InvalidResumeToken: the token is of another stream, or from before an invalidate"),
    280: Classed(_AGAIN, "ChangeStreamFatalError: the token's event is not in the oplog any more"),
    286: Classed(_AGAIN, "ChangeStreamHistoryLost: the oplog begins after the token"),
    326: Classed(_AGAIN, "OplogQueryMinTsMissing: the oplog begins after the token"),
    9: Classed(_AGAIN, "FailedToParse: the token is damaged"),
    40647: Classed(_AGAIN, "the token has the wrong type: it is damaged, or another program's"),
    40649: Classed(_AGAIN, "the token has the wrong fields: it is damaged, or another program's"),
    50811: Classed(_AGAIN, "the token's KeyString cannot be read: it is damaged"),
    11: Classed(Handling.DENIED, "UserNotFound: the account is in another database, or not there"),
    13: Classed(Handling.DENIED, "Unauthorized: a role is missing"),
    18: Classed(Handling.DENIED, "AuthenticationFailed: the password is another"),
    8000: Classed(Handling.DENIED, "AtlasError: Atlas refuses what the account or the tier may not do"),
    26: Classed(Handling.MISCONFIGURED, "NamespaceNotFound: no such collection or database"),
    40573: Classed(Handling.MISCONFIGURED, "no replica set: a standalone server has no change streams"),
    40324: Classed(Handling.MISCONFIGURED, "an unknown stage: the server is older than 4.4"),
    51770: Classed(Handling.MISCONFIGURED, "a pre-image that was required was not recorded"),
    10334: Classed(Handling.TOO_LARGE, "BSONObjectTooLarge: the event is larger than 16 MB, and is again at each try"),
}  # fmt: skip

_SNAPSHOT_GONE = frozenset({239, 246})
POSITION_LOST_HINT = (
    "changes are lost that are in no topic. Set `snapshot: when_needed` to read the collections anew and go on from there, "
    "or begin again under a new topic.prefix; keep more oplog than the longest stop (replSetResizeOplog, minRetentionHours)"
)
DENIED_HINT = (
    "check user, password and authSource of source.url; the account needs the role `read` on the captured database, or "
    "`readAnyDatabase` if several are captured (docs/mongodb.md)"
)
_MISCONFIGURED_HINTS = {
    40573: "run the server as a replica set, of one member if need be: --replSet rs0, then rs.initiate()",
    51770: "enable changeStreamPreAndPostImages on the collection",
}
RESUMABLE_LABELS = frozenset({"ResumableChangeStreamError", "TransientTransactionError"})
_FATAL_LABEL = "NonResumableChangeStreamError"


class EventTooLarge(UnsupportedChange):
    """The next event is larger than the server can send."""


class SnapshotGone(SourceUnavailable):
    """The server does not keep, or does not have yet, the moment as of which was to be read."""


def translate(code: int, message: str, labels: Collection[str], doing: str) -> StreamtrainError:
    """The error of our tree for a server's error ``code``, met while ``doing`` something."""
    text = f"{doing}: {message} (error {code})"
    classed = CODES.get(code)
    if classed is None:
        if _FATAL_LABEL in labels:
            return PositionLost(text, hint=POSITION_LOST_HINT)
        if RESUMABLE_LABELS & set(labels):
            return SourceUnavailable(text)
        return SourceMisconfigured(
            text, hint="an error that is not known stops capture; docs/mongodb.md lists the others"
        )
    if code in _SNAPSHOT_GONE:
        return SnapshotGone(text)
    made, hint = _MADE[classed.handling]
    return made(text, hint=_MISCONFIGURED_HINTS.get(code, hint))


TOO_LARGE_HINT = (
    "servers from 6.0.9 and 7.0 on split such events and they are captured; source.large_events: dead_letter goes on without them "
    "and reads their documents again"
)
_MADE: dict[Handling, tuple[type[StreamtrainError], str]] = {
    Handling.RESUME: (SourceUnavailable, ""),
    Handling.START_AGAIN: (PositionLost, POSITION_LOST_HINT),
    Handling.DENIED: (AccessDenied, DENIED_HINT),
    Handling.MISCONFIGURED: (SourceMisconfigured, ""),
    Handling.TOO_LARGE: (EventTooLarge, TOO_LARGE_HINT),
}
