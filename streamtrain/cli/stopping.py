"""Clean stops: Ctrl-C and SIGTERM ask for the end, a second one ends at once; so does the end of who supervises this process."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from types import FrameType

LIFELINE = "STREAMTRAIN_LIFELINE"
"""The environment's name for a file descriptor that reads to its end when the process that supervises this one is gone."""


class Stop:
    """Whether this process has been asked to stop. Install it once, from the main thread."""

    def __init__(self) -> None:
        # A pipe and a plain flag, not threading.Event: a handler runs in the middle of whatever the main thread does, and
        # in the middle of Event.wait the lock that Event.set needs may be held by the very thread that would have to give
        # it back. Writing a byte needs no lock, and ends a wait in any thread.
        self._asked = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def install(self) -> Stop:
        """Handle SIGINT and SIGTERM from now on, and the end of a supervisor, if there is one."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        lifeline = os.environ.get(LIFELINE)
        if lifeline is not None:
            threading.Thread(target=self._hold, args=(int(lifeline),), name="lifeline", daemon=True).start()
        return self

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Sleep, but end early when asked to stop; whether that is so."""
        # The byte is never read, so that every later wait ends at once too.
        select.select([self._wake_read], [], [], max(0.0, seconds))
        return self._asked

    def ask(self) -> None:
        """Ask for the end, from a signal handler or another thread."""
        self._asked = True
        with contextlib.suppress(BlockingIOError):  # the pipe is full: whoever waits has been woken long ago
            os.write(self._wake_write, b"\0")

    def _hold(self, lifeline: int) -> None:
        os.read(lifeline, 1)  # nothing is ever written
        self.ask()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)
        self.ask()
