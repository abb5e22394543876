"""Programs and packages of the machine: found, installed by apt-get where that is possible, or asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.errors import ServerUnavailable


def say(message: str) -> None:
    """Tell the person waiting what takes the time."""
    print(message, file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], *, folder: Path | None = None, stdin: bytes | None = None) -> str:
    """Run ``command`` to its end and return its output; raise ServerUnavailable with it if the command fails."""
    finished = subprocess.run(
        [os.fspath(word) for word in command],
        cwd=folder,
        input=b"" if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = finished.stdout.decode(errors="replace")
    if finished.returncode != 0:
        raise ServerUnavailable(f"`{command[0]} ...` failed with {finished.returncode}:\n{output[-3000:]}")
    return output


def require_packages(*packages: str, purpose: str) -> None:
    """Install Debian or Ubuntu packages, or say which are missing and how to install them."""
    wanted = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise ServerUnavailable(f"{purpose} needs {wanted}: install it with this system's package manager")
    if os.geteuid() != 0:
        raise ServerUnavailable(f"{purpose} needs {wanted}: run `sudo apt-get install {wanted}`")
    say(f"installing {wanted} with apt-get ...")
    apt_get = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", "-y")
    run((*apt_get, "update"))
    run((*apt_get, "install", "--no-install-recommends", *packages))
