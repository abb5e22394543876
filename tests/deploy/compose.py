"""docker-compose.yml as a test sees it: read without an engine, its variables expanded."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.servers import debian
from tests.servers.cache import cached

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
ENV_EXAMPLE = ROOT / "deploy/.env.example"
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\}")

Service = dict[str, Any]


def services(environ: Mapping[str, str] | None = None) -> dict[str, Service]:
    """The services by name, with variables from ``environ`` or else their defaults, as compose expands them."""
    chosen = environ or {}
    text = VARIABLE.sub(lambda match: chosen.get(match["name"]) or match["default"], FILE.read_text())
    found: dict[str, Service] = yaml.safe_load(text)["services"]
    return found


def variables() -> dict[str, set[str]]:
    """Each variable of the file with the defaults that it is given there."""
    found: dict[str, set[str]] = {}
    for match in VARIABLE.finditer(FILE.read_text()):
        found.setdefault(match["name"], set()).add(match["default"])
    return found


def bind_mounts(service: Service) -> dict[str, Path]:
    """Where each file of the repository that is mounted into ``service`` appears in the container."""
    mounts = {}
    for volume in service.get("volumes", []):
        if isinstance(volume, str):
            source, target = volume.split(":")[:2]
            if source.startswith("."):
                mounts[target] = ROOT / source
        elif volume["type"] == "bind":
            mounts[volume["target"]] = ROOT / volume["source"]
    return mounts


def command() -> tuple[str, ...]:
    """How to run docker compose: docker's own plugin where it is installed, else Debian's, which needs no engine."""
    if shutil.which("docker"):
        asked = subprocess.run(("docker", "compose", "version"), capture_output=True, check=False)
        if asked.returncode == 0:
            return ("docker", "compose")
    prefix = cached("docker-compose-sid", lambda folder: debian.unpack("docker-compose", "sid", folder))
    return debian.command(prefix, "usr/libexec/docker/cli-plugins/docker-compose")
