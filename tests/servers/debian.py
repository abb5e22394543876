"""Debian packages unpacked into a folder of their own, to run beside whatever the machine has installed.

Nothing is installed and no right is needed: ``apt-get`` fetches and verifies the packages with a state of its own in
which nothing is installed yet, so that every library comes along, and the program is started through the dynamic loader
that came with them.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.servers.errors import ServerUnavailable
from tests.servers.system import require_packages, run, say

KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{suffix}" for suffix in ("gpg", "pgp"))
UNUSED = re.compile(r"(lib)?perl|dpkg|debconf|tar_|gcc-")


def unpack(package: str, suite: str, target: Path) -> None:
    """Fetch ``package`` of Debian's ``suite`` with all that it depends on, and unpack it into ``target``."""
    if shutil.which("apt-get") is None:
        raise ServerUnavailable(f"{package} is taken from Debian's packages, which needs apt-get")
    say(f"fetching {package} of Debian {suite} ...")
    state = target / "apt"
    apt_get = ("apt-get", *_own_state(state, f"deb [signed-by={_keyring()}] {_mirror()} {suite} main\n"))
    run((*apt_get, "update"))
    run((*apt_get, "--yes", "--download-only", "--no-install-recommends", "install", package))
    for archive in sorted((state / "cache/archives").glob("*.deb")):
        if not UNUSED.match(archive.name):
            run(("dpkg", "-x", archive, target))
    shutil.rmtree(state)
    shutil.rmtree(target / "usr/share/doc", ignore_errors=True)


def command(prefix: Path, program: str) -> tuple[str, ...]:
    """How to start ``program`` of the packages unpacked in ``prefix``: through their own loader and libraries."""
    loaders = sorted(prefix.glob("**/ld-linux*.so.*"))
    if not loaders:
        raise ServerUnavailable(f"the packages unpacked in {prefix} hold no dynamic loader: delete it to fetch again")
    folders = sorted({library.parent for library in prefix.glob("**/*-linux-gnu/*.so.*")})
    return (str(loaders[0]), "--library-path", ":".join(map(str, folders)), str(prefix / program))


def _own_state(state: Path, sources: str) -> list[str]:
    (state / "lists/partial").mkdir(parents=True)
    (state / "cache/archives/partial").mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(sources)
    options = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def _keyring() -> Path:
    if not any(path.exists() for path in KEYRINGS):
        require_packages("debian-archive-keyring", purpose="verifying Debian's packages")
    return next(path for path in KEYRINGS if path.exists())


def _mirror() -> str:
    """The mirror named by ``DEBIAN_MIRROR``, else the one that this machine's own apt-get uses."""
    if named := os.environ.get("DEBIAN_MIRROR"):
        return named
    known = run(("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"))
    for line in known.splitlines():
        if line.startswith("Debian|Debian|"):
            return line.rpartition("|")[2]
    raise ServerUnavailable("no Debian mirror is known here: set DEBIAN_MIRROR to the address of one")
