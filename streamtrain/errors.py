"""The one tree of errors. Each says what to do about it, and carries the way out.

    StreamtrainError
    ├── RetryableError            verdict RETRY: close, back off, go on from the durable position
    │   ├── SourceUnavailable     the source database cannot be reached or broke the connection
    │   ├── TopicUnavailable      the broker cannot be reached, or a transaction has to be begun again
    │   └── StateUnavailable      the state database cannot be reached or lost the transaction
    ├── RejectedRecord            verdict DEAD_LETTER: this record cannot be learned; training goes on without it
    └── FatalError                verdict STOP: going on would lose or corrupt something
        ├── ConfigError           wrong usage or configuration (exit code 2)
        ├── AccessDenied          a server refused the user or one of its rights
        ├── SourceMisconfigured   the source is set up so that changes would be lost
        ├── UnsupportedChange     the reader met something it does not understand
        ├── SchemaRefused         the schema registry refused a schema, or does not hold one that a record names
        ├── PositionLost          the position to go on from is no longer in the log
        ├── FencedOut             another process has taken over this run or this source
        ├── ConfigChanged         the configuration differs from the checkpoint's in what decides the weights
        ├── NoUsableCheckpoint    no checkpoint there, or none that is whole
        └── DivergedReplay        a replay did not end in the recorded state

Foreign errors (of a driver, a broker, a database) are mapped to these at the one module that imports the library.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Verdict(Enum):
    """What the caller does about an error."""

    RETRY = "retry"
    DEAD_LETTER = "dead-letter"
    STOP = "stop"


class StreamtrainError(Exception):
    """Root of the tree. ``message`` says what and where, ``hint`` what to do; neither ever holds a secret."""

    verdict: ClassVar[Verdict] = Verdict.STOP
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class RetryableError(StreamtrainError):
    """Something outside is away for now; nothing is lost by trying again from the durable position."""

    verdict = Verdict.RETRY


class SourceUnavailable(RetryableError):
    """The source database cannot be reached, or the connection broke."""


class TopicUnavailable(RetryableError):
    """The broker cannot be reached, or the open transaction must be aborted and begun again."""


class StateUnavailable(RetryableError):
    """The state database cannot be reached, or it dropped the transaction."""


class RejectedRecord(StreamtrainError):
    """One record cannot be learned. ``reason`` is a short fixed word that reports can count by."""

    verdict = Verdict.DEAD_LETTER

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FatalError(StreamtrainError):
    """Going on would lose or corrupt something: stop, and say how to mend it."""


class ConfigError(FatalError):
    """Wrong usage or configuration."""

    exit_code = 2


class AccessDenied(FatalError):
    """A server refused the user, or the user lacks a right."""


class SourceMisconfigured(FatalError):
    """The source is set up so that changes would be lost or cannot be decoded."""


class UnsupportedChange(FatalError):
    """The reader met something in the log that it does not understand; the position is in the message."""


class SchemaRefused(FatalError):
    """The schema registry refused a schema, or does not hold the one that a record names."""


class PositionLost(FatalError):
    """The position to go on from is no longer in the source's log or in the topic."""


class FencedOut(FatalError):
    """Another process has taken over; this one must not write any more."""


class ConfigChanged(FatalError):
    """The configuration differs from the checkpoint's in what decides the weights."""


class NoUsableCheckpoint(FatalError):
    """There is no checkpoint to load, or none that passes its integrity check."""


class DivergedReplay(FatalError):
    """A replay ended in another state than the one recorded."""
