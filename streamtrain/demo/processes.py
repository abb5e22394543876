"""The demo's own commands, run as a user would run them, in processes that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from streamtrain.errors import FatalError

_CRASH = "STREAMTRAIN_CRASH_AT"
_LEAVE_S = 30.0


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit(143) for the length of a block, so that it ends its commands as Ctrl-C does.

    A second one is ignored: nothing is to cut that ending short. To be used in the main thread.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Command:
    """One ``streamtrain`` command at work, its log in a file."""

    def __init__(self, log: Path, *words: str, crash_at: str | None = None) -> None:
        self._log = log
        self._words = words
        environment = {name: value for name, value in os.environ.items() if name != _CRASH}
        if crash_at is not None:
            environment[_CRASH] = crash_at
        with log.open("ab") as output:
            # A session of its own: Ctrl-C on the terminal is for the demo, which then ends its commands in order.
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with words of our own
                [sys.executable, "-m", "streamtrain", *words],
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def killed(self) -> bool:
        """Whether it has been killed. Raises FatalError if it has failed instead."""
        code = self._process.poll()
        if code is None or code == 0:
            return False
        if code == -signal.SIGKILL:
            return True
        raise self._failed(code)

    def finish(self) -> None:
        """Wait for it to end by itself, and end it if the wait is cut short. Raises FatalError if it failed."""
        try:
            code = self._process.wait()
        finally:
            self.stop()
        if code != 0:
            raise self._failed(code)

    def stop(self) -> None:
        """Ask it to end cleanly, and wait. Does nothing if it has ended."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LEAVE_S)
        finally:
            # Also when Ctrl-C cuts the wait short; nothing is done to a process that has ended.
            self._process.kill()
            self._process.wait()

    def _failed(self, code: int) -> FatalError:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        said = lines[-1] if lines else "nothing"
        return FatalError(
            f"`streamtrain {self._words[0]}` ended with exit code {code}: {said}", hint=f"see {self._log}"
        )
