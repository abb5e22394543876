"""The failpoint ``failCommand``: the next commands of some names fail as they are told.

Source: MongoDB server wiki, "The failCommand Fail Point".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.mongo_server.documents import Document
from tests.mongo_server.errors import STATE_CHANGES, CommandError, ConnectionClosed

RETRYABLE = {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
"""Codes that a write's errors are labelled ``RetryableWriteError`` for."""

STALE_CONFIG = 13388


@dataclass(slots=True)
class FailCommand:
    """What is to fail, and how often still (None: until it is switched off)."""

    data: Document
    left: int | None


class Failpoints:
    """The failpoint as it is set, and how often it was met."""

    def __init__(self) -> None:
        self._set: FailCommand | None = None
        self.met = 0
        """How often a command failed so since the server started."""

    def configure(self, mode: Any, data: Document) -> int:
        """Set or switch off; returns how often it was met before."""
        met = self.met
        if mode == "off":
            self._set = None
        elif mode == "alwaysOn":
            self._set = FailCommand(data, None)
        elif isinstance(mode, dict) and set(mode) <= {"times", "skip"}:
            self._set = FailCommand(data, mode.get("times"))
        else:
            raise CommandError(2, f"unknown failpoint mode: {mode}")
        return met

    def meet(self, name: str, application: str = "") -> Document | None:
        """What is to happen to this command: None, or the failpoint's data, which is used up once by that."""
        point = self._set
        if point is None or name not in point.data.get("failCommands", ()) or point.left == 0:
            return None
        if point.data.get("appName", application) != application:
            return None
        self.met += 1
        if point.left is not None:
            point.left -= 1
        return point.data

    @staticmethod
    def fail(data: Document, topology_version: Document) -> None:
        """Raise as the failpoint's data say, before the command does anything."""
        if data.get("closeConnection"):
            raise ConnectionClosed
        if (code := data.get("errorCode")) is not None:
            if code == STALE_CONFIG:
                raise CommandError(40671, "Missing required extra info for error code StaleConfig")
            labels = data.get("errorLabels", ())
            fields = {"topologyVersion": topology_version} if code in STATE_CHANGES else {}
            raise CommandError(code, "Failing command due to 'failCommand' failpoint", *labels, **fields)
