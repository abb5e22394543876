"""A server process that cannot outlive the one that started it."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import weakref
from collections.abc import Sequence
from pathlib import Path

from tests.servers.errors import ServerUnavailable

_running: weakref.WeakSet[Process] = weakref.WeakSet()


class Process:
    """One command, run in the background with its output appended to a log file.

    The kernel kills it when its parent ends, however that ends (Linux, by ``setpriv --pdeathsig``); elsewhere it is
    killed at a normal exit. The kernel takes the *thread* that started it for the parent: start servers from a thread
    that lives as long as they have to.
    """

    def __init__(self, command: Sequence[str], *, log: Path, folder: Path) -> None:
        self._command = tuple(command)
        self._log = log
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running process's id."""
        if self._child is None or self._child.poll() is not None:
            raise ServerUnavailable(f"{self._command[0]} is not running; its log: {self._log}")
        return self._child.pid

    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        if self.running():
            raise ServerUnavailable(f"{self._command[0]} is running already, as process {self.pid}")
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                (*die_with_parent(), *self._command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C in the terminal is for the test run alone, which then stops us
            )
        _running.add(self)

    def terminate(self, timeout_s: float) -> None:
        """Ask it to end, and kill it if it has not within ``timeout_s``. Does nothing if it is not running."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would. Does nothing if it is not running."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def pause(self) -> None:
        """Stop it where it stands; its connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        """As ``kill``: a process leaves nothing behind but its folder."""
        self.kill()


def die_with_parent() -> tuple[str, ...]:
    """Words to put before a command, so that it ends with the thread that started it; none where that cannot be had."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


@atexit.register
def _kill_all() -> None:
    for process in tuple(_running):
        process.kill()
