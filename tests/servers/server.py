"""What every private server has in common: its life from start to removal."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol, Self

from tests.servers.errors import ServerUnavailable
from tests.servers.instances import InstanceFolder

START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 30.0
POLL_S = 0.05


class Runner(Protocol):
    """What a server runs in: a process of this machine or a container."""

    def start(self) -> None: ...

    def running(self) -> bool: ...

    def terminate(self, timeout_s: float) -> None: ...

    def kill(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def remove(self) -> None:
        """End it at once and leave nothing of it outside the instance's folder. Safe to call twice."""


class PrivateServer(ABC):
    """One server of our own on a loopback port, with its data in a folder of its own.

    ``stop`` and ``kill`` leave the data for the next ``start``; ``discard`` removes them. As a context manager it is
    started on the way in and discarded on the way out.
    """

    name: ClassVar[str]
    variable: ClassVar[str]  # the environment variable that names a server to use instead

    def __init__(self, runner: Runner, folder: InstanceFolder, *, port: int, log_path: Path) -> None:
        self._runner = runner
        self._folder = folder
        self.port = port
        self.log_path = log_path

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves a client now."""

    def start(self) -> None:
        """Start it and return once it answers; raises ServerUnavailable, with the end of its log, if it does not."""
        self._runner.start()
        deadline = time.monotonic() + START_DEADLINE_S
        while not self.answers():
            if not self._runner.running():
                raise ServerUnavailable(f"{self.name} ended while starting; its log says:\n{self._log_end()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerUnavailable(
                    f"{self.name} did not answer within {START_DEADLINE_S:.0f} s; its log says:\n{self._log_end()}"
                )
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Shut it down in order."""
        self._runner.terminate(STOP_DEADLINE_S)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._runner.kill()

    def pause(self) -> None:
        """Freeze it, as a machine that swaps or migrates does: connections stay open and nothing answers."""
        self._runner.pause()

    def resume(self) -> None:
        self._runner.resume()

    def restart(self) -> None:
        """Shut it down if it runs, and start it on the same port with the same data."""
        self.stop()
        self.start()

    def running(self) -> bool:
        return self._runner.running()

    def discard(self) -> None:
        """End it and remove its data. Safe to call twice."""
        self._runner.remove()
        self._folder.remove()

    def _log_end(self) -> str:
        if not self.log_path.exists():
            return "(nothing)"
        return self.log_path.read_text(errors="replace")[-3000:]
