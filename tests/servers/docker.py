"""A server in a container, where its program cannot be had and a Docker engine answers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.errors import ServerUnavailable
from tests.servers.process import Process
from tests.servers.system import run, say

OWNER = "streamtrain.owner"


@dataclass(frozen=True, slots=True)
class Image:
    """What to run in a container, and on which of its ports it serves."""

    reference: str
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()

    def command(self, name: str, port: int) -> tuple[str, ...]:
        """``docker run`` for a container ``name`` that serves on the loopback ``port``."""
        environment = (word for item in self.environment.items() for word in ("--env", "=".join(item)))
        publish = f"127.0.0.1:{port}:{self.port}"
        owner = f"{OWNER}={os.getpid()}"
        options = ("--name", name, "--label", owner, "--publish", publish, *environment)
        return ("docker", "run", *options, self.reference, *self.arguments)


class Container:
    """Runs like a process: the attached client stands for it, and passes output and the signal to end on.

    A container outlives a test run that was killed; the next one removes it.
    """

    def __init__(self, image: Image, *, port: int, log: Path) -> None:
        self._image = image
        self._name = f"streamtrain-{log.parent.name}"
        self._first = Process(image.command(self._name, port), log=log, folder=log.parent)
        self._again = Process(("docker", "start", "--attach", self._name), log=log, folder=log.parent)
        self._client: Process | None = None

    def start(self) -> None:
        if self._client is None:
            _remove_abandoned()
            self._client = self._first
        else:
            self._client = self._again
        self._client.start()

    def running(self) -> bool:
        return self._client is not None and self._client.running()

    def terminate(self, timeout_s: float) -> None:
        if self.running():
            run(("docker", "stop", "-t", str(int(timeout_s)), self._name))
            self._end_client()

    def kill(self) -> None:
        if self.running():
            run(("docker", "kill", self._name))
            self._end_client()

    def pause(self) -> None:
        run(("docker", "pause", self._name))

    def resume(self) -> None:
        run(("docker", "unpause", self._name))

    def remove(self) -> None:
        if self._client is not None:
            run(("docker", "rm", "--force", "--volumes", self._name))
            self._end_client()

    def _end_client(self) -> None:
        if self._client is not None:
            self._client.terminate(timeout_s=10)


def require_engine(without: ServerUnavailable, variable: str) -> None:
    """Pass if a Docker engine answers; else raise ``without`` again, with every other way out."""
    if shutil.which("docker"):
        asked = subprocess.run(("docker", "version"), capture_output=True, check=False, timeout=30)
        if asked.returncode == 0:
            return
    raise ServerUnavailable(f"{without}\nNo Docker engine answers either. Or name a server in {variable}.") from without


def pull(image: str) -> None:
    """Fetch an image if it is not there, so that a start does not have to."""
    if subprocess.run(("docker", "image", "inspect", image), capture_output=True, check=False).returncode == 0:
        return
    say(f"pulling {image} ...")
    run(("docker", "pull", "--quiet", image))


def _remove_abandoned() -> None:
    """Remove the containers of owners that do not run any more."""
    listed = run(
        ("docker", "ps", "--all", "--filter", f"label={OWNER}", "--format", f'{{{{.Names}}}} {{{{.Label "{OWNER}"}}}}')
    )
    for line in listed.splitlines():
        name, owner = line.split()
        if not _runs(int(owner)):
            run(("docker", "rm", "--force", "--volumes", name))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as somebody else's
        return True
    return True
