"""Where a database server's program and its files lie: on the machine, or unpacked in the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers import debian
from tests.servers.cache import cached
from tests.servers.errors import ServerUnavailable


@dataclass(frozen=True, slots=True)
class Package:
    """A server program, the version that is wanted, and the Debian package that has it."""

    program: str
    version: str  # regular expression on what `program --version` prints
    package: str
    suite: str


@dataclass(frozen=True, slots=True)
class Installation:
    """A server program that can be started, its version, and the folder that holds its ``share`` and ``lib``."""

    command: tuple[str, ...]
    home: Path
    version: str

    def holding(self, file: str) -> Path:
        """The folder among the usual ones under ``share`` that holds ``file``."""
        for folder in ("share/mysql", "share/mariadb", "share"):
            if (self.home / folder / file).exists():
                return self.home / folder
        raise ServerUnavailable(f"{self.command[-1]} is installed, but {file} is not under {self.home}/share")

    def cache_name(self, what: str, *recipe: str) -> str:
        """A name for a cache entry that this very installation made by this very recipe."""
        made_by = "\0".join((*self.command, self.version, *recipe))
        return f"{what}-{hashlib.sha256(made_by.encode()).hexdigest()[:12]}"


def install(wanted: Package) -> Installation:
    """The wanted version found on PATH, else fetched into the cache; raises ServerUnavailable if neither can be."""
    search_path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    if found := shutil.which(wanted.program, path=search_path):
        version = _version((found,))
        if re.search(wanted.version, version):
            return Installation((found,), Path(found).resolve().parent.parent, version)
    prefix = cached(
        f"{wanted.package}-{wanted.suite}", lambda folder: debian.unpack(wanted.package, wanted.suite, folder)
    )
    command = debian.command(prefix, f"usr/sbin/{wanted.program}")
    version = _version(command)
    if not re.search(wanted.version, version):
        raise ServerUnavailable(f"Debian {wanted.suite} has {version}, not the wanted /{wanted.version}/")
    return Installation(command, prefix / "usr", version)


def _version(command: tuple[str, ...]) -> str:
    finished = subprocess.run((*command, "--version"), capture_output=True, text=True, check=False)
    return finished.stdout.strip() or finished.stderr.strip()
