"""Clean stops: Ctrl-C and SIGTERM ask for the end; a second one ends at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


class Stop:
    """Whether this process has been asked to stop. Install it once, from the main thread."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def install(self) -> Stop:
        """Handle SIGINT and SIGTERM from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        return self

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but end early when asked to stop; whether that is so."""
        return self._asked.wait(seconds)

    def ask(self) -> None:
        """Ask for the end, from another thread."""
        self._asked.set()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._asked.is_set():
            os._exit(128 + number)
        self._asked.set()
