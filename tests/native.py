"""The parts in C, built from this tree's sources: what is tested is never a build that lies about from before."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path
from shutil import which
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


def compiler_is_there() -> bool:
    """Whether this machine can build extensions: a C compiler, and Python's headers."""
    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "").split()
    return bool(command) and which(command[0]) is not None and Path(sysconfig.get_path("include"), "Python.h").exists()


def build(folder: Path, **environment: str) -> list[Path]:
    """Build the extensions into ``folder`` as the installation does; the files that came of it."""
    words = (
        sys.executable,
        "setup.py",
        "-q",
        "build_ext",
        "--build-lib",
        str(folder),
        "--build-temp",
        str(folder / "o"),
    )
    subprocess.run(words, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=True)
    return sorted(folder.rglob("*.so"))


@cache
def native(name: str) -> ModuleType:
    """The extension module of this dotted name. Skips the test where there is no compiler."""
    if not compiler_is_there():
        pytest.skip("a C compiler and Python's headers are needed")
    path = next(path for path in _built() if path.name.split(".")[0] == name.rpartition(".")[2])
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _built() -> list[Path]:
    return build(Path(tempfile.mkdtemp(prefix="streamtrain-native-")))
