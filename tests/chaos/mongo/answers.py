"""Errors that the workload has to expect of a server: what each says of the statement that it answers."""

from __future__ import annotations

from contextlib import suppress

from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure

DUPLICATE = 11000
REFUSED = {2, 9, 14, 16, 28, 40, 48, 52, 54, 55, 57, 66, 16746, 16749, 16836, 16837, 17419, 31034, 40353, 40415, 51270}
"""Statements that a document at hand does not allow."""
INTERRUPTED = {
    6, 7, 11, 24, 43, 50, 89, 91, 112, 133, 134, 189, 225, 237, 244, 246, 251, 256, 262, 263, 9001, 10107, 11600, 11601, 11602,
    13435, 13436, 26, 290, 292, 46841, 50768,
}  # fmt: skip
"""What faults and other writers cause."""


def require_foreseen(error: BaseException) -> None:
    """Raises ``error`` again unless it is one of those that faults and other writers cause."""
    if isinstance(error, ConnectionFailure):
        return
    if isinstance(error, BulkWriteError):
        codes = {one["code"] for one in error.details.get("writeErrors", ())}
        if codes <= INTERRUPTED | {DUPLICATE}:
            return
    if isinstance(error, OperationFailure) and (
        error.code in INTERRUPTED | {DUPLICATE} | REFUSED or error.has_error_label("TransientTransactionError")
    ):
        return
    with suppress(AttributeError):
        error.add_note(f"code {error.code}")  # type: ignore[attr-defined]
    raise error
