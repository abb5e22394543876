"""Errors as a server answers them: a code, its name, and labels for drivers."""

from __future__ import annotations

from typing import Any

CODE_NAMES = {
    2: "BadValue",
    6: "HostUnreachable",
    7: "HostNotFound",
    8: "UnknownError",
    9: "FailedToParse",
    11: "UserNotFound",
    13: "Unauthorized",
    14: "TypeMismatch",
    18: "AuthenticationFailed",
    20: "IllegalOperation",
    26: "NamespaceNotFound",
    28: "PathNotViable",
    43: "CursorNotFound",
    47: "NoMatchingDocument",
    48: "NamespaceExists",
    50: "MaxTimeMSExpired",
    53: "InvalidIdField",
    59: "CommandNotFound",
    63: "StaleShardVersion",
    66: "ImmutableField",
    72: "InvalidOptions",
    73: "InvalidNamespace",
    89: "NetworkTimeout",
    91: "ShutdownInProgress",
    112: "WriteConflict",
    133: "FailedToSatisfyReadPreference",
    136: "CappedPositionLost",
    150: "StaleEpoch",
    166: "CommandNotSupportedOnView",
    175: "QueryPlanKilled",
    189: "PrimarySteppedDown",
    211: "KeyNotFound",
    225: "TransactionTooOld",
    234: "RetryChangeStream",
    237: "CursorKilled",
    239: "SnapshotTooOld",
    246: "SnapshotUnavailable",
    251: "NoSuchTransaction",
    256: "TransactionCommitted",
    258: "UnknownFeatureCompatibilityVersion",
    260: "InvalidResumeToken",
    262: "ExceededTimeLimit",
    263: "OperationNotSupportedInTransaction",
    280: "ChangeStreamFatalError",
    286: "ChangeStreamHistoryLost",
    9001: "SocketException",
    10107: "NotMaster",
    10334: "BSONObjectTooLarge",
    11000: "DuplicateKey",
    11600: "InterruptedAtShutdown",
    11601: "Interrupted",
    11602: "InterruptedDueToReplStateChange",
    13388: "StaleConfig",
    13435: "NotMasterNoSlaveOk",
    13436: "NotMasterOrSecondary",
}
"""Names of error codes, from the server's list ``error_codes.yml`` as of 4.4."""

NAMES_FROM_5_0 = {10107: "NotWritablePrimary", 13435: "NotPrimaryNoSecondaryOk", 13436: "NotPrimaryOrSecondary"}
STATE_CHANGES = {10107, 13435, 13436, 189, 11602}
"""Codes that answer with ``topologyVersion``, so that a driver sees a new primary soon."""
NOT_RESUMABLE = {280, 286}


class CommandError(Exception):
    """A command that fails: ``ok: 0`` with a code."""

    def __init__(self, code: int, message: str, *labels: str, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.labels = labels or (("NonResumableChangeStreamError",) if code in NOT_RESUMABLE else ())
        self.fields = fields

    def reply(self, version: tuple[int, ...]) -> dict[str, Any]:
        """The answer's document, in the order of the recorded ones."""
        labels = {"errorLabels": list(self.labels)} if self.labels else {}
        return {
            **self.fields,
            **labels,
            "ok": 0.0,
            "errmsg": self.message,
            "code": self.code,
            "codeName": code_name(self.code, version),
        }


class WriteConflict(CommandError):
    """Two transactions wrote one document."""

    def __init__(self) -> None:
        super().__init__(
            112,
            "WriteConflict error: this operation conflicted with another operation. Please retry your operation or "
            "multi-document transaction.",
        )


class ConnectionClosed(Exception):
    """The connection is to be closed without an answer, as a failpoint asks."""


def code_name(code: int, version: tuple[int, ...]) -> str:
    names = CODE_NAMES | NAMES_FROM_5_0 if version >= (5, 0) else CODE_NAMES
    return names.get(code, f"Location{code}")
